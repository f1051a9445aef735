#include "http/curl_upload.h"

#include <string.h>

#include <curl/curl.h>

#include "base/mem.h"
#include "task/sched.h"

bool weir__upload_init(struct weir__upload *upload, const struct weir_body *body)
{
    *upload = (struct weir__upload){.body = body};
    upload->piece = weir__alloc(WEIR__UPLOAD_PIECE);
    return upload->piece != NULL;
}

void weir__upload_free(struct weir__upload *upload)
{
    weir__free(upload->piece);
}

size_t weir__upload_take(struct weir__upload *upload, char *to, size_t room)
{
    size_t left = upload->len - upload->at;
    size_t n = left < room ? left : room;
    if (n > 0)
        memcpy(to, upload->piece + upload->at, n);
    upload->at += n;
    if (n > 0 || upload->ended)
        return n;
    upload->wanted = true;
    return CURL_READFUNC_PAUSE;
}

/* As long as it takes, but not longer than the transfer. */
static const int64_t for_ever_ms = INT64_MAX;

int weir__upload_fill(struct weir__upload *upload)
{
    const struct weir_body *body = upload->body;
    upload->at = upload->len = 0;
    weir_deadline_begin_ms(&upload->within, for_ever_ms);
    upload->filling = true;
    int64_t n = body->read(body->arg, upload->piece, WEIR__UPLOAD_PIECE);
    upload->filling = false;
    upload->wanted = false; /* libcurl may have asked meanwhile once more, for the same */
    int rc = weir_deadline_end(&upload->within, n < 0 ? (int)n : 0);
    if (rc < 0)
        return rc;
    upload->len = (size_t)n;
    upload->ended = n == 0;
    return 0;
}

void weir__upload_end(struct weir__upload *upload)
{
    if (upload->filling)
        weir__deadline_expire(&upload->within);
}
