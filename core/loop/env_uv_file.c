/* env_uv_file: the small files that programs read at their start, and those they leave for others. Blocking. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/loop/env_uv.h"

static int fail(struct error *e, const char *doing, const char *path)
{
    int errsv = errno;
    enum err code = ERR_INVALID;

    if (errsv == ENOENT || errsv == ENOTDIR)
        code = ERR_NOTFOUND;
    else if (errsv == EACCES || errsv == EPERM || errsv == EROFS)
        code = ERR_DENIED;
    else if (errsv == ENOSPC || errsv == EDQUOT || errsv == EIO || errsv == EMFILE || errsv == ENFILE)
        code = ERR_NET; /* may pass: try again */
    return error_set(e, code, "%s %s: %s", doing, path, strerror(errsv));
}

static int read_all(int fd, const char *path, struct buf *out, struct error *e)
{
    for (;;) {
        char chunk[4096];
        ssize_t n = read(fd, chunk, sizeof(chunk));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(e, "read", path);
        if (n == 0)
            return 0;
        buf_add(out, chunk, (size_t)n);
        mem_wipe(chunk, (size_t)n); /* it may have been a key */
        if (buf_error(out) < 0)
            return error_set(e, ERR_TOOBIG, "read %s: over %zu bytes", path, out->max);
    }
}

int env_uv_read_file(const char *path, struct buf *out, struct error *e)
{
    int rc, fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return fail(e, "open", path);
    rc = read_all(fd, path, out, e);
    (void)close(fd); /* only read */
    return rc;
}

static int write_all(int fd, struct str bytes)
{
    while (bytes.n) {
        ssize_t n = write(fd, bytes.p, bytes.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        bytes.p += n;
        bytes.n -= (size_t)n;
    }
    return 0;
}

/* After a power cut the new name counts only when the folder was synced too. */
static int sync_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    AUTO_FREE char *folder = !slash ? mem_strdup(".") : mem_strndup(path, slash == path ? 1 : (size_t)(slash - path));
    int rc, fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return -1;
    rc = fsync(fd);
    (void)close(fd);
    return rc;
}

int env_uv_write_file(const char *path, struct str bytes, mode_t mode, bool sync, struct error *e)
{
    AUTO_FREE char *temp = mem_printf("%s.tmp.%ld", path, (long)getpid());
    int rc, fd;

    (void)unlink(temp); /* of an earlier process with our number that was killed; most often there is none */
    fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail(e, "create", temp);
    /* The mode as asked, whatever the umask is; before the bytes, and never wider than asked. */
    rc = fchmod(fd, mode);
    if (rc == 0)
        rc = write_all(fd, bytes);
    if (rc == 0 && sync)
        rc = fsync(fd);
    if (close(fd) < 0)
        rc = -1;
    if (rc == 0)
        rc = rename(temp, path);
    if (rc == 0 && sync)
        rc = sync_folder_of(path);
    if (rc < 0) {
        rc = fail(e, "write", path);
        (void)unlink(temp);
    }
    return rc;
}
