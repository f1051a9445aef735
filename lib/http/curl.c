#include "http/curl.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/blocks.h"
#include "base/clock.h"
#include "base/mem.h"
#include "http/curl_keylog.h"
#include "http/curl_shard.h"
#include "http/curl_upload.h"
#include "http/silence.h"
#include "loop/loop.h"

/* What a wait for a transfer returns when it was not for a time. */
enum { AWAKE = 1 };

enum transfer_state { TRANSFER_QUEUED, TRANSFER_RUNNING, TRANSFER_ABORTING, TRANSFER_DONE };

/* One perform call, on the stack of its task, or what an answer that is read while it comes begins
 * with. */
struct transfer {
    struct weir__list node; /* in queued, a host's waiting, aborting or resuming */
    struct driver *driver;
    struct weir__wait wait;
    struct weir__curl_handle *handle;
    struct weir__host *host; /* where it goes, once started; NULL: the table is full */
    bool probing;            /* it is its host's probe */
    int (*content)(void *transfer, const char *data, size_t len); /* as the handle's */
    struct weir__upload *upload; /* NULL: the request's body lies in memory, if there is one */
    const struct weir_exchange *exchange;
    weir_response *response;
    struct weir__silence silence; /* the server's */
    int64_t began_ns;
    int64_t patience_ns; /* given up: how long its connection may have been silent; 0: it was not */
    enum transfer_state state;
    int rc;
};

struct driver {
    struct weir__rt *rt;
    struct weir__net net;
    struct weir__shards shards;
    struct weir__deferred work;
    struct weir__list queued, aborting, resuming;
    struct weir__hosts hosts;
};

/* ---- completion ---- */

static void end(struct transfer *transfer, int rc)
{
    weir__list_remove(&transfer->node);
    transfer->state = TRANSFER_DONE;
    transfer->rc = rc;
    if (transfer->upload != NULL)
        weir__upload_end(transfer->upload);
    weir__wake(&transfer->wait, AWAKE); /* already awake if it was cancelled in this turn */
}

/* Those who wait for the probe of a host go on: the first of them as the next probe, if need be. */
static void release(struct driver *driver, struct weir__host *host)
{
    struct weir__list *node;
    host->probe = NULL;
    while ((node = weir__list_pop(&host->waiting)) != NULL)
        weir__list_push(&driver->queued, node);
    if (!weir__list_empty(&driver->queued))
        weir__defer(driver->rt, &driver->work);
}

/* The probe's connection stands. Called by libcurl, so it only records. */
static void on_connected(void *owner)
{
    struct transfer *probe = owner;
    struct driver *driver = probe->driver;
    probe->host->warm_until_ns = weir__now_ns(driver->rt) + WEIR__DNS_CACHE_S * WEIR__NS_PER_S;
    probe->probing = false;
    release(driver, probe->host);
}

/* The probe ended without a connection. Its failure is that of all who waited for it: to let each
 * try for itself would keep the last one waiting for ever. */
static void share_fate(struct driver *driver, struct transfer *probe, int rc)
{
    struct weir__host *host = probe->host;
    struct weir__list *node;
    probe->probing = false;
    bool theirs = rc == WEIR_ERESOLVE || rc == WEIR_ECONNECT || rc == WEIR_ETLS || rc == WEIR_ECERT;
    while (theirs && (node = weir__list_pop(&host->waiting)) != NULL) {
        struct transfer *transfer = WEIR__CONTAINER(node, struct transfer, node);
        weir_response_set_failure(transfer->response, WEIR_SENT_NEVER,
                                  weir_response_error_text(probe->response));
        end(transfer, rc);
    }
    release(driver, host);
}

static void finish(struct transfer *transfer, int rc)
{
    struct driver *driver = transfer->driver;
    if (transfer->handle != NULL)
        weir__shards_give(transfer->handle, transfer->host);
    if (transfer->host != NULL)
        transfer->host->users--;
    if (transfer->probing)
        share_fate(driver, transfer, rc);
    end(transfer, rc);
}

static void on_ended(struct weir__curl_handle *handle, int rc)
{
    finish(handle->owner, rc);
}

/* ---- work that tasks have left for the thread's own stack ---- */

