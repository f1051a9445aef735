#include <signal.h>

#include "base/opts.h"
#include "loop/loop.h"

/* A peer that closes early must not end the program. */
void weir__sigpipe_ignore(void)
{
    struct sigaction action;
    if (sigaction(SIGPIPE, NULL, &action) != 0 || action.sa_handler != SIG_DFL)
        return;
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
}

int weir_run(weir_task_fn fn, void *arg, const struct weir_run_opts *opts)
{
    struct weir_run_opts own;
    struct weir__loop *loop;
    if (fn == NULL || weir__opts_copy(&own, sizeof own, opts) < 0)
        return WEIR_EINVAL;
    if (weir__rt() != NULL)
        return WEIR_EBUSY;
    int rc = WEIR_EINVAL;
    if (own.clock == WEIR_CLOCK_REAL)
        rc = weir__loop_ev_new(&loop);
    else if (own.clock == WEIR_CLOCK_VIRTUAL)
        rc = weir__loop_virtual_new(&loop);
    if (rc < 0)
        return rc;
    weir__sigpipe_ignore();
    rc = weir__sched_run(loop, &own, fn, arg);
    loop->free(loop);
    return rc;
}
