/* Debian's libcurl would parse the whole CA bundle for each handshake (22 ms of CPU); a folder of
 * hashed names is looked into as needed (1 ms). Where there is none, libcurl's default stays. */
#include "http/ca.h"

#include <dirent.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char folder[] = "/etc/ssl/certs";
static bool folder_is_hashed;

/* OpenSSL's names: eight hexadecimal digits of the subject's hash, a dot, a number. */
static bool is_hashed_name(const char *name)
{
    return strspn(name, "0123456789abcdef") == 8 && strcmp(name + 8, ".0") == 0;
}

static void look(void)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    while (dir != NULL && !folder_is_hashed && (entry = readdir(dir)) != NULL)
        folder_is_hashed = is_hashed_name(entry->d_name);
    if (dir != NULL)
        closedir(dir);
}

/* The variables are those that OpenSSL and the curl program obey. */
void weir__ca_set(CURL *easy)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const char *bundle = getenv("CURL_CA_BUNDLE"), *hashed = getenv("SSL_CERT_DIR");
    if (bundle == NULL)
        bundle = getenv("SSL_CERT_FILE");
    pthread_once(&once, look);
    if (bundle == NULL && hashed == NULL && folder_is_hashed)
        hashed = folder;
    if (bundle != NULL || hashed != NULL)
        curl_easy_setopt(easy, CURLOPT_CAINFO, bundle);
    if (hashed != NULL)
        curl_easy_setopt(easy, CURLOPT_CAPATH, hashed);
}
