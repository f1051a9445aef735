// A C++20 program: the macros of the headers make options, headers, requests and bodies in place. A
// request goes the whole way, to a server of its own that tells what came.
#include <arpa/inet.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

#include <weir/weir.h>

namespace
{

const char answer[] = "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
                      "Content-Length: 2\r\nConnection: close\r\n\r\nok";

struct server {
    int listener = -1;
    std::string url, heard;
};

bool begin(server &server)
{
    sockaddr_in address = {};
    socklen_t len = sizeof address;
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr *any = reinterpret_cast<sockaddr *>(&address);
    if (bind(server.listener, any, len) != 0 || listen(server.listener, 1) != 0 ||
        getsockname(server.listener, any, &len) != 0)
        return false;
    server.url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    return true;
}

// Once, when the request has come to its end.
int serve(void *arg)
{
    struct server &server = *static_cast<struct server *>(arg);
    char bytes[1000];
    if (weir_wait_fd(server.listener, WEIR_IO_READ) < 0)
        return WEIR_ECANCELED;
    int fd = accept(server.listener, nullptr, nullptr);
    while (server.heard.find("\r\n\r\n") == std::string::npos ||
           server.heard.find("0\r\n\r\n") == std::string::npos) {
        if (weir_wait_fd(fd, WEIR_IO_READ) < 0)
            break;
        ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n <= 0)
            break;
        server.heard.append(bytes, static_cast<size_t>(n));
    }
    send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL);
    close(fd);
    return 0;
}

int64_t read_body(void *arg, void *buf, size_t room)
{
    bool &read = *static_cast<bool *>(arg);
    if (read || room < 4)
        return 0;
    read = true;
    std::memcpy(buf, "body", 4);
    return 4;
}

int ask(server &server)
{
    weir_client *client = nullptr;
    weir_response *response = nullptr;
    bool read = false;
    int rc = weir_client_new(
        &client, WEIR_CLIENT_OPTS(.base_url = server.url.c_str(), .headers = WEIR_HEADERS("X-A: 1"),
                                  .retry = WEIR_RETRY_OPTS(.max_attempts = 2,
                                                           .wait = WEIR_WAIT_CHAIN(
                                                               weir_wait_fixed_ms(1),
                                                               weir_wait_fixed_ms(2))),
                                  .net = WEIR_NET_OPTS(.proxy = "")));
    if (rc != 0)
        return rc;
    rc = weir_request(client,
                      WEIR_REQUEST(.method = "PUT", .url = "/x",
                                   .headers = WEIR_HEADERS("X-B: 2", "X-C: 3"),
                                   .body_from = WEIR_BODY(.read = read_body, .arg = &read)),
                      &response);
    if (rc == 0 && std::strcmp(weir_response_body(response), "ok") != 0)
        rc = WEIR_EPROTO;
    weir_response_free(response);
    weir_client_free(client);
    return rc;
}

int run(void *arg)
{
    struct server &server = *static_cast<struct server *>(arg);
    weir_group *group = nullptr;
    int rc = weir_group_new(&group, WEIR_GROUP_OPTS(.max_live = 2));
    if (rc != 0)
        return rc;
    weir_spawn(group, serve, arg);
    rc = ask(server);
    weir_gather(group);
    weir_group_free(group);
    return rc;
}

} // namespace

int main()
{
    server server;
    int rc = begin(server) ? weir_run(run, &server, WEIR_RUN_OPTS(.stack_kib = 128)) : WEIR_EIO;
    bool all = true;
    for (const char *part : {"PUT /x HTTP/1.1\r\n", "\r\nX-A: 1\r\n", "\r\nX-B: 2\r\n",
                             "\r\nX-C: 3\r\n", "\r\n4\r\nbody\r\n0\r\n"})
        all = all && server.heard.find(part) != std::string::npos;
    if (rc == 0 && all)
        return EXIT_SUCCESS;
    std::fprintf(stderr, "consumer.cpp: %s, heard:\n%s\n", weir_strerror(rc), server.heard.c_str());
    return EXIT_FAILURE;
}
