/*
 * datadir_move: see datadir_parts.h. In place, in the stage and in kept a directory of the guard's name may stand for a
 * file that is elsewhere: files alone are data. Nothing is moved over anything: a server that does not come up for the
 * folder leaves files of its own, and a name that is there twice is for a person to decide.
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

enum { PASSES = 3 };

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
    return strcmp(name, "lost+found") == 0 || strcmp(name, ".stash-restore") == 0;
}

/* 1: *ret is the next name, 0: there is no more. What an error hides would be taken for moved, and be lost. */
static int next_name(DIR *dir, const char *path, const char **ret, struct error *e)
{
    struct dirent *entry;

    do {
        errno = 0;
        entry = readdir(dir);
    } while (entry && is_dots(entry->d_name));
    if (!entry && errno)
        return datadir_os_error("read folder", path, e);
    *ret = entry ? entry->d_name : NULL;
    return entry != NULL;
}

/* The first name in a folder that a move has to take; "" when there is none. */
static int find_left(const struct datadir *d, const char *folder, bool (*stays)(const struct datadir *, const char *,
                     const char *), char out[256], struct error *e)
{
    DIR *dir = opendir(folder);
    const char *name;
    int rc = dir ? 1 : datadir_os_error("open", folder, e);

    *out = 0;
    while (rc > 0 && !*out && (rc = next_name(dir, folder, &name, e)) > 0)
        if (!stays(d, folder, name))
            (void)snprintf(out, 256, "%s", name);
    if (dir)
        (void)closedir(dir);
    return rc < 0 ? rc : 0;
}

static bool is_no_data(const struct datadir *d, const char *folder, const char *name)
{
    (void)d;
    (void)folder;
    return is_ours(name);
}

/* The guard goes by itself. A backup may have the name of a mount's lost+found. */
static bool no_move_takes(const struct datadir *d, const char *folder, const char *name)
{
    return strcmp(name, d->guard) == 0 || is_ours(name) || (folder == d->path && strcmp(name, DATADIR_KEPT) == 0);
}

