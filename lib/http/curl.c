#include "http/curl.h"

#include <pthread.h>
#include <stdbool.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/curl_handle.h"
#include "http/host.h"
#include "loop/loop.h"

enum transfer_state { TRANSFER_QUEUED, TRANSFER_RUNNING, TRANSFER_ABORTING, TRANSFER_DONE };

/* One perform call; lives on the stack of its task. */
struct transfer {
    struct weir__list node; /* in queued, a host's waiting, running or aborting */
    struct driver *driver;
    struct weir__wait wait;
    struct weir__curl_handle *handle;
    struct weir__host *host; /* whose probe it is; NULL: of none */
    const struct weir_exchange *exchange;
    weir_response *response;
    enum transfer_state state;
    int rc;
};

struct driver {
    struct weir__rt *rt;
    struct ev_loop *ev;
    CURLM *multi;
    ev_timer timer;
    struct weir__deferred work;
    struct weir__list queued, running, aborting;
    struct weir__hosts hosts;
    struct weir__list idle; /* handles, most recently used first */
    struct weir__list sockets, spare_sockets;
};

struct socket {
    ev_io watcher;
    struct driver *driver;
    struct weir__list node;
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
    release(driver, probe->host);
    probe->host = NULL;
}

/* The probe ended without a connection. Its failure is that of all who waited for it: to let each
 * try for itself would keep the last one waiting for ever. */
static void share_fate(struct driver *driver, struct transfer *probe, int rc)
{
    struct weir__host *host = probe->host;
    struct weir__list *node;
    probe->host = NULL;
    bool theirs = rc == WEIR_ERESOLVE || rc == WEIR_ECONNECT || rc == WEIR_ETLS;
    while (theirs && (node = weir__list_pop(&host->waiting)) != NULL) {
        struct transfer *transfer = WEIR__CONTAINER(node, struct transfer, node);
        weir_response_set_failure(transfer->response, WEIR_SENT_NEVER,
                                  weir_response_error_text(probe->response));
        end(transfer, rc);
    }
    release(driver, host);
}

static void finish(struct driver *driver, struct transfer *transfer, int rc)
{
    if (transfer->handle != NULL)
        weir__list_insert(driver->idle.next, &transfer->handle->node);
    if (transfer->host != NULL)
        share_fate(driver, transfer, rc);
    end(transfer, rc);
}

/* After every call into libcurl: messages wait for nobody. */
static void drain(struct driver *driver)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(driver->multi, &left)) != NULL) {
        struct weir__curl_handle *handle = NULL;
        CURLcode code = message->data.result; /* gone after remove_handle */
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)(void *)&handle);
        struct transfer *transfer = handle->owner;
        int rc = weir__curl_handle_result(handle, code);
        curl_multi_remove_handle(driver->multi, handle->easy);
        finish(driver, transfer, rc);
    }
}

/* A multi handle that once lacked memory for one of its sockets moves no transfer any more until
 * all have left it. */
static void fail_all(struct driver *driver, const char *text)
{
    struct weir__list *node;
    while ((node = weir__list_pop(&driver->running)) != NULL) {
        struct transfer *transfer = WEIR__CONTAINER(node, struct transfer, node);
        enum weir_sent sent = weir__curl_handle_sent(transfer->handle);
        curl_multi_remove_handle(driver->multi, transfer->handle->easy);
        weir_response_set_failure(transfer->response, sent, text);
        finish(driver, transfer, WEIR_ENOMEM);
    }
}

static void act(struct driver *driver, curl_socket_t fd, int mask)
{
    int running;
    CURLMcode rc = curl_multi_socket_action(driver->multi, fd, mask, &running);
    drain(driver);
    if (rc != CURLM_OK)
        fail_all(driver, curl_multi_strerror(rc));
}

/* ---- libcurl's sockets and timer, as libev watchers ---- */

