/* SPDX-License-Identifier: Apache-2.0
 * channel.h - frames between two roles over a SOCK_SEQPACKET socketpair, driven by the role's uv loop.
 * One packet is one frame: header {u32 length, u16 message, u16 flags} in host order (both ends are this
 * program), then JSON. A payload above CHANNEL_INLINE travels in a sealed memfd; a frame of a row `with_fd`
 * brings one more descriptor. Every frame is checked against messages.def before its handler runs; a frame
 * that is not allowed closes the channel. Ownership: channel_send takes the reference of `payload` and the
 * descriptor, also on error. A handler borrows the payload and owns the descriptor. Errors: KH_ELIMIT when
 * CHANNEL_QUEUE bytes wait for a peer that does not read. Threads: the loop's. */
#ifndef KH_ROLE_CHANNEL_H
#define KH_ROLE_CHANNEL_H
#include <jansson.h>
#include <uv.h>

#include "base/err.h"
#include "role/messages.h"

enum { CHANNEL_INLINE = 64 * 1024, CHANNEL_QUEUE = 64 << 20 };

struct channel;
typedef void channel_handler(void *ctx, struct channel *from, json_t *payload, int fd);
typedef channel_handler *channel_table[N_FRAMES]; /* a role's handlers, by message; NULL: not for this role */

/* `on_close` runs once when the peer is gone or broke the rules; the channel must be freed by the owner then.
 */
struct channel *channel_new(uv_loop_t *loop, int fd, enum role self, enum role peer,
							const channel_table *handlers, void (*on_close)(void *ctx, struct channel *c),
							void *ctx);
enum kh_err channel_send(struct channel *c, enum message id, json_t *payload, int fd); /* fd -1: none */
enum role channel_peer(const struct channel *c);
size_t channel_queued(const struct channel *c); /* bytes that wait */
void channel_free(struct channel *c);           /* NULL is allowed; safe inside a handler */
/* Sends what waits, blocking for at most timeout_ms: for the last words of a role. */
void channel_flush(struct channel *c, int timeout_ms);

/* A socketpair for one channel, both ends close-on-exec. -1 on error. */
int channel_pair(int ends[2]);
/* Bytes as a sealed memfd (F_SEAL_WRITE and friends), or -1. */
int channel_memory(const void *bytes, size_t n);
/* Maps a sealed memfd that is at most `max` bytes; munmap(*p, *n) when n > 0. Refuses one that is not sealed.
 */
KH_MUST_USE enum kh_err channel_memory_map(int fd, size_t max, void **p, size_t *n);
#endif
