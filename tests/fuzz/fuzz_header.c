/* The head of an answer, as a server sent it: its lines, and what they tell. The first byte picks
 * the status. */
#include "http/response.h"
#include "told.h"

static const int statuses[] = {200, 429, 403, 503, 400, 413, 529};

static void check_lines(const weir_response *response)
{
    const char *begin = response->head.data, *end = begin + response->head.len;
    struct weir_header header;
    struct weir__buf buf;
    size_t len = 0, lines = 0;
    for (size_t at = 0; weir_response_next_header(response, NULL, &at, &header); lines++) {
        HOLDS(header.name >= begin && header.name + header.name_len < end);
        HOLDS(header.value > header.name && header.value + header.value_len <= end);
        HOLDS(at <= response->head.len && lines < response->head.len);
    }
    weir__buf_init(&buf, 1000);
    const char *joined = weir__response_joined(response, "ratelimit", &buf, &len);
    HOLDS(joined == NULL || weir_response_header(response, "ratelimit", NULL) != NULL);
    HOLDS(joined == NULL || joined == buf.data || (joined >= begin && joined + len <= end));
    weir__buf_free(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    weir_response *response = weir__response_new(1000);
    if (response == NULL || size == 0) {
        weir_response_free(response);
        return 0;
    }
    HOLDS(weir_response_set_status(response,
                                   statuses[data[0] % (sizeof statuses / sizeof *statuses)]) == 0);
    if (weir__response_add_line(response, (const char *)data + 1, size - 1) == 0 && size > 1)
        check_lines(response);
    check_told(response);
    weir_response_free(response);
    return 0;
}
