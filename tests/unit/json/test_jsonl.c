/* The JSON Lines reader: line rules, limits, and a naive splitter as the judge of random input in
 * random pieces. */
#include "jsonl_input.h"

#include <malloc.h>
#include <stdlib.h>

#include <weir/io.h>
#include <weir/task.h>

#include "base/mem.h"

/* ---- the judge ---- */

/* Walks the whole input; every step is what weir_jsonl_next must return next. */
struct naive {
    const char *data;
    size_t len, at, max_line;
    struct weir_line line;
};

static int naive_line(struct naive *naive)
{
    const char *text = naive->data + naive->at;
    const char *stop = memchr(text, '\n', naive->len - naive->at);
    size_t len = stop != NULL ? (size_t)(stop - text) : naive->len - naive->at;
    naive->at += stop != NULL ? len + 1 : len;
    naive->line.number++;
    if (naive->line.number == 1 && len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        text += 3;
        len -= 3;
    }
    if (len > 0 && text[len - 1] == '\r')
        len--;
    naive->line.text = text;
    naive->line.len = len;
    if (len > naive->max_line)
        return WEIR_ELINESIZE;
    for (size_t i = 0; i < len; i++) {
        if (strchr(" \t\r", text[i]) == NULL || text[i] == '\0')
            return 1;
    }
    return 0;
}

static int naive_next(struct naive *naive)
{
    int rc = 0;
    while (rc == 0 && naive->at < naive->len)
        rc = naive_line(naive);
    return rc;
}

/* Reads everything and compares it with what the splitter says. Returns the number of lines. */
static uint64_t compare(weir_jsonl *reader, const char *data, size_t len, size_t max_line)
{
    struct naive naive = {.data = data, .len = len, .max_line = max_line};
    for (;;) {
        struct weir_line line;
        int rc = weir_jsonl_next(reader, &line);
        assert_int_equal(rc, naive_next(&naive));
        assert_int_equal(line.number, naive.line.number);
        if (rc == 0)
            return line.number;
        if (rc < 0)
            continue;
        assert_int_equal(line.len, naive.line.len);
        assert_memory_equal(line.text, naive.line.text, line.len);
        assert_int_equal(line.text[line.len], '\0');
    }
}

static void compare_file(const char *data, size_t len, size_t max_line)
{
    int fd = file_of(data, len);
    weir_jsonl *reader = reader_of(fd, max_line);
    compare(reader, data, len, max_line);
    weir_jsonl_free(reader);
    close(fd);
}

/* ---- line rules ---- */

static void line_ends_blank_lines_and_mark(void **unused)
{
    (void)unused;
    static const char text[] = "\xEF\xBB\xBF{}\n\n \t\r\n[1]\r\n\xEF\xBB\xBF\n  7 \nlast";
    int fd = file_of(text, sizeof text - 1);
    weir_jsonl *reader = reader_of(fd, 0);
    expect_line(reader, 1, "{}");
    expect_line(reader, 4, "[1]");
    expect_line(reader, 5, "\xEF\xBB\xBF"); /* a mark only at the start of the file */
    expect_line(reader, 6, "  7 ");
    expect_line(reader, 7, "last");
    expect_none(reader, 0, 7);
    expect_none(reader, 0, 7);
    weir_jsonl_free(reader);
    close(fd);
}

static void inputs_without_lines(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        uint64_t lines;
    } cases[] = {{"", 0}, {"\n", 1}, {"\n\r\n \n", 3}, {"\xEF\xBB\xBF", 1}, {"\r", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int fd = file_of(cases[i].text, strlen(cases[i].text));
        weir_jsonl *reader = reader_of(fd, 0);
        expect_none(reader, 0, cases[i].lines);
        weir_jsonl_free(reader);
        close(fd);
    }
}

static void nul_bytes_pass(void **unused)
{
    (void)unused;
    static const char text[] = "a\0b\n\0\n";
    struct weir_line line;
    int fd = file_of(text, sizeof text - 1);
    weir_jsonl *reader = reader_of(fd, 0);
    assert_int_equal(weir_jsonl_next(reader, &line), 1);
    assert_int_equal(line.len, 3);
    assert_memory_equal(line.text, "a\0b", 4);
    assert_int_equal(weir_jsonl_next(reader, &line), 1);
    assert_int_equal(line.len, 1);
    assert_memory_equal(line.text, "\0", 2);
    expect_none(reader, 0, 2);
    weir_jsonl_free(reader);
    close(fd);
}