static void on_socket_event(struct ev_loop *ev, ev_io *watcher, int events)
{
    (void)ev;
    struct socket *sock = WEIR__CONTAINER(watcher, struct socket, watcher);
    int mask =
        (events & EV_READ ? CURL_CSELECT_IN : 0) | (events & EV_WRITE ? CURL_CSELECT_OUT : 0);
    act(sock->driver, watcher->fd, mask);
}

static struct socket *socket_new(struct driver *driver, curl_socket_t fd)
{
    struct weir__list *spare = weir__list_pop(&driver->spare_sockets);
    struct socket *sock =
        spare != NULL ? WEIR__CONTAINER(spare, struct socket, node) : weir__zalloc(sizeof *sock);
    if (sock == NULL)
        return NULL;
    sock->driver = driver;
    weir__list_push(&driver->sockets, &sock->node);
    ev_io_init(&sock->watcher, on_socket_event, fd, 0);
    curl_multi_assign(driver->multi, fd, sock);
    return sock;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
    (void)easy;
    struct driver *driver = arg;
    struct socket *sock = known;
    if (what == CURL_POLL_REMOVE) {
        if (sock != NULL) {
            ev_io_stop(driver->ev, &sock->watcher);
            weir__list_remove(&sock->node);
            weir__list_push(&driver->spare_sockets, &sock->node);
            curl_multi_assign(driver->multi, fd, NULL);
        }
        return 0;
    }
    if (sock == NULL && (sock = socket_new(driver, fd)) == NULL)
        return -1;
    int mask = (what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0);
    if (ev_is_active(&sock->watcher) && sock->watcher.fd == fd &&
        (sock->watcher.events & (EV_READ | EV_WRITE)) == mask)
        return 0;
    ev_io_stop(driver->ev, &sock->watcher);
    ev_io_set(&sock->watcher, fd, mask);
    ev_io_start(driver->ev, &sock->watcher);
    return 0;
}

static void on_timer(struct ev_loop *ev, ev_timer *timer, int events)
{
    (void)ev;
    (void)events;
    act(WEIR__CONTAINER(timer, struct driver, timer), CURL_SOCKET_TIMEOUT, 0);
}

/* Only arms; even 0 ms means the next turn. */
static int on_set_timer(CURLM *multi, long timeout_ms, void *arg)
{
    (void)multi;
    struct driver *driver = arg;
    ev_timer_stop(driver->ev, &driver->timer);
    if (timeout_ms < 0)
        return 0;
    ev_timer_set(&driver->timer, (double)timeout_ms / 1000.0, 0.0);
    ev_timer_start(driver->ev, &driver->timer);
    return 0;
}

/* ---- work that tasks have left for the thread's own stack ---- */

static struct weir__curl_handle *handle_for(struct driver *driver)
{
    struct weir__list *idle = weir__list_pop(&driver->idle);
    return idle != NULL ? WEIR__CONTAINER(idle, struct weir__curl_handle, node)
                        : weir__curl_handle_new();
}

/* Whether the transfer may go now; else it waits for its host's probe. */
static bool may_go(struct driver *driver, struct transfer *transfer)
{
    struct weir__host *host = weir__host_of(&driver->hosts, transfer->exchange->url);
    if (host == NULL || (host->probe == NULL && weir__now_ns(driver->rt) < host->warm_until_ns))
        return true;
    if (host->probe != NULL) {
        weir__list_push(&host->waiting, &transfer->node);
        return false;
    }
    host->probe = transfer;
    transfer->host = host;
    return true;
}

static void start(struct driver *driver, struct transfer *transfer)
{
    if (!may_go(driver, transfer))
        return;
    struct weir__curl_handle *handle = handle_for(driver);
    transfer->handle = handle;
    int rc = WEIR_ENOMEM;
    if (handle != NULL) {
        handle->owner = transfer;
        handle->connected = transfer->host != NULL ? on_connected : NULL;
        rc = weir__curl_handle_set(handle, transfer->exchange, transfer->response);
    }
    if (rc == 0 && curl_multi_add_handle(driver->multi, handle->easy) != CURLM_OK)
        rc = WEIR_ENOMEM;
    if (rc == 0) {
        transfer->state = TRANSFER_RUNNING;
        weir__list_push(&driver->running, &transfer->node);
        return;
    }
    weir_response_set_failure(transfer->response, WEIR_SENT_NEVER, weir_strerror(rc));
    finish(driver, transfer, rc);
}

