/* SPDX-License-Identifier: Apache-2.0
 * notify.h - tells the service manager how we are (sd_notify(3): datagrams to $NOTIFY_SOCKET), without
 * libsystemd. All calls do nothing when nobody listens. */
#ifndef KH_ROLE_NOTIFY_H
#define KH_ROLE_NOTIFY_H
#include <stdint.h>

void notify_start(void);            /* reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID once */
void notify_say(const char *lines); /* "READY=1", "STOPPING=1\nSTATUS=..." */
uint64_t
notify_watchdog_ms(void); /* how often WATCHDOG=1 should be said: half of what is demanded; 0: never */
#endif