/* Whether the transfer may go now; else it waits for its host's probe. */
static bool may_go(struct driver *driver, struct transfer *transfer)
{
    struct weir__host *host = weir__host_of(&driver->hosts, transfer->exchange->url);
    if (host != NULL && host->probe != NULL) {
        weir__list_push(&host->waiting, &transfer->node);
        return false;
    }
    transfer->host = host;
    if (host == NULL)
        return true;
    host->users++;
    if (weir__now_ns(driver->rt) >= host->warm_until_ns) {
        host->probe = transfer;
        transfer->probing = true;
    }
    return true;
}

static void go_on(struct transfer *transfer)
{
    weir__list_remove(&transfer->node);
    weir__list_push(&transfer->driver->resuming, &transfer->node);
    weir__defer(transfer->driver->rt, &transfer->driver->work);
}

/* The body that is made while it is sent is to go on. Called by libcurl, so it only records. */
static void on_hungry(void *owner)
{
    struct transfer *transfer = owner;
    if (transfer->state == TRANSFER_RUNNING) /* or the wake would be the abort's */
        weir__wake(&transfer->wait, AWAKE);
}

/* An error that comes before the body is whole ends its sending, but not while that is paused: so
 * it goes on, be it to no more than its end. Called by libcurl, so it only records. */
static void on_answering(void *owner)
{
    struct transfer *transfer = owner;
    if (transfer->state == TRANSFER_RUNNING)
        go_on(transfer);
}

/* The frames from the request's function, above the transfer, down to the switch to others. */
static const void *frames_around(const struct transfer *transfer)
{
    enum { BELOW = 512 };
    return (const void *)((uintptr_t)transfer - BELOW);
}

/* Called by libcurl, so it only records. */
static void on_heard(void *owner, bool content)
{
    struct transfer *transfer = owner;
    weir__silence_heard(&transfer->silence, content, weir__now_ns(transfer->driver->rt));
}

static void start(struct driver *driver, struct transfer *transfer)
{
    if (!may_go(driver, transfer))
        return;
    struct weir__curl_handle *handle = weir__shards_take(&driver->shards, transfer->host);
    transfer->handle = handle;
    int rc = WEIR_ENOMEM;
    if (handle != NULL) {
        handle->owner = transfer;
        handle->frames = frames_around(transfer);
        handle->content = transfer->content;
        handle->upload = transfer->upload;
        handle->hungry = on_hungry;
        handle->answering = on_answering;
        handle->heard = weir__silence_matters(&transfer->silence) ? on_heard : NULL;
        handle->connected = transfer->probing ? on_connected : NULL;
        rc = weir__curl_handle_set(handle, transfer->exchange, transfer->response);
    }
    if (rc == 0 && !weir__shards_start(handle))
        rc = WEIR_ENOMEM;
    if (rc == 0) {
        transfer->state = TRANSFER_RUNNING;
        transfer->began_ns = weir__now_ns(driver->rt);
        return;
    }
    weir_response_set_failure(transfer->response, WEIR_SENT_NEVER, weir_strerror(rc));
    finish(transfer, rc);
}

static void abort_transfer(struct transfer *transfer)
{
    transfer->response->sent = weir__curl_handle_sent(transfer->handle);
    weir__curl_handle_route(transfer->handle);
    weir__shards_stop(transfer->handle, transfer->patience_ns);
    finish(transfer, WEIR_ECANCELED);
}

static void work(struct weir__deferred *deferred)
{
    struct driver *driver = WEIR__CONTAINER(deferred, struct driver, work);
    struct weir__list *node;
    while ((node = weir__list_pop(&driver->aborting)) != NULL)
        abort_transfer(WEIR__CONTAINER(node, struct transfer, node));
    while ((node = weir__list_pop(&driver->resuming)) != NULL)
        weir__shards_resume(WEIR__CONTAINER(node, struct transfer, node)->handle);
    while ((node = weir__list_pop(&driver->queued)) != NULL)
        start(driver, WEIR__CONTAINER(node, struct transfer, node));
    weir__shards_run(&driver->shards, weir__now_ns(driver->rt));
}

/* ---- the transport's face ---- */

/* It is given up for that reason; limit_ns: of a silence, if it is WEIR_EIDLE. */
static void give_up(struct transfer *transfer, int rc, int64_t limit_ns)
{
    int64_t now_ns = weir__now_ns(transfer->driver->rt);
    bool late = rc == WEIR_EATTEMPTTIME || weir__deadline_ns(weir_task_self()) <= now_ns;
    transfer->patience_ns = rc == WEIR_EIDLE
                                ? limit_ns / 2
                                : weir__silence_patience_ns(now_ns - transfer->began_ns, !late);
}

