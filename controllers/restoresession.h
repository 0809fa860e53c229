/*
 * restoresession: the RestoreSession controller (controllers.md 7): one restore, never repeated. Private to its files:
 * the view of a pass.
 *
 * Nothing is made for an Invalid one, but it is looked at again when what it refers to changes. With claim templates
 * there is a Job with claims of its own for each ordinal; each is one host. A final phase is never changed.
 */
#ifndef STASHD_RESTORESESSION_H
#define STASHD_RESTORESESSION_H

#include "controllers/jobspec.h"
#include "controllers/outcome.h"
#include "controllers/problems.h"
#include "controllers/repository.h"

extern const struct controller restoresession_controller;

enum restoresession_phase {
    RESTORESESSION_NEW,
    RESTORESESSION_PENDING, /* waits for its Repository, its target, a quota */
    RESTORESESSION_RUNNING, /* its Jobs were made */
    RESTORESESSION_SUCCEEDED,
    RESTORESESSION_FAILED,
    RESTORESESSION_UNKNOWN, /* a Job vanished without a word: nobody knows what the volumes hold */
    RESTORESESSION_INVALID, /* may become Pending when the cause is removed */
};

/* One Job and its data stream. */
struct restoresession_host {
    struct job_input in; /* with the ordinal */
    const char *name, *job_name;
    const json_t *job;           /* to be made; NULL: it has reported already */
    json_t *claims;              /* to be made, in the arena */
    const json_t *interim;       /* NULL: none */
    const char *phase;           /* of status.stats; "" while there is no report */
    struct outcome outcome;
};

struct restoresession_view {
    const struct kobj *self;
    const json_t *doc;
    struct job_input in;
    struct target_ref ref;
    json_t *conditions, *stats; /* copies */
    int64_t now_s, deadline_s;  /* 0: none */
    bool has_finalizer;         /* of the older operator */

    struct repository_state repository;
    const char *problems;       /* joined by "; "; "" */
    bool is_target_absent, is_target_denied; /* denied: it may not be looked at; counts as absent */
    const char *target_text;    /* "AppBinding demo/db" */

    struct restoresession_host *hosts;
    size_t n_hosts;
    const char *impossible;     /* why a Job or claim can't be made; NULL */
    int64_t catalog_until_s;    /* until then its Task or a Function may come again; 0 */
    const struct refusal *refusal;
    const char *refused;        /* the refused object, "PersistentVolumeClaim \"x\"" */
    bool is_name_passing;       /* the name of one of its Jobs is taken, but not for long */
    const char *conflict;       /* a claim that is somebody else's; NULL */

    const char *waits_for;      /* "BackupSession ns/name": who holds the target; NULL */
    bool is_out_of_line;        /* its status does not say yet, or not lately, that it is about to start */
    int64_t line_s;             /* since when it is in line; 0: it has a Job, and waits for nobody */

    size_t n_begun;             /* hosts that have a Job, or have reported */
    bool has_begun;             /* all have */
    bool may_have_run;          /* Jobs may have been made of which nothing is left */

    size_t n_done, n_failed, n_unknown, n_jobs; /* hosts with a result; Jobs that may end */
    bool is_late;
};

#define RESTORESESSION_EXECUTOR "RestoreExecutorEnsured"
#define RESTORESESSION_TARGET "RestoreTargetFound"
#define RESTORESESSION_ADMITTED "Admitted" /* Unknown: from then on its Jobs may be made, of hosts without a phase */
#define RESTORESESSION_WAITS "WaitingForOtherSession" /* its reason, with Unknown, while in line */

extern const char *const restoresession_phases[];

/* ---- the status (restoresession_status.c) ---- */

void restoresession_set_condition(const struct restoresession_view *v, const char *type, const char *status,
                                  const char *reason, const char *message);
void restoresession_set_found_conditions(const struct restoresession_view *v);
/* The condition, and the event, which stands behind the write in a plan. how: what follows the time in both. */
void restoresession_set_deadline_exceeded(const struct restoresession_view *v, const char *how);
void restoresession_tell_deadline(const struct restoresession_view *v, struct plan *p, const char *how);
/* A host's result that its worker could not report, and why; "Running", NULL: its Job was made. */
void restoresession_put_stat(const struct restoresession_view *v, const char *host, const char *phase, const char *why);
void restoresession_write_status(const struct restoresession_view *v, struct plan *p, enum restoresession_phase phase);
void restoresession_finish(const struct restoresession_view *v, struct world *w, struct plan *p,
                           enum restoresession_phase phase);

/* ---- what a pass looks at ---- */

int restoresession_observe(struct world *w, const struct kobj *self, void *view);

/* ---- the lock of the target (restoresession_others.c) ---- */

/* Another RestoreSession that has this target or is before `self`, a session of either kind, in line; NULL: none. */
const struct kobj *restoresession_rival(const struct cache *c, const struct kobj *self, const struct target_ref *ref);
/* Maps of watches: those that wait for the target of a session of either kind; of a Job, or a pod, that ended. */
void restoresession_wake_rivals(const struct cache *c, const struct kobj *changed, wake_fn *wake, void *ctx);
void restoresession_wake_by_job(const struct cache *c, const struct kobj *changed, wake_fn *wake, void *ctx);

/* All that is wrong with the object itself. */
void restoresession_check(const json_t *object, struct problems *out);

#endif
