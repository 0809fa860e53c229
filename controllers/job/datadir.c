/* datadir: see datadir.h. */
#include "controllers/job/datadir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "controllers/job/job.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"

static const char own_name[] = ".stash-restore";

enum { DEFAULT_ID = 1001, STATE_MAX = 64 * 1024 };

static int os_error(const char *what, const char *path, struct error *e)
{
    int code = errno;

    return error_set(e, code == EACCES || code == EPERM || code == EROFS ? ERR_DENIED : ERR_INVALID, "%s %s: %s", what,
                     path, strerror(code));
}

/* ---- what lies there ---- */

static bool is_ours(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "lost+found") == 0 ||
           strcmp(name, own_name) == 0;
}

/* A name that is not ours; "" when there is none. */
static int find_foreign(const struct datadir *d, char out[256], struct error *e)
{
    DIR *dir = opendir(d->path);
    struct dirent *entry;

    *out = 0;
    if (!dir)
        return os_error("open", d->path, e);
    while (!*out && (entry = readdir(dir)))
        if (!is_ours(entry->d_name))
            (void)snprintf(out, 256, "%s", entry->d_name);
    (void)closedir(dir);
    return 0;
}

static int check_empty(const struct datadir *d, struct error *e)
{
    char foreign[256];
    int rc = find_foreign(d, foreign, e);

    if (rc == 0 && *foreign)
        rc = error_set(e, ERR_INVALID, "the data directory %s is not empty (it holds %s): a restore needs an empty one",
                       d->path, foreign);
    return rc;
}

/* Everything but ours: only after the state file says that all of it came from a restore. */
static void remove_moved(const struct datadir *d)
{
    DIR *dir = opendir(d->path);
    struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        if (!is_ours(entry->d_name)) {
            AUTO_FREE char *path = mem_printf("%s/%s", d->path, entry->d_name);

            job_remove(path);
        }
    if (dir)
        (void)closedir(dir);
}

/* ---- the state file ---- */

static int write_state(const struct datadir *d, const char *phase, const char *why, struct error *e)
{
    AUTO_FREE char *path = mem_printf("%s/state", d->own), *text = NULL;
    json_t *o = json_pack("{s:s, s:s, s:s}", "attempt", d->attempt, "phase", phase, "guard", d->guard);
    int rc;

    if (why && json_object_set_new(o, "error", json_string(why)) < 0)
        json_object_set_new(o, "error", json_string("(no text)")); /* it was no UTF-8 */
    text = json_compact(o);
    json_decref(o);
    rc = env_uv_write_file(path, str_of(text), 0644, true, e);
    return rc < 0 ? error_wrap(e, rc, "state of the restore") : 0;
}

/* One reference; NULL: none, or it was being written when the power went. */
static json_t *read_state(const struct datadir *d)
{
    AUTO_FREE char *path = mem_printf("%s/state", d->own);
    struct buf text;
    struct error e;
    json_t *o = NULL;

    buf_init(&text, STATE_MAX);
    if (env_uv_read_file(path, &text, &e) == 0)
        o = json_loadb(text.data, text.len, 0, NULL);
    buf_done(&text);
    return o;
}

/* ---- beginning ---- */