/* The task was cancelled while its transfer is under way: libcurl lets go of it first. Outside of
 * tasks, where a stream may be closed too, this is the thread's own stack already. */
static void leave(struct driver *driver, struct transfer *transfer)
{
    weir__list_remove(&transfer->node);
    if (transfer->state != TRANSFER_RUNNING)
        return;
    if (weir_task_self() == NULL) {
        abort_transfer(transfer);
        return;
    }
    weir__wait_begin_shielded(&transfer->wait);
    transfer->state = TRANSFER_ABORTING;
    weir__list_push(&driver->aborting, &transfer->node);
    weir__defer(driver->rt, &driver->work);
    weir__park(&transfer->wait);
}

static bool is_hungry(const struct transfer *transfer)
{
    return transfer->upload != NULL && transfer->upload->wanted;
}

/* As weir__park, but WEIR_EIDLE once the server has been silent for too long. */
static int park(struct transfer *transfer)
{
    struct weir__rt *rt = transfer->driver->rt;
    int rc = 0;
    if (!weir__silence_matters(&transfer->silence))
        return weir__park(&transfer->wait);
    while (rc == 0) {
        int64_t due_ns = weir__silence_look_ns(&transfer->silence, weir__now_ns(rt));
        rc = weir__park_until(&transfer->wait, NULL, due_ns);
        if (rc != 0)
            return rc;
        if (transfer->state == TRANSFER_DONE || is_hungry(transfer))
            return AWAKE; /* in the turn of the time, which was first */
        if (weir__silence_is_over(&transfer->silence, due_ns, weir__now_ns(rt)))
            return WEIR_EIDLE;
        rc = weir__wait_begin(&transfer->wait);
    }
    return rc;
}

/* Makes more of the body, and until that is there it is not the server that is silent. A read
 * function that the transfer's end has cut off is no failure. */
static int feed(struct transfer *transfer)
{
    int rc = weir__upload_fill(transfer->upload);
    on_heard(transfer, false);
    if (transfer->state == TRANSFER_DONE)
        return 0;
    if (rc == 0)
        go_on(transfer);
    return rc;
}

/* Until it ends; the task makes the body meanwhile. */
static int await_end(struct transfer *transfer)
{
    int rc = 0;
    while (rc >= 0 && transfer->state != TRANSFER_DONE) {
        transfer->wait.fired = true; /* nobody waits */
        if (is_hungry(transfer))
            rc = feed(transfer);
        else if ((rc = weir__wait_begin(&transfer->wait)) == 0)
            rc = park(transfer);
    }
    return rc;
}

/* The transfer goes on, and nobody wants it any more. */
static int quit(struct transfer *transfer, int rc)
{
    weir_response *response = transfer->response;
    give_up(transfer, rc, weir__silence_limit_ns(&transfer->silence));
    leave(transfer->driver, transfer);
    enum weir_sent sent = response->sent;
    if (rc == WEIR_EIDLE) {
        weir__response_forget_answer(response);
        sent = WEIR_SENT_MAYBE;
    }
    weir_response_set_failure(response, sent, weir_strerror(rc));
    return rc;
}

static int await_transfer(struct transfer *transfer)
{
    struct driver *driver = transfer->driver;
    weir__list_push(&driver->queued, &transfer->node);
    weir__defer(driver->rt, &driver->work);
    int rc = transfer->upload != NULL ? await_end(transfer) : park(transfer);
    return rc >= 0 ? transfer->rc : quit(transfer, rc);
}

static int upload(struct transfer *transfer, const struct weir_body *body)
{
    struct weir__upload upload;
    int rc = WEIR_ENOMEM;
    transfer->upload = &upload;
    if (weir__upload_init(&upload, body))
        rc = await_transfer(transfer);
    else
        weir_response_set_failure(transfer->response, WEIR_SENT_NEVER, weir_strerror(rc));
    weir__upload_free(&upload);
    return rc;
}

static int perform(void *self, const struct weir_exchange *exchange, weir_response *response)
{
    struct driver *driver = self;
    struct transfer transfer = {.driver = driver,
                                .exchange = exchange,
                                .response = response,
                                .state = TRANSFER_QUEUED};
    response->sent = WEIR_SENT_NEVER;
    weir__silence_init(&transfer.silence, exchange->idle_first_ms, exchange->idle_ms);
    int rc = weir__wait_begin(&transfer.wait);
    if (rc < 0)
        return rc;
    if (exchange->body_from != NULL)
        return upload(&transfer, exchange->body_from);
    return await_transfer(&transfer);
}

