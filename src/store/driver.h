/* SPDX-License-Identifier: Apache-2.0
 * driver.h - what a driver gives to migrate.c and nobody else. */
#ifndef KH_STORE_DRIVER_H
#define KH_STORE_DRIVER_H
#include "store/db.h"

/* Runs one statement of a migration, after the driver put it into its own dialect (SQLite: STRICT tables). */
KH_MUST_USE enum kh_err db_define(struct db *db, struct kh_slice sql, struct kh_diag *diag);
#endif
