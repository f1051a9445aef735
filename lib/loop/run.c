#include <signal.h>

#include "loop/loop.h"

/* A peer that closes early must not end the program. */
static void ignore_sigpipe(void)
{
    struct sigaction action;
    if (sigaction(SIGPIPE, NULL, &action) != 0 || action.sa_handler != SIG_DFL)
        return;
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
}

int weir_run(weir_task_fn fn, void *arg, const struct weir_run_opts *opts)
{
    const struct weir_run_opts defaults = {.size = sizeof defaults};
    struct weir__loop *loop;
    if (opts == NULL)
        opts = &defaults;
    if (fn == NULL || opts->size != sizeof *opts || opts->reserved != 0)
        return WEIR_EINVAL;
    if (weir__rt() != NULL)
        return WEIR_EBUSY;
    int rc = WEIR_EINVAL;
    if (opts->clock == WEIR_CLOCK_REAL)
        rc = weir__loop_ev_new(&loop);
    else if (opts->clock == WEIR_CLOCK_VIRTUAL)
        rc = weir__loop_virtual_new(&loop);
    if (rc < 0)
        return rc;
    ignore_sigpipe();
    rc = weir__sched_run(loop, opts, fn, arg);
    loop->free(loop);
    return rc;
}