/* ---- answers that are read while they come ---- */

/* libcurl brings no more at a time. */
enum { PIECE_MAX = CURL_MAX_WRITE_SIZE };

struct weir__download {
    struct transfer transfer;
    struct weir_exchange exchange;
    struct weir__buf kept;
    size_t at;           /* bytes of kept that were read */
    size_t room;         /* for what was not */
    bool begun;          /* content has come */
    bool full;           /* libcurl keeps back a piece, and takes no more */
    weir_response later; /* gets what comes of the transfer once it has begun */
};

static size_t unread(const struct weir__download *download)
{
    return download->kept.len - download->at;
}

/* Called by libcurl, so it only records. */
static int on_content(void *transfer, const char *data, size_t len)
{
    struct weir__download *download = transfer;
    struct weir__buf *kept = &download->kept;
    size_t left = unread(download);
    if (left > 0 && left + len > download->room) {
        download->full = true;
        return WEIR__CONTENT_LATER;
    }
    if (download->at > 0 && left > 0)
        memmove(kept->data, kept->data + download->at, left);
    kept->len = left;
    download->at = 0;
    int rc = weir__buf_add(kept, data, len);
    if (!download->begun) {
        download->begun = true;
        download->transfer.response = &download->later;
        download->transfer.handle->response = &download->later;
    }
    weir__wake(&download->transfer.wait, AWAKE);
    return rc;
}

static struct weir__download *download_new(struct driver *driver,
                                           const struct weir_exchange *exchange, size_t room,
                                           weir_response *response)
{
    struct weir__download *download = weir__zalloc(sizeof *download);
    if (download == NULL)
        return NULL;
    download->exchange = *exchange;
    download->exchange.timeout_ms = 0; /* its content may take as long as it likes */
    download->room = room;
    weir__buf_init(&download->kept, room > PIECE_MAX ? room : PIECE_MAX);
    download->transfer = (struct transfer){.driver = driver,
                                           .wait.fired = true, /* nobody waits */
                                           .content = on_content,
                                           .exchange = &download->exchange,
                                           .response = response,
                                           .state = TRANSFER_QUEUED};
    weir__list_push(&driver->queued, &download->transfer.node);
    weir__defer(driver->rt, &driver->work);
    return download;
}

static void download_free(struct weir__download *download)
{
    weir__buf_free(&download->kept);
    weir__free(download);
}

/* Until content comes or the transfer ends: AWAKE; 0 when the time comes first. */
static int await_content(struct weir__download *download, int64_t when_ns)
{
    struct transfer *transfer = &download->transfer;
    int rc = AWAKE;
    while (rc == AWAKE && unread(download) == 0 && transfer->state != TRANSFER_DONE) {
        rc = weir__wait_begin(&transfer->wait);
        if (rc == 0)
            rc = weir__park_until(&transfer->wait, NULL, when_ns);
        else
            transfer->wait.fired = true;
    }
    return rc;
}

/* The first content did not come: time is up, or the caller is cancelled. */
static int close_early(struct weir__download *download, int rc)
{
    struct transfer *transfer = &download->transfer;
    give_up(transfer, rc == 0 ? WEIR_EATTEMPTTIME : rc, 0);
    leave(transfer->driver, transfer);
    bool sent = transfer->response->sent != WEIR_SENT_NEVER;
    if (rc == 0)
        rc = sent ? WEIR_EATTEMPTTIME : WEIR_ECONNECT;
    weir__response_forget_answer(transfer->response);
    weir_response_set_failure(transfer->response, sent ? WEIR_SENT_MAYBE : WEIR_SENT_NEVER,
                              weir_strerror(rc));
    download_free(download);
    return rc;
}

