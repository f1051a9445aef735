/* A file sent as a request's body, and the answer saved in another, both in a few KB of memory.
 * docs/guide/bodies.md
 * Usage: files URL FILE-TO-SEND FILE-TO-WRITE */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/weir.h>

struct paths {
    const char *url, *from, *to;
};

static int send_file(weir_client *api, const char *url, const char *path, int64_t *id_len)
{
    weir_file_body *file;
    weir_response *response;
    int error;
    int rc = weir_file_body_open(&file, path, &error);
    if (rc < 0) {
        fprintf(stderr, "%s: %s\n", path, error != 0 ? strerror(error) : weir_strerror(rc));
        return rc;
    }
    rc = weir_request(api, WEIR_REQUEST(.url = url, .body_from = weir_file_body_of(file)),
                      &response);
    if (rc < 0 && response != NULL)
        fprintf(stderr, "%s\n", weir_response_error_text(response));
    *id_len = rc == 0 ? (int64_t)weir_response_body_len(response) : 0;
    weir_response_free(response);
    weir_file_body_close(file);
    return rc;
}

static int save_answer(weir_client *api, const char *url, const char *path)
{
    weir_response *response;
    int64_t written;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        perror(path);
        return WEIR_EIO;
    }
    int rc = weir_request_save(api, WEIR_REQUEST(.url = url), fd, NULL, &written, &response);
    if (rc == 0)
        printf("status %d, %lld bytes in %s\n", weir_response_status(response), (long long)written,
               path);
    else if (response != NULL)
        fprintf(stderr, "%s, after %lld bytes\n", weir_response_error_text(response),
                (long long)written);
    weir_response_free(response);
    close(fd);
    return rc;
}

static int run(void *arg)
{
    const struct paths *paths = arg;
    weir_client *api;
    int64_t answer_len = 0;
    int rc = weir_client_new(&api, NULL);
    if (rc == 0)
        rc = send_file(api, paths->url, paths->from, &answer_len);
    if (rc == 0) {
        printf("sent; the answer has %lld bytes\n", (long long)answer_len);
        rc = save_answer(api, paths->url, paths->to);
    }
    weir_client_free(api);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: files URL FILE-TO-SEND FILE-TO-WRITE\n");
        return 2;
    }
    struct paths paths = {argv[1], argv[2], argv[3]};
    return weir_run(run, &paths, NULL) < 0;
}
