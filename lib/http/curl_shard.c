#include "http/curl_shard.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/curl_idle.h"
#include "http/curl_version.h"

/* Instructions per request with 512 in flight: 73.1k at 16 to a shard, 73.7k at 32, 75.1k at 64 and
 * 15k more in a single multi handle, which takes 30 KB itself (libcurl 7.88). */
enum { ROOM = 32, SHARDS_MAX = 512 };

/* A shard is closed, with its idle connections, when so many looks in a row found no transfer. */
enum { SWEEP_EVERY_S = 10, UNUSED_MAX = 6 };

struct weir__shard {
    struct weir__list node;  /* in shards->list */
    struct weir__list moved; /* in shards->moved */
    struct weir__shards *shards;
    CURLM *multi;
    struct weir__idle *idle; /* NULL: libcurl needs no help with them */
    ev_timer timer;
    ev_timer look;             /* what libcurl has read and kept is brought out */
    ev_tstamp look_after_s;    /* how long that timer was set to */
    bool deserted;             /* a connection has fallen silent: no transfer starts here */
    bool broken;               /* the multi handle is to be replaced before it is used again */
    struct weir__list running; /* handles */
    size_t handles;            /* of its own, running or idle */
    unsigned unused;           /* looks since a transfer last began or ended */
};

static struct weir__shard *shard_at(struct weir__list *node)
{
    return WEIR__CONTAINER(node, struct weir__shard, node);
}

static struct weir__curl_handle *handle_at(struct weir__list *node)
{
    return WEIR__CONTAINER(node, struct weir__curl_handle, node);
}

/* NULL: it is one of libcurl's own. */
static struct weir__curl_handle *handle_of(CURL *easy)
{
    struct weir__curl_handle *handle = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)(void *)&handle);
    return handle;
}

/* ---- the end of transfers ---- */

static void leave(struct weir__curl_handle *handle)
{
    struct weir__shard *shard = handle->shard;
    curl_multi_remove_handle(shard->multi, handle->easy);
    weir__list_remove(&handle->node);
    shard->unused = 0;
}

/* Whether the connection that the transfer has left goes on, which it does with HTTP/2 alone, and
 * has brought nothing. libcurl does not tell which one it was while others use it, but its port. */
static bool has_fallen_silent(const struct weir__curl_handle *handle, int64_t patience_ns)
{
    const struct weir__shards *shards = handle->shard->shards;
    const struct weir__sockets *sockets = &shards->sockets;
    int64_t since_ns = weir__now_ns(shards->rt) - patience_ns;
    bool found = false;
    if (handle->sendings == 0 || handle->local_port <= 0 || handle->began_ns > since_ns)
        return false;
    for (int fd = -1; (fd = weir__sockets_next_standing(sockets, handle->shard, fd)) >= 0;) {
        if (weir__socket_port(fd) != handle->local_port)
            continue;
        found = true;
        if (sockets->of[fd]->heard_ns > since_ns)
            return false;
    }
    return found;
}

/* Behind a transfer that was given up, and that has left. */
static void judge(const struct weir__curl_handle *handle, int64_t patience_ns)
{
    struct weir__shard *shard = handle->shard;
    if (!shard->shards->http2 || shard->deserted || !has_fallen_silent(handle, patience_ns))
        return;
    shard->deserted = true;
    shard->shards->count--;
    shard->shards->deserted++;
}

/* After every call into libcurl: messages wait for nobody. */
static void drain(struct weir__shard *shard)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(shard->multi, &left)) != NULL) {
        struct weir__curl_handle *handle = handle_of(message->easy_handle);
        CURLcode code = message->data.result; /* gone after remove_handle */
        int rc = weir__curl_handle_result(handle, code);
        leave(handle);
        if (rc == WEIR_EATTEMPTTIME)
            judge(handle, weir__ms_to_ns(handle->timeout_ms) / 2);
        shard->shards->ended(handle, rc);
    }
}

/* libcurl 7.88 may read the last pieces of HTTP/2 streams from the socket, keep them and set no
 * timer to give them out until more comes. So the shard looks after its sockets: soon after
 * something has come, then ever more seldom. */
#define LOOK_FIRST_S 0.02
#define LOOK_LAST_S  1.0

static void look_after(struct weir__shard *shard, ev_tstamp after_s)
{
    struct ev_loop *ev = shard->shards->ev;
    shard->look_after_s = after_s;
    ev_timer_stop(ev, &shard->look);
    ev_timer_set(&shard->look, after_s, 0.0);
    ev_timer_start(ev, &shard->look);
}

