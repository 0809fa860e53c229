/*
 * job: what all programs inside a Job share: where they may write, what they may never show, and waiting. A worker does
 * one thing after the other; only the copying of a backup is asynchronous. So the calls here wait by themselves, and a
 * SIGTERM ends each wait with ERR_CANCELED.
 */
#ifndef STASHD_JOB_H
#define STASHD_JOB_H

#include "controllers/job/redact.h"
#include "core/base/env.h"
#include "core/base/list.h"
#include "core/base/log.h"

struct job {
    struct env *env; /* env_uv's */
    struct log log;
    struct redact redact;
    const char *scratch_dir;    /* --scratch-dir: big temporary files; each child's working directory */
    const char *credential_dir; /* files with credentials, mode 0600; memory-backed where the pod has that */
    bool canceled;              /* SIGTERM came */
    struct list running; /* private: struct job_op */
};

void job_init(struct job *j, struct env *env, const char *scratch_dir, const char *credential_dir);
void job_done(struct job *j);

/* A credential: redacted from now on in all texts and log lines. */
void job_redact(struct job *j, struct str value);

/* Something that runs and must end soon after a SIGTERM. Register it while it runs; cancel is called once. */
struct job_op {
    struct list link;
    void (*cancel)(struct job_op *op);
};
void job_op_add(struct job *j, struct job_op *op);
void job_op_del(struct job_op *op);
/* SIGTERM came: all that runs is told, all later waits fail at once. */
void job_cancel(struct job *j);

/* Runs the loop until *done. */
void job_wait(struct job *j, const bool *done);
/* 0, or ERR_CANCELED. */
int job_sleep(struct job *j, uint32_t ms, struct error *e) NODISCARD;
/* ERR_CANCELED with its text when a SIGTERM came; else 0. */
int job_check(const struct job *j, struct error *e) NODISCARD;

/* The last 4 KiB of what a child printed on stderr. */
struct job_tail {
    struct buf text;
};
void job_tail_init(struct job_tail *t);
void job_tail_add(struct job_tail *t, struct str line);
void job_tail_done(struct job_tail *t);

struct job_command {
    const char *const *argv, *const *envp; /* NULL-terminated */
    struct str input;    /* for its stdin; STR_NONE: none */
    size_t out_max;      /* of its stdout is kept; more is an error */
    uint32_t timeout_ms; /* 0: none. Then TERM, KILL 10 s later */
    int stop_signal;     /* in place of TERM, also when a SIGTERM came to us; 0: TERM */
    bool quiet;          /* its stderr is not logged */
    void (*on_line)(void *ctx, struct str line); /* stdout by lines instead of keeping it; NULL */
    void *ctx;
};

struct job_result {
    int status, sig;
    struct buf out;
    struct job_tail err;
};

/*
 * Runs a child to its end. 0: it ended, see *out (whatever its status). Else ERR_NOTFOUND (no such program),
 * ERR_TIMEOUT, ERR_CANCELED, ERR_TOOBIG. *out is to be given to job_result_done in either case.
 */
int job_run(struct job *j, const struct job_command *c, struct job_result *out, struct error *e) NODISCARD;
void job_result_done(struct job_result *r);
/* As job_run, and a status other than 0 is ERR_INVALID with "<program>: <last line of stderr>". */
int job_run_ok(struct job *j, const struct job_command *c, struct job_result *out, struct error *e) NODISCARD;
/* "<program> ended with status 1: <last line>" for a child that failed. */
int job_child_error(const struct job *j, const char *program, int status, int sig, const struct job_tail *err,
                    struct error *e);

/* Environment that children get besides their own variables: PATH, HOME, TMPDIR, LC_ALL, TZ. NULL-terminated; valid as
 * long as the job. */
const char *const *job_environment(struct job *j);

/* First of the names that is a program in PATH; NULL: none. names: NULL-terminated. */
const char *job_find_program(const char *const *names);

/* Files. Each path is made of the folder and a plain name. */
int job_write_credential(struct job *j, const char *name, struct str bytes, char **ret_path, struct error *e) NODISCARD;
int job_make_dir(const char *path, unsigned mode, struct error *e) NODISCARD; /* with its parents; existing is fine */
void job_remove(const char *path); /* a file or a whole tree; absent is fine */

/* Lowers our and so the children's CPU and I/O priority as NICE_ADJUSTMENT, IONICE_CLASS and IONICE_CLASS_DATA ask.
 * ERR_INVALID for a value that is no number; a refusal of the kernel is only logged. */
int job_set_priority(struct job *j, struct error *e) NODISCARD;
/* No core file, no ptrace, no /proc/<pid>/mem by others of the same uid. */
void job_harden(void);

#endif
