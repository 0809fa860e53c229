/*
 * claim_folder: the lock of a folder on a volume while a repository is made in it. The kernel (or the server of the
 * volume) gives it back when its holder dies. The file goes with the lock, so whoever got hold of one that was removed
 * meanwhile tries again.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controllers/job/claim.h"
#include "core/base/mem.h"

enum { POLL_MS = 500 };

static char *path_of(const char *folder)
{
    return mem_printf("%s/stash-init.lock", folder);
}

static bool is_still_there(int fd, const char *path)
{
    struct stat own, now;

    return fstat(fd, &own) == 0 && stat(path, &now) == 0 && own.st_ino == now.st_ino && own.st_dev == now.st_dev;
}

/* -1: errno says why. */
static int open_locked(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644), why;

    if (fd < 0)
        return -1;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && is_still_there(fd, path))
        return fd;
    why = errno == EWOULDBLOCK ? EWOULDBLOCK : errno == ENOENT || errno == 0 ? EWOULDBLOCK : errno;
    (void)close(fd); /* nothing was written */
    errno = why;
    return -1;
}

int claim_lock_folder(struct job *j, const char *folder, uint64_t wait_s, int *ret_fd, struct error *e)
{
    AUTO_FREE char *path = path_of(folder);
    uint64_t end = env_now_ns(j->env) + wait_s * 1000000000u;
    int rc = job_make_dir(folder, 0755, e);

    *ret_fd = -1;
    while (rc == 0) {
        errno = 0;
        *ret_fd = open_locked(path);
        if (*ret_fd >= 0)
            return 0;
        if (errno != EWOULDBLOCK) {
            log_warn(&j->log, "files cannot be locked there", F_STR("folder", folder), F_STR("cause", strerror(errno)));
            return 0;
        }
        if (env_now_ns(j->env) >= end)
            return error_set(e, ERR_TIMEOUT, "somebody has made the repository in %s for more than %llu s", folder,
                             (unsigned long long)wait_s);
        rc = job_sleep(j, POLL_MS, e);
    }
    return rc;
}

void claim_unlock_folder(const char *folder, int fd)
{
    AUTO_FREE char *path = path_of(folder);

    if (fd < 0)
        return;
    (void)unlink(path); /* one that stays is locked by nobody */
    (void)close(fd);
}