static void look_soon(struct weir__shard *shard)
{
    bool soon = ev_is_active(&shard->look) && shard->look_after_s <= LOOK_FIRST_S;
    if (shard->shards->looks && !soon && !weir__list_empty(&shard->running))
        look_after(shard, LOOK_FIRST_S);
}

/* A multi handle that once lacked memory for one of its sockets moves no transfer any more until
 * all have left it. */
static void fail_all(struct weir__shard *shard, const char *text)
{
    while (!weir__list_empty(&shard->running)) {
        struct weir__curl_handle *handle = handle_at(shard->running.next);
        enum weir_sent sent = weir__curl_handle_sent(handle);
        leave(handle);
        weir_response_set_failure(handle->response, sent, text);
        shard->shards->ended(handle, WEIR_ENOMEM);
    }
}

static void acted(struct weir__shard *shard, CURLMcode rc)
{
    drain(shard);
    if (rc == CURLM_OK)
        return;
    fail_all(shard, curl_multi_strerror(rc));
    shard->broken = true;
}

static void act(struct weir__shard *shard, curl_socket_t fd, int mask)
{
    int running;
    acted(shard, curl_multi_socket_action(shard->multi, fd, mask, &running));
    look_soon(shard);
}

/* ---- libcurl's sockets and timers, as libev watchers ---- */

static void on_ready(struct weir__socket *socket, int events)
{
    int mask =
        (events & EV_READ ? CURL_CSELECT_IN : 0) | (events & EV_WRITE ? CURL_CSELECT_OUT : 0);
    weir__ahead_fetch(&socket->ahead);
    if (events & EV_READ && socket->shard->shards->http2)
        socket->heard_ns = weir__now_ns(socket->shard->shards->rt);
    act(socket->shard, socket->watcher.fd, mask);
}

/* No transfer wants to hear from it: its last one has ended (or it is closed next), or waits for
 * its reader. With HTTP/2 others may use it, too, so that is asked later. */
static void note_idle(struct weir__shard *shard, const struct weir__socket *socket,
                      const struct weir__curl_handle *handle)
{
    bool silent = socket->stands && handle != NULL && weir__curl_handle_is_http1(handle);
    if ((silent && !handle->paused) || (!silent && shard->shards->http2))
        weir__idle_add(shard->idle, socket->watcher.fd, socket->id, silent);
}

/* Once the request was about to leave over it, it stands. With TLS libcurl may first say so when it
 * lets go of it, as it waited to read before that, too. */
static void note_stands(struct weir__socket *socket, const struct weir__curl_handle *handle)
{
    socket->stands = socket->stands || (handle != NULL && handle->sendings > 0);
}

static void rest(struct weir__shard *shard, struct weir__socket *socket,
                 const struct weir__curl_handle *handle)
{
    if (!ev_is_active(&socket->watcher))
        return;
    note_stands(socket, handle);
    if (shard->idle != NULL)
        note_idle(shard, socket, handle);
    weir__socket_rest(&shard->shards->sockets, socket);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
    struct weir__shard *shard = arg;
    struct weir__socket *socket = weir__socket_of(&shard->shards->sockets, fd);
    const struct weir__curl_handle *handle = handle_of(easy);
    (void)known;
    if (socket == NULL)
        return what == CURL_POLL_REMOVE ? 0 : -1;
    if (what == CURL_POLL_REMOVE) {
        rest(shard, socket, handle);
        return 0;
    }
    if (shard->idle != NULL) {
        weir__idle_remove(shard->idle, fd);
        if (!socket->stands)
            socket->id = weir__idle_id(fd);
    }
    int events = (what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0);
    weir__socket_watch(&shard->shards->sockets, socket, shard, events);
    note_stands(socket, handle);
    if (handle != NULL)
        weir__ahead_note(&socket->ahead, handle);
    return 0;
}

/* In place of libcurl's own close. */
static int on_close(void *arg, curl_socket_t fd)
{
    struct weir__shard *shard = arg;
    weir__socket_closed(&shard->shards->sockets, fd);
    if (shard->idle != NULL)
        weir__idle_remove(shard->idle, fd);
    return close(fd);
}

static bool has_sent(struct weir__shard *shard)
{
    for (struct weir__list *node = shard->running.next; node != &shard->running;
         node = node->next) {
        if (handle_at(node)->sendings > 0)
            return true;
    }
    return false;
}

/* As if more had come, which makes libcurl give out what it has kept. Not while the connection is
 * made, as 7.88 would remember it until the first requests are sent, put their bodies off and fail
 * when the answers come before those; and as if it could be written to, for the same reason. Nor
 * where it does not want to read, as it would for a paused stream. */
