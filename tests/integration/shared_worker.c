/* One of several processes that share limits through a file: takes as much as it gets until a point
 * of time on CLOCK_MONOTONIC, and writes a line for each grant as it comes.
 *
 *     shared_worker FILE RATE BURST UNTIL_MS */
#include <stdio.h>
#include <stdlib.h>

#include <weir/weir.h>

struct work {
    const char *path;
    struct weir_limit limit;
    int64_t until_ms;
};

static int work(void *arg)
{
    const struct work *work = arg;
    weir_shared *shared = NULL;
    weir_limiter *limiter = NULL;
    int rc = weir_shared_open(&shared, work->path, &work->limit, 1);
    if (rc == 0)
        rc = weir_limiter_new(&limiter, WEIR_LIMITER_OPTS(.shared = shared));
    weir_shared_close(shared);
    while (rc == 0 && weir_now_ms() < work->until_ms) {
        rc = weir_limiter_acquire(limiter, 1);
        if (rc == 0)
            printf("%lld\n", (long long)weir_now_ns());
    }
    weir_limiter_free(limiter);
    return rc;
}

int main(int argc, char **argv)
{
    struct work job = {.limit = {.period_ms = 1000}};
    if (argc != 5)
        return 2;
    job.path = argv[1];
    job.limit.rate = strtoull(argv[2], NULL, 10);
    job.limit.burst = strtoull(argv[3], NULL, 10);
    job.until_ms = strtoll(argv[4], NULL, 10);
    setvbuf(stdout, NULL, _IOLBF, 0); /* a killed one has written what it was granted */
    int rc = weir_run(work, &job, NULL);
    if (rc < 0)
        fprintf(stderr, "%s\n", weir_strerror(rc));
    return rc < 0;
}
