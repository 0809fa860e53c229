/* maintain: see maintain.h. */
#include "controllers/job/maintain.h"

#include <stdio.h>
#include <unistd.h>

#include "controllers/job/repo_job.h"

static int prune(struct repo_job *w, struct error *e)
{
    return w->is_there ? repo_job_prune(w, e) : 0;
}

static int unlock(struct repo_job *w, struct error *e)
{
    char host[256] = "";

    if (gethostname(host, sizeof(host) - 1) < 0)
        return error_set(e, ERR_BUG, "this host has no name");
    return w->is_there ? repo_unlock_host(&w->repo, host, e) : 0;
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
