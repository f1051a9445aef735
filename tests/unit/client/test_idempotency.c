/* The idempotency key: the same with every sending of a request, and what makes it safe to repeat.
 */
#include "client_rig.h"

#include <stdio.h>

#include "http/header.h"

#define NO_WAIT .backoff_base_ms = 1, .backoff_max_ms = 1

enum { SENT_MAX = 8 };

/* Puts a writer of what arrives in front of the modelled server. */
struct witness {
    struct model_server *server;
    size_t count;
    char keys[SENT_MAX][300]; /* "" without the header */
};

static int perform(void *self, const struct weir_exchange *exchange, weir_response *response)
{
    struct witness *witness = self;
    const struct weir_transport server = model_transport(witness->server);
    check(witness->count < SENT_MAX);
    char *key = witness->keys[witness->count++ % SENT_MAX];
    key[0] = '\0';
    for (const char *const *line = exchange->headers; *line != NULL; line++) {
        if (weir__header_same_name(*line, "Idempotency-Key:")) {
            check(key[0] == '\0'); /* only one */
            snprintf(key, sizeof witness->keys[0], "%s", *line + strlen("Idempotency-Key: "));
        }
    }
    return server.perform(server.self, exchange, response);
}

static weir_client *client_before(struct witness *witness, struct weir_client_opts *opts)
{
    weir_client *client = NULL;
    const struct weir_transport transport = WEIR_TRANSPORT(.perform = perform, .self = witness);
    opts->base_url = "http://model.example";
    opts->transport = &transport;
    check_int(weir_client_new(&client, opts), 0);
    return client;
}
#define CLIENT_BEFORE(witness, ...) client_before((witness), WEIR_CLIENT_OPTS(__VA_ARGS__))

#define LOST .rc = WEIR_ERESET, .sent = WEIR_SENT_MAYBE

static int the_same_with_every_attempt(void *arg)
{
    struct model_server server =
        SERVER({LOST}, {.status = 429, .retry_after = "1"}, {.status = 500});
    struct witness witness = {.server = &server};
    weir_client *client = CLIENT_BEFORE(&witness, .retry = WEIR_RETRY_OPTS(NO_WAIT));
    weir_response *response = NULL;
    (void)arg;
    check_int(weir_request(client,
                           WEIR_REQUEST(.url = "/x", .body = "b", .idempotency_key = "order-7"),
                           &response),
              0);
    check_int(weir_response_status(response), 200);
    check_int((int64_t)witness.count, 4);
    for (size_t i = 0; i < witness.count; i++)
        check(strcmp(witness.keys[i], "order-7") == 0);
    check(strcmp(weir_response_idempotency_key(response), "order-7") == 0);
    weir_response_free(response);
    return weir_client_free(client);
}

/* Without a key a POST that may have been acted on is not sent again. */
static int none_is_sent_unless_asked_for(void *arg)
{
    struct model_server server = SERVER({LOST});
    struct witness witness = {.server = &server};
    weir_client *client = CLIENT_BEFORE(&witness, .retry = WEIR_RETRY_OPTS(NO_WAIT));
    weir_response *response = NULL;
    (void)arg;
    check_int(weir_request(client, POST, &response), WEIR_ERESET);
    check_int((int64_t)witness.count, 1);
    check(witness.keys[0][0] == '\0');
    check(weir_response_idempotency_key(response) == NULL);
    weir_response_free(response);
    return weir_client_free(client);
}

/* RFC 9562: xxxxxxxx-xxxx-4xxx-[89ab]xxx-xxxxxxxxxxxx. */
static void check_uuid(const char *text)
{
    static const char digits[] = "0123456789abcdef";
    if (!check(strlen(text) == 36))
        return;
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        check(dash ? text[i] == '-' : strchr(digits, text[i]) != NULL);
    }
    check(text[14] == '4');
    check(strchr("89ab", text[19]) != NULL);
}

