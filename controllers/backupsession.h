/*
 * backupsession: the BackupSession controller (controllers.md 6). Private to its files: the view of a pass.
 *
 * A session is written in few steps, each of which may be the last before a crash: accepted (phase Pending, actions and
 * deadline for the worker), its Job made (Running), its result seen (Succeeded, Failed), history cleaned. A final phase
 * is never changed.
 */
#ifndef STASHD_BACKUPSESSION_H
#define STASHD_BACKUPSESSION_H

#include "controllers/jobspec.h"
#include "controllers/outcome.h"
#include "controllers/retain.h"

extern const struct controller backupsession_controller;

enum backupsession_phase {
    BACKUPSESSION_NEW,     /* just created */
    BACKUPSESSION_PENDING, /* accepted; its Job is not made yet: it waits for the target, a quota, its turn */
    BACKUPSESSION_RUNNING, /* its Job was made */
    BACKUPSESSION_SUCCEEDED,
    BACKUPSESSION_FAILED,
    BACKUPSESSION_SKIPPED, /* never started */
};

struct backupsession_view {
    /* Documents. */
    const json_t *doc, *invoker;
    const struct kobj *self;
    struct job_input in;
    struct target_ref ref;
    /* Copies to be changed and written back whole: lists are replaced, so each write starts from the whole document. */
    json_t *targets, *entry, *conditions;

    int64_t now_s, deadline_s; /* 0: none */

    /* Before the start. */
    bool is_early;          /* nobody has judged the invoker yet: they were created together */
    const char *skip;       /* why it does not start at all; NULL */
    const char *waits_for;  /* "BackupSession ns/name": who holds the target; NULL */
    const json_t *job;      /* to be made */
    const json_t *interim;  /* its claim; NULL */
    const char *job_name, *impossible; /* why the Job can't be made; NULL */
    int64_t catalog_until_s;           /* until then its Task or a Function may come again; 0 */
    const struct refusal *refusal;     /* by the API server, not to be tried again yet; NULL */
    bool is_name_passing;              /* the Job's name is taken, but not for long */

    /* After it. */
    struct outcome outcome;
    bool has_report; /* of any host: a Job has run, though it may be gone */
    bool has_result, has_bad_host, is_late;
    int64_t start_by_s; /* the pod has to have started then; 0: it has */

    /* Once final. */
    struct retain_item *history;
    size_t n_history;
    bool is_clean, is_drop_hard; /* hard: the API server lets no old session go */
    int64_t retry_at_s;     /* status.nextRetry; 0: not set */
    bool wants_retry, retry_exists, retry_held; /* held: paused */
};

#define BACKUPSESSION_ADMITTED "Admitted" /* False: the API server refused what it has to make */
#define BACKUPSESSION_EXECUTOR "BackupExecutorEnsured"

extern const char *const backupsession_phases[];

/* ---- the status (backupsession_status.c) ---- */

json_t *backupsession_time_json(int64_t unix_s);
/* Conditions of the session and of its target's entry. */
void backupsession_set_condition(const struct backupsession_view *v, const char *type, const char *status,
                                 const char *reason, const char *message);
void backupsession_set_entry(const struct backupsession_view *v, const char *type, const char *status,
                             const char *reason, const char *message);
/* The condition, and the event, which stands behind the write in a plan. how: what follows the time in both. */
void backupsession_set_deadline_exceeded(const struct backupsession_view *v, const char *how);
void backupsession_tell_deadline(const struct backupsession_view *v, struct plan *p, const char *how);
/* Its Job is there, or was: it left a report. */
bool backupsession_has_begun(const void *view);
const char *backupsession_entry_phase(const struct backupsession_view *v); /* controllers.md 6.10, first match */
void backupsession_write_status(const struct backupsession_view *v, struct plan *p, enum backupsession_phase phase);
void backupsession_finish(const struct backupsession_view *v, struct plan *p, enum backupsession_phase phase);
int64_t backupsession_duration_s(const struct backupsession_view *v);

/* ---- effects once final (backupsession_final.c) ---- */

/* Was deleting what is beyond the limit of the history refused, or did it fail? */
bool backupsession_is_drop_hard(const struct backupsession_view *v, const struct world *w);
/* The final phase of a success with all that follows from it, history and metrics, in one write of the status. */
void backupsession_succeed(const void *view, struct world *w, struct plan *p);
void backupsession_clean_history(const void *view, struct world *w, struct plan *p);
void backupsession_note_retried(const void *view, struct world *w, struct plan *p);
void backupsession_schedule_retry(const void *view, struct world *w, struct plan *p);
void backupsession_retry(const void *view, struct world *w, struct plan *p);
void backupsession_wake_for_retry(const void *view, struct world *w, struct plan *p);

/* ---- what a pass looks at ---- */

int backupsession_observe(struct world *w, const struct kobj *self, void *view);

/* Another session of the same invoker that has started or is older; NULL: none. */
const struct kobj *backupsession_sibling(const struct cache *c, const struct kobj *self);
/* A session of another invoker, a RestoreSession, or what runs on without its session (target_lock.h), that has this
 * target or is before us in line, by its name; NULL: none. May leave world_waiting. */
const char *backupsession_rival(struct world *w, const struct kobj *self, const struct target_ref *ref);
/* Maps of watches: sessions that wait for the target of a session of either kind; of a Job, or a pod, that ended. */
void backupsession_wake_rivals(const struct cache *c, const struct kobj *changed, wake_fn *wake, void *ctx);
void backupsession_wake_by_job(const struct cache *c, const struct kobj *changed, wake_fn *wake, void *ctx);
/* A BackupSession that has this target or is before a RestoreSession in line; NULL: none. */
const struct kobj *backupsession_before(const struct cache *c, const struct kobj *restore,
                                        const struct target_ref *ref);
/* A session of either kind. */
bool backupsession_has_job(const struct cache *c, const struct kobj *session);
/* All sessions of a session's invoker, for history and retries. In the arena. */
struct retain_item *backupsession_family(struct world *w, const struct kobj *self, size_t *ret_n);

#endif
