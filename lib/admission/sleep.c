/* Between attempts: nothing is held, and the limiter's closing ends it. */
#include "admission/admission.h"

int weir__admission_sleep_in(weir_limiter *limiter, struct weir__wait *wait, int64_t when_ns)
{
    if (limiter->closed)
        return WEIR_ECLOSED;
    return weir__park_until(wait, &limiter->sleepers, when_ns);
}

int weir__admission_sleep(weir_limiter *limiter, int64_t when_ns)
{
    struct weir__wait wait;
    int rc = weir__wait_begin(&wait);
    if (rc < 0)
        return rc;
    int64_t began_ns = weir__now_ns(limiter->rt);
    rc = weir__admission_sleep_in(limiter, &wait, when_ns);
    limiter->backoff_ns += weir__now_ns(limiter->rt) - began_ns;
    return rc;
}
