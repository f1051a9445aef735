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

/* Full buckets and an open gate, in memory that is all zero. */
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

/* A file of this user's alone: who else could write to it could stop this process. */
static int check_file(int fd, size_t size, bool *is_new)
{
    struct stat file;
    if (fstat(fd, &file) < 0)
        return WEIR_EIO;
    *is_new = file.st_size == 0;
    if (!S_ISREG(file.st_mode) || file.st_uid != geteuid() || (file.st_mode & 077) != 0)
        return WEIR_ESHARED;
    if (*is_new)
        return posix_fallocate(fd, 0, (off_t)size) == 0 ? 0 : WEIR_EIO;
    if (file.st_size < (off_t)sizeof(struct weir__shared_page))
        return WEIR_ESHARED;
    return 0;
}

static bool all_zero(const void *data, size_t size)
{
    const char *bytes = data;
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

/* The file is locked. One whose creator was killed before it was done has no head yet; one from
 * before the last boot holds times of another clock. */
static int adopt(struct weir__shared_page *page, const struct weir__limits *limits,
                 const struct weir__shared_head *want, bool is_new)
{
    static const struct weir__shared_head none;
    struct weir__shared_head *head = &page->head;
    bool fresh = is_new || all_zero(head, sizeof *head);
    if (!fresh && (memcmp(head->magic, magic, sizeof magic) != 0 || head->version != VERSION ||
                   head->limit_count == 0 || head->limit_count > WEIR_LIMITS_MAX))
        return WEIR_ESHARED;
    if (!fresh && head->limit_count != want->limit_count)
        return WEIR_EMISMATCH;
    if (!fresh && memcmp(head->limits, want->limits, sizeof head->limits) != 0)
        return WEIR_EMISMATCH;
    if (!fresh && memcmp(head->boot_id, want->boot_id, sizeof head->boot_id) == 0)
        return 0;
    *head = none;
    memset(page->words, 0, limits->count * sizeof page->words[0]);
    weir__shared_start(page, limits);
    atomic_thread_fence(memory_order_seq_cst);
    *head = *want;
    return 0;
}

/* Other limits may mean another size: what is mapped to compare the heads is never more than there
 * is. */
static int map_locked(int fd, const struct weir__limits *limits,
                      const struct weir__shared_head *want, struct weir__shared_page **out)
{
    size_t size = weir__shared_size(limits);
    bool is_new;
    int rc = check_file(fd, size, &is_new);
    if (rc < 0)
        return rc;
    struct weir__shared_head head;
    if (!is_new && pread(fd, &head, sizeof head, 0) != (ssize_t)sizeof head)
        return WEIR_EIO;
    struct stat file;
    if (fstat(fd, &file) < 0)
        return WEIR_EIO;
    if (file.st_size != (off_t)size) {
        bool known = memcmp(head.magic, magic, sizeof magic) == 0 && head.version == VERSION;
        return known && head.limit_count != want->limit_count ? WEIR_EMISMATCH : WEIR_ESHARED;
    }
    struct weir__shared_page *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED)
        return WEIR_EIO;
    rc = adopt(page, limits, want, is_new);
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
