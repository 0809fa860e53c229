/*
 * datadir_move: see datadir_parts.h. In place, in the stage and in kept a directory of the guard's name may stand for a
 * file that is elsewhere: files alone are data.
 */
#include "controllers/job/datadir_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controllers/job/job.h"
#include "core/base/mem.h"

int datadir_os_error(const char *what, const char *path, struct error *e)
{
    int code = errno;

    return error_set(e, code == EACCES || code == EPERM || code == EROFS ? ERR_DENIED : ERR_INVALID, "%s %s: %s", what,
                     path, strerror(code));
}

int datadir_sync_folder(const char *path, struct error *e)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 || fsync(fd) < 0 ? datadir_os_error("sync", path, e) : 0;

    if (fd >= 0)
        (void)close(fd);
    return rc;
}

/* ---- what lies there ---- */

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static bool is_ours(const char *name)
{
    return is_dots(name) || strcmp(name, "lost+found") == 0 || strcmp(name, ".stash-restore") == 0;
}

int datadir_find_foreign(const struct datadir *d, char out[256], struct error *e)
{
    DIR *dir = opendir(d->path);
    struct dirent *entry;

    *out = 0;
    if (!dir)
        return datadir_os_error("open", d->path, e);
    while (!*out && (entry = readdir(dir)))
        if (!is_ours(entry->d_name))
            (void)snprintf(out, 256, "%s", entry->d_name);
    (void)closedir(dir);
    return 0;
}

/* InnoDB and Aria lock their files by fcntl as long as they run. */
static bool is_locked(const char *path)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool locked = fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;

    if (fd >= 0)
        (void)close(fd);
    return locked;
}

int datadir_check_unused(const struct datadir *d, struct error *e)
{
    DIR *dir = opendir(d->path);
    struct dirent *entry;
    int rc = dir ? 0 : datadir_os_error("open", d->path, e);

    while (rc == 0 && (entry = readdir(dir))) {
        AUTO_FREE char *path = mem_printf("%s/%s", d->path, entry->d_name);

        if (!is_ours(entry->d_name) && is_locked(path))
            rc = error_set(e, ERR_CONFLICT, "a database server is running on %s (it holds %s): stop it first", d->path,
                           entry->d_name);
    }
    if (dir)
        (void)closedir(dir);
    return rc;
}

static bool is_file(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISREG(st.st_mode);
}

bool datadir_guard_is_file(const struct datadir *d)
{
    AUTO_FREE char *path = mem_printf("%s/%s", d->path, d->guard);

    return *d->guard && is_file(path);
}

/* ---- moving ---- */

static int make_folder(const char *path, struct error *e)
{
    return mkdir(path, 0700) < 0 && errno != EEXIST ? datadir_os_error("make folder", path, e) : 0;
}

/* Everything but the guard, and but what is ours in place. */
static int move_all(const struct datadir *d, const char *from_dir, const char *to_dir, struct error *e)
{
    DIR *dir = opendir(from_dir);
    struct dirent *entry;
    int rc = dir ? 0 : datadir_os_error("open", from_dir, e);

    while (rc == 0 && (entry = readdir(dir))) {
        AUTO_FREE char *from = mem_printf("%s/%s", from_dir, entry->d_name);
        AUTO_FREE char *to = mem_printf("%s/%s", to_dir, entry->d_name);
        bool stays = from_dir == d->path ? is_ours(entry->d_name) || strcmp(entry->d_name, DATADIR_KEPT) == 0
                                         : is_dots(entry->d_name);

        if (!stays && strcmp(entry->d_name, d->guard) != 0 && rename(from, to) < 0)
            rc = datadir_os_error("move to", to, e);
    }
    if (dir)
        (void)closedir(dir);
    return rc;
}