static void abort_transfer(struct driver *driver, struct transfer *transfer)
{
    transfer->response->sent = weir__curl_handle_sent(transfer->handle);
    curl_multi_remove_handle(driver->multi, transfer->handle->easy);
    finish(driver, transfer, WEIR_ECANCELED);
}

static void work(struct weir__deferred *deferred)
{
    struct driver *driver = WEIR__CONTAINER(deferred, struct driver, work);
    struct weir__list *node;
    while ((node = weir__list_pop(&driver->aborting)) != NULL)
        abort_transfer(driver, WEIR__CONTAINER(node, struct transfer, node));
    if (weir__list_empty(&driver->queued))
        return;
    while ((node = weir__list_pop(&driver->queued)) != NULL)
        start(driver, WEIR__CONTAINER(node, struct transfer, node));
    /* Each add has asked for a timer of 0 ms: this saves a turn of the loop to serve it. */
    act(driver, CURL_SOCKET_TIMEOUT, 0);
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

static void free_sockets(struct driver *driver, struct weir__list *sockets)
{
    struct weir__list *node;
    while ((node = weir__list_pop(sockets)) != NULL) {
        struct socket *sock = WEIR__CONTAINER(node, struct socket, node);
        ev_io_stop(driver->ev, &sock->watcher);
        weir__free(sock);
    }
}

static void driver_free(void *self)
{
    struct driver *driver = self;
    struct weir__list *node;
    weir__list_remove(&driver->work.node);
    while ((node = weir__list_pop(&driver->idle)) != NULL)
        weir__curl_handle_free(WEIR__CONTAINER(node, struct weir__curl_handle, node));
    curl_multi_cleanup(driver->multi); /* closes connections: on_socket runs */
    ev_timer_stop(driver->ev, &driver->timer);
    free_sockets(driver, &driver->sockets); /* those that libcurl lost when memory was out */
    free_sockets(driver, &driver->spare_sockets);
    weir__hosts_free(&driver->hosts);
    weir__free(driver);
}

static bool curl_ready;

static void init_curl(void)
{
    curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

static bool set_up_multi(struct driver *driver, size_t max_parallel)
{
    driver->multi = curl_multi_init();
    if (driver->multi == NULL)
        return false;
    curl_multi_setopt(driver->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(driver->multi, CURLMOPT_SOCKETDATA, driver);
    curl_multi_setopt(driver->multi, CURLMOPT_TIMERFUNCTION, on_set_timer);
    curl_multi_setopt(driver->multi, CURLMOPT_TIMERDATA, driver);
    /* Below the concurrency, connections would be closed and made anew all the time; the
     * default shrinks as the work drains. */
    curl_multi_setopt(driver->multi, CURLMOPT_MAXCONNECTS, (long)max_parallel);
    return true;
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
    driver->ev = ev;
    driver->work.run = work;
    weir__list_init(&driver->work.node);
    weir__list_init(&driver->queued);
    weir__list_init(&driver->running);
    weir__list_init(&driver->aborting);
    weir__list_init(&driver->idle);
    weir__hosts_init(&driver->hosts);
    weir__list_init(&driver->sockets);
    weir__list_init(&driver->spare_sockets);
    ev_timer_init(&driver->timer, on_timer, 0.0, 0.0);
    if (!set_up_multi(driver, max_parallel)) {
        weir__free(driver);
        return WEIR_ENOMEM;
    }
    *transport = WEIR_TRANSPORT(.perform = perform, .self = driver, .free = driver_free);
    return 0;
}
