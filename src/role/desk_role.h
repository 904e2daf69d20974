/* SPDX-License-Identifier: Apache-2.0
 * desk_role.h - inside the desk role: what its files share. */
#ifndef KH_ROLE_DESK_ROLE_H
#define KH_ROLE_DESK_ROLE_H
#include "api/call.h"
#include "desk/api.h"
#include "desk/desk.h"
#include "role/process.h"

struct desk *desk_of(struct role_process *p);
#endif
