/* Chats with language models in a few typed calls, over the client below them:
 *
 *     rc = weir_llm_new(&llm, WEIR_LLM_OPTS(.api = WEIR_LLM_OPENAI, .model = "gpt-4o-mini"));
 *     rc = weir_llm_chat(llm, WEIR_LLM_REQUEST(.prompt = "How much is 6 times 7?"), &answer);
 *     if (rc == 0)
 *         puts(answer->text);
 *     weir_llm_answer_free(answer);
 *     weir_llm_free(llm);
 *
 * A call goes the whole way of a request: its turn at the limiter, attempts, waits. What these
 * structs have no member for goes out by .extra and comes back in the answer's .body. It belongs to
 * the runtime that it was made in, and may be freed later, as a client (<weir/client.h>). The
 * header needs jansson's: pkg-config --cflags --libs weir jansson. */
#ifndef WEIR_LLM_H
#define WEIR_LLM_H

#include <weir/client.h>
#include <weir/jansson.h>
#include <weir/opts.h>

typedef struct weir_llm weir_llm;
typedef struct weir_llm_stream weir_llm_stream;

#define WEIR_LLM_REASKS     2 /* of weir_llm_extract, unless told otherwise */
#define WEIR_LLM_REASKS_MAX 16
#define WEIR_LLM_ERROR_MAX  1024 /* bytes of an answer's error text, with its NUL */
#define WEIR_LLM_MAX_TOKENS 4096 /* where the API wants a bound and the request has none */

enum weir_llm_api {
    WEIR_LLM_OPENAI,     /* OpenAI's chat completions; the key from OPENAI_API_KEY */
    WEIR_LLM_ANTHROPIC,  /* Anthropic's messages; the key from ANTHROPIC_API_KEY */
    WEIR_LLM_COMPATIBLE, /* who speaks OpenAI's chat completions, too: vLLM, llama.cpp, Ollama,
                            gateways. Needs a base URL, and a key only where you give one */
};

struct weir_llm_opts {
    size_t size;           /* set by WEIR_LLM_OPTS */
    enum weir_llm_api api; /* 0: OpenAI's */
    int reserved;          /* leave 0 */
    const char *base_url;  /* as the API's own clients take it, "http://127.0.0.1:8000/v1" (for
                              Anthropic's with or without the /v1); NULL: the API's own server */
    const char *api_key;   /* NULL: the environment's, which goes to the API's own server alone:
                              with a base URL none is sent unless it is given here */
    const char *model;     /* of requests that name none */
    const struct weir_client_opts *client; /* limits, retries, time limits, log, more headers; its
                              base_url and bearer_token must be NULL. NULL: the defaults */
};
#define WEIR_LLM_OPTS(...) WEIR__OPTS(weir_llm_opts, __VA_ARGS__)

struct weir_llm_message {
    const char *role; /* "user", "assistant", or what else the API knows */
    const char *content;
};

/* What is asked for. Borrowed for the time of the call. Texts are UTF-8. */
struct weir_llm_request {
    size_t size;                             /* set by WEIR_LLM_REQUEST */
    const char *model;                       /* NULL: that of weir_llm_opts */
    const char *system;                      /* NULL: none */
    const struct weir_llm_message *messages; /* the conversation so far; NULL: none */
    size_t message_count;
    const char *prompt;      /* a last message of the user's; NULL: none */
    uint64_t max_tokens;     /* of the answer; 0: the API's own, or WEIR_LLM_MAX_TOKENS where it has
                                none */
    double temperature;      /* 0: the API's own; < 0: zero */
    double top_p;            /* 0: the API's own */
    const char *const *stop; /* texts that end the answer, NULL at the end; NULL: none */
    const char *schema; /* a JSON schema of an object, as text: the answer is JSON of its kind, by
                           the API's own means. NULL: any text */
    const char *schema_name; /* letters, digits, _ and -; NULL: "answer" */
    const char *extra; /* a JSON object, as text, whose members are added to the request's body, or
                          replace those of their name: {"seed":7}. NULL: none */
    int loose;         /* nonzero: a schema that OpenAI's strict mode would refuse (optional members
                          and the like) is taken, and fits more loosely */
    int once;          /* nonzero: not sent again when it is unknown whether the server has already
                          acted on it */
    int reasks;        /* of weir_llm_extract, at most WEIR_LLM_REASKS_MAX; 0: WEIR_LLM_REASKS, < 0:
                          none */
    int priority;      /* these four as in weir_request */
    uint64_t tokens;
    int64_t timeout_ms;
    const char *limit_key;
};
#define WEIR_LLM_REQUEST(...) WEIR__OPTS(weir_llm_request, __VA_ARGS__)

/* Why an answer ended. */
enum weir_llm_reason {
    WEIR_LLM_UNTOLD,
    WEIR_LLM_STOP,    /* by itself, or by one of .stop */
    WEIR_LLM_LENGTH,  /* cut off at max_tokens */
    WEIR_LLM_TOOLS,   /* it calls tools of yours, see .body */
    WEIR_LLM_REFUSED, /* the model, or a filter of the API's */
    WEIR_LLM_OTHER,   /* see .reason_text */
};

/* Tokens; -1: not told. */
struct weir_llm_usage {
    int64_t input; /* of all that went in, what came from a cache included */
    int64_t output;
    int64_t cached; /* of the input, read from a cache */
};