static void poke(struct weir__shard *shard)
{
    const struct weir__sockets *sockets = &shard->shards->sockets;
    int running;
    for (int fd = -1; has_sent(shard) && (fd = weir__sockets_next(sockets, shard, fd)) >= 0;)
        acted(shard, curl_multi_socket_action(shard->multi, fd, CURL_CSELECT_IN | CURL_CSELECT_OUT,
                                              &running));
}

static void on_look(struct ev_loop *ev, ev_timer *timer, int events)
{
    struct weir__shard *shard = WEIR__CONTAINER(timer, struct weir__shard, look);
    ev_tstamp after_s = 2 * shard->look_after_s;
    (void)ev;
    (void)events;
    poke(shard);
    if (!weir__list_empty(&shard->running))
        look_after(shard, after_s < LOOK_LAST_S ? after_s : LOOK_LAST_S);
}

static void on_timer(struct ev_loop *ev, ev_timer *timer, int events)
{
    (void)ev;
    (void)events;
    act(WEIR__CONTAINER(timer, struct weir__shard, timer), CURL_SOCKET_TIMEOUT, 0);
}

/* Only arms; even 0 ms means the next turn, unless weir__shards_run comes before that. */
static int on_set_timer(CURLM *multi, long timeout_ms, void *arg)
{
    (void)multi;
    struct weir__shard *shard = arg;
    struct ev_loop *ev = shard->shards->ev;
    if (timeout_ms == 0 && !weir__list_empty(&shard->moved))
        return 0;
    ev_timer_stop(ev, &shard->timer);
    if (timeout_ms < 0)
        return 0;
    ev_timer_set(&shard->timer, (double)timeout_ms / 1000.0, 0.0);
    ev_timer_start(ev, &shard->timer);
    return 0;
}

/* ---- shards ---- */

/* CURLMOPT_QUICK_EXIT, which headers before 8.20 lack. */
static const CURLMoption pool_quick_exit = (CURLMoption)21;

