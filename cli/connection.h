/* The options of `weir run` that say how it connects. */
#ifndef WEIR_CLI_CONNECTION_H
#define WEIR_CLI_CONNECTION_H

#include <stdbool.h>

#include <weir/net.h>

enum connection_option {
    OPT_PROXY = 512,
    OPT_UNIX_SOCKET,
    OPT_RESOLVE,
    OPT_CACERT,
    OPT_CERT,
    OPT_KEY,
    OPT_KEY_PASSWORD_ENV,
    OPT_CONNECT_TIMEOUT,
    OPT_HTTP2,
    OPT_INSECURE,
    OPT_TLS_KEYLOG,
    OPT_COMPRESSED,
};

#define CONNECTION_OPTIONS                                                                         \
    {"proxy", required_argument, NULL, OPT_PROXY},                                                 \
        {"unix-socket", required_argument, NULL, OPT_UNIX_SOCKET},                                 \
        {"resolve", required_argument, NULL, OPT_RESOLVE},                                         \
        {"cacert", required_argument, NULL, OPT_CACERT},                                           \
        {"cert", required_argument, NULL, OPT_CERT}, {"key", required_argument, NULL, OPT_KEY},    \
        {"key-password-env", required_argument, NULL, OPT_KEY_PASSWORD_ENV},                       \
        {"connect-timeout", required_argument, NULL, OPT_CONNECT_TIMEOUT},                         \
        {"compressed", no_argument, NULL, OPT_COMPRESSED},                                         \
        {"http2", no_argument, NULL, OPT_HTTP2}, {"insecure", no_argument, NULL, OPT_INSECURE},    \
    {                                                                                              \
        "tls-keylog", required_argument, NULL, OPT_TLS_KEYLOG                                      \
    }

#define RESOLVE_MAX 64

/* Texts are borrowed from the command line and the environment. */
struct connection {
    struct weir_net_opts net;
    const char *resolve[RESOLVE_MAX + 1]; /* NULL at the end */
};

/* Takes one of them. False: it is wrong, which has been said. */
bool connection_take(struct connection *connection, int id, const char *text);

/* Whether they make sense together; says so if not, and warns of what is dangerous. */
bool connection_is_consistent(struct connection *connection);

#endif
