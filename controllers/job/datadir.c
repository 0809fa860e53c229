/*
 * datadir: see datadir.h. The phases of an attempt, each written before what it names begins:
 *
 *     extracting   the stage is filled and prepared; killed here, the attempt begins anew
 *     ready        the stage is whole and on disk
 *     keeping      what is in place moves to kept
 *     moving       what is in the stage moves into place; over when the system tablespace is a file there
 *     undoing      nothing of the restore is in place any more; what was kept comes back
 *     failed       the attempt's last word
 */
#include "controllers/job/datadir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controllers/job/datadir_parts.h"
#include "controllers/job/job.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"

enum { STATE_MAX = 64 * 1024 };

/* ---- the state file ---- */

static bool in_phase(const struct datadir *d, const char *phase)
{
    return strcmp(d->phase, phase) == 0;
}

static int enter(struct datadir *d, const char *phase, const char *why, struct error *e)
{
    AUTO_FREE char *path = mem_printf("%s/state", d->own), *text = NULL;
    json_t *o = json_pack("{s:s, s:s, s:s, s:s}", "attempt", d->attempt, "snapshot", d->snapshot, "phase", phase,
                          "guard", d->guard);
    int rc;

    if (why && json_object_set_new(o, "error", json_string(why)) < 0)
        json_object_set_new(o, "error", json_string("(no text)")); /* it was no UTF-8 */
    text = json_compact(o);
    json_decref(o);
    rc = env_uv_write_file(path, str_of(text), 0644, true, e);
    if (rc == 0)
        rc = datadir_sync_folder(d->own, e);
    if (rc < 0)
        return error_wrap(e, rc, "state of the restore");
    (void)snprintf(d->phase, sizeof(d->phase), "%s", phase);
    return 0;
}

/* One reference; NULL: none, or it was being written when the power went. */
static json_t *read_json(const char *folder, const char *name)
{
    AUTO_FREE char *path = mem_printf("%s/%s", folder, name);
    struct buf text;
    struct error e;
    json_t *o = NULL;

    buf_init(&text, STATE_MAX);
    if (env_uv_read_file(path, &text, &e) == 0)
        o = json_loadb(text.data, text.len, 0, NULL);
    buf_done(&text);
    return o;
}

char *datadir_snapshot(const char *path, const char *attempt)
{
    AUTO_FREE char *own = mem_printf("%s/.stash-restore", path);
    json_t *state = read_json(own, "state");
    const char *id = str_same(json_text(state, "attempt"), attempt) ? json_text(state, "snapshot") : "";
    char *copy = *id ? mem_strdup(id) : NULL;

    json_decref(state);
    return copy;
}

/* ---- beginning ---- */

