/* support_push: see support_push.h. */
#include "test.h"
#include "support_push.h"

#include <stdlib.h>

#include "core/base/mem.h"

static void on_head(struct http_serve *s, int status, const struct http_header *headers, size_t n)
{
    (void)headers;
    (void)n;
    ((struct push_world *)s->data)->status = status;
}

static void on_write(struct http_serve *s, struct str bytes)
{
    buf_add_str(&((struct push_world *)s->data)->body, bytes);
}

static void on_end(struct http_serve *s)
{
    (void)s;
}

static const struct http_serve_ops ops = {.head = on_head, .write = on_write, .end = on_end};

struct push_world *support_push_new(const struct push_limits *limits)
{
    struct push_world *w = calloc(1, sizeof(*w));

    w->live = mem_live();
    w->push = push_new(1, limits);
    buf_init(&w->body, 4096);
    assert_non_null(buf_reserve(&w->body, 1)); /* from here on each block that comes is the push's or the page's */
    buf_init(&w->page, 1024 * 1024);
    return w;
}

void support_push_free(struct push_world *w)
{
    push_free(w->push);
    buf_done(&w->body);
    buf_done(&w->page);
    assert_int_equal(mem_live(), w->live);
    free(w);
}

int push_request(struct push_world *w, const char *method, const char *path, const struct http_header *headers,
                 size_t n, struct str body)
{
    struct http_serve s = {.method = str_of(method),
                           .path = str_of(path),
                           .headers = headers,
                           .n_headers = n,
                           .body = body,
                           .ops = &ops,
                           .data = w};

    buf_clear(&w->body);
    w->status = 0;
    assert_true(push_serve(w->push, &s, w->ns, 1772330400500));
    return w->status;
}

int push_send(struct push_world *w, const char *method, const char *path, const char *body)
{
    return push_request(w, method, path, NULL, 0, str_of(body));
}

const char *push_page(struct push_world *w)
{
    buf_clear(&w->page);
    push_write(w->push, STR_NONE, &w->page);
    return w->page.data;
}

void push_assert_page(struct push_world *w, const char *text, bool there)
{
    if ((strstr(push_page(w), text) != NULL) != there)
        fail_msg("\"%s\" is %s in:\n%s", text, there ? "not" : "still", w->page.data);
}
