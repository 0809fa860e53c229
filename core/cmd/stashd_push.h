/*
 * stashd_push: who may push metrics to the operator (metrics.md 6.1): in-cluster Jobs, known by their ServiceAccount's
 * token, which the API server is asked about (TokenReview).
 */
#ifndef STASHD_STASHD_PUSH_H
#define STASHD_STASHD_PUSH_H

#include "core/base/http.h"
#include "core/base/list.h"
#include "k8s/client.h"
#include "k8s/object.h"
#include "metrics/push.h"

struct stashd_push {
    struct kube *kube;
    struct push *push;
    bool open;           /* metrics.push.auth: open: nobody is asked for a token */
    struct list waiting; /* private: reviews under way */
};

void stashd_push_init(struct stashd_push *p, struct kube *kube, bool open, uint64_t seed);
/* Reviews under way are canceled; they end in later turns, before the connection does. */
void stashd_push_stop(struct stashd_push *p);
void stashd_push_done(struct stashd_push *p);

/* True: the path is the Pushgateway's, and the answer has come or will. */
bool stashd_push_serve(struct stashd_push *p, struct http_serve *s);

/* Drops what was pushed for an invoker. */
void stashd_push_forget(struct stashd_push *p, const struct kobj *invoker);
/* Drops everything: the replica that has the lead keeps what is pushed. */
void stashd_push_forget_all(struct stashd_push *p);

#endif
