/* SPDX-License-Identifier: Apache-2.0 */
#include "desk_fixture.h"

#include "api/shapes.h"
#include "desk/audit.h"
#include "desk/record.h"

static const struct desk_actor operator_one = {"uid:0 root", "local"};

#define ORGANISATIONS "code,parent,name,kind,domains,networks\n"
#define CONTACTS      "organisation,name,role,email,phone,hours,language\n"
#define SYSTEMS       "organisation,code,name,level,owner,operator,monitored_by\n"
#define ASSETS        "system,name,kind,addresses,criticality,exposed\n"

struct trial {
	const char *kind;
	const json_t *result;
	json_t *summary, *errors;
};

static enum kh_err apply(struct desk *d, void *arg, struct kh_diag *said)
{
	struct trial *t = arg;
	return record_import(d, record_kind_of(t->kind), t->result, &operator_one, MORNING, &t->summary,
						 &t->errors, said);
}

/* "line column" of each error, or the summary "created/changed/unchanged". */
static void import(struct fixture *f, const char *kind, const char *csv, const char *want)
{
	char got[1000] = "";
	size_t i, n = strlen(csv);
	json_t *result, *e;
	uint8_t *copy = malloc(n + 1);
	memcpy(copy, csv, n);
	OK(shape_check(kind, (struct kh_slice){copy, n}, &result, &diag));
	free(copy);
	struct trial t = {kind, result, NULL, NULL};
	enum kh_err err = desk_change(f->d, apply, &t, &diag);
	if (err == KH_OK)
		snprintf(got, sizeof got, "%lld/%lld/%lld",
				 (long long)json_integer_value(json_object_get(t.summary, "created")),
				 (long long)json_integer_value(json_object_get(t.summary, "changed")),
				 (long long)json_integer_value(json_object_get(t.summary, "unchanged")));
	json_array_foreach(t.errors, i, e)
	{
		size_t at = strlen(got);
		assert_true(json_string_length(json_object_get(e, "reason")) > 5);
		snprintf(got + at, sizeof got - at, "%s%lld %s", i ? ", " : "",
				 (long long)json_integer_value(json_object_get(e, "line")),
				 json_string_value(json_object_get(e, "column")));
	}
	if (strcmp(got, want) != 0) fail_msg("%s\ngave: %s\nwant: %s", csv, got, want);
	json_decref(t.summary);
	json_decref(t.errors);
	json_decref(result);
}

static void a_province_comes_in(struct fixture *f)
{
	fixture_empty(f);
	fixture_desk(f);
	/* A child before its parent, a name in decomposed form, Windows line ends, a quoted comma. */
	import(f, "organisations",
		   "\xef\xbb\xbf"
		   "code,parent,name,kind,domains,networks\r\nyte,anm,\"Sở Y tế, Tỉnh Mẫu\",agency,"
		   "yte.example.vn www.yte.example.vn,192.0.2.0/26 2001:db8:2::/48\r\nanm,,Trung "
		   "ta\xcc\x82m,authority,,\r\n",
		   "2/0/0");
	import(f, "contacts", CONTACTS "yte,Trực ban,duty,duty@yte.example.vn,+1-202-555-0100,24x7,vi\n",
		   "1/0/0");
	import(f, "systems", SYSTEMS "yte,yte-web,Cổng,3,Sở Y tế,,\n", "1/0/0");
	import(f, "assets", ASSETS "yte-web,web01.yte.example.vn,host,192.0.2.10 2001:db8:2::10,high,yes\n",
		   "1/0/0");
}

static void good_rows_come_in_and_are_used_at_once(void **st)
{
	struct fixture f;
	struct audit_report r;
	(void)st;
	a_province_comes_in(&f);
	struct place p = resolver_find(f.d->places, KH_LIT("web01"), KH_LIT(""));
	assert_non_null(p.asset);
	char *name = text_of_row(&f, "SELECT name FROM organisation WHERE code = 'anm'");
	assert_string_equal(name, "Trung t\xc3\xa2m"); /* brought to NFC */
	free(name);
	OK(audit_verify(f.db, &r, &diag));
	assert_int_equal(r.n_ok, 5);
	fixture_end(&f);
}

static void the_same_again_changes_nothing_and_a_change_is_audited(void **st)
{
	struct fixture f;
	(void)st;
	a_province_comes_in(&f);
	import(&f, "contacts", CONTACTS "yte,Trực ban,duty,duty@yte.example.vn,+1-202-555-0100,24x7,vi\n",
		   "0/0/1");
	import(&f, "contacts", CONTACTS "yte,Trực ban mới,duty,duty@yte.example.vn,+1-202-555-0100,24x7,vi\n",
		   "0/1/0");
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM contact"), 1);
	char *before = text_of_row(&f, "SELECT before FROM audit ORDER BY n DESC LIMIT 1");
	assert_non_null(strstr(before, "\"name\":\"Trực ban\""));
	free(before);
	import(&f, "assets", ASSETS "yte-web,WEB01.yte.example.vn,host,192.0.2.10,high,yes\n",
		   "0/1/0"); /* the same name */
	fixture_end(&f);
}