/* Texts have a NUL behind them and are never NULL, but for refusal. */
struct weir_llm_answer {
    const char *text; /* may contain NULs; with a schema, JSON */
    size_t text_len;
    const char *refusal; /* what the model says instead, "" where it says nothing; NULL: none */
    enum weir_llm_reason reason;
    unsigned asks;           /* of weir_llm_extract: how often it asked */
    const char *reason_text; /* in the API's own word */
    struct weir_llm_usage usage;
    const char *error; /* what went wrong: the API's own text, or the transfer's. Keys are taken out
                          as in logs, the API's own wherever it stands. "": nothing */
    const char *error_type;        /* the API's word for it, such as "invalid_request_error"; "" */
    json_t *body;                  /* the whole of a good answer, borrowed; NULL for one that came
                                      as a stream */
    const weir_response *response; /* status, headers, attempts; NULL when nothing was sent */
};

/* Reads the answer, which is a JSON object and borrowed, into *result: 0. If it does not fit,
 * WEIR_ESHAPE with a sentence in `why` (of `size` bytes) that tells the model what is wrong; any
 * other code of yours ends the call. May suspend. */
typedef int (*weir_llm_read_fn)(json_t *answer, void *result, char *why, size_t size);

#ifdef __cplusplus
extern "C" {
#endif

/* In *out a client that speaks one API; opts may be NULL. Free it with weir_llm_free, which wipes
 * its copies of the key. Errors: as weir_client_new; WEIR_EINVAL also for an unknown API, and for
 * WEIR_LLM_COMPATIBLE without a base URL; WEIR_ENOKEY (no key given, nor in the environment). Does
 * not suspend. */
WEIR_API int weir_llm_new(weir_llm **out, const struct weir_llm_opts *opts);

/* Frees it: 0 (NULL is fine), or WEIR_EBUSY, WEIR_ENORUNTIME as weir_client_free. Does not suspend.
 */
WEIR_API int weir_llm_free(weir_llm *llm);

/* The client below, borrowed: for its counts, and for other calls to the same API. NULL for a
 * NULL llm. Does not suspend. */
WEIR_API weir_client *weir_llm_client(const weir_llm *llm);

/* Asks and waits for the whole answer. Suspends. 0: the model has answered, or refused to: see
 * .refusal, and .reason for an answer that was cut off. Otherwise
 *   WEIR_EAPI    the API answered with an error; .error and .error_type tell which
 *   WEIR_EINVAL  no model, no message, a text that is not UTF-8, a bad option, a NULL llm or out;
 *                as WEIR_EJSON for a schema or .extra that is no JSON object, nothing was sent then
 *   WEIR_EJSON, WEIR_ESHAPE   the API's answer is not JSON, or not as the API documents it
 *   or what weir_request returns.
 * *out is set in each case, but for NULL when memory is out. Free it with weir_llm_answer_free. */
WEIR_API int weir_llm_chat(weir_llm *llm, const struct weir_llm_request *request,
                           struct weir_llm_answer **out);

/* Frees the answer and all that its members point to. NULL is fine. Does not suspend. */
WEIR_API void weir_llm_answer_free(struct weir_llm_answer *answer);

/* ---- answers that are read while they come ---- */

/* Asks, and returns once the answer begins: with the first text, thought, refusal, call of a tool,
 * or end. What fails before that (a connection that is lost behind a comment, an error in the place
 * of the answer) is tried again as any request, and each attempt's time limit lasts until then. Its
 * errors are those of weir_llm_chat, and WEIR_ERESET when nothing began. A server that answers as
 * a whole instead is heard as well: its text is the only piece. *out is set in each case, but for
 * NULL when memory is out; close it with weir_llm_stream_close. Suspends. */
WEIR_API int weir_llm_stream_open(weir_llm *llm, const struct weir_llm_request *request,
                                  weir_llm_stream **out);

/* The next piece of the text, which lives until the next call and has a NUL behind it: 1, or 0 once
 * the answer is complete. Suspends. Otherwise
 *   WEIR_EAPI      the API reports an error in mid-answer
 *   WEIR_ERESET    the stream ended before the answer was complete
 *   WEIR_EBODYSIZE the text is over the client's max_body_bytes
 *   WEIR_EPROTO    what came was no stream of events
 *   WEIR_EJSON, WEIR_ESHAPE   as weir_llm_chat
 *   or what weir_sse_next returns.
 * But for WEIR_ECANCELED, WEIR_ENORUNTIME and WEIR_EBUSY, further calls return the same. */
WEIR_API int weir_llm_stream_next(weir_llm_stream *stream, const char **piece);

/* The answer as far as it has come; reason and usage are known at the end. Lives as long as the
 * stream, its texts until the next call. Does not suspend. */
WEIR_API const struct weir_llm_answer *weir_llm_stream_answer(weir_llm_stream *stream);

/* Closes and frees it, as weir_stream_close; its answer goes with it. NULL is fine. */
WEIR_API void weir_llm_stream_close(weir_llm_stream *stream);

/* ---- answers with a shape ---- */

/* Asks for JSON of request->schema, which must be there, and has `read` put it into *result. JSON
 * that is fenced (```json), or that words or thoughts (<think>) stand around, is taken too, if
 * there is only one; the answer's text stays as it came. An answer that is no JSON object, or that
 * `read` does not take, is asked for again, with the reason, request->reasks times at most.
 * Suspends. 0, or WEIR_ESHAPE    none of the answers would do, or one was cut off (.reason); .error
 * tells why WEIR_EREFUSED  the model has refused: .refusal or what weir_llm_chat or `read` returns;
 * WEIR_EINVAL also without a schema or `read`. out may be NULL; *out gets the last answer, with the
 * usage and number of all asks, to be freed with weir_llm_answer_free. */
WEIR_API int weir_llm_extract(weir_llm *llm, const struct weir_llm_request *request,
                              weir_llm_read_fn read, void *result, struct weir_llm_answer **out);

#ifdef __cplusplus
}
#endif

#endif
