#include "answer.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"
#include "http_text.h"
#include "term.h"

/* Longer messages of servers stay in the body alone. */
#define SAID_MAX 4096

/* --- judging ------------------------------------------------------------------------------ */

char *answer_place(char *buf, const char *file, const struct line *line)
{
    if (line->row == line->number)
        snprintf(buf, ANSWER_PLACE, "%s:%" PRIu64, file, line->number);
    else
        snprintf(buf, ANSWER_PLACE, "%s:%" PRIu64 " (row %" PRIu64 ")", file, line->number,
                 line->row);
    return buf;
}

void answer_bad_row(struct answer *answer, const char *file, const struct line *line,
                    const char *fault)
{
    *answer = (struct answer){.code = "bad_row"};
    int len = snprintf(answer->text, sizeof answer->text, "%s:%" PRIu64 ": ", file, line->number);
    answer->place_len = len > 0 && (size_t)len < sizeof answer->text ? (size_t)len : 0;
    snprintf(answer->text + answer->place_len, sizeof answer->text - answer->place_len, "%s",
             fault);
}

/* {"error":{"message":TEXT}}, {"error":TEXT}, {"message":TEXT} or {"detail":TEXT} */
static struct span find_message(struct span body)
{
    struct span error = rawjson_find(body, "error");
    struct span found = rawjson_is_object(error) ? rawjson_find(error, "message") : error;
    if (!rawjson_is_string(found))
        found = rawjson_find(body, "message");
    if (!rawjson_is_string(found))
        found = rawjson_find(body, "detail");
    if (!rawjson_is_string(found) || found.len > SAID_MAX)
        found.at = NULL;
    return found;
}

static void judge_redirect(struct answer *answer)
{
    size_t len = 0;
    const char *to = weir_response_header(answer->response, "Location", &len);
    snprintf(answer->text, sizeof answer->text,
             "redirected to %.*s, and redirects are not followed; put the final URL into the row",
             (int)(len < 200 ? len : 200), to != NULL ? to : "");
}

static void judge_status(struct answer *answer)
{
    answer->ok = answer->status >= 200 && answer->status < 300;
    if (answer->ok)
        return;
    snprintf(answer->code, sizeof answer->code, "http_%d", answer->status);
    if (answer->status < 400) {
        judge_redirect(answer);
        return;
    }
    if (answer->is_json)
        answer->said = find_message(answer->body);
    snprintf(answer->text, sizeof answer->text, "%s", status_meaning(answer->status));
}

static bool is_rows_fault(int rc)
{
    return rc == WEIR_EURL || rc == WEIR_EHEADER || rc == WEIR_EINVAL || rc == WEIR_ENEVER;
}

