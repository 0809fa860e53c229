/*
 * apiserver: the API server as programs inside a Job use it: one call after the other, each waited for, with retries
 * (429, 5xx, broken connections). In the cluster by the pod's account, else by --kubeconfig or --master.
 */
#ifndef STASHD_APISERVER_H
#define STASHD_APISERVER_H

#include <jansson.h>

#include "core/base/error.h"
#include "k8s/client.h"

struct job;
struct apiserver; /* opaque */

/* kubeconfig, master: as flags; "" or NULL: none. envp: of the process. */
int apiserver_open(struct job *j, const char *kubeconfig, const char *master, const char *const *envp,
                   struct apiserver **ret, struct error *e) NODISCARD;
/* On a peer that somebody else made and keeps: tests. */
struct apiserver *apiserver_with_peer(struct job *j, struct http_peer *peer);
void apiserver_free(struct apiserver *a); /* NULL is fine. Waits until its connection is gone */

/* The pod's namespace: POD_NAMESPACE, else the account's file, else the kubeconfig's, else "default". */
const char *apiserver_namespace(const struct apiserver *a);

/* A row of a settings table for another one; S: the struct with const char *M. */
#define APISERVER_NAMESPACE_FLAG(S, M, WHAT)                                                                           \
    {"namespace", CFG_STRING, offsetof(S, M), NULL, 0, 0,                                                              \
     WHAT " (default $POD_NAMESPACE, else the account's or the kubeconfig's, else default)"}
/* Before anything is connected. NULL or "": the flag was not given. ERR_INVALID: it is no name of a namespace. */
int apiserver_check_namespace(const char *flag, struct error *e) NODISCARD;

/* From here on calls are tried again for a day, or until the Job is ended: for what is lost otherwise. A token that
 * expired meanwhile is no refusal as long as the kubelet may bring a new one. */
void apiserver_be_patient(struct apiserver *a, bool is_patient);

/*
 * c: verb, kind, ns, name, subresource, query, body. *ret (may be NULL): the answer, one reference. ERR_THROTTLED,
 * ERR_NET and ERR_TIMEOUT are tried again with back-off for two minutes, or a day; the other codes (client.h) come at
 * once.
 */
int apiserver_call(struct apiserver *a, const struct kube_call *c, json_t **ret, struct error *e) NODISCARD;
int apiserver_get(struct apiserver *a, const struct kind *k, const char *ns, const char *name, json_t **ret,
                  struct error *e) NODISCARD;
/* The Secret kind: not in the operator's table, since the operator has nothing to do with Secrets. */
extern const struct kind apiserver_secret_kind;

/*
 * Reads an object, lets change make a merge patch from it (one reference; NULL: nothing to do; it may fail with an
 * error), sends it with the read resourceVersion, and begins again on a conflict. subresource "status" or NULL. *ret
 * (may be NULL): the object afterwards.
 */
typedef json_t *apiserver_change(void *ctx, const json_t *object, struct error *e);
int apiserver_patch(struct apiserver *a, const struct kind *k, const char *ns, const char *name,
                    const char *subresource, apiserver_change *change, void *ctx, json_t **ret,
                    struct error *e) NODISCARD;

/* An Event about an object; a failure is only logged. */
void apiserver_event(struct apiserver *a, const json_t *about, const char *component, const char *type,
                     const char *reason, const char *message);

#endif
