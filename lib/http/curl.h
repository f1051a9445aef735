/* The libcurl transport: a few multi handles (curl_shard.h), driven by the runtime's libev loop.
 *
 * libcurl runs on the thread's own stack only (it goes deep), its callbacks only record, and no
 * task is resumed nor any curl_multi function called inside of one. All admission is ours: what is
 * handed to libcurl starts at once, its own queue (which is quadratic) stays empty. */
#ifndef WEIR_HTTP_CURL_H
#define WEIR_HTTP_CURL_H

#include <weir/transport.h>

#include "task/sched.h"

/* Fills *transport for up to max_parallel exchanges at a time without reconnecting (more work,
 * at a cost). WEIR_ENOTSUP under the virtual clock, WEIR_ENOMEM. */
int weir__curl_transport(struct weir__rt *rt, size_t max_parallel,
                         struct weir_transport *transport);

#endif
