/* How a client connects and what it asks of the wire: proxy, certificates, HTTP/2, compression. The
 * `.net` of weir_client_opts;
 * all zero is what most need: HTTP/1.1, TLS 1.2 or later, the system's certificate authorities, and
 * the proxy that the environment names. docs/guide/connections.md shows it at work. */
#ifndef WEIR_NET_H
#define WEIR_NET_H

#include <stddef.h>
#include <stdint.h>

#include <weir/err.h>
#include <weir/opts.h>

/* With HTTP/2 many requests share a connection. A server that ends one (nginx does after 1,000
 * requests) or resets a stream then takes several attempts with it: WEIR_ERESET and
 * WEIR_SENT_MAYBE, tried again as .replay allows. An answer that is read while it comes
 * (weir_stream) and whose reader is slow keeps up to 32 MiB more in memory, which is the window
 * that libcurl grants to each stream. */
enum weir_http2 {
    WEIR_HTTP2_OFF = 0,         /* HTTP/1.1 */
    WEIR_HTTP2_TLS = 1,         /* with https:// where the server agrees (ALPN), else HTTP/1.1. No
                                   effect with http://, of which the client's log warns, once for
                                   each of the first 16 servers. What an answer came in is told by
                                   .http_version of its attempt (attempt.h) */
    WEIR_HTTP2_PRIOR_KNOWLEDGE, /* as above, and with http:// without asking, for servers that are
                                   known to take it ("h2c"). libcurl 8.0 or later: WEIR_ELIBCURL,
                                   as older ones break such connections when they use them again */
};

enum weir_tls {
    WEIR_TLS_1_2 = 0,
    WEIR_TLS_1_3,
};

/* What comes compressed (Content-Encoding: gzip, deflate, br, zstd, as libcurl was built) is
 * decompressed as it comes, and all maxima are of what that makes; headers stay as they came. A
 * coding that libcurl does not know is WEIR_EPROTO. A reader of a stream that is slower than the
 * server keeps up to 64 MiB more in memory, when very little is decompressed to very much. */
enum weir_compression {
    WEIR_COMPRESSION_UNASKED =
        0,                 /* is not asked for: few servers compress then. Nor is it refused,
                              unless a header of yours does so: "Accept-Encoding: identity" */
    WEIR_COMPRESSION_ASK,  /* is asked for, in all that libcurl knows, unless the request has an
                              Accept-Encoding of its own. WEIR_ELIBCURL if it knows none. Streams
                              ask, too: a piece comes when the server has flushed it, not before */
    WEIR_COMPRESSION_KEEP, /* is not asked for, and what comes stays as it is: to store it so */
};

/* Options, copied by weir_client_new. An empty string is an error but where it has a meaning;
 * WEIR_EINVAL, too, is a control character in any of them, and options of which one would have no
 * effect. Files are PEM, and opened when a connection is made; one that cannot be read by then is
 * WEIR_EIO at once. */
struct weir_net_opts {
    size_t size;             /* set by WEIR_NET_OPTS */
    const char *proxy;       /* "http://user:password@host:3128", or https, socks4, socks4a, socks5,
                                socks5h (that looks up names itself). "": none. NULL: as http_proxy,
                                https_proxy, all_proxy and no_proxy say, but never for this machine
                                (unless no_proxy is longer than 4,000 bytes) */
    const char *no_proxy;    /* hosts for which .proxy, which must be given, is not used: names with
                                their subdomains, addresses, networks ("10.0.0.0/8"), with commas
                                between. NULL: none */
    const char *unix_socket; /* path of a socket to connect to, whatever the URL's host and port,
                                which still are what is asked for. Takes no proxy. NULL: none */
    const char *const *resolve; /* "host:port:address" or with several addresses,
                                   "h:443:::1,10.0.0.1": where to connect instead of looking the
                                   name up. NULL at the end; NULL: none. A proxy
                                   looks up by itself the names that it is told */
    const char *ca_file; /* the certificate authorities to trust, in one file or in a folder with */
    const char *ca_dir;  /* hashed names (openssl rehash), instead of the system's and of what
                            SSL_CERT_FILE, SSL_CERT_DIR and CURL_CA_BUNDLE name. NULL: these */
    const char *cert_file;       /* this client's own certificate, and those that vouch for it */
    const char *key_file;        /* its private key; NULL: in cert_file */
    const char *key_password;    /* of the key; wiped when the client is freed. NULL: none */
    const char *tls_keylog_file; /* the keys of all TLS connections are appended, so that Wireshark
                                    can read what was sent: whoever has the file can, too. Made
                                    with mode 0600; WEIR_EIO if others may read it. NULL: none.
                                    The variable SSLKEYLOGFILE, which libcurl would obey, means
                                    nothing to a client (but with another TLS library than OpenSSL
                                    in a program that has called curl_global_init before).
                                    WEIR_ELIBCURL but with OpenSSL */
    int64_t connect_timeout_ms;  /* for look-up, TCP and TLS together; 0: 30,000 */
    int64_t idle_max_ms;         /* a connection unused for so long is not used again; rounded up
                                    to seconds. 0: 118,000. Servers that close them earlier are
                                    noticed */
    enum weir_http2 http2;       /* 0: WEIR_HTTP2_OFF */
    enum weir_tls tls_min;       /* the oldest version of TLS that is spoken; 0: WEIR_TLS_1_2 */
    int insecure_accept_any_certificate; /* nonzero: whoever can get at the connection can read the
                                            keys and requests, and answer. For servers under test.
                                            Not beside ca_file or ca_dir; the client's log warns.
                                            A proxy's certificate is checked all the same */
    enum weir_compression compression;   /* of answers; 0: WEIR_COMPRESSION_UNASKED */
};
#define WEIR_NET_OPTS(...) WEIR__OPTS(weir_net_opts, __VA_ARGS__)

#ifdef __cplusplus
extern "C" {
#endif

/* Checks options as weir_client_new does, which says the same in its client's log: 0, WEIR_EINVAL,
 * WEIR_EIO, WEIR_ELIBCURL (the libcurl that is loaded is too old, or was built without what they
 * ask for), WEIR_ENOMEM. What is wrong is written to text (cut at size - 1; "" if nothing is),
 * without any secret. NULL is the defaults. Opens no connection, but makes the tls_keylog_file.
 * Does not suspend. */
WEIR_API int weir_net_check(const struct weir_net_opts *net, char *text, size_t size);

#ifdef __cplusplus
}
#endif

#endif
