/*
 * unpack: see unpack.h. Each piece is written at its own offset, so a file needs no more than a descriptor; those that
 * were written to last are kept open, since a backup works on few files at a time.
 *
 * No name leads out of the folder: xbstream refuses absolute ones and "..", and a stream makes no symbolic link.
 */
#include "controllers/job/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/mem.h"

enum {
    OPEN_MAX_FILES = 32, /* a backup has as many at work as threads, and the log */
    FILE_MODE = 0660,    /* as servers make them; the owner is set later */
    FOLDER_MODE = 0750,
};

struct target {
    char *path;
    int fd;
    uint64_t used; /* a number that grows with each use */
};

struct unpack {
    int folder;
    struct xbstream_sink sink;
    struct target targets[OPEN_MAX_FILES];
    size_t n;
    uint64_t uses;
};

static int refuse(const char *what, const char *path, struct error *e)
{
    return error_set(e, ERR_INVALID, "%s %s: %s", what, path, strerror(errno));
}

static int close_target(struct unpack *u, struct target *t, struct error *e)
{
    int rc = close(t->fd) < 0 ? refuse("write", t->path, e) : 0; /* NFS may tell of its full disk here */

    mem_free(t->path);
    *t = u->targets[--u->n];
    return rc;
}

static int make_folders(struct unpack *u, const char *path, struct error *e)
{
    AUTO_FREE char *part = mem_strdup(path);

    for (char *slash = strchr(part, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdirat(u->folder, part, FOLDER_MODE) < 0 && errno != EEXIST)
            return refuse("make folder", part, e);
        *slash = '/';
    }
    return 0;
}

/* A file's first bytes make it: one that is there already would be another's. */
static int open_file(struct unpack *u, const char *path, bool is_new, int *ret, struct error *e)
{
    int flags = O_WRONLY | O_CLOEXEC | O_NOFOLLOW | (is_new ? O_CREAT | O_EXCL : 0), rc = 0;

    *ret = openat(u->folder, path, flags, FILE_MODE);
    if (*ret < 0 && errno == ENOENT && is_new && (rc = make_folders(u, path, e)) == 0)
        *ret = openat(u->folder, path, flags, FILE_MODE);
    if (rc == 0 && *ret < 0)
        rc = refuse(is_new ? "make" : "open", path, e);
    return rc;
}

static struct target *find_target(struct unpack *u, const char *path)
{
    for (size_t i = 0; i < u->n; i++)
        if (strcmp(u->targets[i].path, path) == 0)
            return &u->targets[i];
    return NULL;
}

static int make_room(struct unpack *u, struct error *e)
{
    struct target *oldest = &u->targets[0];

    if (u->n < OPEN_MAX_FILES)
        return 0;
    for (size_t i = 1; i < u->n; i++)
        if (u->targets[i].used < oldest->used)
            oldest = &u->targets[i];
    return close_target(u, oldest, e);
}

static int get_target(struct unpack *u, const char *path, bool is_new, struct target **ret, struct error *e)
{
    struct target *t = find_target(u, path);
    int fd, rc;

    if (!t) {
        if ((rc = make_room(u, e)) < 0 || (rc = open_file(u, path, is_new, &fd, e)) < 0)
            return rc;
        t = &u->targets[u->n++];
        *t = (struct target){.path = mem_strdup(path), .fd = fd};
    }
    t->used = ++u->uses;
    *ret = t;
    return 0;
}

static int on_payload(void *ctx, const char *path, uint64_t offset, struct str bytes, struct error *e)
{
    struct target *t;
    int rc = get_target(ctx, path, offset == 0, &t, e);

    while (rc == 0 && bytes.n) {
        ssize_t n = pwrite(t->fd, bytes.p, bytes.n, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return refuse("write", path, e);
        bytes.p += n;
        bytes.n -= (size_t)n;
        offset += (uint64_t)n;
    }
    return rc;
}

static int on_file_end(void *ctx, const char *path, uint64_t size, struct error *e)
{
    struct unpack *u = ctx;
    struct target *t = find_target(u, path);
    int rc = 0;

    if (!t && size == 0)
        rc = get_target(u, path, true, &t, e);
    return t && rc == 0 ? close_target(u, t, e) : rc;
}

int unpack_new(const char *folder, struct unpack **ret, struct error *e)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct unpack *u;

    if (fd < 0)
        return refuse("open folder", folder, e);
    u = mem_zalloc(sizeof(*u));
    u->folder = fd;
    u->sink = (struct xbstream_sink){.on_payload = on_payload, .on_file_end = on_file_end, .ctx = u};
    *ret = u;
    return 0;
}

const struct xbstream_sink *unpack_sink(struct unpack *u)
{
    return &u->sink;
}

void unpack_free(struct unpack *u)
{
    if (!u)
        return;
    while (u->n)
        (void)close_target(u, &u->targets[0], NULL); /* what is open now is of a stream that was given up */
    (void)close(u->folder);
    mem_free(u);
}
