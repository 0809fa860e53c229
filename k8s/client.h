/*
 * client: one API server: verbs to exchanges, answers to errors. No retries here: the engine and the watch machine have
 * their own back-off. Three peers (multitenancy.md 6): leases, watches, the rest; so that no renewal and no write waits
 * behind a big list.
 */
#ifndef STASHD_CLIENT_H
#define STASHD_CLIENT_H

#include <jansson.h>

#include "core/base/buf.h"
#include "core/base/env.h"
#include "core/base/http.h"
#include "core/base/log.h"
#include "k8s/kind.h"

struct kube_auth; /* auth.h: gives the Authorization header, reads rotating tokens again */

enum kube_lane { KUBE_LANE_CALLS, KUBE_LANE_WATCHES, KUBE_LANE_LEASES, N_KUBE_LANES };

struct kube {
    struct env *env;
    const struct log *log;
    struct http_peer *peers[N_KUBE_LANES]; /* may be the same one; not owned */
    struct kube_auth *auth;                /* NULL: none (client certificate or the model in one process) */
    const char *user_agent;                /* "stashd/0.1" */
    uint32_t watch_min_s; /* watches ask for so many to twice as many seconds; 0: 300 */
    /* Told of each finished request; NULL fine. For metrics. status 0: none came. */
    void (*on_request)(void *ctx, const char *verb, const struct kind *k, int status);
    /* Told of the header Date of each answer that has one, as it comes; NULL fine. */
    void (*on_date)(void *ctx, int64_t unix_s);
    void *ctx;
};

enum kube_verb {
    KUBE_GET,
    KUBE_LIST, /* whole, as JSON: for small lists only; the cache lists by watch.h */
    KUBE_CREATE,
    KUBE_REPLACE,
    KUBE_PATCH,       /* JSON merge patch */
    KUBE_APPLY,       /* server-side apply, manager "stashd", force */
    KUBE_DELETE,
};

/* One call. A request: the caller's memory until on_done, which comes once and never inside kube_start. */
struct kube_call {
    /* What is asked. Texts and body are borrowed for kube_start only. */
    enum kube_verb verb;
    const struct kind *kind;
    const char *ns, *name; /* NULL where the verb has none */
    const char *subresource; /* "status"; NULL */
    const char *query;       /* "labelSelector=a%3Db&limit=500"; NULL */
    /* NULL: none. apiVersion and kind are filled in where they are missing (not in a merge patch). KUBE_DELETE:
     * DeleteOptions */
    const json_t *body;
    enum kube_lane lane;     /* KUBE_LANE_CALLS unless said otherwise */
    uint32_t timeout_ms;     /* 0: 30 s */

    /*
     * rc 0: object is the answer (borrowed; NULL when it has no JSON body). Else e's text is the server's message and
     * rc: 401, 403 ERR_DENIED; 404 ERR_NOTFOUND; 409 ERR_EXISTS (reason AlreadyExists) or ERR_CONFLICT; 410 ERR_GONE;
     * 400, 422 and other 4xx ERR_INVALID; 413 ERR_TOOBIG; 429, or 503 with Retry-After ERR_THROTTLED; other 5xx and
     * broken connections ERR_NET; ERR_TIMEOUT; ERR_CANCELED. `status` and `reason` hold what the server said.
     */
    void (*on_done)(struct kube_call *c, int rc, const json_t *object, const struct error *e);
    /* The answer of a success is not parsed: object is NULL and text has it, borrowed in on_done. A tree takes ten
     * times as long to make as the text to look through (scan_one). */
    bool as_text;
    struct str text;
    void *data;
    int status;      /* HTTP status; 0: none */
    char reason[64]; /* Status.reason; "" */
    char cause[64];  /* Status.details.causes[0].reason, e.g. NamespaceTerminating; "" */

    /* private */
    struct kube *kube;
    struct http_call http;
    struct http_header headers[6];
    struct timer timer;
    struct buf in, out, path, token;
    uint32_t retry_after_ms;
    int failed; /* ends with this code in the next turn; the text is in `in` */
    enum { KUBE_CALL_IDLE, KUBE_CALL_AUTH, KUBE_CALL_HTTP, KUBE_CALL_ENDING } step;
    bool retried_auth;
};

void kube_start(struct kube *k, struct kube_call *c);
/* on_done(ERR_CANCELED) follows in a later turn; no-op when c is not running. */
void kube_cancel(struct kube_call *c);

/* For on_head: tells on_date. */
void kube_note_date(const struct kube *kube, const struct http_header *headers, size_t n);
/* Value of a Retry-After header in ms: whole seconds, at most an hour; 0 when there is none or it is a date. */
uint32_t kube_retry_after_ms(const struct http_header *headers, size_t n);
/* A status and the Status object that came with it (NULL: none) to a code of the table above, text and all. */
int kube_status_error(int status, const json_t *object, uint32_t retry_after_ms, struct error *e);

/* Splits "exceeded quota", policy and RBAC refusals of a 403
 * is the engine's business: it reads status, reason, cause. */

#endif
