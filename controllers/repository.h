/*
 * repository: the Repository controller (controllers.md 3), and what an invoker may know about its Repository: whether
 * it is there, whether the policy lets the invoker's namespace use it (controllers.md 11), and whether its storage
 * Secret is there, which the operator never reads (multitenancy.md 2.3).
 */
#ifndef STASHD_REPOSITORY_H
#define STASHD_REPOSITORY_H

#include "controllers/controller.h"
#include "controllers/problems.h"

extern const struct controller repository_controller;

struct repository_state {
    const char *ns, *name;     /* where the reference points; name "" without one */
    const struct kobj *record; /* NULL: not found, or being deleted */
    const json_t *doc;         /* NULL: not found, or not read yet (world_waiting) */
    bool allowed;
    const char *refusal;       /* not allowed: the text for ValidationPassed (api.md 3.3, multitenancy.md 3.1) */
    const char *problem;       /* allowed, but its backend can't be used: for ValidationPassed; NULL: it can */
    /* "True", "False", "Unknown": of BackendSecretFound; "" while not found or not allowed */
    const char *secret_status;
    const char *secret_message;
};

/* For an invoker in namespace own_ns with the value of spec.repository (NULL fine). Asks for the Repository's document
 * and, with a selector, for the Namespace's. Everything in ret lives in the pass's arena. */
void repository_look(struct world *w, const char *own_ns, const json_t *reference, struct repository_state *ret);
/* By the record alone: nothing about its backend asks for a closer look. */
bool repository_backend_is_plain(const struct kobj *record);
/* Sets (or drops) RepositoryFound and BackendSecretFound in a list of conditions. */
void repository_set_conditions(const struct repository_state *s, json_t *conditions, int64_t now_s);

/* Warning events for what of these two has become False. */
void repository_warn(struct plan *p, const json_t *old_conditions, const json_t *conditions);

/* What is wrong with the backend by itself (api.md 2.4): nobody can back up to such a one. */
void repository_check_backend(const json_t *backend, const struct operator_settings *s, struct problems *out);
/* That, and what only whoever writes the Repository has to put right. */
void repository_check(const json_t *object, const struct operator_settings *s, struct problems *out);

/* The policy alone, for right before a Job is made. NULL: allowed; else why not. May leave world_waiting. */
const char *repository_refusal(struct world *w, const json_t *repository, const char *own_ns);

/* On pods that work in a Repository: "<namespace>/<name>". */
#define REPOSITORY_JOB_ANNOTATION STASH_GROUP "/job-repository"

/* Name of a Job of a Repository: "stash-<what>-<repo>". */
const char *repository_job_name(struct arena *a, const char *what, const char *repository);

#endif