static void shard_set_up(struct weir__shard *shard)
{
    if (weir__curl_trait(WEIR__CURL_POOL))
        curl_multi_setopt(shard->multi, pool_quick_exit, 1L);
    curl_multi_setopt(shard->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(shard->multi, CURLMOPT_SOCKETDATA, shard);
    curl_multi_setopt(shard->multi, CURLMOPT_TIMERFUNCTION, on_set_timer);
    curl_multi_setopt(shard->multi, CURLMOPT_TIMERDATA, shard);
    /* Below the concurrency, connections would be closed and made anew all the time; the
     * default shrinks as the work drains. */
    curl_multi_setopt(shard->multi, CURLMOPT_MAXCONNECTS, (long)shard->shards->room);
}

/* Where libcurl 7.88 lacked memory for a transfer of a socket, an entry without room for any stays,
 * and it divides by that room when a socket of the same number comes. */
static bool mended(struct weir__shard *shard)
{
    CURLM *fresh = shard->broken ? curl_multi_init() : NULL;
    if (fresh != NULL) {
        curl_multi_cleanup(shard->multi);
        weir__sockets_drop(&shard->shards->sockets, shard);
        shard->multi = fresh;
        shard_set_up(shard);
        shard->broken = false;
    }
    return !shard->broken;
}

static struct weir__shard *shard_new(struct weir__shards *shards)
{
    struct weir__shard *shard = weir__zalloc(sizeof *shard);
    if (shard == NULL)
        return NULL;
    shard->shards = shards;
    shard->multi = curl_multi_init();
    bool watched = shards->http2 || weir__curl_trait(WEIR__CURL_READS_UNASKED);
    if (watched)
        shard->idle = weir__zalloc(sizeof *shard->idle);
    if (shard->multi == NULL || (watched && shard->idle == NULL)) {
        curl_multi_cleanup(shard->multi); /* NULL is an error that it reports, no more */
        weir__free(shard->idle);
        weir__free(shard);
        return NULL;
    }
    weir__list_init(&shard->moved);
    weir__list_init(&shard->running);
    ev_timer_init(&shard->timer, on_timer, 0.0, 0.0);
    ev_timer_init(&shard->look, on_look, 0.0, 0.0);
    shard_set_up(shard);
    weir__list_push(&shards->list, &shard->node);
    shards->count++;
    return shard;
}

static void handle_free(struct weir__curl_handle *handle)
{
    weir__list_remove(&handle->node);
    weir__list_remove(&handle->at_host);
    handle->shard->handles--;
    handle->shard->shards->handles--;
    weir__curl_handle_free(handle);
}

/* With its handles, which are all idle, and its connections. */
static void shard_free(struct weir__shard *shard)
{
    struct weir__shards *shards = shard->shards;
    struct weir__list *node = shards->idle.next;
    while (node != &shards->idle) {
        struct weir__curl_handle *handle = handle_at(node);
        node = node->next;
        if (handle->shard == shard)
            handle_free(handle);
    }
    curl_multi_cleanup(shard->multi); /* closes connections: on_socket and on_close run */
    weir__free(shard->idle);
    ev_timer_stop(shards->ev, &shard->timer);
    ev_timer_stop(shards->ev, &shard->look);
    weir__sockets_drop(&shards->sockets, shard); /* those it lost when memory was out */
    weir__list_remove(&shard->moved);
    weir__list_remove(&shard->node);
    if (shard->deserted)
        shards->deserted--;
    else
        shards->count--;
    weir__free(shard);
}

/* Closes those that were left, once their last transfer has ended. */
static void bury(struct weir__shards *shards)
{
    struct weir__list *node = shards->list.next;
    while (node != &shards->list && shards->deserted > 0) {
        struct weir__shard *shard = shard_at(node);
        node = node->next;
        if (shard->deserted && weir__list_empty(&shard->running))
            shard_free(shard);
    }
}

/* Closes those that the load has left. */
static void sweep(struct weir__shards *shards, int64_t now_ns)
{
    if (now_ns < shards->sweep_at_ns)
        return;
    shards->sweep_at_ns = weir__ns_add(now_ns, SWEEP_EVERY_S * WEIR__NS_PER_S);
    struct weir__list *node = shards->list.next;
    while (node != &shards->list && shards->count > 1) {
        struct weir__shard *shard = shard_at(node);
        node = node->next;
        if (!shard->deserted && weir__list_empty(&shard->running) && ++shard->unused > UNUSED_MAX)
            shard_free(shard);
    }
}

/* ---- handles ---- */

/* Where a handle more goes: into the oldest shard with room, a new one, or the least full. */
static struct weir__shard *roomiest(struct weir__shards *shards)
{
    struct weir__shard *best = NULL;
    for (struct weir__list *node = shards->list.next; node != &shards->list; node = node->next) {
        struct weir__shard *shard = shard_at(node);
        if (shard->deserted)
            continue;
        if (shard->handles < shards->room)
            return shard;
        if (best == NULL || shard->handles < best->handles)
            best = shard;
    }
    struct weir__shard *fresh = shards->count < shards->count_max ? shard_new(shards) : NULL;
    return fresh != NULL ? fresh : best;
}

static void settle(struct weir__curl_handle *handle, struct weir__shard *shard)
{
    curl_easy_setopt(handle->easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    curl_easy_setopt(handle->easy, CURLOPT_CLOSESOCKETDATA, shard);
    handle->shard = shard;
    shard->handles++;
}

/* From a deserted shard. It stays if there is no memory for another. */
static void move_out(struct weir__curl_handle *handle)
{
    struct weir__shard *old = handle->shard;
    struct weir__shard *shard = roomiest(old->shards);
    if (shard == NULL)
        return;
    old->handles--;
    settle(handle, shard);
}

static struct weir__curl_handle *handle_new(struct weir__shards *shards)
{
    struct weir__shard *shard = roomiest(shards);
    struct weir__curl_handle *handle =
        shard != NULL ? weir__curl_handle_new(shards->share, shards->net) : NULL;
    if (handle == NULL)
        return NULL;
    settle(handle, shard);
    shards->handles++;
    return handle;
}

struct weir__curl_handle *weir__shards_take(struct weir__shards *shards, struct weir__host *host)
{
    struct weir__curl_handle *handle = NULL;
    if (host != NULL && !weir__list_empty(&host->idle))
        handle = WEIR__CONTAINER(host->idle.next, struct weir__curl_handle, at_host);
    else if (shards->handles < shards->count_max * shards->room || weir__list_empty(&shards->idle))
        handle = handle_new(shards);
    if (handle == NULL && !weir__list_empty(&shards->idle))
        handle = handle_at(shards->idle.prev); /* of a host that was not asked for longest */
    if (handle == NULL)
        return NULL;
    weir__list_remove(&handle->node);
    weir__list_remove(&handle->at_host);
    if (handle->shard->deserted)
        move_out(handle);
    return handle;
}

void weir__shards_give(struct weir__curl_handle *handle, struct weir__host *host)
{
    weir__list_insert(handle->shard->shards->idle.next, &handle->node);
    if (host != NULL)
        weir__list_insert(host->idle.next, &handle->at_host);
}

static void has_moved(struct weir__shard *shard)
{
    weir__list_remove(&shard->moved);
    weir__list_push(&shard->shards->moved, &shard->moved);
}

/* While a stream waits for its reader, libcurl lets go of its socket, too; a body that waits for
 * its source may come to the same. Not before it was sent. */
static bool may_be_paused(struct weir__shard *shard)
{
    for (struct weir__list *node = shard->running.next; node != &shard->running;
         node = node->next) {
        const struct weir__curl_handle *handle = handle_at(node);
        if (handle->sendings > 0 && (handle->content != NULL || handle->upload != NULL))
            return true;
    }
    return false;
}

bool weir__shards_start(struct weir__curl_handle *handle)
{
    struct weir__shard *shard = handle->shard;
    if (!mended(shard))
        return false;
    has_moved(shard);
    if (curl_multi_add_handle(shard->multi, handle->easy) != CURLM_OK)
        return false;
    weir__list_push(&shard->running, &handle->node);
    shard->unused = 0;
    if (shard->shards->http2)
        handle->began_ns = weir__now_ns(shard->shards->rt);
    return true;
}

void weir__shards_stop(struct weir__curl_handle *handle, int64_t patience_ns)
{
    leave(handle);
    judge(handle, patience_ns);
}

/* libcurl brings what it had kept at once, inside of this call, and does not end the transfer when
 * that fails. */
void weir__shards_resume(struct weir__curl_handle *handle)
{
    struct weir__shard *shard = handle->shard;
    handle->paused = false;
    CURLcode code = curl_easy_pause(handle->easy, CURLPAUSE_CONT);
    has_moved(shard);
    if (code == CURLE_OK)
        return;
    int rc = weir__curl_handle_result(handle, code);
    leave(handle);
    shard->shards->ended(handle, rc);
}

/* Transfers may be about to choose connections: one look for all of them. */
static void set_going(struct weir__shard *shard)
{
    if (shard->idle != NULL)
        weir__idle_check(shard->idle, may_be_paused(shard));
    act(shard, CURL_SOCKET_TIMEOUT, 0);
}

void weir__shards_run(struct weir__shards *shards, int64_t now_ns)
{
    struct weir__list *node;
    /* Each add has asked for a timer of 0 ms: this saves a turn of the loop to serve it. */
    while ((node = weir__list_pop(&shards->moved)) != NULL)
        set_going(WEIR__CONTAINER(node, struct weir__shard, moved));
    bury(shards);
    sweep(shards, now_ns);
}

/* ---- beginning and end ---- */

/* Without a share each shard would look up each name by itself. It has no locks: one thread. */
static CURLSH *share_new(void)
{
    CURLSH *share = curl_share_init();
    if (share == NULL)
        return NULL;
    curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
    curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    return share;
}

bool weir__shards_init(struct weir__shards *shards, struct weir__rt *rt, struct ev_loop *ev,
                       const struct weir__net *net, size_t max_parallel,
                       void (*ended)(struct weir__curl_handle *handle, int rc))
{
    *shards = (struct weir__shards){.rt = rt, .ev = ev, .ended = ended, .net = net};
    shards->http2 = net->opts.http2 != WEIR_HTTP2_OFF;
    shards->looks = shards->http2 && weir__curl_trait(WEIR__CURL_KEEPS_PIECES);
    weir__list_init(&shards->list);
    weir__list_init(&shards->idle);
    weir__list_init(&shards->moved);
    weir__sockets_init(&shards->sockets, ev, on_ready);
    size_t wanted = max_parallel > 0 ? max_parallel : 1;
    shards->count_max = wanted / ROOM + (wanted % ROOM > 0);
    if (shards->count_max > SHARDS_MAX)
        shards->count_max = SHARDS_MAX;
    shards->room = wanted / shards->count_max + (wanted % shards->count_max > 0);
    shards->share = share_new();
    return shards->share != NULL && shard_new(shards) != NULL;
}

void weir__shards_free(struct weir__shards *shards)
{
    while (!weir__list_empty(&shards->list)) {
        fail_all(shard_at(shards->list.next), "its runtime has ended"); /* streams left open */
        shard_free(shard_at(shards->list.next));
    }
    weir__sockets_free(&shards->sockets);
    curl_share_cleanup(shards->share); /* NULL is an error that it reports, no more */
}
