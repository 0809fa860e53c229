/* stashd_connect: from a kubeconfig, or from inside a cluster, to a struct kube with three connections. */
#ifndef STASHD_STASHD_CONNECT_H
#define STASHD_STASHD_CONNECT_H

#include "k8s/client.h"
#include "k8s/kubeconfig.h"

struct tls_context;

struct stashd_connection {
    struct kubeconfig config;
    struct tls_context *tls;
    struct kube_auth *auth;
    struct kube kube; /* peers and auth are set; log, on_request are the caller's */
    unsigned closing;
    void (*on_closed)(void *ctx);
    void *ctx;
};

/* kubeconfig "": $KUBECONFIG, then in-cluster, then ~/.kube/config. context "": the current one. c zeroed before. */
int stashd_connect(struct stashd_connection *c, struct env *env, const char *kubeconfig, const char *context,
                   struct error *e) NODISCARD;
/* All calls have ended. on_closed in a later turn; then stashd_disconnected. */
void stashd_disconnect(struct stashd_connection *c, void (*on_closed)(void *ctx), void *ctx);
void stashd_disconnected(struct stashd_connection *c);

#endif
