/* SPDX-License-Identifier: Apache-2.0
 * supervisor.h - `khien serve`: opens sockets and folders, starts the roles, restarts what dies, stops in
 * order. It never parses a byte that others wrote, but its own settings file. SIGTERM and SIGINT stop, SIGHUP
 * reads the settings anew and restarts the roles one after the other (nothing acknowledged is lost by a
 * restart). */
#ifndef KH_ROLE_SUPERVISOR_H
#define KH_ROLE_SUPERVISOR_H
#include "role/settings.h"

/* Takes the settings over; `config_path` (NULL: defaults) is read again at SIGHUP. Returns an exit code of
 * sysexits.h. */
int supervisor_run(struct settings *settings, const char *config_path);
#endif
