/* "x.test" is 127.0.0.1, "gone.test" is nobody; all else is the C library's. Called by libcurl in
 * threads of its own. */
#include "fault_resolver.h"

#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

typedef int lookup_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static atomic_int delay_ms, calls, running, peak;

void fault_resolver_set_ms(int ms)
{
    atomic_store(&delay_ms, ms);
}

int fault_resolver_calls(void)
{
    return atomic_load(&calls);
}

int fault_resolver_running(void)
{
    return atomic_load(&running);
}

int fault_resolver_peak(void)
{
    return atomic_load(&peak);
}

static int is_ours(const char *name)
{
    static const char end[] = ".test";
    size_t len = name != NULL ? strlen(name) : 0;
    return len >= sizeof end && strcmp(name + len - (sizeof end - 1), end) == 0;
}

static void enter(void)
{
    atomic_fetch_add(&calls, 1);
    int now = atomic_fetch_add(&running, 1) + 1, most = atomic_load(&peak);
    while (now > most && !atomic_compare_exchange_weak(&peak, &most, now))
        continue;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
    lookup_fn *next;
    memcpy(&next, &symbol, sizeof next);
    if (next == NULL)
        abort();
    if (!is_ours(name))
        return next(name, service, hints, out);
    enter();
    poll(NULL, 0, atomic_load(&delay_ms)); /* this is no thread of tasks */
    int rc = strcmp(name, "gone.test") == 0 ? EAI_NONAME : next("127.0.0.1", service, hints, out);
    atomic_fetch_sub(&running, 1);
    return rc;
}