/* Lines whose ends fall on, just before and just behind the ends of the chunks that are read. */
static void line_ends_at_chunk_ends(void **unused)
{
    (void)unused;
    size_t room = 3 * CHUNK;
    char *data = malloc(room);
    assert_non_null(data);
    for (size_t shift = 0; shift < 6; shift++) {
        for (size_t cut = 0; cut < 4; cut++) {
            memset(data, 'x', room);
            memcpy(data + CHUNK - shift, "\r\n", 2);
            memcpy(data + 2 * CHUNK - shift, "\n\n", 2);
            compare_file(data, room - CHUNK + cut, 2 * CHUNK);
            compare_file(data, 2 * CHUNK - shift + cut, CHUNK - shift);
        }
    }
    free(data);
}

/* ---- limits ---- */

static void the_maximum_is_exact(void **unused)
{
    (void)unused;
    static const char text[] = "\xEF\xBB\xBF"
                               "12345\r\n"
                               "123456\n"
                               "12345\r\r\n"
                               "     \n"
                               "      \n"
                               "ab\n"
                               "123456";
    int fd = file_of(text, sizeof text - 1);
    weir_jsonl *reader = reader_of(fd, 5);
    expect_line(reader, 1, "12345");
    expect_none(reader, WEIR_ELINESIZE, 2);
    expect_none(reader, WEIR_ELINESIZE, 3);
    expect_none(reader, WEIR_ELINESIZE, 5); /* 4 is blank; 5 is too long to be */
    expect_line(reader, 6, "ab");
    expect_none(reader, WEIR_ELINESIZE, 7);
    expect_none(reader, 0, 7);
    weir_jsonl_free(reader);
    close(fd);
}

/* 4 MiB of one line pass through a reader that may grow once: by what is left of a line in front of
 * a chunk. */
static void long_lines_pass_in_bounded_memory(void **unused)
{
    (void)unused;
    size_t len = (size_t)4 << 20;
    char *data = malloc(len);
    assert_non_null(data);
    memset(data, 'x', len);
    memcpy(data + len - 5, "\nok\nx", 5);
    int fd = file_of(data, len);
    weir_jsonl *reader = reader_of(fd, 1000);
    weir__mem_fail_at(2);
    expect_none(reader, WEIR_ELINESIZE, 1);
    expect_line(reader, 2, "ok");
    expect_line(reader, 3, "x");
    expect_none(reader, 0, 3);
    weir__mem_fail_at(0);
    weir_jsonl_free(reader);
    close(fd);
    free(data);
}

/* The first line lies at the start of the buffer, which tells the buffer's size. */
static void the_buffer_is_no_larger_than_needed(void **unused)
{
    (void)unused;
    size_t max_line = 150 * 1000;
    size_t len = max_line + 3;
    char *data = malloc(len);
    assert_non_null(data);
    memset(data, 'x', len);
    memcpy(data + max_line, "\r\n1", 3);
    int fd = file_of(data, len);
    weir_jsonl *reader = reader_of(fd, max_line);
    struct weir_line line;
    assert_int_equal(weir_jsonl_next(reader, &line), 1);
    assert_int_equal(line.len, max_line);
    size_t size = malloc_usable_size((void *)(uintptr_t)line.text);
    assert_in_range(size, max_line, max_line + CHUNK + 64);
    expect_line(reader, 2, "1");
    weir_jsonl_free(reader);
    close(fd);
    free(data);
}

static void default_maximum_is_16_mib(void **unused)
{
    (void)unused;
    size_t most = (size_t)16 << 20;
    char *data = malloc(2 * most + 2);
    assert_non_null(data);
    memset(data, 'x', 2 * most + 2);
    data[most] = '\n';
    int fd = file_of(data, 2 * most + 2);
    weir_jsonl *reader = NULL;
    struct weir_line line;
    assert_int_equal(weir_jsonl_new(&reader, fd, NULL), 0);
    assert_int_equal(weir_jsonl_next(reader, &line), 1);
    assert_int_equal(line.len, most);
    expect_none(reader, WEIR_ELINESIZE, 2);
    weir_jsonl_free(reader);
    close(fd);
    free(data);
}

static void bad_arguments(void **unused)
{
    (void)unused;
    struct weir_line line;
    weir_jsonl *reader = (weir_jsonl *)&line;
    struct weir_jsonl_opts unstamped = {.max_line = 5};
    int fd = file_of("", 0);
    assert_int_equal(weir_jsonl_new(&reader, fd, &unstamped), WEIR_EINVAL);
    assert_null(reader);
    size_t too_much = ((size_t)1 << 30) + 1;
    assert_int_equal(weir_jsonl_new(&reader, fd, WEIR_JSONL_OPTS(.max_line = too_much)),
                     WEIR_EINVAL);
    assert_int_equal(weir_jsonl_new(NULL, fd, NULL), WEIR_EINVAL);
    assert_int_equal(weir_jsonl_next(NULL, &line), WEIR_EINVAL);
    reader = reader_of(fd, (size_t)1 << 30);
    assert_int_equal(weir_jsonl_next(reader, NULL), WEIR_EINVAL);
    expect_none(reader, 0, 0);
    weir_jsonl_free(reader);
    close(fd);
    assert_int_equal(weir_jsonl_new(&reader, fd, NULL), WEIR_EINVAL);
    assert_null(reader);
    weir_jsonl_free(NULL);
}

