/* SPDX-License-Identifier: Apache-2.0
 * yaml.h - what our readers of YAML (settings, rules, mapping packs) share over libfyaml.
 * Ownership: borrowed from the document. Pure. */
#ifndef KH_BASE_YAML_H
#define KH_BASE_YAML_H
#include <libfyaml.h>

/* Where a node stands, for messages: its own first scalar, looked for at most 16 levels down. NULL when it
 * has none. */
const struct fy_mark *kh_yaml_place(struct fy_node *node);
#endif
