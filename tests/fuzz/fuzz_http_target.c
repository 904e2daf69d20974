/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"
#include "web/target.h"

static void check_path(struct kh_slice path)
{
	FUZZ_HOLDS(path.n > 0 && path.p[0] == '/' && kh_utf8_ok(path));
	while (path.n > 0) {
		struct kh_slice segment;
		if (!kh_slice_cut(&path, '/', &segment)) {
			segment = path;
			path = (struct kh_slice){0};
		}
		FUZZ_HOLDS(!kh_slice_is(segment, ".") && !kh_slice_is(segment, ".."));
		for (size_t i = 0; i < segment.n; i++) FUZZ_HOLDS(segment.p[i] >= 0x20 && segment.p[i] != '\\');
	}
}

/* The whole input is taken as a target, as X-Forwarded-For and as Accept-Language. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t room[4096];
	struct kh_slice s = {data, size};
	struct target t;
	if (size <= sizeof room && target_parse(s, room, &t) == KH_OK) {
		check_path(t.path);
		for (size_t i = 0; i < t.n_query; i++) {
			FUZZ_HOLDS(t.query[i].name.n > 0 && kh_utf8_ok(t.query[i].name) && kh_utf8_ok(t.query[i].value));
			FUZZ_HOLDS(t.query[i].value.p + t.query[i].value.n <= room + size);
		}
	}
	struct kh_prefix ours;
	struct kh_address peer;
	FUZZ_HOLDS(kh_prefix_parse(KH_LIT("198.51.100.0/24"), false, &ours) == KH_OK);
	FUZZ_HOLDS(kh_address_parse(KH_LIT("192.0.2.1"), &peer) == KH_OK);
	struct kh_address a = target_client(peer, s, &ours, 1);
	FUZZ_HOLDS(memcmp(&a, &peer, sizeof a) == 0); /* a stranger says what he likes */
	peer = ours.base;
	(void)target_client(peer, s, &ours, 1);
	enum kh_lang lang = target_language(s, KH_VI);
	FUZZ_HOLDS(lang == KH_VI || lang == KH_EN);
	return 0;
}
