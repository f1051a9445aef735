/* The servers that the rows of a run name, and what is known of each. */
#ifndef WEIR_CLI_SERVERS_H
#define WEIR_CLI_SERVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/limiters.h>
#include <weir/sync.h>

#include "outage.h"

struct server {
    struct server *next;
    struct outage outage;
    weir_event *changed; /* set unless it is waited for */
    int error;           /* WEIR_E code of the last attempt in vain, ... */
    char why[200];       /* ... and its words */
    bool told;           /* that it is away */
    uint64_t accepted;   /* requests that it did not call too fast, as of servers_note_limits */
    uint64_t throttled;  /* those that it did */
    double per_s;        /* its limit as it was learned; 0: it was not */
    char name[];         /* "scheme://host:port" in small letters, the key of its limiter */
};

struct servers {
    struct server *first; /* the one that was asked for last */
    size_t count;
    size_t waiting; /* rows, for any of them */
    struct outage_rules rules;
};

/* That of this absolute URL, made if it is new. NULL: there are too many, or no memory; it is then
 * taken to be there. */
struct server *servers_find(struct servers *servers, const char *url);
void servers_free(struct servers *servers);

/* Keeps what their limiters have learned, for when those are gone. */
void servers_note_limits(struct servers *servers, weir_limiters *limiters);

/* What it lets through a second, if that is sure enough to be given as --rate: its limit was met,
 * and what came through in elapsed_ms bears out what was learned. The lower of the two; 0: not
 * sure. */
double server_sure_per_s(const struct server *server, int64_t elapsed_ms);

/* Whether none is left that could be waited for or sent to. */
bool servers_all_given_up(const struct servers *servers);

/* Whether one is there, by what was last heard of it. */
bool servers_one_is_there(const struct servers *servers);

/* That which has been away for longest of those that are waited for, and how many are; NULL: none.
 */
const struct server *servers_away(const struct servers *servers, size_t *count);

#endif
