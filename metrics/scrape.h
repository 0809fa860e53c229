/*
 * scrape: how the page of push.h is answered to who asks for it: a small one whole, with its length; a big one piece by
 * piece, each when the client has taken the one before, so that neither the loop nor memory knows how big it is.
 */
#ifndef STASHD_SCRAPE_H
#define STASHD_SCRAPE_H

#include "metrics/push.h"

enum { SCRAPES_MAX = 4 };

struct scrape; /* private */

/* Big pages under way. Zeroed at first; it and the push outlive them. */
struct scrapes {
    struct scrape *open[SCRAPES_MAX]; /* the oldest first */
    size_t n;                         /* readable */
};

/* Answers a GET or HEAD; HEAD makes no page. p NULL: own is all there is. 500 when a line is too long for a piece. When
 * as many as may be are under way, the oldest one of the address that has most of them is broken off, so that slow
 * readers keep nobody out; 503 with retry-after if that address would be the client's own. Takes over s->on_drain,
 * s->on_close and s->data. */
void scrape_serve(struct scrapes *w, struct push *p, struct str own, struct http_serve *s);

#endif
