/*
 * relay: passes a request that we serve on to another process, over HTTP/1.1, and its answer back: what a replica
 * without the lead does with a push (metrics.md 6.1, Replicas). Of the headers only those go along that say what the
 * body is and who sends it; of the answer its status, content type and text come back.
 */
#ifndef STASHD_RELAY_H
#define STASHD_RELAY_H

#include "core/base/env.h"
#include "core/base/http.h"

/* Those under way. Embed it; the owner of the server keeps it, and stops it before the loop ends. */
struct relays {
    struct env *env;
    struct list open; /* private */
    size_t n;         /* readable: under way */
};

void relays_init(struct relays *r, struct env *env);

/*
 * Answers s with what host:port says to the same request: 502 when nobody answers there or the answer is no HTTP, 504
 * after 10 s, 429 when too many are under way, 503 when it was passed on to us. Takes over s->on_close and s->data. A
 * client that goes ends it.
 */
void relay_start(struct relays *r, const char *host, uint16_t port, struct http_serve *s);

/* Drops those under way: their clients get 502. Their connections are closed in later turns. */
void relays_stop(struct relays *r);

#endif
