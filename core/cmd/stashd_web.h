/* stashd_web: what the operator serves on its metrics port: /metrics, /livez, /readyz (metrics.md 4). */
#ifndef STASHD_STASHD_WEB_H
#define STASHD_STASHD_WEB_H

#include "controllers/operator.h"
#include "core/base/http.h"
#include "core/cmd/stashd_push.h"
#include "core/cmd/stashd_webhook.h"
#include "core/net/relay.h"
#include "metrics/scrape.h"

struct stashd_web {
    struct env *env;
    struct registry *registry;
    struct operator *operator;
    const struct stashd_webhook *webhook; /* NULL: none */
    struct stashd_push *push; /* pushed metrics, also the operator's own; NULL: none */
    int64_t started_ms;       /* Unix time */
    bool takes_pushes;        /* the Pushgateway interface is served here */
    struct relays relays;     /* pushes that go on to the replica with the lead */
    struct scrapes scrapes;   /* pages under way; the server stops before the push goes */
};

/* An http_handler; ctx is the struct. */
void stashd_web_serve(void *ctx, struct http_serve *s);

#endif