/* The file `from` takes the place of the folder `to`, which takes its own. */
static int swap(const char *from, const char *to, struct error *e)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP)
        return datadir_os_error("move to", to, e);
    /* Two calls then (NFS); everything else is there, and the window has no server in it. */
    if (rmdir(to) < 0 || rename(from, to) < 0)
        return datadir_os_error("move to", to, e);
    return 0;
}

/* Whoever runs the server must be able to remove it. */
static int make_kept(const struct datadir *d, struct error *e)
{
    AUTO_FREE char *top = mem_printf("%s/" DATADIR_KEPT, d->path);
    struct stat st;
    int rc = make_folder(top, e);

    if (rc == 0)
        rc = make_folder(d->kept, e);
    if (rc == 0 && geteuid() == 0 && stat(d->path, &st) == 0 &&
        (chown(top, st.st_uid, st.st_gid) < 0 || chown(d->kept, st.st_uid, st.st_gid) < 0))
        rc = datadir_os_error("change the owner of", top, e);
    return rc;
}

int datadir_move_out(const struct datadir *d, struct error *e)
{
    AUTO_FREE char *in_place = mem_printf("%s/%s", d->path, d->guard), *aside = mem_printf("%s/%s", d->kept, d->guard);
    int rc = make_kept(d, e);

    if (rc == 0 && is_file(in_place))
        if ((rc = make_folder(aside, e)) == 0)
            rc = swap(in_place, aside, e);
    if (rc == 0)
        rc = make_folder(in_place, e); /* there is none when there was no such file */
    if (rc < 0 || (rc = datadir_sync_folder(d->path, e)) < 0 || (rc = move_all(d, d->path, d->kept, e)) < 0)
        return rc;
    return datadir_sync_folder(d->kept, e);
}

int datadir_move_in(const struct datadir *d, struct error *e)
{
    AUTO_FREE char *from = mem_printf("%s/%s", d->stage, d->guard), *to = mem_printf("%s/%s", d->path, d->guard);
    int rc;

    if (is_file(to))
        return 0; /* all of it was done */
    if (!is_file(from))
        return error_set(e, ERR_INVALID, "the prepared system tablespace %s is gone", from);
    if ((rc = make_folder(to, e)) < 0 || (rc = datadir_sync_folder(d->path, e)) < 0 ||
        (rc = move_all(d, d->stage, d->path, e)) < 0 || (rc = datadir_sync_folder(d->path, e)) < 0 ||
        (rc = swap(from, to, e)) < 0)
        return rc;
    return datadir_sync_folder(d->path, e);
}

/* ---- back ---- */

void datadir_remove_moved(const struct datadir *d)
{
    DIR *dir = opendir(d->path);
    struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        if (!is_ours(entry->d_name) && strcmp(entry->d_name, DATADIR_KEPT) != 0 &&
            strcmp(entry->d_name, d->guard) != 0) {
            AUTO_FREE char *path = mem_printf("%s/%s", d->path, entry->d_name);

            job_remove(path);
        }
    if (dir)
        (void)closedir(dir);
}

int datadir_take_back(const struct datadir *d, struct error *e)
{
    AUTO_FREE char *in_place = mem_printf("%s/%s", d->path, d->guard), *aside = mem_printf("%s/%s", d->kept, d->guard);
    AUTO_FREE char *top = mem_printf("%s/" DATADIR_KEPT, d->path);
    int rc = 0;

    if (access(d->kept, F_OK) == 0) {
        rc = move_all(d, d->kept, d->path, e);
        if (rc == 0)
            rc = datadir_sync_folder(d->path, e);
        if (rc == 0 && is_file(aside) && (rc = make_folder(in_place, e)) == 0)
            rc = swap(aside, in_place, e);
        if (rc < 0)
            return rc;
        (void)rmdir(aside); /* the folder that stood there, if the call was one */
        (void)rmdir(d->kept);
    }
    (void)rmdir(top);
    (void)rmdir(in_place); /* nothing of a server is there: nothing has to be kept away */
    return datadir_sync_folder(d->path, e);
}
