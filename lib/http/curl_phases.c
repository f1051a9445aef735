#include "http/curl_phases.h"

#include "base/clock.h"

enum { NS_PER_US = 1000 };

/* Since the transfer began; 0: it has not come so far. */
static int64_t at_ns(CURL *easy, CURLINFO info)
{
    curl_off_t us = 0;
    curl_easy_getinfo(easy, info, &us);
    return us * NS_PER_US;
}

/* From `from` to `to`; -1 if that was not reached. */
static int64_t between(int64_t from_ns, int64_t to_ns)
{
    if (to_ns == 0)
        return -1;
    return to_ns > from_ns ? to_ns - from_ns : 0;
}

static bool is_reused(CURL *easy)
{
    long made = 0;
    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &made);
    return made == 0;
}

/* Without a new connection libcurl has clocked its search for an old one. */
static void on_the_way(CURL *easy, bool reused, struct weir_phases *phases)
{
    phases->reused = reused;
    if (reused) {
        phases->lookup_ns = phases->connect_ns = phases->tls_ns = 0;
        return;
    }
    int64_t named_ns = at_ns(easy, CURLINFO_NAMELOOKUP_TIME_T);
    int64_t connected_ns = at_ns(easy, CURLINFO_CONNECT_TIME_T);
    int64_t tls_ns = at_ns(easy, CURLINFO_APPCONNECT_TIME_T);
    phases->lookup_ns = between(0, named_ns);
    phases->connect_ns = between(named_ns, connected_ns);
    phases->tls_ns = between(connected_ns, tls_ns);
}

void weir__curl_phases(CURL *easy, bool sent, bool whole, struct weir_phases *phases)
{
    on_the_way(easy, sent && is_reused(easy), phases);
    if (!sent)
        return;
    if (phases->tls_ns < 0)
        phases->tls_ns = 0; /* there was none */
    int64_t ready_ns = at_ns(easy, CURLINFO_PRETRANSFER_TIME_T);
    int64_t first_ns = at_ns(easy, CURLINFO_STARTTRANSFER_TIME_T);
    phases->first_byte_ns = between(ready_ns, first_ns);
    if (whole && first_ns > 0)
        phases->body_ns = between(first_ns, at_ns(easy, CURLINFO_TOTAL_TIME_T));
}
