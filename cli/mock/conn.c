#include "mock/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "mock/chance.h"
#include "mock/server.h"

#define BUF_KEEP      ((size_t)16 * 1024) /* what an idle connection holds on to */
#define LINGER_S      1.0                 /* for the client to take the last bytes and close */
#define DRIBBLE_S     0.025
#define DRIBBLE_PARTS 20
#define EVENT_S       0.005
#define GARBAGE_LEN   64

/* ---- ends ---- */

/* Ends the connection; on_readable and its like free it when they are done with it. */
static void die(struct mock_conn *conn)
{
    conn->state = MOCK_CONN_DEAD;
}

/* The kernel answers with RST instead of an orderly end. */
static void reset(struct mock_conn *conn)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    die(conn);
}

/* Ends our side first: a close with unread input would be a reset, which may take the answer away
 * before the client has read it. */
static void linger(struct mock_conn *conn)
{
    struct ev_loop *loop = conn->server->loop;

    shutdown(conn->fd, SHUT_WR);
    conn->state = conn->ended ? MOCK_CONN_DEAD : MOCK_CONN_LINGERING;
    ev_timer_stop(loop, &conn->timer);
    ev_timer_set(&conn->timer, LINGER_S, 0);
    ev_timer_start(loop, &conn->timer);
}

static void settle(struct mock_conn *conn)
{
    if (conn->busy)
        conn->server->service.stats.in_flight--;
    conn->busy = false;
}

/* ---- output ---- */

