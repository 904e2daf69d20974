/* SPDX-License-Identifier: Apache-2.0
 * time.h - points in time: int64_t nanoseconds since 1970-01-01T00:00:00Z, without leap seconds.
 * RFC 3339 at every border; Asia/Ho_Chi_Minh (UTC+7, no daylight saving since 1975) on screens.
 * Range: years 0001-9999 are read; outside of what int64_t holds (1677-2262) is KH_ERANGE. Pure, but for the
 * clocks. */
#ifndef KH_BASE_TIME_H
#define KH_BASE_TIME_H
#include "base/slice.h"

#define KH_SECOND INT64_C(1000000000)
#define KH_MINUTE (60 * KH_SECOND)
#define KH_HOUR   (60 * KH_MINUTE)
#define KH_DAY    (24 * KH_HOUR)

enum { KH_TIME_TEXT = 40, KH_VIETNAM_OFFSET_S = 7 * 3600 };

struct kh_civil {
	int32_t year;
	uint8_t month, day, hour, minute, second; /* month 1-12 */
	uint8_t weekday;                          /* 0 = Monday */
	uint16_t yearday;                         /* 1-366 */
	uint32_t nanosecond;
};

int64_t kh_now_ns(void);  /* wall clock */
int64_t kh_mono_ns(void); /* steady clock, for durations */

struct kh_civil kh_civil_of(int64_t time_ns, int32_t offset_s);
KH_MUST_USE enum kh_err kh_civil_time(const struct kh_civil *c, int32_t offset_s, int64_t *out);
unsigned kh_iso_week(int64_t time_ns, int32_t offset_s); /* ISO 8601 week, 1-53 */

/* RFC 3339 with "T", "t" or a blank between date and time, 0-9 digits of fraction (more are cut off), "Z" or
 * an offset. Text without an offset is KH_EFORMAT unless `assume_utc`. The whole slice must be the time. */
KH_MUST_USE enum kh_err kh_time_parse(struct kh_slice text, bool assume_utc, int64_t *out);
/* "2026-11-23T08:00:00.123456789Z"; the fraction is left out when it is zero, else cut to 3, 6 or 9 digits.
 */
char *kh_time_rfc3339(char out[KH_TIME_TEXT], int64_t time_ns);
/* "23/11/2026 15:00:00", the way Vietnamese offices write it, in Asia/Ho_Chi_Minh. */
char *kh_time_vietnam(char out[KH_TIME_TEXT], int64_t time_ns);
#endif
