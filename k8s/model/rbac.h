/*
 * rbac: who may do what, by Roles, ClusterRoles and their bindings.
 */
#ifndef STASHD_MODEL_RBAC_H
#define STASHD_MODEL_RBAC_H

#include "k8s/model/request.h"

struct access { /* what is asked for; texts "" where they don't apply */
    const char *verb;
    bool is_resource;
    const char *group, *resource, *sub, *ns, *name; /* is_resource */
    const char *path;                               /* else */
};

/* reason (may be NULL) says by which binding. */
bool rbac_allows(struct model *m, const struct user *u, const struct access *a, char *reason, size_t size);
/* The request itself: 0, or 403 answered. */
int rbac_check(struct request *q);
/* A Role may hold, and a binding give, only what the writer holds (or with the verbs escalate, bind). 0, or 403. */
int rbac_check_write(struct request *q, const json_t *object, const json_t *old);
/* All rules that count for a user in a namespace: a new array of PolicyRules. */
json_t *rbac_rules(struct model *m, const struct user *u, const char *ns);
/* True when `rules` (array) cover each permission of each of
 * `wanted`; else *ret_missing (borrowed) is one not covered. */
bool rbac_covers(const json_t *rules, const json_t *wanted, const json_t **ret_missing);

/* The default ClusterRoles and bindings (cluster-admin, admin, edit, view, system:…), where they are missing. */
void rbac_bootstrap(struct model *m);
/* ClusterRoles with an aggregationRule get the rules they collect, in a later turn. */
void rbac_role_changed(struct model *m);
void rbac_init(struct model *m);
void rbac_done(struct model *m);

#endif
