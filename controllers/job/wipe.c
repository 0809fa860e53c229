/*
 * wipe: see wipe.h. Nothing is touched where there is no restic repository. Snapshots are listed again until none is
 * left, so that one made by a backup that ended meanwhile goes too; the prune comes last, and always: an attempt that
 * was killed may have forgotten all snapshots and freed nothing.
 */
#include "controllers/job/wipe.h"

#include "controllers/job/repo_job.h"

enum { IDS_MAX = 500, ROUNDS_MAX = 1000 };

/* ---- taking it away ---- */

static int forget(struct repo_job *w, const struct restic_snapshots *list, struct error *e)
{
    struct restic_command c;
    int rc;

    restic_begin(&c, &w->repo.backend, "forget");
    restic_add_retry_lock(&c, w->repo.version, w->repo.retry_lock_s);
    for (size_t i = 0; i < list->n && i < IDS_MAX; i++)
        restic_add(&c, list->items[i].id);
    rc = repo_run_waiting(&w->repo, &c, true, REPO_LOCK_WAIT_S, NULL, e);
    restic_done(&c);
    return rc;
}

static int forget_all(struct repo_job *w, struct error *e)
{
    for (int round = 0; round < ROUNDS_MAX; round++) {
        struct restic_snapshots list;
        size_t n;
        int rc = repo_snapshots(&w->repo, NULL, NULL, false, &list, e);

        if (rc < 0)
            return rc;
        n = list.n;
        if (n)
            rc = forget(w, &list, e);
        restic_snapshots_done(&list);
        if (rc < 0 || !n)
            return rc;
        log_info(&w->job->log, "snapshots are forgotten", F_INT("left", n > IDS_MAX ? n - IDS_MAX : 0));
    }
    return error_set(e, ERR_INVALID, "there are always more snapshots: is somebody making backups there?");
}

static int wipe(struct repo_job *w, struct error *e)
{
    bool at_root = !*w->location.prefix && !str_same(w->location.provider, "local");
    int rc;

    /* At the root of a bucket only a repository that is there is taken for ours. */
    if (!w->is_there && at_root)
        return error_set(e, ERR_INVALID, "there is no restic repository at the root of %s: nothing is deleted there",
                         w->location.bucket);
    if (!w->is_there)
        return 0;
    if ((rc = repo_wait_unlocked(&w->repo, true, REPO_LOCK_WAIT_S, e)) < 0 ||
        (rc = forget_all(w, e)) < 0)
        return rc;
    return repo_job_prune(w, e);
}

int wipe_main(struct job *j, int argc, const char *const *argv, const char *const *envp)
{
    static const struct repo_job_program program = {
        .name = "stash-job wipe-repository",
        .about = "Deletes all data of a restic repository. The storage Secret is mounted at STASH_STORAGE_SECRET_DIR.",
        .done = "the repository holds no data any more",
        .work = wipe,
    };

    return repo_job_main(j, &program, argc, argv, envp);
}
