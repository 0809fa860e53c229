/*
 * admission_serve: the webhook's side of HTTP: POST /validate with an AdmissionReview to a verdict (admission.h). What
 * a verdict needs to read is read from the API server; what can't be read in time is said as a warning, and the
 * controllers say it again.
 *
 * Life: a handle. Free it after admission_serve_stop and once nothing of it is on a connection any more.
 */
#ifndef STASHD_ADMISSION_SERVE_H
#define STASHD_ADMISSION_SERVE_H

#include "controllers/controller.h"
#include "core/base/http.h"
#include "core/base/list.h"
#include "k8s/client.h"

struct admission_server {
    struct kube *kube;
    const struct operator_settings *settings;
    const struct cache *cache;
    bool (*knows)(void *ctx); /* the cache is complete */
    void (*on_idle)(void *ctx); /* no request waits any more; may be NULL */
    void *ctx;
    struct list open; /* private: requests that wait for documents */
    size_t n_open;
    uint64_t n_allowed, n_refused; /* since the start */
};

void admission_serve_init(struct admission_server *s);
/* An http_handler; ctx is the struct. */
void admission_serve(void *ctx, struct http_serve *http);
/* Calls to the API server are canceled; the clients go with their connections. */
void admission_serve_stop(struct admission_server *s);

#endif
