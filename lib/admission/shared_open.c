/* Where shared limits live: in memory of this process, or in a file. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admission/shared.h"
#include "base/mem.h"

static const char magic[8] = "weirlim";

enum { VERSION = 1 };

/* ---- the page ---- */

size_t weir__shared_size(const struct weir__limits *limits)
{
    return sizeof(struct weir__shared_page) + limits->count * sizeof(struct weir__shared_word);
}

static void fill_head(struct weir__shared_head *head, const struct weir__limits *limits,
                      const char *boot_id)
{
    memset(head, 0, sizeof *head);
    memcpy(head->magic, magic, sizeof magic);
    head->version = VERSION;
    head->limit_count = limits->count;
    memcpy(head->boot_id, boot_id, sizeof head->boot_id);
    for (unsigned i = 0; i < limits->count; i++) {
        const struct weir__limit *limit = &limits->list[i];
        head->limits[i].rate = limit->bucket.rate;
        head->limits[i].burst = limit->bucket.burst;
        head->limits[i].period_ns = limit->bucket.period_ns;
        head->limits[i].unit = limit->unit;
    }
}

/* Full buckets and an open gate. */
void weir__shared_start(struct weir__shared_page *page, const struct weir__limits *limits)
{
    atomic_store(&page->open_ns, 0);
    atomic_store(&page->takes, 0);
    for (unsigned i = 0; i < limits->count; i++)
        atomic_store(&page->words[i].tat_ns, INT64_MIN);
}

/* ---- a file ---- */

/* CLOCK_MONOTONIC is one for the whole host and begins anew at each boot. */
static int read_boot_id(char id[40])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    memset(id, 0, 40);
    if (fd < 0)
        return WEIR_ENOTSUP;
    ssize_t n = read(fd, id, 36);
    close(fd);
    return n == 36 ? 0 : WEIR_ENOTSUP;
}

static bool is_head(const struct weir__shared_head *head)
{
    return memcmp(head->magic, magic, sizeof magic) == 0 && head->version == VERSION;
}

static bool of_this_boot(const struct weir__shared_head *head, const struct weir__shared_head *want)
{
    return memcmp(head->boot_id, want->boot_id, sizeof head->boot_id) == 0;
}

/* A file of this user's alone: who else could write to it could stop this process. A new one, and
 * one from before the last boot, is given the size it needs. */
static int check_file(int fd, size_t size, const struct weir__shared_head *want)
{
    struct weir__shared_head head = {.version = 0};
    struct stat file;
    if (fstat(fd, &file) < 0)
        return WEIR_EIO;
    if (!S_ISREG(file.st_mode) || file.st_uid != geteuid() || (file.st_mode & 077) != 0)
        return WEIR_ESHARED;
    if (file.st_size == (off_t)size)
        return 0;
    if (file.st_size > 0) {
        if (pread(fd, &head, sizeof head, 0) != (ssize_t)sizeof head || !is_head(&head))
            return WEIR_ESHARED;
        if (of_this_boot(&head, want)) /* other limits have another size */
            return head.limit_count != want->limit_count ? WEIR_EMISMATCH : WEIR_ESHARED;
    }
    bool sized = ftruncate(fd, (off_t)size) == 0 && posix_fallocate(fd, 0, (off_t)size) == 0;
    return sized ? 0 : WEIR_EIO;
}

/* The magic is written last: without it the creator was killed before it was done. */
static void start_anew(struct weir__shared_page *page, const struct weir__limits *limits,
                       const struct weir__shared_head *want)
{
    memset(page->head.magic, 0, sizeof magic);
    atomic_signal_fence(memory_order_seq_cst);
    memset(page->words, 0, limits->count * sizeof page->words[0]);
    weir__shared_start(page, limits);
    page->head = *want;
    memset(page->head.magic, 0, sizeof magic);
    atomic_signal_fence(memory_order_seq_cst);
    memcpy(page->head.magic, want->magic, sizeof magic);
}

