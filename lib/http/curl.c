#include "http/curl.h"

#include <pthread.h>
#include <stdbool.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/curl_shard.h"
#include "loop/loop.h"

enum transfer_state { TRANSFER_QUEUED, TRANSFER_RUNNING, TRANSFER_ABORTING, TRANSFER_DONE };

/* One perform call; lives on the stack of its task. */
struct transfer {
    struct weir__list node; /* in queued, a host's waiting or aborting */
    struct driver *driver;
    struct weir__wait wait;
    struct weir__curl_handle *handle;
    struct weir__host *host; /* where it goes, once started; NULL: the table is full */
    bool probing;            /* it is its host's probe */
    const struct weir_exchange *exchange;
    weir_response *response;
    enum transfer_state state;
    int rc;
};

struct driver {
    struct weir__rt *rt;
    struct weir__shards shards;
    struct weir__deferred work;
    struct weir__list queued, aborting;
    struct weir__hosts hosts;
};

/* ---- completion ---- */

static void end(struct transfer *transfer, int rc)
{
    weir__list_remove(&transfer->node);
    transfer->state = TRANSFER_DONE;
    transfer->rc = rc;
    weir__wake(&transfer->wait, 0); /* already awake if it was cancelled in this turn */
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
    bool theirs = rc == WEIR_ERESOLVE || rc == WEIR_ECONNECT || rc == WEIR_ETLS;
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

static void start(struct driver *driver, struct transfer *transfer)
{
    if (!may_go(driver, transfer))
        return;
    struct weir__curl_handle *handle = weir__shards_take(&driver->shards, transfer->host);
    transfer->handle = handle;
    int rc = WEIR_ENOMEM;
    if (handle != NULL) {
        handle->owner = transfer;
        handle->connected = transfer->probing ? on_connected : NULL;
        rc = weir__curl_handle_set(handle, transfer->exchange, transfer->response);
    }
    if (rc == 0 && !weir__shards_start(handle))
        rc = WEIR_ENOMEM;
    if (rc == 0) {
        transfer->state = TRANSFER_RUNNING;
        return;
    }
    weir_response_set_failure(transfer->response, WEIR_SENT_NEVER, weir_strerror(rc));
    finish(transfer, rc);
}

static void abort_transfer(struct transfer *transfer)
{
    transfer->response->sent = weir__curl_handle_sent(transfer->handle);
    weir__shards_stop(transfer->handle);
    finish(transfer, WEIR_ECANCELED);
}

static void work(struct weir__deferred *deferred)
{
    struct driver *driver = WEIR__CONTAINER(deferred, struct driver, work);
    struct weir__list *node;
    while ((node = weir__list_pop(&driver->aborting)) != NULL)
        abort_transfer(WEIR__CONTAINER(node, struct transfer, node));
    while ((node = weir__list_pop(&driver->queued)) != NULL)
        start(driver, WEIR__CONTAINER(node, struct transfer, node));
    weir__shards_run(&driver->shards);
}

/* ---- the transport's face ---- */

/* The task was cancelled while its transfer is under way: libcurl lets go of it first. */
static void leave(struct driver *driver, struct transfer *transfer)
{
    weir__list_remove(&transfer->node);
    if (transfer->state != TRANSFER_RUNNING)
        return;
    weir__wait_begin_shielded(&transfer->wait);
    transfer->state = TRANSFER_ABORTING;
    weir__list_push(&driver->aborting, &transfer->node);
    weir__defer(driver->rt, &driver->work);
    weir__park(&transfer->wait);
}

static int perform(void *self, const struct weir_exchange *exchange, weir_response *response)
{
    struct driver *driver = self;
    struct transfer transfer = {.driver = driver,
                                .exchange = exchange,
                                .response = response,
                                .state = TRANSFER_QUEUED};
    response->sent = WEIR_SENT_NEVER;
    int rc = weir__wait_begin(&transfer.wait);
    if (rc < 0)
        return rc;
    weir__list_push(&driver->queued, &transfer.node);
    weir__defer(driver->rt, &driver->work);
    rc = weir__park(&transfer.wait);
    if (rc < 0) {
        leave(driver, &transfer);
        weir_response_set_failure(response, response->sent, weir_strerror(rc));
        return rc;
    }
    return transfer.rc;
}

static void driver_free(void *self)
{
    struct driver *driver = self;
    weir__list_remove(&driver->work.node);
    weir__shards_free(&driver->shards);
    weir__hosts_free(&driver->hosts);
    weir__free(driver);
}

static bool curl_ready;

static void init_curl(void)
{
    curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

int weir__curl_transport(struct weir__rt *rt, size_t max_parallel, struct weir_transport *transport)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct ev_loop *ev = weir__rt_ev(rt);
    if (ev == NULL)
        return WEIR_ENOTSUP;
    pthread_once(&once, init_curl);
    struct driver *driver = curl_ready ? weir__zalloc(sizeof *driver) : NULL;
    if (driver == NULL)
        return WEIR_ENOMEM;
    driver->rt = rt;
    driver->work.run = work;
    weir__list_init(&driver->work.node);
    weir__list_init(&driver->queued);
    weir__list_init(&driver->aborting);
    weir__hosts_init(&driver->hosts);
    if (!weir__shards_init(&driver->shards, ev, max_parallel, on_ended)) {
        driver_free(driver);
        return WEIR_ENOMEM;
    }
    *transport = WEIR_TRANSPORT(.perform = perform, .self = driver, .free = driver_free);
    return 0;
}