int datadir_find_foreign(const struct datadir *d, char out[256], struct error *e)
{
    return find_left(d, d->path, is_no_data, out, e);
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
    const char *name;
    int rc = dir ? 1 : datadir_os_error("open", d->path, e);

    while (rc > 0 && (rc = next_name(dir, d->path, &name, e)) > 0) {
        AUTO_FREE char *path = mem_printf("%s/%s", d->path, name);

        if (!is_ours(name) && is_locked(path))
            rc = error_set(e, ERR_CONFLICT, "a database server is running on %s (it holds %s): stop it first", d->path,
                           name);
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

bool datadir_all_in_place(const struct datadir *d)
{
    AUTO_FREE char *from = mem_printf("%s/%s", d->stage, d->guard);

    return datadir_guard_is_file(d) && !is_file(from); /* a server's own, while ours is in the stage */
}

/* ---- moving ---- */

/* A name is in place and in another folder of ours; what is in place came later. */
static int refuse_twice(const struct datadir *d, const char *name, const char *other, struct error *e)
{
    return error_set(e, ERR_CONFLICT,
                     "%s/%s is there twice, as %s/%s too: a server made it during the restore; stop the server, remove "
                     "%s/%s and start the restore again", d->path, name, other, name, d->path, name);
}

static int make_folder(const char *path, struct error *e)
{
    struct stat st;

    if (mkdir(path, 0700) == 0 || (errno == EEXIST && lstat(path, &st) == 0 && S_ISDIR(st.st_mode)))
        return 0;
    return datadir_os_error("make folder", path, e);
}

/* As rename, but never over what is there. */
static int rename_new(const char *from, const char *to)
{
    struct stat st;

    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP)
        return -1;
    if (lstat(to, &st) == 0) /* two calls then (NFS) */
        errno = EEXIST;
    return errno == ENOENT ? rename(from, to) : -1;
}

static int move_pass(const struct datadir *d, const char *from_dir, const char *to_dir, struct error *e)
{
    DIR *dir = opendir(from_dir);
    const char *name;
    int rc = dir ? 1 : datadir_os_error("open", from_dir, e);

    while (rc > 0 && (rc = next_name(dir, from_dir, &name, e)) > 0) {
        AUTO_FREE char *from = mem_printf("%s/%s", from_dir, name), *to = mem_printf("%s/%s", to_dir, name);

        if (no_move_takes(d, from_dir, name) || rename_new(from, to) == 0)
            continue;
        rc = errno == EEXIST && strcmp(name, DATADIR_KEPT) != 0
                 ? refuse_twice(d, name, from_dir == d->path ? to_dir : from_dir, e)
                 : datadir_os_error("move to", to, e);
    }
    if (dir)
        (void)closedir(dir);
    return rc;
}

/* Everything but the guard and what is ours. */
static int move_all(const struct datadir *d, const char *from_dir, const char *to_dir, struct error *e)
{
    char left[256] = "";
    int rc = 0;

    for (int i = 0; i < PASSES; i++) {
        if ((rc = move_pass(d, from_dir, to_dir, e)) < 0 ||
            (rc = find_left(d, from_dir, no_move_takes, left, e)) < 0 || !*left)
            return rc;
    }
    return error_set(e, ERR_CONFLICT, "%s/%s is there again and again after all was moved: is a server running there?",
                     from_dir, left);
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

    if (rc == 0 && is_file(in_place) && is_file(aside))
        return refuse_twice(d, d->guard, d->kept, e);
    if (rc == 0 && is_file(in_place))
        if ((rc = make_folder(aside, e)) == 0)
            rc = swap(in_place, aside, e);
    if (rc == 0)
        rc = make_folder(in_place, e); /* there is none when there was no such file */
    if (rc < 0 || (rc = datadir_sync_folder(d->path, e)) < 0 || (rc = move_all(d, d->path, d->kept, e)) < 0)
        return rc;
    return datadir_sync_folder(d->kept, e);
}

/* A backup of a server that had a kept folder carries its name, as of a database without tables. */
static void drop_trace(const struct datadir *d)
{
    AUTO_FREE char *folder = mem_printf("%s/" DATADIR_KEPT, d->stage), *options = mem_printf("%s/db.opt", folder);

    (void)unlink(options);
    (void)rmdir(folder);
}

int datadir_move_in(const struct datadir *d, struct error *e)
{
    AUTO_FREE char *from = mem_printf("%s/%s", d->stage, d->guard), *to = mem_printf("%s/%s", d->path, d->guard);
    int rc;

    if (datadir_all_in_place(d))
        return 0;
    if (is_file(to))
        return refuse_twice(d, d->guard, d->stage, e);
    if (!is_file(from))
        return error_set(e, ERR_INVALID, "the prepared system tablespace %s is gone", from);
    drop_trace(d);
    if ((rc = make_folder(to, e)) < 0 || (rc = datadir_sync_folder(d->path, e)) < 0 ||
        (rc = move_all(d, d->stage, d->path, e)) < 0 || (rc = datadir_sync_folder(d->path, e)) < 0 ||
        (rc = swap(from, to, e)) < 0)
        return rc;
    return datadir_sync_folder(d->path, e);
}

/* ---- back ---- */

int datadir_remove_moved(const struct datadir *d, struct error *e)
{
    DIR *dir = opendir(d->path);
    char left[256];
    const char *name;
    int rc = dir ? 1 : datadir_os_error("open", d->path, e);

    if (datadir_guard_is_file(d))
        rc = refuse_twice(d, d->guard, d->stage, e); /* then the rest is a server's too */
    while (rc > 0 && (rc = next_name(dir, d->path, &name, e)) > 0)
        if (!no_move_takes(d, d->path, name)) {
            AUTO_FREE char *path = mem_printf("%s/%s", d->path, name);

            job_remove(path);
            if (remove(path) < 0 && errno != ENOENT)
                rc = datadir_os_error("remove", path, e);
        }
    if (dir)
        (void)closedir(dir);
    if (rc < 0 || (rc = find_left(d, d->path, no_move_takes, left, e)) < 0)
        return rc;
    return *left ? error_set(e, ERR_CONFLICT, "%s/%s came after all of the restore was removed", d->path, left) : 0;
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
        if (rc == 0 && is_file(aside) && is_file(in_place))
            return refuse_twice(d, d->guard, d->kept, e);
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
