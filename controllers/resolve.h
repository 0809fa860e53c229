/*
 * resolve: which Task a target uses, and the Task's Functions with all ${} resolved (jobs.md 2 to 5). Pure: the
 * documents come from the caller.
 */
#ifndef STASHD_RESOLVE_H
#define STASHD_RESOLVE_H

#include "controllers/target.h"
#include "controllers/variables.h"

/* Name and parameters, the invoker's over the AppBinding's of that direction. */
struct effective_task {
    const char *name;     /* "" when neither names one */
    const json_t *params; /* list of {name, value}, in the arena; may be empty */
};

/*
 * For a backup (or restore) of unit (the invoker's spec or a batch's member). app: the AppBinding's document, or NULL
 * when the target is none or it is not there. ERR_INVALID: a reserved parameter (jobs.md 4.3).
 */
int resolve_effective_task(enum direction d, const json_t *unit, const json_t *app, struct arena *a,
                           struct effective_task *ret, struct error *e) NODISCARD;

/* One step of a Task: its Function with everything resolved. */
struct resolved_step {
    const char *name;         /* of the container: "perconaxtradb-backup-8-0-0" */
    const char *function;     /* "name@generation" */
    const json_t *spec;       /* the Function's spec */
    bool is_own;              /* runs stash-job: args name one of its sub-commands, no command */
    bool publishes;           /* update-status: needs no secret of the application */
};

struct resolved {
    struct resolved_step *steps;
    size_t n_steps;
    const json_t *volumes;  /* of the Task; NULL: none */
    const char *functions;  /* "a@1,update-status@3" */
};

/* Gives the Function's document by name; NULL: there is none (or not yet: the caller knows). */
typedef const json_t *resolve_function_fn(void *ctx, const char *name);

/* v: the filled variables. ERR_INVALID with a text that names Task and Function; ERR_NOTFOUND: get gave none. */
int resolve_task(const json_t *task, const struct variables *v, resolve_function_fn *get, void *ctx,
                 struct resolved *ret, struct error *e) NODISCARD;

#endif