/* Each bad cell is named, and nothing of the file stays. */
static void bad_cells_are_named(void **st)
{
	static const struct {
		const char *kind, *csv, *want;
	} rows[] = {
		{"organisations", ORGANISATIONS "a,,A,agency,,\nb b,,,bank,-x.example,10.0.0.1/8\n",
		 "3 code, 3 name, 3 kind, 3 domains, 3 networks"},
		{"organisations", ORGANISATIONS "a,nobody,A,agency,,\n", "2 parent"},
		{"organisations", ORGANISATIONS "a,b,A,agency,,\nb,a,B,agency,,\n", "2 parent, 3 parent"},
		{"organisations", ORGANISATIONS "a,a,A,agency,,\n", "2 parent"},
		{"organisations", ORGANISATIONS "anm,yte,A,authority,,\n", "2 parent"}, /* yte is below anm */
		{"organisations", ORGANISATIONS "a,,A,agency,,\na,,A,agency,,\n", "3 code"},
		{"organisations", ORGANISATIONS "a,,A,agency,YTE.example.vn,\n", "2 domains"},
		{"organisations", ORGANISATIONS "a,,A,agency,,192.0.2.0/26\n", "2 networks"},
		{"organisations", ORGANISATIONS "a,,A,agency,x.example,\nb,,B,agency,x.example,\n", "3 domains"},
		{"organisations", "code,parent,name,kind,domains\na,,A,agency,\n", "1 networks"},
		{"organisations", "code,parent,name,kind,domains,networks,colour\na,,A,agency,,,red\n", "1 colour"},
		{"organisations", ORGANISATIONS "a,,A,agency\nb,,B,agency,,\n", "2 "},
		{"contacts", CONTACTS "yte,N,duty,nobody,12,always,fr\n", "2 email, 2 phone, 2 hours, 2 language"},
		{"contacts", CONTACTS "nobody,N,duty,a@b.example,,,vi\n", "2 organisation"},
		{"contacts", CONTACTS "yte,N,duty,a@b.example,,,vi\nyte,M,duty,a@b.example,,,vi\n", "3 organisation"},
		{"contacts", CONTACTS "yte,N,duty,\"a@b.example\nBcc: c@d.example\",,,vi\n", "2 email"},
		{"systems", SYSTEMS "yte,s1,S,6,,,\nnobody,s2,S,1,,,\n", "2 level"},
		{"systems", SYSTEMS "nobody,s2,S,1,,,\n", "2 organisation"},
		{"assets", ASSETS "yte-web,x,host,192.0.2.300,huge,maybe\n", "2 addresses, 2 criticality, 2 exposed"},
		{"assets", ASSETS "nobody,x,host,,low,no\n", "2 system"},
		{"assets", ASSETS "yte-web,x,host,2001:db8:2:0::10,low,no\n", "2 addresses"}, /* web01's */
		{"assets", ASSETS "yte-web,x,host,10.0.0.1,low,no\nyte-web,y,host,10.0.0.1,low,no\n", "3 addresses"},
	};
	struct fixture f;
	(void)st;
	a_province_comes_in(&f);
	int64_t audited = count_of(&f, "SELECT COUNT(*) FROM audit");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		import(&f, rows[i].kind, rows[i].csv, rows[i].want);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM organisation"), 2);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM contact"), 1);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM system"), 1);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM asset"), 1);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM audit"), audited);
	fixture_end(&f);
}

static void private_addresses_may_repeat_between_houses(void **st)
{
	struct fixture f;
	(void)st;
	a_province_comes_in(&f);
	import(&f, "systems", SYSTEMS "anm,anm-1,S,1,,,\n", "1/0/0");
	import(&f, "assets", ASSETS "anm-1,x,host,192.168.1.1,low,no\nyte-web,y,host,192.168.1.1,low,no\n",
		   "2/0/0");
	import(&f, "assets", ASSETS "anm-1,z,host,192.0.2.10,low,no\n", "2 addresses");
	fixture_end(&f);
}

