#include "term.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "utf8.h"

#define LINE_MAX_BYTES  1024
#define DEFAULT_COLUMNS 80

/* One per process, as the terminal is. */
static size_t status_len;

static int turns_direction(uint32_t point)
{
    return point == 0x061C || (point >= 0x200E && point <= 0x200F) ||
           (point >= 0x2028 && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069);
}

static int is_harmless(uint32_t point)
{
    return point >= 0x20 && point != 0x7F && !(point >= 0x80 && point < 0xA0) &&
           !turns_direction(point) && point != 0xFEFF;
}

/* The visible form of what begins at `at`: a character as it stands, or an escape. Returns how many
 * bytes of the text it stands for. form has room for 12 bytes. */
static size_t visible(const char *at, const char *end, char *form)
{
    uint32_t point;
    size_t len = utf8_next(at, end, &point);
    if (len == 0 || (len == 1 && !is_harmless(point))) {
        snprintf(form, 12, "\\x%02x", (unsigned char)*at);
        return 1;
    }
    if (is_harmless(point)) {
        memcpy(form, at, len);
        form[len] = '\0';
    } else {
        snprintf(form, 12, "\\u{%x}", (unsigned)point);
    }
    return len;
}

char *term_safe(char *dst, size_t room, const char *text, size_t len)
{
    static const char cut[] = "...";
    const char *end = text + len;
    size_t used = 0;
    while (text < end) {
        char form[12];
        size_t step = visible(text, end, form);
        size_t more = strlen(form);
        if (used + more + sizeof cut > room) {
            memcpy(dst + used, cut, sizeof cut);
            return dst;
        }
        memcpy(dst + used, form, more);
        used += more;
        text += step;
    }
    dst[used] = '\0';
    return dst;
}

void complain(const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    char safe[LINE_MAX_BYTES];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (len < 0)
        return;
    if ((size_t)len >= sizeof line)
        len = sizeof line - 1;
    term_status_end();
    fprintf(stderr, "%s\n", term_safe(safe, sizeof safe, line, (size_t)len));
}

void term_status(const char *text)
{
    size_t len = strlen(text);
    int blanks = status_len > len ? (int)(status_len - len) : 0;
    fprintf(stderr, "\r%s%*s", text, blanks, "");
    fflush(stderr);
    status_len = len;
}

void term_status_end(void)
{
    if (status_len == 0)
        return;
    fprintf(stderr, "\r%*s\r", (int)status_len, "");
    status_len = 0;
}

size_t term_columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return DEFAULT_COLUMNS;
    return size.ws_col;
}

const char *error_text(int error, char *buf, size_t room)
{
    return strerror_r(error, buf, room);
}
