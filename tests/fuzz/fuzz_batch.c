/* SPDX-License-Identifier: Apache-2.0
 * A batch from a sensor that was taken over: any JSON. The desk lives on, and its books still balance. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "desk/desk.h"
#include "fuzz.h"
#include "store/db.h"

static struct db *db;
static struct desk *desk;

/* One database for all inputs; it leaves no name behind. */
static void open_desk(void)
{
	char dir[] = "/tmp/khien-fuzz-XXXXXX", path[64];
	struct kh_diag diag;
	if (mkdtemp(dir) == NULL) abort();
	snprintf(path, sizeof path, "%s/k.db", dir);
	if (db_open(path, NULL, &db, &diag) != KH_OK || desk_new(db, NULL, NULL, &desk, &diag) != KH_OK) abort();
	if (db_exec(db, "PRAGMA synchronous=OFF", DB_NONE, &diag) != KH_OK) abort();
	static const char *const tails[] = {"", "-wal", "-shm"};
	for (size_t i = 0; i < 3; i++) {
		char name[80];
		snprintf(name, sizeof name, "%s%s", path, tails[i]);
		unlink(name);
	}
	rmdir(dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int64_t now = INT64_C(1795402800000000000);
	json_t *answer = NULL;
	struct kh_diag diag = {0};
	if (desk == NULL) open_desk();
	json_t *batch = json_loadb((const char *)data, size, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
	if (batch == NULL) return 0;
	enum kh_err err = intake_apply(desk, batch, now, &answer, &diag);
	FUZZ_HOLDS(err == KH_OK || (err == KH_EFORMAT && diag.text[0] != '\0'));
	FUZZ_HOLDS(answer != NULL && !db_in_transaction(db));
	json_decref(answer);
	if (err == KH_OK && intake_apply(desk, batch, now, &answer, &diag) == KH_OK) json_decref(answer);
	json_decref(batch);
	if (desk_tick(desk, now += INT64_C(1000000000), &diag) != KH_OK) abort();
	return 0;
}