static int take_lock(struct datadir *d, struct error *e)
{
    AUTO_FREE char *path = mem_printf("%s/lock", d->own);

    d->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (d->lock_fd < 0)
        return os_error("make", path, e);
    if (flock(d->lock_fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        return error_set(e, ERR_CONFLICT, "another restore is at work in %s", d->path);
    return 0; /* file systems without locks: the volume is mounted by one pod at a time */
}

static bool has_guard_folder(const struct datadir *d, bool *ret_file)
{
    AUTO_FREE char *path = mem_printf("%s/%s", d->path, d->guard);
    struct stat st;
    bool there = *d->guard && lstat(path, &st) == 0;

    *ret_file = there && S_ISREG(st.st_mode);
    return there && S_ISDIR(st.st_mode);
}

/* An attempt that ended while it moved files. */
static int recover_moving(struct datadir *d, const json_t *state, bool *ret_complete, struct error *e)
{
    bool file;

    (void)snprintf(d->guard, sizeof(d->guard), "%s", json_text(state, "guard"));
    if (strchr(d->guard, '/'))
        d->guard[0] = 0;
    if (!str_same(json_text(state, "attempt"), d->attempt))
        return error_set(e, ERR_INVALID, "%s holds the half of another restore (%s): remove its content, or the claim",
                         d->path, json_text(state, "attempt"));
    if (!has_guard_folder(d, &file) && file) {
        *ret_complete = true; /* the swap was done: only our folder is left */
        return 0;
    }
    remove_moved(d);
    return 0;
}

static int recover(struct datadir *d, bool *ret_complete, struct error *e)
{
    json_t *state = read_state(d);
    bool moving = str_same(json_text(state, "phase"), "moving");
    int rc = moving ? recover_moving(d, state, ret_complete, e) : 0;

    json_decref(state);
    if (rc < 0 || *ret_complete || (rc = check_empty(d, e)) < 0)
        return rc;
    job_remove(d->stage);
    return 0;
}

static int make_own(struct datadir *d, struct error *e)
{
    if (mkdir(d->own, 0700) < 0 && errno != EEXIST)
        return os_error("make folder", d->own, e);
    return take_lock(d, e);
}

static int check_folder(struct datadir *d, struct error *e)
{
    struct stat st;

    if (stat(d->path, &st) < 0 || !S_ISDIR(st.st_mode))
        return error_set(e, ERR_INVALID, "there is no data directory %s: no volume is mounted there", d->path);
    if (lstat(d->own, &st) == 0)
        return S_ISDIR(st.st_mode) ? 0 : error_set(e, ERR_INVALID, "%s is no folder", d->own);
    return check_empty(d, e);
}

int datadir_open(struct datadir *d, const char *path, const char *attempt, bool *ret_complete, struct error *e)
{
    int rc;

    *ret_complete = false;
    *d = (struct datadir){.lock_fd = -1};
    d->path = mem_strdup(path);
    d->own = mem_printf("%s/%s", path, own_name);
    d->stage = mem_printf("%s/data", d->own);
    d->attempt = mem_strdup(attempt);
    if ((rc = check_folder(d, e)) < 0 || (rc = make_own(d, e)) < 0 || (rc = recover(d, ret_complete, e)) < 0)
        return rc;
    if (*ret_complete) {
        job_remove(d->own);
        return 0;
    }
    d->guard[0] = 0;
    d->begun = true;
    if ((rc = write_state(d, "extracting", NULL, e)) < 0)
        return rc;
    if (mkdir(d->stage, 0750) < 0)
        return os_error("make folder", d->stage, e);
    return 0;
}

/* ---- the end ---- */

static int sync_folder(const char *path, struct error *e)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 || fsync(fd) < 0 ? os_error("sync", path, e) : 0;

    if (fd >= 0)
        (void)close(fd);
    return rc;
}

static int sync_volume(const struct datadir *d, struct error *e)
{
    return syncfs(d->lock_fd) < 0 ? os_error("sync", d->path, e) : 0;
}

static int move_entries(const struct datadir *d, struct error *e)
{
    DIR *dir = opendir(d->stage);
    struct dirent *entry;
    int rc = dir ? 0 : os_error("open", d->stage, e);

    while (rc == 0 && (entry = readdir(dir))) {
        AUTO_FREE char *from = mem_printf("%s/%s", d->stage, entry->d_name);
        AUTO_FREE char *to = mem_printf("%s/%s", d->path, entry->d_name);

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 || strcmp(entry->d_name, d->guard) == 0)
            continue;
        if (rename(from, to) < 0)
            rc = os_error("move to", to, e);
    }
    if (dir)
        (void)closedir(dir);
    return rc;
}

static int swap_guard(const char *from, const char *to, struct error *e)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP)
        return os_error("move to", to, e);
    /* Two calls then (NFS); everything else is there, and the window has no server in it. */
    if (rmdir(to) < 0 || rename(from, to) < 0)
        return os_error("move to", to, e);
    return 0;
}

