/*
 * internal: struct model as the files of k8s/model share it. Nobody outside includes this.
 */
#ifndef STASHD_MODEL_INTERNAL_H
#define STASHD_MODEL_INTERNAL_H

#include "core/base/map.h"
#include "k8s/model/model.h"
#include "k8s/model/resource.h"
#include "k8s/model/store.h"

struct model_controllers; /* controllers*.c: their own state */

struct model {
    struct env *env;
    struct store *store;
    struct resources *resources;
    struct model_controllers *controllers; /* NULL until model_controllers_start */
    bool started;
    bool rbac, no_managed_fields;
    uint64_t seed;
    uint32_t bookmark_ms;
    const char *ca_pem; /* from model_options; NULL: none */

    /* private to model.c, authn.c, watch */
    model_commit_fn *on_commit;
    model_audit_fn *on_audit;
    void *commit_ctx; /* of both */
    model_change_fn *on_change;
    void *change_ctx;
    model_log_fn *on_log;
    void *log_ctx;
    struct map tokens;       /* bearer token to struct user */
    struct map trusted;      /* who has asked by model_do: name to struct user */
    struct list watches;     /* all open ones */
    struct timer crd_timer, rbac_timer; /* conditions of definitions; aggregated ClusterRoles */
    uint64_t token_serial;
    char *token_key; /* signs ServiceAccount tokens; NULL until first used */
};

/* Now as RFC 3339 in whole seconds; out holds 32 bytes. */
const char *model_now(struct model *m, char out[32]);
int64_t model_now_s(struct model *m);
/* A random UID ("8-4-4-4-12"), from env. */
void model_new_uid(struct model *m, char out[37]);

#endif
