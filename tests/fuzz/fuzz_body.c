/* The body of an answer, and what it tells. The first byte picks the status. */
#include "http/response.h"
#include "told.h"

static const int statuses[] = {200, 429, 403, 503, 400, 413, 499};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    weir_response *response = weir__response_new((size_t)1 << 20);
    if (response == NULL || size == 0) {
        weir_response_free(response);
        return 0;
    }
    HOLDS(weir_response_set_status(response,
                                   statuses[data[0] % (sizeof statuses / sizeof *statuses)]) == 0);
    if (weir_response_append(response, data + 1, size - 1) == 0)
        check_told(response);
    weir_response_free(response);
    return 0;
}
