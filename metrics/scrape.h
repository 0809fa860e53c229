/*
 * scrape: how the page of push.h is answered to who asks for it: a small one whole, with its length; a big one piece by
 * piece, each when the client has taken the one before, so that neither the loop nor memory knows how big it is.
 */
#ifndef STASHD_SCRAPE_H
#define STASHD_SCRAPE_H

#include "metrics/push.h"

enum { SCRAPES_MAX = 4 };

/* Big pages under way. Zeroed at first; it and the push outlive them. */
struct scrapes {
    size_t n; /* readable; never over SCRAPES_MAX */
};

/* Answers a GET or HEAD; HEAD makes no page. p NULL: own is all there is. 503 with retry-after when as many as may be
 * are under way, 500 when a line is too long for a piece. Takes over s->on_drain, s->on_close and s->data. */
void scrape_serve(struct scrapes *w, struct push *p, struct str own, struct http_serve *s);

#endif