/* "WEIR_ECONNECT" is "connect". */
static void name_failure(struct answer *answer, int rc)
{
    static const char prefix[] = "WEIR_E";
    if (rc == WEIR_ETIMEDOUT || rc == WEIR_EDEADLINE || rc == WEIR_EATTEMPTTIME ||
        rc == WEIR_EIDLE) {
        snprintf(answer->code, sizeof answer->code, "timeout");
        return;
    }
    snprintf(answer->code, sizeof answer->code, "%s", weir_err_name(rc) + sizeof prefix - 1);
    for (char *c = answer->code; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
}

static void tell_failure(struct answer *answer, int rc, const char *why)
{
    if (strcmp(why, weir_strerror(rc)) == 0)
        why = "";
    name_failure(answer, rc);
    snprintf(answer->text, sizeof answer->text, "%s%s%s", weir_strerror(rc), *why ? ": " : "", why);
}

static void judge_failure(struct answer *answer, int rc)
{
    tell_failure(answer, rc,
                 answer->response != NULL ? weir_response_error_text(answer->response) : "");
}

/* What came of it is not kept, as of any answer that was lost on its way. */
static void judge_stream(struct answer *answer)
{
    struct span error;
    enum events_end end = events_check(answer->body, &error);
    if (end == EVENTS_WHOLE)
        return;
    answer->ok = false;
    answer->status = 0;
    if (end == EVENTS_CUT) {
        snprintf(answer->code, sizeof answer->code, "reset");
        snprintf(answer->text, sizeof answer->text,
                 "the streamed answer was cut off before its end");
        return;
    }
    snprintf(answer->code, sizeof answer->code, "stream_error");
    snprintf(answer->text, sizeof answer->text, "the server broke its streamed answer off");
    if (error.at != NULL)
        answer->said = find_message(error);
}

static void take_answer(struct answer *answer, const weir_response *response)
{
    answer->status = weir_response_status(response);
    answer->body = (struct span){weir_response_body(response), weir_response_body_len(response)};
    answer->is_json = answer->body.len > 0 && rawjson_check(&answer->body, NULL);
}

void answer_judge(struct answer *answer, const char *file, const struct line *line, int rc,
                  const weir_response *response)
{
    if (is_rows_fault(rc)) {
        char fault[128];
        snprintf(fault, sizeof fault, "%s; correct the row", weir_strerror(rc));
        answer_bad_row(answer, file, line, fault);
        return;
    }
    answer->response = response;
    answer->attempts = response != NULL ? weir_response_attempts(response) : 0;
    answer->status = 0;
    answer->ok = false;
    answer->said.at = NULL;
    answer->place_len = 0;
    answer->code[0] = '\0';
    if (rc == 0) {
        take_answer(answer, response);
        judge_status(answer);
        if (events_are_in(response))
            judge_stream(answer);
    } else {
        judge_failure(answer, rc); /* what came of an answer before it broke off is no answer */
    }
}

void answer_unreachable(struct answer *answer, int rc, const char *why)
{
    *answer = (struct answer){.ok = false};
    tell_failure(answer, rc, why);
}

void answer_add_text(struct answer *answer, const char *format, ...)
{
    va_list args;
    size_t len = strlen(answer->text);
    va_start(args, format);
    vsnprintf(answer->text + len, sizeof answer->text - len, format, args);
    va_end(args);
}

/* --- writing ------------------------------------------------------------------------------ */

static void write_request_id(const struct answer *answer, struct bytes *out)
{
    size_t len;
    const char *id = weir_response_request_id(answer->response, &len);
    if (id != NULL)
        bytes_add_json_string(out, id, len);
    else
        bytes_adds(out, "null");
}

static void write_response(const struct answer *answer, struct bytes *out)
{
    if (answer->status == 0) {
        bytes_adds(out, "null");
        return;
    }
    bytes_adds(out, "{\"status_code\":");
    bytes_add_uint(out, (uint64_t)answer->status);
    bytes_adds(out, ",\"request_id\":");
    write_request_id(answer, out);
    bytes_adds(out, ",\"body\":");
    if (answer->is_json)
        bytes_add_json_line(out, answer->body.at, answer->body.len);
    else
        bytes_add_json_string(out, answer->body.at, answer->body.len);
    bytes_adds(out, "}");
}

static void write_error(const struct answer *answer, struct bytes *out)
{
    if (answer->ok) {
        bytes_adds(out, "null");
        return;
    }
    bytes_adds(out, "{\"code\":\"");
    bytes_adds(out, answer->code);
    bytes_adds(out, "\",\"message\":");
    if (answer->said.at != NULL)
        bytes_add(out, answer->said.at, answer->said.len);
    else
        bytes_add_json_string(out, answer->text, strlen(answer->text));
    bytes_adds(out, "}");
}

void answer_write(const struct answer *answer, const struct line *line, const struct row *row,
                  struct bytes *out)
{
    bytes_adds(out, "{\"row\":");
    bytes_add_uint(out, line->row);
    bytes_adds(out, ",\"custom_id\":");
    if (row->custom_id.at != NULL)
        bytes_add_json_line(out, row->custom_id.at, row->custom_id.len);
    else
        bytes_adds(out, "null");
    bytes_adds(out, ",\"response\":");
    write_response(answer, out);
    bytes_adds(out, ",\"error\":");
    write_error(answer, out);
    bytes_adds(out, ",\"attempts\":");
    bytes_add_uint(out, answer->attempts);
    bytes_adds(out, "}\n");
}

/* Some servers repeat the key in what they say of it. A shorter one is found in too many words. */
static size_t hide_key(char *text, size_t len, const char *key)
{
    enum { KEY_MIN = 8, STARS = 3 };
    size_t key_len = key != NULL ? strlen(key) : 0;
    char *at = text, *end = text + len;
    while (key_len >= KEY_MIN && (at = memmem(at, (size_t)(end - at), key, key_len)) != NULL) {
        memset(at, '*', STARS);
        at += STARS;
        memmove(at, at + key_len - STARS, (size_t)(end - at) - (key_len - STARS));
        end -= key_len - STARS;
    }
    return (size_t)(end - text);
}

void answer_message(const struct answer *answer, char *dst, size_t room)
{
    size_t len;
    const char *text = answer->text + answer->place_len;
    char *said = answer->said.at != NULL ? malloc(answer->said.len) : NULL;
    if (said != NULL && rawjson_decode(answer->said, said, &len))
        term_safe(dst, room, said, hide_key(said, len, answer->key));
    else
        term_safe(dst, room, text, strlen(text));
    free(said);
}
