/*
 * auth: who we are to the API server: a static token, a token file read again when it changes (at most once a minute,
 * and at once after a 401), an exec plugin of a kubeconfig (its token until its expiry), or nothing (a client
 * certificate does it in TLS).
 */
#ifndef STASHD_AUTH_H
#define STASHD_AUTH_H

#include "core/base/buf.h"
#include "core/base/env.h"
#include "core/base/error.h"

struct kube_auth; /* opaque */

/* Reads a whole file; given by core/loop so that this layer has no file of its own. */
typedef int kube_read_file(const char *path, struct buf *out, struct error *e);

struct kube_auth *kube_auth_token(struct env *env, struct str token);
struct kube_auth *kube_auth_token_file(struct env *env, const char *path, kube_read_file *read);
/* argv and envp are copied, NULL-terminated. The plugin's
 * ExecCredential (client.authentication.k8s.io/v1 or v1beta1). */
struct kube_auth *kube_auth_exec(struct env *env, const char *const *argv, const char *const *envp);
/* Nobody may be waiting. A running plugin is killed and the rest freed when it has ended. */
void kube_auth_free(struct kube_auth *a);

/* Calls on_ready with "Bearer …" (borrowed for the call) or an
 * error; at once when it is known, else in a later turn. */
typedef void kube_auth_fn(void *ctx, int rc, struct str header, const struct error *e);
void kube_auth_get(struct kube_auth *a, kube_auth_fn *on_ready, void *ctx);
/* Drops a waiting on_ready of that pair. */
void kube_auth_forget(struct kube_auth *a, kube_auth_fn *on_ready, void *ctx);
/* A 401 came: forget what is known. */
void kube_auth_refused(struct kube_auth *a);

#endif