static void what_goes_out_comes_back_in(void **st)
{
	static const char *const kinds[] = {"organisations", "contacts", "systems", "assets"};
	struct fixture f, g;
	(void)st;
	a_province_comes_in(&f);
	import(&f, "organisations", ORGANISATIONS "x,anm,\"=1+1 \"\"quoted\"\"; với dấu\",provider,,\n", "1/0/0");
	fixture_empty(&g);
	fixture_desk(&g);
	for (size_t i = 0; i < 4; i++) {
		struct kh_buf out = {0}, again = {0};
		char want[32];
		int64_t n = 0;
		OK(record_export(f.d, record_kind_of(kinds[i]), &out, &diag));
		for (size_t k = 0; k < out.n; k++) n += out.bytes[k] == '\n';
		snprintf(want, sizeof want, "%lld/0/0", (long long)n - 1);
		import(&g, kinds[i], out.bytes, want);
		OK(record_export(g.d, record_kind_of(kinds[i]), &again, &diag));
		snprintf(want, sizeof want, "0/0/%lld", (long long)n - 1);
		import(&f, kinds[i], again.bytes, want);
		assert_int_equal(out.n, again.n);
		kh_buf_free(&out);
		kh_buf_free(&again);
	}
	fixture_end(&f);
	fixture_end(&g);
}

/* The province that ships: every row comes in, and hosts as they stand in its logs are found. */
static void the_sample_province_comes_in(void **st)
{
	static const char *const kinds[] = {"organisations", "contacts", "systems", "assets"};
	struct fixture f;
	(void)st;
	fixture_empty(&f);
	fixture_desk(&f);
	for (size_t i = 0; i < 4; i++) {
		char path[4096], csv[65536], want[32];
		snprintf(path, sizeof path, "%s/%s.csv", PROVINCE, kinds[i]);
		FILE *in = fopen(path, "rb");
		if (in == NULL) fail_msg("no %s", path);
		size_t n = fread(csv, 1, sizeof csv - 1, in), lines = 0;
		fclose(in);
		csv[n] = '\0';
		for (size_t k = 0; k < n; k++) lines += csv[k] == '\n';
		assert_in_range(lines, 5, 1000);
		snprintf(want, sizeof want, "%zu/0/0", lines - 1);
		import(&f, kinds[i], csv, want);
	}
	assert_non_null(resolver_find(f.d->places, KH_LIT("web01"), KH_LIT("")).asset);
	assert_non_null(resolver_find(f.d->places, KH_LIT(""), KH_LIT("198.51.100.77")).organisation);
	fixture_end(&f);
}

static void what_is_no_table_is_refused(void **st)
{
	json_t *result = NULL;
	(void)st;
	assert_int_equal(shape_check("organisations", KH_LIT("a,b\n\"open"), &result, &diag),
					 KH_OK); /* columns first */
	json_decref(result);
	result = NULL;
	assert_int_equal(shape_check("organisations", KH_LIT(ORGANISATIONS "a,,\"open"), &result, &diag),
					 KH_EFORMAT);
	assert_int_equal(shape_check("organisations", KH_LIT("\xff\xfe"), &result, &diag), KH_EFORMAT);
	assert_int_equal(shape_check("people", KH_LIT("a\n"), &result, &diag), KH_EFORMAT);
	assert_null(result);
}

/* Random damage to a good file: either rows or errors come out, never a crash, and never a row with a hole.
 */
static void damaged_files_do_no_harm(void **st)
{
	static const char good[] =
		ASSETS "yte-web,web01,host,192.0.2.10,high,yes\nyte-web,\"web,02\",device,,low,no\n";
	unsigned seed = (unsigned)kh_now_ns();
	(void)st;
	print_message("seed %u\n", seed);
	for (int round = 0; round < 3000; round++) {
		size_t n = sizeof good - 1, i;
		uint8_t *copy = malloc(n);
		json_t *result, *row;
		memcpy(copy, good, n);
		for (int k = rand_r(&seed) % 4; k >= 0; k--) copy[(size_t)rand_r(&seed) % n] = (uint8_t)rand_r(&seed);
		if (rand_r(&seed) % 3 == 0) n = (size_t)rand_r(&seed) % n;
		if (shape_check("assets", (struct kh_slice){copy, n}, &result, &diag) == KH_OK) {
			bool clean = json_array_size(json_object_get(result, "errors")) == 0;
			json_array_foreach(json_object_get(result, "rows"), i, row)
				assert_true(!clean || json_object_size(json_object_get(row, "cells")) == 6);
			json_decref(result);
		}
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(good_rows_come_in_and_are_used_at_once),
		cmocka_unit_test(the_same_again_changes_nothing_and_a_change_is_audited),
		cmocka_unit_test(bad_cells_are_named),
		cmocka_unit_test(private_addresses_may_repeat_between_houses),
		cmocka_unit_test(what_goes_out_comes_back_in),
		cmocka_unit_test(the_sample_province_comes_in),
		cmocka_unit_test(what_is_no_table_is_refused),
		cmocka_unit_test(damaged_files_do_no_harm),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
