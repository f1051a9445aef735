#include "elsewhere.h"

#include <pthread.h>

#include "rig.h"

struct visit {
    weir_task_fn fn;
    void *arg;
};

static void *run_there(void *arg)
{
    const struct visit *visit = arg;
    check_int(weir_run(visit->fn, visit->arg, WEIR_RUN_OPTS(.clock = WEIR_CLOCK_VIRTUAL)), 0);
    return NULL;
}

static void *call_there(void *arg)
{
    const struct visit *visit = arg;
    check_int(visit->fn(visit->arg), 0);
    return NULL;
}

static void on_thread(void *(*start)(void *), weir_task_fn fn, void *arg)
{
    struct visit visit = {.fn = fn, .arg = arg};
    pthread_t thread;
    if (check_int(pthread_create(&thread, NULL, start, &visit), 0))
        pthread_join(thread, NULL);
}

void in_other_runtime(weir_task_fn fn, void *arg)
{
    on_thread(run_there, fn, arg);
}

void on_other_thread(weir_task_fn fn, void *arg)
{
    on_thread(call_there, fn, arg);
}

void after_the_end(weir_task_fn fn, void *arg)
{
    struct visit visit = {.fn = fn, .arg = arg};
    call_there(&visit);
    run_there(&visit);
    on_other_thread(fn, arg);
    in_other_runtime(fn, arg);
}
