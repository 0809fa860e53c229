/*
 * job_os: what a worker asks of the system directly: folders and small files, programs in PATH, priorities, and making
 * itself hard to look into. All temporary files lie under the two folders of struct job, so the root may be read-only.
 */
#include "controllers/job/job.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/loop/env_uv.h"

enum { IOPRIO_CLASS_SHIFT = 13, IOPRIO_WHO_PROCESS = 1 };

const char *const *job_environment(struct job *j)
{
    static const char *env[8];
    static char home[512], tmp[512], path[1024];
    const char *p = getenv("PATH");

    (void)snprintf(path, sizeof(path), "PATH=%s", p ? p : "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
    (void)snprintf(home, sizeof(home), "HOME=%s", j->scratch_dir);
    (void)snprintf(tmp, sizeof(tmp), "TMPDIR=%s", j->scratch_dir);
    env[0] = path;
    env[1] = home;
    env[2] = tmp;
    env[3] = "LC_ALL=C.UTF-8";
    env[4] = "TZ=UTC";
    env[5] = NULL;
    return env;
}

static bool in_path(const char *name)
{
    struct str rest = str_of(getenv("PATH")), folder;

    while (str_cut(&rest, ':', &folder)) {
        AUTO_FREE char *file = mem_printf("%.*s/%s", (int)folder.n, folder.n ? folder.p : ".", name);

        if (access(file, X_OK) == 0)
            return true;
    }
    return false;
}

const char *job_find_program(const char *const *names)
{
    for (; *names; names++)
        if (in_path(*names))
            return *names;
    return NULL;
}

int job_write_credential(struct job *j, const char *name, struct str bytes, char **ret_path, struct error *e)
{
    char *path = mem_printf("%s/%s", j->credential_dir, name);
    int rc = env_uv_write_file(path, bytes, 0600, false, e);

    if (rc == 0) {
        *ret_path = path;
        return 0;
    }
    mem_free(path);
    return rc;
}

int job_make_dir(const char *path, unsigned mode, struct error *e)
{
    AUTO_FREE char *part = mem_strdup(path);

    for (char *slash = part; slash;) {
        slash = strchr(slash + 1, '/');
        if (slash)
            *slash = 0;
        if (*part && mkdir(part, mode) < 0 && errno != EEXIST)
            return error_set(e, errno == EACCES || errno == EROFS ? ERR_DENIED : ERR_INVALID, "make folder %s: %s",
                             part, strerror(errno));
        if (slash)
            *slash = '/';
    }
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    (void)remove(path); /* best effort: what stays is in an emptyDir */
    return 0;
}

void job_remove(const char *path)
{
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int number_of(const char *name, long low, long high, long *ret, struct error *e)
{
    const char *text = getenv(name);
    int64_t n;

    *ret = -1000;
    if (!text || !*text)
        return 0;
    if (str_to_i64(str_of(text), &n) < 0 || n < low || n > high)
        return error_set(e, ERR_INVALID, "%s=%s: expected a number from %ld to %ld", name, text, low, high);
    *ret = (long)n;
    return 0;
}

int job_set_priority(struct job *j, struct error *e)
{
    long nice_by, class, data;
    int rc;

    if ((rc = number_of("NICE_ADJUSTMENT", -20, 19, &nice_by, e)) < 0 ||
        (rc = number_of("IONICE_CLASS", 0, 3, &class, e)) < 0 ||
        (rc = number_of("IONICE_CLASS_DATA", 0, 7, &data, e)) < 0)
        return rc;
    if (nice_by > -1000 && setpriority(PRIO_PROCESS, 0, (int)nice_by) < 0)
        log_warn(&j->log, "CPU priority was refused", F_INT("nice", nice_by), F_STR("error", strerror(errno)));
    if (class <= -1000 && data <= -1000)
        return 0;
    if (class <= -1000)
        class = 2; /* best effort: the only class with levels that needs no right */
    if (data <= -1000)
        data = 4;
    /* Our process now, its children by inheritance; process 0 is the caller. */
    if (syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, (int)(class << IOPRIO_CLASS_SHIFT | data)) < 0)
        log_warn(&j->log, "I/O priority was refused", F_INT("class", class), F_STR("error", strerror(errno)));
    return 0;
}

void job_harden(void)
{
    struct rlimit none = {0, 0};

    /* Neither can fail for a process that only gives rights away. */
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
