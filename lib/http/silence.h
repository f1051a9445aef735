/* How long a server may be silent within an attempt: pure functions of (state, now). */
#ifndef WEIR_HTTP_SILENCE_H
#define WEIR_HTTP_SILENCE_H

#include <stdbool.h>
#include <stdint.h>

struct weir__silence {
    int64_t first_ms; /* the limit before content has come; 0: none */
    int64_t then_ms;  /* and from then on */
    int64_t heard_ns; /* when something last came or went; INT64_MAX: it has not been sent */
    bool begun;       /* content has come */
    bool spared;      /* a look that came late has not counted as silence, since then */
};

void weir__silence_init(struct weir__silence *silence, int64_t first_ms, int64_t then_ms);

/* Whether there is any limit. */
bool weir__silence_matters(const struct weir__silence *silence);

/* Something has come or gone; content: of the answer's content. */
void weir__silence_heard(struct weir__silence *silence, bool content, int64_t now_ns);

/* The limit as it stands. */
int64_t weir__silence_limit_ns(const struct weir__silence *silence);

/* When to look next; only with a limit. */
int64_t weir__silence_look_ns(const struct weir__silence *silence, int64_t now_ns);

/* At the look that was due then: whether the attempt is to be given up. */
bool weir__silence_is_over(struct weir__silence *silence, int64_t due_ns, int64_t now_ns);

/* At a look that was due then: how much longer to wait in any case, once. */
int64_t weir__silence_grace_ns(int64_t due_ns, int64_t now_ns);

/* Whoever gives a transfer up that was under way for so long, by choice or since time was up, need
 * not trust its connection any more if nothing has come over it for this long. */
int64_t weir__silence_patience_ns(int64_t under_way_ns, bool by_choice);

#endif
