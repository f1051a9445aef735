#include "mock/json.h"

#include <stdlib.h>
#include <string.h>

#include "mock/text.h"

#define BLOCK_SIZE ((size_t)64 * 1024)        /* a usual request and its answer take 8 KiB */
#define MEMORY_MAX ((size_t)64 * 1024 * 1024) /* a million values; four times the largest body */
#define PRINT_MAX  ((size_t)32 * 1024 * 1024)
#define PRINT_MIN  ((size_t)4096)

struct block {
    struct block *next;
    size_t used;
    size_t size;
    max_align_t data[];
};

/* cJSON's hooks carry no context, so the memory is one per process. */
static struct {
    struct block *blocks; /* newest first; the last one is kept from request to request */
    size_t total;
    bool failed;
} memory;

static struct block *block_new(size_t need)
{
    size_t size = need > BLOCK_SIZE ? need : BLOCK_SIZE;
    struct block *block;

    if (size > MEMORY_MAX - memory.total)
        return NULL;
    block = malloc(sizeof(*block) + size);
    if (!block)
        return NULL;
    *block = (struct block){.next = memory.blocks, .size = size};
    memory.blocks = block;
    memory.total += size;
    return block;
}

void *mock_json_alloc(size_t len)
{
    struct block *block = memory.blocks;
    char *at;

    if (len > MEMORY_MAX) {
        memory.failed = true;
        return NULL;
    }
    len = (len + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    if (!block || len > block->size - block->used)
        block = block_new(len);
    if (!block) {
        memory.failed = true;
        return NULL;
    }
    at = (char *)block->data + block->used;
    block->used += len;
    return at;
}

static void forget_nothing(void *at)
{
    (void)at; /* all goes at once in mock_json_reset */
}

void mock_json_begin(void)
{
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = mock_json_alloc, .free_fn = forget_nothing});
}

void mock_json_reset(void)
{
    struct block *block = memory.blocks;

    while (block && (block->next || block->size > BLOCK_SIZE)) {
        memory.blocks = block->next;
        memory.total -= block->size;
        free(block);
        block = memory.blocks;
    }
    if (block)
        block->used = 0;
    memory.failed = false;
}

void mock_json_end(void)
{
    mock_json_reset();
    free(memory.blocks);
    memory.blocks = NULL;
    memory.total = 0;
    cJSON_InitHooks(NULL);
}

bool mock_json_failed(void)
{
    return memory.failed;
}

cJSON *mock_json_parse(const struct mock_buf *text, size_t *at)
{
    const char *start = text->len ? text->data : "";
    const char *end = start;
    const char *nul = memchr(start, '\0', text->len);
    cJSON *tree;

    *at = nul ? (size_t)(nul - start) : 0;
    if (nul)
        return NULL; /* cJSON would take it for the end */
    tree = cJSON_ParseWithLengthOpts(start, text->len + 1, &end, true);
    *at = (size_t)(end - start);
    return tree;
}

cJSON *mock_json_put(cJSON *object, const char *key, cJSON *value)
{
    if (!cJSON_AddItemToObjectCS(object, key, value))
        memory.failed = true;
    return value;
}

void mock_json_put_str(cJSON *object, const char *key, const char *value)
{
    mock_json_put(object, key, cJSON_CreateString(value));
}

/* As raw digits: cJSON prints numbers with sprintf and reads them back to see whether they came out
 * right, which costs more than all the rest of an answer. */
void mock_json_put_int(cJSON *object, const char *key, uint64_t value)
{
    char digits[24];
    struct mock_text text = mock_text_over(digits, sizeof(digits));

    mock_text_uint(&text, value);
    mock_text_end(&text);
    mock_json_put(object, key, cJSON_CreateRaw(digits));
}

void mock_json_put_null(cJSON *object, const char *key)
{
    mock_json_put(object, key, cJSON_CreateNull());
}

void mock_json_add(cJSON *array, cJSON *value)
{
    if (!cJSON_AddItemToArray(array, value))
        memory.failed = true;
}

int mock_json_print(cJSON *tree, struct mock_buf *out)
{
    out->len = 0;
    if (!tree || memory.failed)
        return -1;
    for (size_t size = PRINT_MIN; size <= PRINT_MAX; size *= 2) {
        if (mock_buf_reserve(out, size - 1, PRINT_MAX) != 0)
            return -1;
        if (cJSON_PrintPreallocated(tree, out->data, (int)out->cap, false)) {
            out->len = strlen(out->data);
            return 0;
        }
    }
    return -1;
}
