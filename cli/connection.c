#include "connection.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "defaults.h"
#include "numbers.h"
#include "options.h"
#include "term.h"

#define PROBLEM_MAX 256

static bool take_resolve(struct connection *connection, const char *text)
{
    size_t n = 0;
    while (connection->resolve[n] != NULL)
        n++;
    if (n == RESOLVE_MAX) {
        usage_error("more than " STR(RESOLVE_MAX) " --resolve options");
        return false;
    }
    connection->resolve[n] = text;
    return true;
}

static void take_authorities(struct weir_net_opts *net, const char *path)
{
    struct stat info;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        net->ca_dir = path;
    else
        net->ca_file = path;
}

static bool take_key_password(struct weir_net_opts *net, const char *name)
{
    net->key_password = getenv(name);
    if (net->key_password == NULL)
        usage_error("--key-password-env wants the NAME of an environment variable that is set");
    return net->key_password != NULL;
}

static bool take_connect_timeout(struct weir_net_opts *net, const char *text)
{
    if (read_seconds_ms(text, TIMEOUT_MAX_MS, &net->connect_timeout_ms))
        return true;
    usage_error("--connect-timeout '%s': expected seconds, such as 5 or 0.5", text);
    return false;
}

bool connection_take(struct connection *connection, int id, const char *text)
{
    struct weir_net_opts *net = &connection->net;
    switch (id) {
    case OPT_PROXY:
        net->proxy = text;
        return true;
    case OPT_UNIX_SOCKET:
        net->unix_socket = text;
        return true;
    case OPT_RESOLVE:
        return take_resolve(connection, text);
    case OPT_CACERT:
        take_authorities(net, text);
        return true;
    case OPT_CERT:
        net->cert_file = text;
        return true;
    case OPT_KEY:
        net->key_file = text;
        return true;
    case OPT_KEY_PASSWORD_ENV:
        return take_key_password(net, text);
    case OPT_CONNECT_TIMEOUT:
        return take_connect_timeout(net, text);
    case OPT_HTTP2:
        net->http2 = WEIR_HTTP2_TLS;
        return true;
    case OPT_COMPRESSED:
        net->compression = WEIR_COMPRESSION_ASK;
        return true;
    case OPT_INSECURE:
        net->insecure_accept_any_certificate = 1;
        return true;
    default:
        net->tls_keylog_file = text;
        return true;
    }
}

/* The option that a text of weir_net_check is about: the text begins with the name of a member. */
static const char *option_of(const char *problem)
{
    static const char *const names[][2] = {
        {"proxy", "--proxy"},
        {"unix_socket", "--unix-socket"},
        {"resolve", "--resolve"},
        {"ca_file", "--cacert"},
        {"ca_dir", "--cacert"},
        {"cert_file", "--cert"},
        {"key_file", "--key"},
        {"key_password", "--key-password-env"},
        {"tls_keylog_file", "--tls-keylog"},
        {"insecure_accept_any_certificate", "--insecure"},
        {"compression", "--compressed"},
    };
    size_t len = strspn(problem, "abcdefghijklmnopqrstuvwxyz_");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i][0]) == len && strncmp(names[i][0], problem, len) == 0)
            return names[i][1];
    }
    return "connection options";
}

bool connection_is_consistent(struct connection *connection)
{
    struct weir_net_opts *net = &connection->net;
    char problem[PROBLEM_MAX];
    net->size = sizeof *net;
    net->resolve = connection->resolve[0] != NULL ? connection->resolve : NULL;
    if (weir_net_check(net, problem, sizeof problem) < 0) {
        usage_error("%s: %s", option_of(problem), problem);
        return false;
    }
    if (net->insecure_accept_any_certificate != 0)
        complain("weir run: --insecure: certificates are not checked; whoever is on the way can "
                 "read the key and the rows");
    return true;
}
