/* libcurl reads SSLKEYLOGFILE in curl_global_init, for the whole process, and hangs a callback into
 * each SSL_CTX before it calls CURLOPT_SSL_CTX_FUNCTION: there the callback is replaced. OpenSSL's
 * functions are looked up in what libcurl is linked with, so that weir itself need not be. */
#include "http/curl_keylog.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weir/err.h>

#include "base/blocks.h"
#include "base/mem.h"

enum { EX_INDEX_SSL_CTX = 1, LINE_MAX_LEN = 512 }; /* <openssl/crypto.h> */

typedef void (*keylog_fn)(const void *ssl, const char *line);

/* Of OpenSSL 1.1.1 to 3; opaque pointers are void here. */
static struct {
    void (*set_callback)(void *ctx, keylog_fn fn);
    void *(*ctx_of)(const void *ssl);
    int (*new_index)(int class_index, long arg, void *ptr, void *on_new, void *on_dup,
                     void *on_free);
    int (*set_data)(void *ctx, int index, void *data);
    void *(*data_of)(const void *ctx, int index);
    int index; /* of our data in an SSL_CTX; -1: there is none */
} openssl = {.index = -1};

CURLcode weir__keylog_global_init(void)
{
    static const char name[] = "SSLKEYLOGFILE";
    const char *path = getenv(name);
    char *kept = path != NULL ? weir__strdup(path) : NULL;
    if (path != NULL && kept == NULL)
        return CURLE_OUT_OF_MEMORY;
    if (kept != NULL)
        unsetenv(name);
    CURLcode rc =
        curl_global_init_mem(CURL_GLOBAL_DEFAULT, weir__blocks_alloc, weir__blocks_free,
                             weir__blocks_realloc, weir__blocks_strdup, weir__blocks_zalloc);
    if (kept != NULL)
        setenv(name, kept, 1);
    weir__free(kept);
    return rc;
}

/* libcurl's own libraries are searched, not the program's, which may have another OpenSSL. */
static void *libcurl(void)
{
    void *function = dlsym(RTLD_DEFAULT, "curl_easy_perform");
    Dl_info info;
    if (function == NULL || dladdr(function, &info) == 0)
        return NULL;
    return dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
}

static bool find(void *library, const char *name, void *function)
{
    void *found = dlsym(library, name);
    memcpy(function, &found, sizeof found);
    return found != NULL;
}

static void look(void)
{
    void *library = libcurl();
    if (library == NULL)
        return;
    bool all = find(library, "SSL_CTX_set_keylog_callback", &openssl.set_callback) &&
               find(library, "SSL_get_SSL_CTX", &openssl.ctx_of) &&
               find(library, "CRYPTO_get_ex_new_index", &openssl.new_index) &&
               find(library, "SSL_CTX_set_ex_data", &openssl.set_data) &&
               find(library, "SSL_CTX_get_ex_data", &openssl.data_of);
    const char *tls = curl_version_info(CURLVERSION_NOW)->ssl_version;
    if (all && tls != NULL && strncmp(tls, "OpenSSL/", 8) == 0)
        openssl.index = openssl.new_index(EX_INDEX_SSL_CTX, 0, NULL, NULL, NULL, NULL);
    dlclose(library); /* it stays loaded: weir is linked with it */
}

bool weir__keylog_works(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, look);
    return openssl.index >= 0;
}

int weir__keylog_open(const char *path)
{
    struct stat info;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd < 0)
        return WEIR_EIO;
    if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode) || (info.st_mode & 077) != 0) {
        close(fd);
        return WEIR_EIO;
    }
    return fd;
}

/* In one piece, as other connections and processes may append to the same file. A full disk ends no
 * request. */
static void on_line(const void *ssl, const char *line)
{
    const int *fd = openssl.data_of(openssl.ctx_of(ssl), openssl.index);
    char text[LINE_MAX_LEN];
    size_t len = strlen(line);
    if (fd != NULL && *fd >= 0 && len < sizeof text) {
        memcpy(text, line, len);
        text[len] = '\n';
        ssize_t written = write(*fd, text, len + 1);
        (void)written;
    }
    explicit_bzero(text, sizeof text);
}

static CURLcode on_context(CURL *easy, void *ctx, void *arg)
{
    const int *fd = arg;
    (void)easy;
    if (*fd < 0) {
        openssl.set_callback(ctx, NULL);
        return CURLE_OK;
    }
    if (openssl.set_data(ctx, openssl.index, arg) != 1)
        return CURLE_OUT_OF_MEMORY;
    openssl.set_callback(ctx, on_line);
    return CURLE_OK;
}

void weir__keylog_set(CURL *easy, const int *fd)
{
    if (!weir__keylog_works() || (*fd < 0 && getenv("SSLKEYLOGFILE") == NULL))
        return;
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_context);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, fd);
}
