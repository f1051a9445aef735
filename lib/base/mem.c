#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static _Thread_local unsigned long count;
static _Thread_local unsigned long fail_at;

static int refused(void)
{
    count++;
    return fail_at != 0 && count >= fail_at;
}

unsigned long weir__mem_fail_at(unsigned long k)
{
    unsigned long made = count;
    count = 0;
    fail_at = k;
    return made;
}

void *weir__alloc(size_t size)
{
    return refused() ? NULL : malloc(size);
}

void *weir__zalloc(size_t size)
{
    return refused() ? NULL : calloc(1, size);
}

void *weir__realloc(void *old, size_t size)
{
    return refused() ? NULL : realloc(old, size);
}

char *weir__memdup(const void *data, size_t len)
{
    char *copy = weir__alloc(len + 1);
    if (copy == NULL)
        return NULL;
    if (len > 0)
        memcpy(copy, data, len);
    copy[len] = '\0';
    return copy;
}

char *weir__strdup(const char *text)
{
    return weir__memdup(text, strlen(text));
}

void weir__free(void *memory)
{
    free(memory);
}

void weir__wipe(char *text)
{
    if (text != NULL)
        explicit_bzero(text, strlen(text));
}

void weir__free_secret(char *text)
{
    weir__wipe(text);
    free(text);
}
