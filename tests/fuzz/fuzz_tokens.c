/* Estimates of tokens from a request's body. */
#include "fuzz.h"

#include <weir/tokens.h>

#include "provider/provider.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *body = (const char *)data;
    const uint64_t most = UINT64_C(1000000000000000);
    uint64_t all = weir_estimate_tokens(body, size);
    HOLDS(all <= most);
    uint64_t larger = weir__provider_reserve("https://api.openai.com/", NULL, body, size);
    uint64_t prompt = weir__provider_reserve("https://api.anthropic.com/", NULL, body, size);
    HOLDS(prompt <= larger && larger <= all);
    HOLDS(prompt <= 4 * size + 3); /* most of all: each byte opens a message */
    return 0;
}
