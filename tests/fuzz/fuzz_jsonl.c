/* JSON Lines: the lines and their numbers, against the text itself. */
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include <weir/jsonl.h>

enum { MAX_LINE = 64 };

static void check_line(const struct weir_line *line, uint64_t before, const uint8_t *data,
                       size_t size)
{
    HOLDS(line->number > before && line->number <= size);
    HOLDS(within((int64_t)line->len, 1, MAX_LINE));
    HOLDS(line->text[line->len] == '\0');
    HOLDS(memchr(line->text, '\n', line->len) == NULL);
    HOLDS(memmem(data, size, line->text, line->len) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    weir_jsonl *reader = NULL;
    struct weir_line line;
    uint64_t number = 0;
    int rc;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    HOLDS(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
    HOLDS(weir_jsonl_new(&reader, fd, WEIR_JSONL_OPTS(.max_line = MAX_LINE)) == 0);
    while ((rc = weir_jsonl_next(reader, &line)) != 0) {
        HOLDS(rc == 1 || rc == WEIR_ELINESIZE);
        if (rc == 1)
            check_line(&line, number, data, size);
        HOLDS(line.number > number);
        number = line.number;
    }
    weir_jsonl_free(reader);
    close(fd);
    return 0;
}
