/* SPDX-License-Identifier: Apache-2.0 */
#include "base/yaml.h"

enum { MAX_DEPTH = 16 };

const struct fy_mark *kh_yaml_place(struct fy_node *node)
{
	for (int depth = 0; node != NULL && depth < MAX_DEPTH; depth++) {
		void *iter = NULL;
		if (fy_node_is_scalar(node)) {
			struct fy_token *token = fy_node_get_scalar_token(node);
			return token != NULL ? fy_token_start_mark(token) : NULL;
		}
		if (fy_node_is_mapping(node)) {
			struct fy_node_pair *pair = fy_node_mapping_iterate(node, &iter);
			node = pair != NULL ? fy_node_pair_key(pair) : NULL;
		} else {
			node = fy_node_sequence_iterate(node, &iter);
		}
	}
	return NULL;
}
