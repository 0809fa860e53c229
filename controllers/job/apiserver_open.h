/* apiserver_open: how a program inside a Job reaches its API server. */
#ifndef STASHD_APISERVER_OPEN_H
#define STASHD_APISERVER_OPEN_H

#include "controllers/job/apiserver.h"
#include "controllers/job/job.h"
#include "core/net/tls.h"
#include "k8s/auth.h"

struct apiserver {
    struct job *job;
    struct kube kube;
    struct kube_auth *auth;
    struct tls_context *tls;
    struct http_peer *own_peer; /* NULL: somebody else's */
    char *ns;
    bool is_patient; /* apiserver_be_patient */
};

#endif