/* ---- random input ---- */

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static size_t below(uint64_t *state, size_t bound)
{
    return (size_t)(next_random(state) % bound);
}

/* Runs of one byte, of lengths that make lines short, long and over the maximum, with the bytes
 * that have a meaning over-represented. */
static void fill_random(uint64_t *state, char *data, size_t len, size_t longest_run)
{
    static const char bytes[] = "\n\n\n\n\r\r \tab{}\"\0\xEF\xBB\xBF";
    size_t at = 0;
    if (len >= 3 && below(state, 3) == 0) {
        data[0] = '\xEF';
        data[1] = '\xBB';
        data[2] = '\xBF';
        at = 3;
    }
    while (at < len) {
        char byte = bytes[below(state, sizeof bytes - 1)];
        size_t run = byte == '\n' ? 1 + below(state, 2) : 1 + below(state, longest_run);
        for (; run > 0 && at < len; run--)
            data[at++] = byte;
    }
}

static void random_files(void **unused)
{
    (void)unused;
    size_t room = 5 * CHUNK;
    char *data = malloc(room);
    assert_non_null(data);
    for (uint64_t seed = 1; seed <= 200; seed++) {
        uint64_t state = seed * 0x9E3779B97F4A7C15u;
        size_t len = below(&state, seed % 2 == 0 ? room : 300);
        size_t longest_run = 1 + below(&state, seed % 4 == 0 ? 40000 : 30);
        fill_random(&state, data, len, longest_run);
        compare_file(data, len, 1 + below(&state, 3 * longest_run));
    }
    free(data);
}

struct feed {
    int fd;
    const char *data;
    size_t len;
    uint64_t state;
};

/* Sends the data in random pieces, with the other tasks' turns between them. */
static int send_pieces(void *arg)
{
    struct feed *feed = arg;
    while (feed->len > 0) {
        size_t piece = 1 + below(&feed->state, below(&feed->state, 4) == 0 ? 3000 : 9);
        if (piece > feed->len)
            piece = feed->len;
        assert_true(weir_wait_fd(feed->fd, WEIR_IO_WRITE) > 0);
        put(feed->fd, feed->data, piece);
        feed->data += piece;
        feed->len -= piece;
        assert_int_equal(weir_yield(), 0);
    }
    close(feed->fd);
    return 0;
}

static int read_random_socket(uint64_t seed, char *data, size_t room)
{
    uint64_t state = seed * 0xD1342543DE82EF95u;
    size_t len = below(&state, seed % 8 == 0 ? room : 500);
    size_t max_line = 1 + below(&state, 60);
    int ends[2];
    weir_group *group;
    fill_random(&state, data, len, 1 + below(&state, 40));
    new_pair(ends);
    struct feed feed = {.fd = ends[1], .data = data, .len = len, .state = state};
    assert_int_equal(weir_group_new(&group, NULL), 0);
    weir_spawn(group, send_pieces, &feed);
    weir_jsonl *reader = reader_of(ends[0], max_line);
    compare(reader, data, len, max_line);
    weir_jsonl_free(reader);
    close(ends[0]);
    int rc = weir_gather(group);
    weir_group_free(group);
    return rc;
}

static int read_random_sockets(void *unused)
{
    (void)unused;
    size_t room = 20000;
    char *data = malloc(room);
    int rc = data != NULL ? 0 : WEIR_ENOMEM;
    for (uint64_t seed = 1; rc == 0 && seed <= 200; seed++)
        rc = read_random_socket(seed, data, room);
    free(data);
    return rc;
}

static void random_pieces_through_a_socket(void **unused)
{
    (void)unused;
    assert_int_equal(weir_run(read_random_sockets, NULL, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_ends_blank_lines_and_mark),
        cmocka_unit_test(inputs_without_lines),
        cmocka_unit_test(nul_bytes_pass),
        cmocka_unit_test(line_ends_at_chunk_ends),
        cmocka_unit_test(the_maximum_is_exact),
        cmocka_unit_test(long_lines_pass_in_bounded_memory),
        cmocka_unit_test(the_buffer_is_no_larger_than_needed),
        cmocka_unit_test(default_maximum_is_16_mib),
        cmocka_unit_test(bad_arguments),
        cmocka_unit_test(random_files),
        cmocka_unit_test(random_pieces_through_a_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
