/* The libcurl transport: a few multi handles (curl_shard.h), driven by the runtime's libev loop.
 *
 * libcurl runs on the thread's own stack only (it goes deep), its callbacks only record, and no
 * task is resumed nor any curl_multi function called inside of one. All admission is ours: what is
 * handed to libcurl starts at once, its own queue (which is quadratic) stays empty. */
#ifndef WEIR_HTTP_CURL_H
#define WEIR_HTTP_CURL_H

#include <weir/transport.h>

#include "http/curl_net.h"
#include "task/sched.h"

/* Fills *transport for up to max_parallel exchanges at a time without reconnecting (more work,
 * at a cost), which connects as the options say (copied; NULL: the defaults). WEIR_ENOTSUP under
 * the virtual clock, WEIR_ENOMEM, or what weir_net_check returns, with its text. */
int weir__curl_transport(struct weir__rt *rt, size_t max_parallel, const struct weir_net_opts *net,
                         struct weir_transport *transport, char text[WEIR__NET_TEXT_MAX]);

/* ---- answers that are read while they come, over the same transport ---- */

struct weir__download;

/* As the transport's perform, but returns as soon as the first bytes of the content are there: then
 * the response has status and headers and changes no more, and *out is to be read and closed. What
 * the exchange points to must live until then. NULL in *out: the answer has already ended, or its
 * status is not 2xx, and the response holds all of it. exchange->timeout_ms ends where this
 * returns. `room` bytes are kept for a reader that is slower than the server (or as many as libcurl
 * brings at a time, 16 KiB): then no more are taken from the connection. Suspends. */
int weir__curl_open(void *self, const struct weir_exchange *exchange, size_t room,
                    weir_response *response, struct weir__download **out);

/* Reads up to size (> 0) bytes: how many, 0 at the end. Suspends until there are some, at most for
 * idle_ns (INT64_MAX: for ever): WEIR_EIDLE. WEIR_ECANCELED, which changes nothing, or how the
 * transfer failed. */
int64_t weir__curl_read(struct weir__download *download, void *buf, size_t size, int64_t idle_ns);

/* The text of how the transfer failed; "" when it has not. */
const char *weir__curl_failure(const struct weir__download *download);

/* Ends and frees it. NULL is fine. Suspends for a moment while the transfer is under way, and a
 * cancel does not keep it from its end. */
void weir__curl_close(struct weir__download *download);

#endif
