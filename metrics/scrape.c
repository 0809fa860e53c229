/* scrape: see scrape.h. */
#include "metrics/scrape.h"

#include <stdio.h>

#include "core/base/mem.h"

enum { PIECE_MAX = 1024 * 1024 }; /* 64 kB and the line that comes last; of a push the longest is a help of 128 kB */

static const char page_type[] = "text/plain; version=0.0.4; charset=utf-8", text_plain[] = "text/plain; charset=utf-8";

struct scrape {
    struct scrapes *owner;
    struct push_page *page;
    struct http_serve *serve;
};

/* Without the port. */
static struct str host_of(const struct http_serve *s)
{
    struct str host = s->remote;

    while (host.n && host.p[host.n - 1] != ':')
        host.n--;
    return host;
}

static size_t pages_of(const struct scrapes *w, struct str host)
{
    size_t n = 0;

    for (size_t i = 0; i < w->n; i++)
        n += str_eq(host_of(w->open[i]->serve), host);
    return n;
}

/* From among those under way, when it is. */
static void leave(struct scrapes *w, const struct scrape *c)
{
    size_t n = 0;

    for (size_t i = 0; i < w->n; i++)
        if (w->open[i] != c)
            w->open[n++] = w->open[i];
    w->n = n;
}

/* False: the newcomer has most itself. */
static bool make_room(struct scrapes *w, const struct http_serve *newcomer)
{
    size_t most = 0, of_it = pages_of(w, host_of(newcomer)) + 1, n;
    struct scrape *oldest = NULL;

    for (size_t i = 0; i < w->n; i++) {
        n = pages_of(w, host_of(w->open[i]->serve));
        if (n > most) {
            most = n;
            oldest = w->open[i];
        }
    }
    if (of_it > most)
        return false;
    leave(w, oldest);
    oldest->serve->ops->reset(oldest->serve);
    return true;
}

static void write_next(struct http_serve *s)
{
    struct scrape *c = s->data;
    struct buf piece;
    bool more;

    buf_init(&piece, PIECE_MAX);
    more = push_page_next(c->page, &piece);
    if (buf_error(&piece) < 0) {
        s->ops->reset(s);
    } else {
        s->ops->write(s, buf_str(&piece));
        if (!more)
            s->ops->end(s);
    }
    buf_done(&piece);
}

static void closed(struct http_serve *s)
{
    struct scrape *c = s->data;

    leave(c->owner, c);
    push_page_free(c->page);
    mem_free(c);
}

static void start(struct scrapes *w, struct push_page *page_take, struct str first, struct http_serve *s)
{
    const struct http_header type = {STR("content-type"), str_of(page_type)};
    struct scrape *c = mem_zalloc(sizeof(*c));

    *c = (struct scrape){w, page_take, s};
    w->open[w->n++] = c;
    s->data = c;
    s->on_drain = write_next;
    s->on_close = closed;
    s->ops->head(s, 200, &type, 1);
    s->ops->write(s, first);
}

static void refuse(struct http_serve *s)
{
    const struct http_header headers[] = {{STR("content-type"), str_of(text_plain)}, {STR("retry-after"), STR("1")}};
    char text[80];

    (void)snprintf(text, sizeof(text), "%d big pages are being read already, most from there; try again\n",
                   SCRAPES_MAX);
    s->ops->head(s, 503, headers, 2);
    s->ops->write(s, str_of(text));
    s->ops->end(s);
}

static void serve_page(struct scrapes *w, struct push *p, struct str own, struct http_serve *s)
{
    struct push_page *page = push_page_new(p, own);
    struct buf piece;
    bool more;

    buf_init(&piece, PIECE_MAX);
    more = push_page_next(page, &piece);
    if (buf_error(&piece) == 0 && more) {
        start(w, page, buf_str(&piece), s);
    } else {
        push_page_free(page);
        if (buf_error(&piece) < 0)
            http_reply(s, 500, text_plain, STR("a line of the page is too long\n"));
        else
            http_reply(s, 200, page_type, buf_str(&piece));
    }
    buf_done(&piece);
}

void scrape_serve(struct scrapes *w, struct push *p, struct str own, struct http_serve *s)
{
    const struct http_header type = {STR("content-type"), str_of(page_type)};

    if (str_is(s->method, "HEAD")) {
        s->ops->head(s, 200, &type, 1);
        s->ops->end(s);
    } else if (!p) {
        http_reply(s, 200, page_type, own);
    } else if (w->n == SCRAPES_MAX && !make_room(w, s)) {
        refuse(s);
    } else {
        serve_page(w, p, own, s);
    }
}
