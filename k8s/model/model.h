/*
 * model: Kubernetes itself in small, pure: a store with resourceVersions and watches, CRDs, RBAC, owner garbage
 * collection, namespaces, Jobs and CronJobs. One model, three users: devkube (over HTTP/2), test/sim (in one process)
 * and the benches.
 *
 * It has no clock, socket or file: time and timers come from env, requests from model_serve, durability from on_commit.
 * Everything happens inside one call: a request is answered in full before model_serve returns, but watches.
 */
#ifndef STASHD_MODEL_H
#define STASHD_MODEL_H

#include <jansson.h>

#include "core/base/env.h"
#include "core/base/http.h"

struct model; /* opaque */

/* A change, for a log on disk: object NULL: deleted. Called
 * before the answer goes out. key "<plural.group>/<ns>/<name>" */
typedef void model_commit_fn(void *ctx, uint64_t rv, const char *key, const json_t *object);

/* A request that came over HTTP and how it was answered, as Kubernetes' audit log has it. Texts are never NULL. */
struct model_audit {
    const char *user, *verb, *group, *plural, *ns, *name, *sub; /* plural "": no object was asked for */
    struct str agent;                                           /* user-agent */
    int status;
};
typedef void model_audit_fn(void *ctx, const struct model_audit *a);

struct model_options {
    struct env *env;
    uint64_t seed;
    model_commit_fn *on_commit; /* NULL: memory only */
    model_audit_fn *on_audit;   /* NULL: nobody listens */
    void *ctx;
    size_t history_max; /* events kept for watches; older resourceVersions get 410. 0: 10,000 */
    uint32_t bookmark_s; /* between two bookmarks of a watch; 0: 30 */
    bool no_managed_fields; /* nobody asks who owns what: objects are half as big, and every apply is a forced merge */
    bool rbac;          /* enforce Roles and bindings; group system:masters may all */
    const char *ca_pem; /* what kube-root-ca.crt holds in each namespace; borrowed for the model's life; NULL: empty */
};

struct model *model_new(const struct model_options *o);
void model_free(struct model *m); /* open watches are reset first */

/* Restores what on_commit was given, in that order, before the first request; then model_start. The last state of each
 * object in the order of rv will do, but then nothing is known of the way there, and watches start from now. key "":
 * only that rv was reached. */
void model_load(struct model *m, uint64_t rv, const char *key, json_t *object_take);
/* Makes what each cluster has where it is missing (namespaces default, kube-system, kube-public; the default
 * ClusterRoles) and starts the controllers (garbage collection, namespaces, Jobs, CronJobs). */
void model_start(struct model *m);

/* An http_handler; ctx is the model. The user comes from client_subject (CN, O) or the bearer token. */
void model_serve(void *ctx, struct http_serve *s);

/* A request from inside, by a trusted part: the kubelet, tests. user "system:node" etc. has group system:masters.
 * Method "APPLY" is a PATCH that applies; other objects sent with PATCH are merge patches, lists JSON patches.
 * body is borrowed. Returns the HTTP status; *ret (may be NULL) gets the answer, one reference. */
int model_do(struct model *m, const char *user, const char *method, const char *path_and_query, const json_t *body,
             json_t **ret);

/* Hears each change after it was committed: type "ADDED", "MODIFIED", "DELETED"; the object and its text are borrowed.
 * For the kubelet. No changes inside. */
typedef void model_change_fn(void *ctx, const char *type, const json_t *object, struct str text);
void model_on_change(struct model *m, model_change_fn *fn, void *ctx);

/* A bearer token for a user of one's own (a generated kubeconfig); groups comma-separated. Kept in memory only. */
void model_add_token(struct model *m, const char *token, const char *user, const char *groups);
/* A ServiceAccount token (what a projected volume gets), valid for seconds; NULL: no such account. mem_free. */
char *model_account_token(struct model *m, const char *ns, const char *account, int64_t seconds);

/* Pod logs come from whoever runs pods: serves GET …/pods/<name>/log in full (it may keep s and write later). */
typedef void model_log_fn(void *ctx, struct http_serve *s, const char *ns, const char *pod, const char *container,
                          bool follow, bool previous, int64_t tail_lines);
void model_on_log(struct model *m, model_log_fn *fn, void *ctx);

/* The other end of model_serve in one process: a peer whose calls are answered in later turns of env. user as in
 * model_do but with its own groups and RBAC. */
struct http_peer *model_peer_new(struct model *m, const char *user, const char *groups);
void model_peer_free(struct http_peer *p);

/* Compacts: watches from before `rv` get 410. For tests. */
void model_compact(struct model *m, uint64_t rv);
uint64_t model_rv(const struct model *m);

#endif