/* The file is locked. One from before the last boot holds times of another clock. */
static int adopt(struct weir__shared_page *page, const struct weir__limits *limits,
                 const struct weir__shared_head *want)
{
    static const char none[sizeof magic];
    const struct weir__shared_head *head = &page->head;
    bool unfinished = memcmp(head->magic, none, sizeof none) == 0;
    if (!unfinished && !is_head(head))
        return WEIR_ESHARED;
    if (unfinished || !of_this_boot(head, want))
        start_anew(page, limits, want);
    bool same = head->limit_count == want->limit_count &&
                memcmp(head->limits, want->limits, sizeof head->limits) == 0;
    return same ? 0 : WEIR_EMISMATCH;
}

static int map_locked(int fd, const struct weir__limits *limits,
                      const struct weir__shared_head *want, struct weir__shared_page **out)
{
    size_t size = weir__shared_size(limits);
    int rc = check_file(fd, size, want);
    if (rc < 0)
        return rc;
    struct weir__shared_page *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED)
        return WEIR_EIO;
    rc = adopt(page, limits, want);
    if (rc < 0)
        munmap(page, size);
    else
        *out = page;
    return rc;
}

static int lock(int fd)
{
    int rc;
    do {
        rc = flock(fd, LOCK_EX);
    } while (rc < 0 && errno == EINTR);
    return rc < 0 ? WEIR_EIO : 0;
}

int weir__shared_map(const char *path, const struct weir__limits *limits,
                     struct weir__shared_page **page)
{
    struct weir__shared_head want;
    char boot_id[sizeof want.boot_id];
    int rc = read_boot_id(boot_id);
    if (rc < 0)
        return rc;
    fill_head(&want, limits, boot_id);
    /* O_NONBLOCK: a FIFO or device under this name must not hold the thread up. */
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
    if (fd < 0)
        return errno == ELOOP || errno == EISDIR || errno == ENXIO ? WEIR_ESHARED : WEIR_EIO;
    rc = lock(fd);
    if (rc == 0)
        rc = map_locked(fd, limits, &want, page);
    close(fd); /* which unlocks it; the mapping stays */
    return rc;
}

/* ---- opening and closing ---- */

static int set_limits(weir_shared *shared, const struct weir_limit *limits, size_t count)
{
    if (limits == NULL || count == 0 || count > WEIR_LIMITS_MAX)
        return WEIR_EINVAL;
    for (size_t i = 0; i < count; i++) {
        if (limits[i].strict)
            return WEIR_ENOTSUP;
    }
    return weir__limits_init(&shared->limits, limits, count);
}

static int set_page(weir_shared *shared, const char *path)
{
    shared->size = weir__shared_size(&shared->limits);
    shared->file = path != NULL;
    if (path != NULL)
        return weir__shared_map(path, &shared->limits, &shared->page);
    shared->page = weir__zalloc(shared->size);
    if (shared->page == NULL)
        return WEIR_ENOMEM;
    weir__shared_start(shared->page, &shared->limits);
    return 0;
}

int weir_shared_open(weir_shared **out, const char *path, const struct weir_limit *limits,
                     size_t limit_count)
{
    *out = NULL;
    weir_shared *shared = weir__zalloc(sizeof *shared);
    if (shared == NULL)
        return WEIR_ENOMEM;
    atomic_store(&shared->users, 1);
    int rc = set_limits(shared, limits, limit_count);
    if (rc == 0)
        rc = set_page(shared, path);
    if (rc == 0)
        *out = shared;
    else
        weir__free(shared);
    return rc;
}

void weir_shared_close(weir_shared *shared)
{
    if (shared == NULL || atomic_fetch_sub(&shared->users, 1) > 1)
        return;
    if (shared->file)
        munmap(shared->page, shared->size);
    else
        weir__free(shared->page);
    weir__free(shared);
}

weir_shared *weir__shared_ref(weir_shared *shared)
{
    atomic_fetch_add(&shared->users, 1);
    return shared;
}

bool weir__shared_is_file(const weir_shared *shared)
{
    return shared->file;
}

const struct weir__limits *weir__shared_limits(const weir_shared *shared)
{
    return &shared->limits;
}
