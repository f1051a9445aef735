/* Inputs for the tests of the JSON Lines reader, and what the reader must say of them. */
#ifndef WEIR_TESTS_JSONL_INPUT_H
#define WEIR_TESTS_JSONL_INPUT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <weir/jsonl.h>

#define CHUNK ((size_t)64 << 10) /* the reader's */

static inline void put(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t put_now = write(fd, data, len);
        assert_true(put_now > 0);
        data += put_now;
        len -= (size_t)put_now;
    }
}

/* A regular file of these bytes, to be closed by the caller. */
static inline int file_of(const char *data, size_t len)
{
    int fd = memfd_create("jsonl", MFD_CLOEXEC);
    assert_true(fd >= 0);
    put(fd, data, len);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static inline void new_pair(int ends[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
}

static inline weir_jsonl *reader_of(int fd, size_t max_line)
{
    weir_jsonl *reader = NULL;
    assert_int_equal(weir_jsonl_new(&reader, fd, WEIR_JSONL_OPTS(.max_line = max_line)), 0);
    return reader;
}

static inline void expect_line(weir_jsonl *reader, uint64_t number, const char *text)
{
    struct weir_line line;
    assert_int_equal(weir_jsonl_next(reader, &line), 1);
    assert_int_equal(line.number, number);
    assert_string_equal(line.text, text);
    assert_int_equal(line.len, strlen(text));
}

/* The call returns rc and no line, having passed `number` lines. */
static inline void expect_none(weir_jsonl *reader, int rc, uint64_t number)
{
    struct weir_line line = {.text = "old", .len = 3, .number = 99};
    assert_int_equal(weir_jsonl_next(reader, &line), rc);
    assert_null(line.text);
    assert_int_equal(line.len, 0);
    assert_int_equal(line.number, number);
}

#endif
