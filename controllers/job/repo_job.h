/*
 * repo_job: what the Jobs of a Repository share that work in its data (wipe-, prune-, unlock-repository): they get the
 * backend as JSON and the Secret as a mount, call no API server, and say in one line why they failed.
 */
#ifndef STASHD_REPO_JOB_H
#define STASHD_REPO_JOB_H

#include "controllers/job/repo_flags.h"
#include "core/restic/location.h"

enum { REPO_JOB_EXIT_DAMAGED = 5 };

struct repo_job_flags {
    const char *backend, *secret_name, *secret_ns, *scratch_dir;
    bool help;
};

struct repo_job {
    struct job *job;
    const struct repo_job_flags *flags;
    const char *const *envp;
    struct arena arena;
    struct location location;
    struct secrets key;
    struct repo repo;
    bool is_missing; /* the Secret, or a key */
    bool is_damaged; /* found by a check */
    bool is_there;   /* a restic repository */
};

struct repo_job_program {
    const char *name, *about, *done;
    int (*work)(struct repo_job *w, struct error *e); /* the repository is open, and it is known whether it is there */
};

/*
 * The whole sub-command. 0: done; 1: it failed; 2: wrong flags; 4 (PROBE_EXIT_MISSING): the storage Secret or a key of
 * it is missing; 5 (REPO_JOB_EXIT_DAMAGED): a check found damage.
 * The reason is one line on stderr and in /dev/termination-log.
 */
int repo_job_main(struct job *j, const struct repo_job_program *program, int argc, const char *const *argv,
                  const char *const *envp);

/* Frees what no snapshot needs; waits for others' locks. */
int repo_job_prune(struct repo_job *w, struct error *e) NODISCARD;

#endif