/* Sends up to `stop`: 0 when it got there, 1 when the client must take something first. */
static int push(struct mock_conn *conn)
{
    struct mock_reply *reply = &conn->reply;

    while (conn->sent < conn->stop) {
        size_t head = conn->sent < reply->head_len ? conn->sent : reply->head_len;
        size_t head_end = conn->stop < reply->head_len ? conn->stop : reply->head_len;
        size_t body = conn->sent - head;
        struct iovec parts[2] = {
            {reply->head + head, head_end - head},
            {(char *)(uintptr_t)reply->body + body, conn->stop - head_end - body},
        };
        struct msghdr msg = {.msg_iov = parts, .msg_iovlen = parts[1].iov_len ? 2 : 1};
        ssize_t n = sendmsg(conn->fd, &msg, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            die(conn);
        if (n < 0)
            return 1;
        conn->sent += (size_t)n;
        conn->active_s = ev_now(conn->server->loop);
    }
    return 0;
}

/* The answer is out as far as it shall be. */
static void finish(struct mock_conn *conn)
{
    settle(conn);
    mock_request_next(&conn->req);
    mock_buf_clear(&conn->out, BUF_KEEP);
    if (conn->reply.close)
        linger(conn);
    else
        conn->state = MOCK_CONN_READING;
}

static void write_out(struct mock_conn *conn)
{
    if (push(conn) == 0) {
        finish(conn);
    } else if (conn->state != MOCK_CONN_DEAD) {
        conn->state = MOCK_CONN_WRITING;
        ev_io_start(conn->server->loop, &conn->writable);
    }
}

/* How much of the body goes with the next tick: a part of it, or the next event. */
static size_t next_piece(const struct mock_conn *conn)
{
    const struct mock_reply *reply = &conn->reply;
    const char *at = reply->body + (conn->stop - reply->head_len);
    const char *end = reply->events ? strstr(at, "\n\n") : NULL;

    return end ? (size_t)(end + 2 - at) : reply->len / DRIBBLE_PARTS + 1;
}

static void dribble(struct mock_conn *conn)
{
    size_t total = mock_reply_total(&conn->reply);
    size_t piece;

    if (push(conn) != 0)
        return; /* the next tick tries again */
    if (conn->stop < total) {
        piece = next_piece(conn);
        conn->stop = piece < total - conn->stop ? conn->stop + piece : total;
        return;
    }
    ev_timer_stop(conn->server->loop, &conn->timer);
    finish(conn);
}

static void start_dribble(struct mock_conn *conn)
{
    double tick_s = conn->reply.fault == MOCK_FAULT_SLOW ? DRIBBLE_S : EVENT_S;

    conn->state = MOCK_CONN_DRIBBLING;
    conn->stop = conn->reply.head_len;
    ev_timer_set(&conn->timer, tick_s, tick_s);
    ev_timer_start(conn->server->loop, &conn->timer);
    push(conn);
}

/* Bytes that cannot be the start of an HTTP answer stand in for one. */
static void make_garbage(struct mock_conn *conn)
{
    struct mock_reply *reply = &conn->reply;

    for (size_t i = 0; i < GARBAGE_LEN; i++)
        reply->head[i] = (char)(mock_draw(reply->id[0], MOCK_STREAM_GARBAGE, i) | 0x80);
    reply->head_len = GARBAGE_LEN;
    reply->len = 0;
    reply->close = true;
}

/* The time of the answer has come. */
static void emit(struct mock_conn *conn)
{
    struct mock_reply *reply = &conn->reply;

    if (reply->fault == MOCK_FAULT_GARBAGE)
        make_garbage(conn);
    conn->sent = 0;
    conn->stop = mock_reply_total(reply);
    if (reply->fault == MOCK_FAULT_RESET) {
        reset(conn);
    } else if (reply->fault == MOCK_FAULT_STALL) {
        conn->state = MOCK_CONN_STALLED;
    } else if (reply->fault == MOCK_FAULT_SLOW ||
               ((reply->fault == MOCK_FAULT_NONE || reply->fault == MOCK_FAULT_MISFIT) &&
                reply->events)) {
        start_dribble(conn);
    } else {
        if (reply->fault == MOCK_FAULT_TRUNCATE) {
            conn->stop -= (conn->stop - reply->head_len + 1) / 2;
            reply->close = true;
        }
        write_out(conn);
    }
}

/* ---- input ---- */

static void delay(struct mock_conn *conn)
{
    struct ev_loop *loop = conn->server->loop;

    conn->state = MOCK_CONN_DELAYED;
    ev_now_update(loop); /* timers count from the loop's time, which may be behind */
    ev_timer_set(&conn->timer, conn->reply.delay_ms / 1000.0, 0);
    ev_timer_start(loop, &conn->timer);
}

static void answer(struct mock_conn *conn)
{
    struct mock_service *service = &conn->server->service;
    struct mock_stats *stats = &service->stats;

    mock_service_answer(service, &conn->req, mock_server_now_ns(), &conn->out, &conn->reply);
    if (!conn->reply.aside) {
        conn->busy = true;
        if (++stats->in_flight > stats->max_in_flight)
            stats->max_in_flight = stats->in_flight;
    }
    if (conn->reply.delay_ms)
        delay(conn);
    else
        emit(conn);
}

/* What a client that asked first waits for before it sends its body. If it cannot be sent now, the
 * client sends without it after a while, as every client does. */
static void say_continue(struct mock_conn *conn)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

    conn->req.wants_continue = false;
    if (send(conn->fd, text, sizeof(text) - 1, MSG_NOSIGNAL) < 0 && errno != EAGAIN)
        die(conn);
}

/* Reads requests as long as each is answered at once. Returns how many bytes it has used. */
static size_t feed(struct mock_conn *conn, const char *data, size_t len)
{
    size_t used = 0;

    while (used < len && conn->state == MOCK_CONN_READING) {
        used += mock_request_feed(&conn->req, data + used, len - used);
        if (conn->req.complete || conn->req.error)
            answer(conn);
        else if (conn->req.wants_continue)
            say_continue(conn);
    }
    return used;
}

/* Nothing that comes will be answered. */
static bool is_deaf(const struct mock_conn *conn)
{
    return conn->state == MOCK_CONN_STALLED || conn->state == MOCK_CONN_LINGERING;
}

/* Reads on only when what has come is used up: so a client that sends ahead is held back. While a
 * request is being answered reading goes on, to see whether the client leaves. */
static void watch(struct mock_conn *conn)
{
    if (is_deaf(conn) || conn->ahead.len == 0)
        mock_buf_clear(&conn->ahead, BUF_KEEP);
    if (conn->ahead.len == 0 && !conn->ended)
        ev_io_start(conn->server->loop, &conn->readable);
    else
        ev_io_stop(conn->server->loop, &conn->readable);
}