int datadir_commit(struct datadir *d, const char *guard, struct error *e)
{
    AUTO_FREE char *from = mem_printf("%s/%s", d->stage, guard), *to = mem_printf("%s/%s", d->path, guard);
    struct stat st;
    int rc;

    if (lstat(from, &st) < 0 || !S_ISREG(st.st_mode))
        return error_set(e, ERR_INVALID, "the backup has no system tablespace %s", guard);
    (void)snprintf(d->guard, sizeof(d->guard), "%s", guard);
    if ((rc = sync_volume(d, e)) < 0 || (rc = write_state(d, "moving", NULL, e)) < 0)
        return rc;
    d->moving = true;
    if (mkdir(to, 0700) < 0)
        return os_error("make folder", to, e);
    if ((rc = sync_folder(d->path, e)) < 0 || (rc = move_entries(d, e)) < 0 || (rc = sync_folder(d->path, e)) < 0 ||
        (rc = swap_guard(from, to, e)) < 0 || (rc = sync_folder(d->path, e)) < 0)
        return rc;
    d->moving = false;
    d->begun = false;
    job_remove(d->own);
    return sync_volume(d, e);
}

void datadir_abandon(struct datadir *d, const char *why)
{
    struct error e;

    if (!d->begun)
        return; /* it never was ours */
    if (d->moving)
        remove_moved(d);
    d->moving = false;
    job_remove(d->stage);
    (void)write_state(d, "failed", why, &e); /* the output says it too */
}

void datadir_done(struct datadir *d)
{
    if (d->lock_fd >= 0)
        (void)close(d->lock_fd);
    mem_free(d->path);
    mem_free(d->own);
    mem_free(d->stage);
    mem_free(d->attempt);
    *d = (struct datadir){.lock_fd = -1};
}

/* ---- owners, space, mounts ---- */

void datadir_owner(const struct datadir *d, int64_t uid, int64_t gid, uid_t *ret_uid, gid_t *ret_gid)
{
    struct stat st;
    bool known = stat(d->path, &st) == 0 && st.st_uid != 0;

    *ret_uid = geteuid() != 0 ? geteuid() : known ? st.st_uid : DEFAULT_ID;
    *ret_gid = geteuid() != 0 ? getegid() : known ? st.st_gid : DEFAULT_ID;
    if (uid >= 0)
        *ret_uid = (uid_t)uid;
    if (gid >= 0)
        *ret_gid = (gid_t)gid;
}

static struct {
    uid_t uid;
    gid_t gid;
    int failed; /* errno */
    char path[256];
} owner; /* nftw has no argument of ours */

static int give_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)type;
    (void)ftw;
    if (st->st_uid == owner.uid && st->st_gid == owner.gid)
        return 0;
    if (lchown(path, owner.uid, owner.gid) == 0)
        return 0;
    owner.failed = errno;
    (void)snprintf(owner.path, sizeof(owner.path), "%s", path);
    return 1;
}

int datadir_chown(const struct datadir *d, uid_t uid, gid_t gid, struct error *e)
{
    struct stat st;

    owner.uid = uid;
    owner.gid = gid;
    owner.failed = 0;
    if (nftw(d->stage, give_one, 16, FTW_PHYS) != 0) {
        errno = owner.failed ? owner.failed : EIO;
        return os_error("change the owner of", owner.failed ? owner.path : d->stage, e);
    }
    /* A server that is not root must be able to write there; a folder that has an owner keeps it. */
    if (geteuid() == 0 && stat(d->path, &st) == 0 && st.st_uid == 0 && chown(d->path, uid, gid) < 0)
        return os_error("change the owner of", d->path, e);
    return 0;
}

uint64_t datadir_free_bytes(const struct datadir *d)
{
    struct statvfs v;

    return statvfs(d->path, &v) == 0 ? (uint64_t)v.f_bavail * v.f_frsize : UINT64_MAX;
}

bool datadir_is_mount(const char *path)
{
    FILE *f = fopen("/proc/self/mountinfo", "re");
    char line[8192], point[4096];
    bool found = false;

    if (!f)
        return true; /* cannot be told: do not stand in the way */
    while (!found && fgets(line, sizeof(line), f))
        found = sscanf(line, "%*d %*d %*s %*s %4095s", point) == 1 && strcmp(point, path) == 0;
    (void)fclose(f);
    return found;
}