int weir__curl_open(void *self, const struct weir_exchange *exchange, size_t room,
                    weir_response *response, struct weir__download **out)
{
    struct driver *driver = self;
    int64_t limit_ns = INT64_MAX;
    *out = NULL;
    response->sent = WEIR_SENT_NEVER;
    if (exchange->timeout_ms > 0)
        limit_ns = weir__ns_add(weir__now_ns(driver->rt), weir__ms_to_ns(exchange->timeout_ms));
    struct weir__download *download = download_new(driver, exchange, room, response);
    if (download == NULL) {
        weir_response_set_failure(response, WEIR_SENT_NEVER, weir_strerror(WEIR_ENOMEM));
        return WEIR_ENOMEM;
    }
    int rc = await_content(download, limit_ns);
    if (rc != AWAKE)
        return close_early(download, rc);
    if (download->begun) {
        *out = download;
        return 0;
    }
    rc = download->transfer.rc;
    download_free(download);
    return rc;
}

static void resume(struct weir__download *download)
{
    struct transfer *transfer = &download->transfer;
    if (!download->full || transfer->state != TRANSFER_RUNNING)
        return;
    download->full = false;
    go_on(transfer);
}

int64_t weir__curl_read(struct weir__download *download, void *buf, size_t size, int64_t idle_ns)
{
    struct weir__rt *rt = download->transfer.driver->rt;
    int64_t limit_ns = idle_ns < INT64_MAX ? weir__ns_add(weir__now_ns(rt), idle_ns) : INT64_MAX;
    int rc = await_content(download, limit_ns);
    int64_t now_ns = weir__now_ns(rt), grace_ns = weir__silence_grace_ns(limit_ns, now_ns);
    if (rc == 0 && grace_ns > 0)
        rc = await_content(download, now_ns + grace_ns);
    if (rc == 0)
        give_up(&download->transfer, WEIR_EIDLE, idle_ns);
    if (rc != AWAKE)
        return rc < 0 ? rc : WEIR_EIDLE;
    size_t n = unread(download) < size ? unread(download) : size;
    if (n == 0)
        return download->transfer.rc;
    memcpy(buf, download->kept.data + download->at, n);
    download->at += n;
    if (unread(download) <= download->room / 2)
        resume(download);
    return (int64_t)n;
}

const char *weir__curl_failure(const struct weir__download *download)
{
    return weir_response_error_text(&download->later);
}

void weir__curl_close(struct weir__download *download)
{
    if (download == NULL)
        return;
    struct transfer *transfer = &download->transfer;
    bool done = transfer->state == TRANSFER_DONE; /* and the driver may be gone */
    if (!done && transfer->patience_ns == 0)
        give_up(transfer, WEIR_ECANCELED, 0);
    if (!done)
        leave(transfer->driver, transfer);
    download_free(download);
}

/* ---- beginning and end ---- */

static void driver_free(void *self)
{
    struct driver *driver = self;
    weir__list_remove(&driver->work.node);
    weir__shards_free(&driver->shards);
    weir__hosts_free(&driver->hosts);
    weir__net_free(&driver->net); /* behind the connections */
    weir__free(driver);
    weir__blocks_end();
}

static bool curl_ready;

static void init_curl(void)
{
    curl_ready = weir__keylog_global_init() == CURLE_OK;
}

/* Even without memory, so that it can be freed. */
static bool init_lists(struct driver *driver, struct ev_loop *ev, size_t max_parallel)
{
    driver->work.run = work;
    weir__list_init(&driver->work.node);
    weir__list_init(&driver->queued);
    weir__list_init(&driver->aborting);
    weir__list_init(&driver->resuming);
    weir__hosts_init(&driver->hosts);
    return weir__shards_init(&driver->shards, driver->rt, ev, &driver->net, max_parallel, on_ended);
}

int weir__curl_transport(struct weir__rt *rt, size_t max_parallel, const struct weir_net_opts *net,
                         struct weir_transport *transport, char text[WEIR__NET_TEXT_MAX])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct ev_loop *ev = weir__rt_ev(rt);
    text[0] = '\0';
    if (ev == NULL)
        return WEIR_ENOTSUP;
    pthread_once(&once, init_curl);
    if (!curl_ready || !weir__blocks_begin())
        return WEIR_ENOMEM;
    struct driver *driver = weir__zalloc(sizeof *driver);
    if (driver == NULL) {
        weir__blocks_end();
        return WEIR_ENOMEM;
    }
    driver->rt = rt;
    int rc = weir__net_init(&driver->net, net, text);
    if (!init_lists(driver, ev, max_parallel) && rc == 0)
        rc = WEIR_ENOMEM;
    if (rc < 0) {
        driver_free(driver);
        return rc;
    }
    *transport = WEIR_TRANSPORT(.perform = perform, .self = driver, .free = driver_free);
    return 0;
}
