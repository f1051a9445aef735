/*
 * cJSON with memory that is forgotten at once. All values made or parsed live until the next
 * mock_json_reset; none is deleted one by one. Their memory has a maximum, so a request made of
 * millions of tiny values is refused instead of eating the machine.
 *
 * Failure is sticky: after any call failed for want of memory mock_json_failed says so, and
 * mock_json_print prints nothing. So a tree is built without a check at every member.
 */
#ifndef WEIR_MOCK_JSON_H
#define WEIR_MOCK_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "mock/buf.h"

/* Takes cJSON's allocator over for the whole process; `end` gives it and all memory back. */
void mock_json_begin(void);
void mock_json_end(void);

/* Forgets every value and the failure. */
void mock_json_reset(void);

bool mock_json_failed(void);

/* Memory that lives as long as the values, or NULL. */
void *mock_json_alloc(size_t len);

/* Parses exactly one value out of a NUL-terminated buffer. NULL when it is not JSON; *at is the
 * offset of the trouble then. */
cJSON *mock_json_parse(const struct mock_buf *text, size_t *at);

/* Adds a member and returns it. `key` must be a constant. The string is copied. */
cJSON *mock_json_put(cJSON *object, const char *key, cJSON *value);
void mock_json_put_str(cJSON *object, const char *key, const char *value);
void mock_json_put_int(cJSON *object, const char *key, uint64_t value);
void mock_json_put_null(cJSON *object, const char *key);

/* Adds an element at the end of an array. */
void mock_json_add(cJSON *array, cJSON *value);

/* Prints the tree as the whole content of `out`. 0, or -1 when memory is short. */
int mock_json_print(cJSON *tree, struct mock_buf *out);

#endif
