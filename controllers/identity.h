/*
 * identity: the ServiceAccounts that Jobs run as (multitenancy.md 2.5). Per namespace one stash-backup, one
 * stash-restore and one stash-trigger with a RoleBinding each, applied when first needed, gone with the namespace's
 * last invoker that needs it (identity_controller). An account of its own, named <ik>-<in>-<i>, only where one is asked
 * for.
 */
#ifndef STASHD_IDENTITY_H
#define STASHD_IDENTITY_H

#include "controllers/controller.h"

enum identity_role {
    IDENTITY_BACKUP,  /* stash-backup, ClusterRole -backup-job */
    IDENTITY_RESTORE, /* stash-restore, -restore-job */
    IDENTITY_TRIGGER, /* stash-trigger, -cron-job: it needs no account of its own, so index, annotations and own count
                       * for nothing */
};

struct identity_want {
    enum identity_role role;
    const struct kobj *invoker;  /* its namespace is the Jobs'; owner of what is not shared */
    size_t index;                /* of the target, for U's name */
    const char *binding;         /* name of user_account's binding; NULL: U's name */
    const char *user_account;    /* runtimeSettings.pod.serviceAccountName: only bound, never made; NULL or "" */
    const json_t *annotations;   /* serviceAccountAnnotations: an account of its own; NULL */
    bool own;                    /* an account of its own for another reason (foreign Repository, exec hook) */
};

/* Adds what is missing to the plan (nothing when the cache has it all) and returns the account's name, in the pass's
 * arena. Call before plan_create of the Job. */
const char *identity_ensure(struct world *w, struct plan *p, const struct identity_want *want);

/* "<ik>-<in>-<i>": of an account of its own, and of its binding. */
const char *identity_own_name(struct world *w, const struct kobj *invoker, size_t index);

extern const struct controller identity_controller;

#endif
