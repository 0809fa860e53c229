/* maintain: see maintain.h. */
#include "controllers/job/maintain.h"

#include <stdio.h>
#include <unistd.h>

#include "controllers/job/probe.h"
#include "controllers/job/repo_check.h"
#include "controllers/job/repo_job.h"

enum { LAST_WORDS_MAX = 3072 }; /* the kubelet takes 4 KiB */

static int prune(struct repo_job *w, struct error *e)
{
    return w->is_there ? repo_job_prune(w, e) : 0;
}

/* How big it is is told in the last words, which the operator reads (repository_verify.c). */
static int check(struct repo_job *w, struct error *e)
{
    struct error unknown;
    char text[40];
    int64_t bytes = 0;
    bool is_whole;
    int rc;

    if (!w->is_there)
        return error_set(e, ERR_INVALID, "there is no repository");
    if ((rc = repo_check_run(&w->repo, REPO_LOCK_WAIT_S, &is_whole, e)) < 0)
        return rc;
    w->is_damaged = !is_whole;
    if (w->is_damaged)
        return ERR_GONE;
    if ((rc = repo_check_size(&w->repo, 2, REPO_LOCK_WAIT_S, &bytes, &unknown)) < 0) {
        log_warn(&w->job->log, "how big it is is not known", F_ERR(&unknown));
        return rc == ERR_CANCELED ? rc : 0;
    }
    (void)snprintf(text, sizeof(text), "%lld bytes", (long long)bytes);
    probe_last_words(text);
    return 0;
}

static int unlock(struct repo_job *w, struct error *e)
{
    char host[256] = "";
    struct buf others;
    int rc;

    if (gethostname(host, sizeof(host) - 1) < 0)
        return error_set(e, ERR_BUG, "this host has no name");
    if (!w->is_there)
        return 0;
    buf_init(&others, LAST_WORDS_MAX);
    rc = repo_unlock_host(&w->repo, host, &others, e);
    if (rc == 0 && others.len)
        probe_last_words(others.data);
    buf_done(&others);
    return rc;
}

int maintain_prune_main(struct job *j, int argc, const char *const *argv, const char *const *envp)
{
    static const struct repo_job_program program = {
        .name = "stash-job prune-repository",
        .about = "Frees what no snapshot of a restic repository needs. The storage Secret is mounted at "
                 "STASH_STORAGE_SECRET_DIR.",
        .done = "the repository is pruned",
        .work = prune,
    };

    return repo_job_main(j, &program, argc, argv, envp);
}

int maintain_check_main(struct job *j, int argc, const char *const *argv, const char *const *envp)
{
    static const struct repo_job_program program = {
        .name = "stash-job check-repository",
        .about = "Looks whether a restic repository is whole. The storage Secret is mounted at "
                 "STASH_STORAGE_SECRET_DIR. Exits with 5 when it is not.",
        .done = "the repository is whole",
        .work = check,
    };

    return repo_job_main(j, &program, argc, argv, envp);
}

int maintain_unlock_main(struct job *j, int argc, const char *const *argv, const char *const *envp)
{
    static const struct repo_job_program program = {
        .name = "stash-job unlock-repository",
        .about = "Removes the locks of this host's ended processes from a restic repository. The storage Secret is "
                 "mounted at STASH_STORAGE_SECRET_DIR.",
        .done = "no lock of this host is left",
        .work = unlock,
    };

    return repo_job_main(j, &program, argc, argv, envp);
}
