#include <weir/json.h>

#include "base/mem.h"

char *weir_json_text_copy(const char *text, size_t len)
{
    return weir__memdup(text, len);
}

void weir_json_text_free(char *text)
{
    weir__free(text);
}
