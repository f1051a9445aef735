/* A pool of threads per runtime. A job lies on the stack of the task that waits for it; it goes to
 * a thread through one queue, and comes back through another and one ev_async. */
#include <pthread.h>
#include <signal.h>

#include <weir/offload.h>

#include "base/mem.h"
#include "loop/loop.h"

enum { THREADS_MAX = 4 };

struct job {
    struct weir__list node; /* in queued or done */
    int (*fn)(void *arg);
    void *arg;
    int result;
    bool begun; /* under the pool's lock */
    bool back;  /* its end has been seen by the runtime's thread */
    struct weir__wait wait;
    struct weir__deferred here; /* under the virtual clock, in place of a thread */
};

struct weir__pool {
    struct weir__at_end at_end;
    struct ev_loop *ev;
    ev_async news;
    size_t under_way; /* jobs that are not back; they hold the loop */
    pthread_t threads[THREADS_MAX];
    unsigned count;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t work;
    struct weir__list queued, done;
    size_t waiting; /* in queued */
    size_t idle;    /* threads that wait for work */
    bool stopping;
};

/* ---- on the pool's threads ---- */

/* The next job, or NULL at the end. Waits; the lock is held before and after. */
static struct job *next_job(struct weir__pool *pool)
{
    pool->idle++;
    while (weir__list_empty(&pool->queued) && !pool->stopping)
        pthread_cond_wait(&pool->work, &pool->lock);
    pool->idle--;
    struct weir__list *node = weir__list_pop(&pool->queued);
    if (node == NULL)
        return NULL;
    pool->waiting--;
    return WEIR__CONTAINER(node, struct job, node);
}

static void *work(void *arg)
{
    struct weir__pool *pool = arg;
    struct job *job;
    pthread_mutex_lock(&pool->lock);
    while ((job = next_job(pool)) != NULL) {
        job->begun = true;
        pthread_mutex_unlock(&pool->lock);
        job->result = job->fn(job->arg);
        pthread_mutex_lock(&pool->lock);
        weir__list_push(&pool->done, &job->node);
        ev_async_send(pool->ev, &pool->news);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* ---- on the runtime's thread ---- */

/* Signals are for the program's own threads; those of a fault go to the thread at fault anyway. */
static int start_thread(struct weir__pool *pool)
{
    sigset_t all, before;
    sigfillset(&all);
    const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        sigdelset(&all, faults[i]);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&pool->threads[pool->count], NULL, work, pool);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return WEIR_ENOMEM;
    pool->count++;
    return 0;
}

static void leave(struct weir__pool *pool)
{
    if (--pool->under_way == 0)
        ev_unref(pool->ev);
}

static void on_news(struct ev_loop *ev, ev_async *news, int events)
{
    struct weir__pool *pool = WEIR__CONTAINER(news, struct weir__pool, news);
    struct weir__list *node;
    (void)ev;
    (void)events;
    pthread_mutex_lock(&pool->lock);
    while ((node = weir__list_pop(&pool->done)) != NULL) {
        struct job *job = WEIR__CONTAINER(node, struct job, node);
        job->back = true;
        leave(pool);
        weir__wake(&job->wait, 0); /* awake already if it was cancelled in this turn */
    }
    pthread_mutex_unlock(&pool->lock);
}

/* All jobs are back: each task has waited for its own. */
static void pool_free(struct weir__at_end *at_end)
{
    struct weir__pool *pool = WEIR__CONTAINER(at_end, struct weir__pool, at_end);
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->count; i++)
        pthread_join(pool->threads[i], NULL);
    weir__async_stop(pool->ev, &pool->news);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    weir__free(pool);
}

static struct weir__pool *pool_new(struct weir__rt *rt)
{
    struct weir__pool *pool = weir__zalloc(sizeof *pool);
    if (pool == NULL)
        return NULL;
    pool->ev = weir__rt_ev(rt);
    ev_async_init(&pool->news, on_news);
    if (weir__async_start(pool->ev, &pool->news) < 0) {
        weir__free(pool);
        return NULL;
    }
    pthread_mutex_init(&pool->lock, NULL); /* neither can fail on Linux */
    pthread_cond_init(&pool->work, NULL);
    weir__list_init(&pool->queued);
    weir__list_init(&pool->done);
    pool->at_end.run = pool_free;
    weir__list_push(&rt->at_end, &pool->at_end.node);
    return pool;
}

static int hand_over(struct weir__pool *pool, struct job *job)
{
    int rc = 0;
    pthread_mutex_lock(&pool->lock);
    if (pool->waiting >= pool->idle && pool->count < THREADS_MAX)
        rc = start_thread(pool);
    if (pool->count > 0) { /* a thread less than there might be does no harm */
        weir__list_push(&pool->queued, &job->node);
        pool->waiting++;
        if (pool->under_way++ == 0)
            ev_ref(pool->ev);
        pthread_cond_signal(&pool->work);
        rc = 0;
    }
    pthread_mutex_unlock(&pool->lock);
    return rc;
}

/* Whether the job could be taken back before a thread took it. */
static bool take_back(struct weir__pool *pool, struct job *job)
{
    pthread_mutex_lock(&pool->lock);
    bool begun = job->begun;
    if (!begun) {
        weir__list_remove(&job->node);
        pool->waiting--;
        leave(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    return !begun;
}

static int run_there(struct weir__rt *rt, struct job *job)
{
    if (rt->pool == NULL)
        rt->pool = pool_new(rt);
    int rc = rt->pool != NULL ? hand_over(rt->pool, job) : WEIR_ENOMEM;
    if (rc < 0)
        return rc;
    rc = weir__park(&job->wait);
    if (rc < 0 && take_back(rt->pool, job))
        return rc;
    if (!job->back) { /* cancelled, but it runs, and uses what lies on stacks like this one */
        weir__wait_begin_shielded(&job->wait);
        weir__park(&job->wait);
    }
    return job->result;
}

/* ---- under the virtual clock ---- */

static void run_now(struct weir__deferred *deferred)
{
    struct job *job = WEIR__CONTAINER(deferred, struct job, here);
    job->begun = true;
    job->result = job->fn(job->arg);
    weir__wake(&job->wait, 0);
}

/* On the thread's own stack, since a blocking function may go deep. */
static int run_here(struct weir__rt *rt, struct job *job)
{
    job->here.run = run_now;
    weir__list_init(&job->here.node);
    weir__defer(rt, &job->here);
    int rc = weir__park(&job->wait);
    weir__list_remove(&job->here.node);
    return job->begun ? job->result : rc;
}

int weir_offload(int (*fn)(void *arg), void *arg)
{
    struct job job = {.fn = fn, .arg = arg};
    int rc = weir__wait_begin(&job.wait);
    if (rc < 0)
        return rc;
    struct weir__rt *rt = job.wait.task->rt;
    return rt->loop->is_virtual ? run_here(rt, &job) : run_there(rt, &job);
}