static int made_up_anew_for_each_request(void *arg)
{
    struct model_server server = SERVER({LOST});
    struct witness witness = {.server = &server};
    weir_client *client = CLIENT_BEFORE(&witness, .retry = WEIR_RETRY_OPTS(NO_WAIT));
    (void)arg;
    for (int i = 0; i < 2; i++) {
        weir_response *response = NULL;
        weir_group *group = NULL;
        check_int(weir_group_new(&group, NULL), 0);
        char given[] = WEIR_IDEMPOTENCY_KEY_NEW "\0xyz";
        check(weir_request_start(group, client,
                                 WEIR_REQUEST(.url = "/x", .body = "b", .idempotency_key = given),
                                 &response) != NULL);
        memcpy(given, "zzzz", sizeof "zzzz"); /* it was copied */
        check_int(weir_gather(group), 0);
        weir_group_free(group);
        check_uuid(weir_response_idempotency_key(response));
        check(strcmp(weir_response_idempotency_key(response), witness.keys[witness.count - 1]) ==
              0);
        weir_response_free(response);
    }
    check_int((int64_t)witness.count, 3); /* the first one was lost and sent again */
    check(strcmp(witness.keys[0], witness.keys[1]) == 0);
    check(strcmp(witness.keys[1], witness.keys[2]) != 0);
    return weir_client_free(client);
}

static int the_same_in_both_of_a_race(void *arg)
{
    struct model_server server = SERVER({.status = 200, .latency_ms = 900}, {.status = 200});
    struct witness witness = {.server = &server};
    weir_client *client =
        CLIENT_BEFORE(&witness, .hedge = WEIR_HEDGE_OPTS(.delay_ms = 100, .budget_percent = 100));
    weir_response *response = NULL;
    (void)arg;
    check_int(weir_request(client,
                           WEIR_REQUEST(.url = "/x", .body = "b",
                                        .idempotency_key = WEIR_IDEMPOTENCY_KEY_NEW),
                           &response),
              0);
    check_int((int64_t)witness.count, 2);
    check_uuid(witness.keys[0]);
    check(strcmp(witness.keys[0], witness.keys[1]) == 0);
    check(strcmp(weir_response_idempotency_key(response), witness.keys[0]) == 0);
    weir_response_free(response);
    return weir_client_free(client);
}

static int ask_with(weir_client *client, const char *key, const char *const *headers)
{
    return ask(client,
               WEIR_REQUEST(.url = "/x", .body = "b", .headers = headers, .idempotency_key = key))
        .rc;
}

static int wrong_keys(void *arg)
{
    static const char *const twice[] = {"idempotency-key: a", NULL};
    static const char *const other[] = {"X-Other: a", NULL};
    struct model_server server = {.latency_ms = 10};
    struct witness witness = {.server = &server};
    weir_client *client = CLIENT_BEFORE(&witness, .rate = 0);
    char longest[257];
    (void)arg;
    memset(longest, 'k', 256);
    longest[256] = '\0';
    check_int(ask_with(client, longest, NULL), WEIR_EHEADER);
    check_int(ask_with(client, "a\r\nX-Evil: 1", NULL), WEIR_EHEADER);
    check_int(ask_with(client, "a b", NULL), WEIR_EHEADER);
    check_int(ask_with(client, "\xc3\xa4", NULL), WEIR_EHEADER);
    check_int(ask_with(client, "a", twice), WEIR_EHEADER);
    check_int((int64_t)witness.count, 0);
    longest[255] = '\0';
    check_int(ask_with(client, longest, other), 0);
    check(strcmp(witness.keys[0], longest) == 0);
    return weir_client_free(client);
}

/* A client's own header of that name is replaced. */
static int it_replaces_the_clients(void *arg)
{
    static const char *const headers[] = {"Idempotency-Key: always", NULL};
    struct model_server server = {.latency_ms = 10};
    struct witness witness = {.server = &server};
    weir_client *client = CLIENT_BEFORE(&witness, .headers = headers);
    (void)arg;
    check_int(ask_with(client, "a", NULL), 0);
    check_int(ask_with(client, NULL, NULL), 0);
    check(strcmp(witness.keys[0], "a") == 0);
    check(strcmp(witness.keys[1], "always") == 0);
    return weir_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(the_same_with_every_attempt),
        VIRTUAL_TEST(none_is_sent_unless_asked_for),
        VIRTUAL_TEST(made_up_anew_for_each_request),
        VIRTUAL_TEST(the_same_in_both_of_a_race),
        VIRTUAL_TEST(wrong_keys),
        VIRTUAL_TEST(it_replaces_the_clients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
