/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/message.h"

/* Which of {0}..{9} a text names, as bits. */
static unsigned placeholders(const char *text)
{
	unsigned set = 0;
	for (const char *p = text; *p != '\0'; p++)
		if (p[0] == '{' && p[1] >= '0' && p[1] <= '9' && p[2] == '}') set |= 1u << (p[1] - '0');
	return set;
}

static void both_catalogues_hold_every_key_with_the_same_places(void **st)
{
	(void)st;
	for (int k = 0; k < M_COUNT; k++) {
		const char *vi = kh_msg_in(KH_VI, (enum kh_msg)k), *en = kh_msg_in(KH_EN, (enum kh_msg)k);
		if (vi == kh_msg_key((enum kh_msg)k)) fail_msg("vi lacks %s", vi);
		if (placeholders(vi) != placeholders(en)) fail_msg("%s: {n} differ", kh_msg_key((enum kh_msg)k));
		assert_true(kh_utf8_ok(kh_str(vi)) && kh_utf8_ok(kh_str(en)));
	}
}

static void cuts_at_a_whole_character(void **st)
{
	(void)st;
	char out[20];
	for (size_t cap = 1; cap <= sizeof out; cap++) {
		kh_msg_write(out, cap, KH_VI, M_FILE_OPEN, "đường", "lỗi", NULL);
		assert_true(strlen(out) < cap);
		assert_true(kh_utf8_ok(kh_str(out)));
	}
}

static void a_diag_is_one_line(void **st)
{
	(void)st;
	struct kh_diag d;
	kh_lang_set(KH_EN);
	assert_int_equal(kh_say(&d, KH_EFORMAT, M_FILE_OPEN, "a\nb\x01", "c", NULL), KH_EFORMAT);
	assert_string_equal(d.text, "cannot open a b : c");
	assert_int_equal(kh_say(NULL, KH_ELIMIT, M_OUT_OF_MEMORY, NULL), KH_ELIMIT);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(both_catalogues_hold_every_key_with_the_same_places),
		cmocka_unit_test(cuts_at_a_whole_character),
		cmocka_unit_test(a_diag_is_one_line),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
