#include "form.h"

#include <stdbool.h>
#include <string.h>

static const struct {
    const char *magic;
    size_t len;
    struct form form;
} known[] = {
    {"\x1F\x8B", 2, {"is compressed (gzip)", "run: zcat FILE | weir run - ..."}},
    {"\x28\xB5\x2F\xFD", 4, {"is compressed (zstd)", "run: zstdcat FILE | weir run - ..."}},
    {"\xFD"
     "7zXZ",
     5,
     {"is compressed (xz)", "run: xzcat FILE | weir run - ..."}},
    {"BZh", 3, {"is compressed (bzip2)", "run: bzcat FILE | weir run - ..."}},
    {"PK\x03\x04", 4, {"is a zip archive", "run: unzip -p FILE | weir run - ..."}},
    {"\xFF\xFE", 2, {"is UTF-16", "run: iconv -f UTF-16 -t UTF-8 FILE | weir run - ..."}},
    {"\xFE\xFF", 2, {"is UTF-16", "run: iconv -f UTF-16 -t UTF-8 FILE | weir run - ..."}},
    {"{\0", 2, {"is UTF-16", "run: iconv -f UTF-16LE -t UTF-8 FILE | weir run - ..."}},
    {"\0{", 2, {"is UTF-16", "run: iconv -f UTF-16BE -t UTF-8 FILE | weir run - ..."}},
};

static const struct form array = {"is one JSON array", "run: jq -c '.[]' FILE | weir run - ..."};
static const struct form tall = {"has JSON that goes over several lines",
                                 "run: jq -c . FILE | weir run - ..."};
static const struct form table = {
    "looks like a table (CSV)",
    "make a line of each of its rows, {\"url\":\"/v1/...\",\"body\":{...}}"};
static const struct form answers = {
    "holds answers (its first row has a \"response\" and no \"url\")",
    "name the file of requests that they came of"};

static size_t skip_blank(const char *bytes, size_t len)
{
    size_t at = 0;
    while (at < len && strchr(" \t\r\n", bytes[at]) != NULL && bytes[at] != '\0')
        at++;
    return at;
}

/* A row that is an array by mistake is that row's fault alone: of objects it is a file's. */
static const struct form *form_of_json(const char *bytes, size_t len)
{
    size_t at = skip_blank(bytes, len);
    if (at == len || bytes[at] != '[')
        return NULL;
    at++;
    at += skip_blank(bytes + at, len - at);
    return at == len || bytes[at] == '{' ? &array : NULL;
}

const struct form *form_of_bytes(const char *bytes, size_t len)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (len >= known[i].len && memcmp(bytes, known[i].magic, known[i].len) == 0)
            return &known[i].form;
    }
    return form_of_json(bytes, len);
}

/* Names or values with commas or tabs between them, and nothing of JSON. */
static bool is_table(struct span line)
{
    bool parted = false;
    for (size_t i = 0; i < line.len; i++) {
        if (strchr("{}[]", line.at[i]) != NULL) /* or a NUL */
            return false;
        parted |= line.at[i] == ',' || line.at[i] == '\t' || line.at[i] == ';';
    }
    return parted;
}

const struct form *form_of_line(struct span line)
{
    const struct form *form = form_of_bytes(line.at, line.len);
    size_t blank = skip_blank(line.at, line.len);
    if (form != NULL)
        return form;
    if (blank < line.len && line.at[blank] == '{' &&
        blank + 1 + skip_blank(line.at + blank + 1, line.len - blank - 1) == line.len)
        return &tall;
    if (!rawjson_check(&line, NULL))
        return is_table(line) ? &table : NULL;
    bool answered =
        rawjson_is_object(rawjson_find(line, "response")) && rawjson_find(line, "url").at == NULL;
    return answered ? &answers : NULL;
}
