/* Server-sent events: the same, however the bytes are cut. The first byte says where. */
#include "fuzz.h"

#include "sse_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *bytes = (const char *)data + 1;
    size_t max = data[0] % 8 == 0 ? 16 : 4096;
    char *whole = sse_text(bytes, size - 1, max, 0, 0);
    char *pieces = sse_text(bytes, size - 1, max, data[0] / 8 + 1, 1);
    HOLDS(strcmp(whole, pieces) == 0);
    free(whole);
    free(pieces);
    return 0;
}
