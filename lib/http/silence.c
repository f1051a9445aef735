#include "http/silence.h"

#include "base/clock.h"

void weir__silence_init(struct weir__silence *silence, int64_t first_ms, int64_t then_ms)
{
    *silence =
        (struct weir__silence){.first_ms = first_ms, .then_ms = then_ms, .heard_ns = INT64_MAX};
}

bool weir__silence_matters(const struct weir__silence *silence)
{
    return silence->first_ms > 0 || silence->then_ms > 0;
}

void weir__silence_heard(struct weir__silence *silence, bool content, int64_t now_ns)
{
    silence->heard_ns = now_ns;
    silence->begun |= content;
    silence->spared = false;
}

int64_t weir__silence_limit_ns(const struct weir__silence *silence)
{
    return weir__ms_to_ns(silence->begun ? silence->then_ms : silence->first_ms);
}

/* INT64_MAX: not as it stands. */
static int64_t end_ns(const struct weir__silence *silence)
{
    int64_t limit_ns = weir__silence_limit_ns(silence);
    return limit_ns > 0 ? weir__ns_add(silence->heard_ns, limit_ns) : INT64_MAX;
}

/* What comes meanwhile may bring the other limit, so none is slept through: each look is no later
 * than the shorter of both from now. */
int64_t weir__silence_look_ns(const struct weir__silence *silence, int64_t now_ns)
{
    int64_t shorter_ms = silence->then_ms;
    if (shorter_ms == 0 || (silence->first_ms > 0 && silence->first_ms < shorter_ms))
        shorter_ms = silence->first_ms;
    int64_t look_ns = weir__ns_add(now_ns, weir__ms_to_ns(shorter_ms));
    return end_ns(silence) < look_ns ? end_ns(silence) : look_ns;
}

enum { LATE_MS = 20, GRACE_MS = 100 };

/* A look that comes late shows that it is us who were away (stopped, or computing), and what has
 * come meanwhile is yet to be read. */
int64_t weir__silence_grace_ns(int64_t due_ns, int64_t now_ns)
{
    return now_ns - due_ns > LATE_MS * WEIR__NS_PER_MS ? GRACE_MS * WEIR__NS_PER_MS : 0;
}

/* Spared once in each silence, as some programs are late all the time. */
bool weir__silence_is_over(struct weir__silence *silence, int64_t due_ns, int64_t now_ns)
{
    int64_t grace_ns = weir__silence_grace_ns(due_ns, now_ns);
    if (grace_ns > 0 && !silence->spared) {
        silence->heard_ns = weir__ns_add(silence->heard_ns, now_ns - due_ns + grace_ns);
        silence->spared = true;
    }
    return now_ns >= end_ns(silence);
}

enum { MOMENT_MS = 100 };

/* By choice: whoever changes his mind at once says nothing about the connection. Nor does who had
 * but a moment left of his time. */
int64_t weir__silence_patience_ns(int64_t under_way_ns, bool by_choice)
{
    int64_t half_ns = under_way_ns / 2;
    int64_t least_ns = by_choice ? WEIR__NS_PER_S : MOMENT_MS * WEIR__NS_PER_MS;
    return half_ns < least_ns ? least_ns : half_ns;
}
