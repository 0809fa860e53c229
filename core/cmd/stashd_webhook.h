/*
 * stashd_webhook: the admission webhook as the operator serves it: HTTPS on a port of its own, on every replica, with a
 * certificate that the operator makes and renews itself (--webhook-tls=self), or that others put into a folder
 * (provided; cert-manager's Secrets are mounted the same way).
 *
 * self: all replicas read the Secret every minute and serve what it holds; the leader makes and renews it, and
 * writes the CAs into its webhook configurations (rotation.h).
 *
 * Life: stashd_webhook_start once; stashd_webhook_stop, then run the loop until `ended`, then stashd_webhook_done.
 */
#ifndef STASHD_STASHD_WEBHOOK_H
#define STASHD_STASHD_WEBHOOK_H

#include "controllers/admission_serve.h"
#include "controllers/operator.h"
#include "controllers/rotation.h"
#include "core/cmd/stashd_settings.h"
#include "core/net/web.h"

struct stashd_webhook {
    struct env *env;
    struct kube *kube;
    const struct log *log;
    const struct stashd_settings *settings;
    const struct operator_settings *operator_settings;
    struct operator *operator;
    struct registry *registry;
    bool ended; /* nothing of it is left on the loop; after stashd_webhook_stop */

    /* private */
    struct admission_server admission;
    struct web *web;
    struct timer tick;
    struct kube_call call;
    struct arena arena; /* of one look */
    struct rotation_rules rules;
    struct rotation rotation;
    json_t *secret;
    char *secret_name;
    char *loaded;    /* certificate and key that are served, PEM */
    char *published; /* bundle that all configurations were seen to have */
    size_t config;   /* that is being looked at */
    bool calling, stopping, web_stopped, all_equal, wrote, verified;
    int64_t tested_ms, test_pause_ms; /* when the self test last ran, and how long until the next */
    char said[256];    /* last trouble that was logged */
    struct metric *verified_gauge, *expiry_gauge;
};

/* The struct's public part is filled in and borrowed for its life; own_namespace of the settings is known. */
int stashd_webhook_start(struct stashd_webhook *w, struct error *e) NODISCARD;
void stashd_webhook_stop(struct stashd_webhook *w);
void stashd_webhook_done(struct stashd_webhook *w);
/* A certificate is there: the API server can talk to us. */
bool stashd_webhook_ready(const struct stashd_webhook *w);

#endif