static int take_lock(struct datadir *d, struct error *e)
{
    AUTO_FREE char *path = mem_printf("%s/lock", d->own);

    d->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (d->lock_fd < 0)
        return datadir_os_error("make", path, e);
    if (flock(d->lock_fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        return error_set(e, ERR_CONFLICT, "another restore is at work in %s", d->path);
    return 0; /* file systems without locks: the volume is mounted by one pod at a time */
}

/* A server may start on what is here, or finds nothing: what may stay, and may be kept aside? */
static int check_content(const struct datadir *d, struct error *e)
{
    AUTO_FREE char *top = mem_printf("%s/" DATADIR_KEPT, d->path);
    char foreign[256];
    int rc = datadir_find_foreign(d, foreign, e);

    if (rc < 0 || !*foreign)
        return rc;
    if (!d->keep)
        return error_set(e, ERR_INVALID,
                         "the data directory %s is not empty (it holds %s): a restore needs an empty one, or "
                         "--existing-data=keep", d->path, foreign);
    if (access(top, F_OK) == 0)
        return error_set(e, ERR_INVALID, "%s keeps the data of before an earlier restore: remove it first", top);
    return datadir_check_unused(d, e);
}

/* The state of whoever was here before, as our own. */
static void take_state(struct datadir *d, const json_t *state)
{
    (void)snprintf(d->phase, sizeof(d->phase), "%s", json_text(state, "phase"));
    (void)snprintf(d->guard, sizeof(d->guard), "%s", json_text(state, "guard"));
    if (strchr(d->guard, '/') || !*d->guard)
        d->guard[0] = d->phase[0] = 0;
}

/* What a move of another attempt left half done, or one of our own that cannot go on. */
static int undo_move(struct datadir *d, struct error *e)
{
    bool in = in_phase(d, "moving") && !datadir_all_in_place(d);
    int rc = 0;

    if (!in && !in_phase(d, "keeping") && !in_phase(d, "undoing"))
        return 0;
    if (in)
        rc = datadir_remove_moved(d, e);
    /* From here on what is in place was there before all restores, and is not to be removed. */
    if (rc == 0)
        rc = enter(d, "undoing", NULL, e);
    if (rc == 0)
        rc = datadir_take_back(d, e);
    return rc < 0 ? error_wrap(e, rc, "what an interrupted restore left") : 0;
}

static bool is_marked(const struct datadir *d)
{
    json_t *mark = read_json(d->path, DATADIR_MARK);
    bool ours = str_same(json_text(mark, "attempt"), d->attempt);

    json_decref(mark);
    return ours;
}

static int recover(struct datadir *d, enum datadir_progress *ret, struct error *e)
{
    json_t *state = read_json(d->own, "state");
    bool ours = str_same(json_text(state, "attempt"), d->attempt), moves;
    AUTO_FREE char *snapshot = NULL;
    int rc;

    take_state(d, state);
    snapshot = mem_strdup(json_text(state, "snapshot"));
    json_decref(state);
    moves = in_phase(d, "keeping") || in_phase(d, "moving");
    if ((ours || !*d->phase) &&
        (moves || in_phase(d, "undoing") ? in_phase(d, "moving") && datadir_all_in_place(d) : is_marked(d)))
        *ret = DATADIR_COMPLETE;
    else if (ours && (moves || in_phase(d, "ready")))
        *ret = DATADIR_READY;
    if (*ret == DATADIR_READY) {
        mem_free(d->snapshot);
        d->snapshot = snapshot;
        snapshot = NULL;
    }
    if (*ret == DATADIR_COMPLETE || (*ret == DATADIR_READY && moves))
        return 0;
    if ((rc = undo_move(d, e)) < 0)
        return rc;
    rc = check_content(d, e); /* again for a stage that is ready: much may have happened since */
    if (rc == 0 && *ret == DATADIR_EMPTY)
        job_remove(d->stage);
    return rc;
}

static int make_own(struct datadir *d, struct error *e)
{
    if (mkdir(d->own, 0700) < 0 && errno != EEXIST)
        return datadir_os_error("make folder", d->own, e);
    return take_lock(d, e);
}

static int check_folder(struct datadir *d, struct error *e)
{
    struct stat st;

    if (stat(d->path, &st) < 0 || !S_ISDIR(st.st_mode))
        return error_set(e, ERR_INVALID, "there is no data directory %s: no volume is mounted there", d->path);
    if (lstat(d->own, &st) == 0)
        return S_ISDIR(st.st_mode) ? 0 : error_set(e, ERR_INVALID, "%s is no folder", d->own);
    return is_marked(d) ? 0 : check_content(d, e); /* what is not ours is not even written to */
}

static int begin(struct datadir *d, struct error *e)
{
    int rc;

    d->guard[0] = 0;
    d->begun = true;
    if ((rc = enter(d, "extracting", NULL, e)) < 0)
        return rc;
    return mkdir(d->stage, 0750) < 0 ? datadir_os_error("make folder", d->stage, e) : 0;
}

int datadir_open(struct datadir *d, const struct datadir_options *o, enum datadir_progress *ret, struct error *e)
{
    int rc;

    *ret = DATADIR_EMPTY;
    *d = (struct datadir){.lock_fd = -1};
    d->path = mem_strdup(o->path);
    d->own = mem_printf("%s/.stash-restore", o->path);
    d->stage = mem_printf("%s/data", d->own);
    d->kept = mem_printf("%s/" DATADIR_KEPT "/data", o->path);
    d->attempt = mem_strdup(o->attempt);
    d->snapshot = mem_strdup(o->snapshot ? o->snapshot : "");
    d->keep = o->keep;
    if ((rc = check_folder(d, e)) < 0 || (rc = make_own(d, e)) < 0 || (rc = recover(d, ret, e)) < 0)
        return rc;
    d->has_kept = access(d->kept, F_OK) == 0;
    if (*ret == DATADIR_EMPTY)
        return begin(d, e);
    d->begun = *ret == DATADIR_READY;
    if (*ret == DATADIR_COMPLETE)
        job_remove(d->own);
    return 0;
}

/* ---- the end ---- */

static int sync_volume(const struct datadir *d, struct error *e)
{
    return syncfs(d->lock_fd) < 0 ? datadir_os_error("sync", d->path, e) : 0;
}

static int write_mark(const struct datadir *d, struct error *e)
{
    AUTO_FREE char *path = mem_printf("%s/%s", d->stage, DATADIR_MARK), *text = NULL;
    json_t *o = json_pack("{s:s, s:s}", "attempt", d->attempt, "snapshot", d->snapshot);
    struct stat st;
    int rc;

    text = json_compact(o);
    json_decref(o);
    rc = env_uv_write_file(path, str_of(text), 0640, false, e);
    /* As the other files: whoever runs the server can remove it. */
    if (rc == 0 && geteuid() == 0 && stat(d->stage, &st) == 0 && chown(path, st.st_uid, st.st_gid) < 0)
        rc = datadir_os_error("change the owner of", path, e);
    return rc;
}

int datadir_ready(struct datadir *d, const char *guard, struct error *e)
{
    AUTO_FREE char *from = mem_printf("%s/%s", d->stage, guard);
    struct stat st;
    int rc;

    if (lstat(from, &st) < 0 || !S_ISREG(st.st_mode))
        return error_set(e, ERR_INVALID, "the backup has no system tablespace %s", guard);
    (void)snprintf(d->guard, sizeof(d->guard), "%s", guard);
    if ((rc = write_mark(d, e)) < 0 || (rc = sync_volume(d, e)) < 0)
        return rc;
    return enter(d, "ready", NULL, e);
}

/* The volume was looked at hours ago, and a server may have started on it since: looked at again just before the move,
 * and as long as what a server opens is in its place. */
static int keep_aside(struct datadir *d, struct error *e)
{
    char foreign[256];
    int rc = datadir_find_foreign(d, foreign, e);

    if (rc < 0 || in_phase(d, "moving") || (in_phase(d, "ready") && !*foreign))
        return rc;
    if (in_phase(d, "ready") && ((rc = check_content(d, e)) < 0 || (rc = enter(d, "keeping", NULL, e)) < 0))
        return rc;
    if (datadir_guard_is_file(d) && (rc = datadir_check_unused(d, e)) < 0)
        return rc;
    d->has_kept = true;
    return datadir_move_out(d, e);
}

int datadir_commit(struct datadir *d, struct error *e)
{
    int rc = keep_aside(d, e);

    if (rc < 0 || (!in_phase(d, "moving") && (rc = enter(d, "moving", NULL, e)) < 0) ||
        (rc = datadir_move_in(d, e)) < 0)
        return rc;
    d->begun = false;
    job_remove(d->own);
    return sync_volume(d, e);
}

void datadir_abandon(struct datadir *d, const char *why)
{
    struct error e;

    if (!d->begun)
        return; /* it never was ours */
    if (undo_move(d, &e) < 0)
        return; /* the state stays: another attempt tries again */
    d->has_kept = false;
    job_remove(d->stage);
    (void)enter(d, "failed", why, &e); /* the output says it too */
}

void datadir_done(struct datadir *d)
{
    if (d->lock_fd >= 0)
        (void)close(d->lock_fd);
    mem_free(d->path);
    mem_free(d->own);
    mem_free(d->stage);
    mem_free(d->kept);
    mem_free(d->attempt);
    mem_free(d->snapshot);
    *d = (struct datadir){.lock_fd = -1};
}
