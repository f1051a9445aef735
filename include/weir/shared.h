/* Limits that several limiters share: those of several threads, each with a runtime of its own, or,
 * through a file, those of all processes on one host.
 *
 *     weir_shared *shared = NULL;
 *     int rc = weir_shared_open(&shared, "/run/user/1000/api.weir", &limit, 1);
 *     if (rc == 0)
 *         rc = weir_limiter_new(&limiter, WEIR_LIMITER_OPTS(.shared = shared, .concurrency = 64));
 *
 * The limiter that is first in line reserves its slot in the future and sleeps until it comes, so
 * limiters are served in the order in which they asked. A limiter has at most one slot reserved at
 * a time: that is all that is lost when its process is killed. A pause asked for by one limiter's
 * server holds for all; concurrency, order and priorities are each limiter's own. In any window at
 * most burst + rate x (window + 20 ms) are granted. What weir_permit_settle gives back comes back
 * unless 4,096 others were granted meanwhile. */
#ifndef WEIR_SHARED_H
#define WEIR_SHARED_H

#include <stddef.h>

#include <weir/limiter.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Opens limits in *out, for weir_limiter_opts.shared; close them with weir_shared_close. May be
 * called, and *out be used, in every thread, with or without a runtime.
 *
 * path NULL: for the threads of this process. Else the limits live in that file, which is created
 * if it is missing, with mode 0600, by the user it belongs to, on a local file system. It is
 * started anew after a reboot. Do not remove it while it is in use. The file is locked for the
 * moment of opening, so this may block the thread for as long as another process opens it.
 *
 * Errors: WEIR_EINVAL (no limits, more than WEIR_LIMITS_MAX, or as in weir_limiter_new),
 *   WEIR_ENOTSUP    a strict limit: use burst = 1 instead; or a system without a boot id
 *   WEIR_ESHARED    the file is none of weir's, damaged, a link, of another user, or open to others
 *   WEIR_EMISMATCH  the file holds other limits than these
 *   WEIR_EIO        it cannot be opened, created or mapped
 *   WEIR_ENOMEM. */
WEIR_API int weir_shared_open(weir_shared **out, const char *path, const struct weir_limit *limits,
                              size_t limit_count);

/* Closes it; limiters that use it go on. NULL is fine. Any thread. */
WEIR_API void weir_shared_close(weir_shared *shared);

#ifdef __cplusplus
}
#endif

#endif