/* After an answer that took its time: goes on with what has come meanwhile. */
static void go_on(struct mock_conn *conn)
{
    if (conn->state == MOCK_CONN_READING)
        mock_buf_drop(&conn->ahead, feed(conn, conn->ahead.data, conn->ahead.len));
    if (conn->ended && conn->state == MOCK_CONN_READING)
        die(conn);
    watch(conn);
}

static void receive(struct mock_conn *conn, const char *data, size_t len)
{
    size_t used = feed(conn, data, len);

    conn->active_s = ev_now(conn->server->loop);
    if (used < len && !is_deaf(conn) && conn->state != MOCK_CONN_DEAD &&
        mock_buf_append(&conn->ahead, data + used, len - used, MOCK_READ_MAX) != 0)
        die(conn);
    watch(conn);
}

/* The client has ended its side; an answer that is on its way is still given. */
static void end_of_input(struct mock_conn *conn)
{
    conn->ended = true;
    if (conn->state == MOCK_CONN_READING || is_deaf(conn))
        die(conn);
    watch(conn);
}

/* ---- events ---- */

static void reap(struct mock_conn *conn)
{
    if (conn->state == MOCK_CONN_DEAD)
        mock_conn_close(conn);
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int revents)
{
    struct mock_conn *conn = watcher->data;
    char *scratch = conn->server->scratch;
    ssize_t n = recv(conn->fd, scratch, MOCK_READ_MAX, 0);

    (void)loop;
    (void)revents;
    if (n > 0)
        receive(conn, scratch, (size_t)n);
    else if (n == 0)
        end_of_input(conn);
    else if (errno != EAGAIN && errno != EINTR)
        die(conn);
    reap(conn);
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int revents)
{
    struct mock_conn *conn = watcher->data;

    (void)revents;
    if (push(conn) == 0) {
        ev_io_stop(loop, watcher);
        finish(conn);
        go_on(conn);
    }
    reap(conn);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct mock_conn *conn = timer->data;

    (void)loop;
    (void)revents;
    if (conn->state == MOCK_CONN_LINGERING)
        die(conn);
    else if (conn->state == MOCK_CONN_DRIBBLING)
        dribble(conn);
    else if (conn->state == MOCK_CONN_DELAYED)
        emit(conn);
    go_on(conn);
    reap(conn);
}

/* ---- life ---- */

struct mock_conn *mock_conn_open(struct mock_server *server, int fd)
{
    struct mock_conn *conn = calloc(1, sizeof(*conn));

    if (!conn) {
        close(fd);
        return NULL;
    }
    conn->server = server;
    conn->fd = fd;
    conn->active_s = ev_now(server->loop);
    mock_request_init(&conn->req);
    ev_io_init(&conn->readable, on_readable, fd, EV_READ);
    ev_io_init(&conn->writable, on_writable, fd, EV_WRITE);
    ev_timer_init(&conn->timer, on_timer, 0, 0);
    conn->readable.data = conn->writable.data = conn->timer.data = conn;
    conn->next = server->conns;
    if (conn->next)
        conn->next->prev = conn;
    server->conns = conn;
    server->service.stats.accepted++;
    server->service.stats.open++;
    ev_io_start(server->loop, &conn->readable);
    return conn;
}

void mock_conn_close(struct mock_conn *conn)
{
    struct mock_server *server = conn->server;

    settle(conn);
    ev_io_stop(server->loop, &conn->readable);
    ev_io_stop(server->loop, &conn->writable);
    ev_timer_stop(server->loop, &conn->timer);
    close(conn->fd);
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        server->conns = conn->next;
    if (conn->next)
        conn->next->prev = conn->prev;
    mock_request_free(&conn->req);
    mock_buf_free(&conn->ahead);
    mock_buf_free(&conn->out);
    free(conn);
    server->service.stats.open--;
    mock_server_room(server);
}

void mock_conn_sweep(struct mock_conn *conn, ev_tstamp since_s)
{
    bool theirs = conn->state == MOCK_CONN_READING || conn->state == MOCK_CONN_WRITING ||
                  conn->state == MOCK_CONN_DRIBBLING;

    if (theirs && conn->active_s < since_s)
        mock_conn_close(conn);
}
