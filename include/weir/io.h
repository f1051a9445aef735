/* Waiting for file descriptors without stopping the other tasks. */
#ifndef WEIR_IO_H
#define WEIR_IO_H

#include <weir/err.h>

enum weir_io_events {
    WEIR_IO_READ = 1,
    WEIR_IO_WRITE = 2,
};

#ifdef __cplusplus
extern "C" {
#endif

/* Suspends until fd can be read or written without blocking (or has an error or hang-up to
 * report). events is an or of WEIR_IO_READ and WEIR_IO_WRITE. A regular file is always ready.
 * Returns the events that are ready (> 0), or WEIR_ECANCELED, WEIR_EINVAL (bad fd or events),
 * WEIR_ENOTSUP (under the virtual clock), WEIR_ENORUNTIME (also outside of tasks). */
WEIR_API int weir_wait_fd(int fd, int events);

#ifdef __cplusplus
}
#endif

#endif
