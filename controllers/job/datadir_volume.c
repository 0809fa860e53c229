/* datadir_volume: owners, space and mounts: see datadir.h. */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "controllers/job/datadir_parts.h"

enum { DEFAULT_ID = 1001 };

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
        return datadir_os_error("change the owner of", owner.failed ? owner.path : d->stage, e);
    }
    /* A server that is not root must be able to write there; a folder that has an owner keeps it. */
    if (geteuid() == 0 && stat(d->path, &st) == 0 && st.st_uid == 0 && chown(d->path, uid, gid) < 0)
        return datadir_os_error("change the owner of", d->path, e);
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
