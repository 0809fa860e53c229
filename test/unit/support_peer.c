/* support_peer: see support_peer.h. */
#include "test.h"

#include "support_peer.h"

#include <stdio.h>

static void start(struct http_peer *peer, struct http_call *c)
{
    struct test_peer *p = (struct test_peer *)(void *)peer;

    c->impl = p;
    p->n_started++;
    list_add_tail(&p->waiting, &c->link);
}

static void on_cancel_turn(struct timer *t)
{
    struct test_peer *p = t->data;
    struct error e;

    for (struct list *l; (l = list_pop(&p->canceled));) {
        struct http_call *c = LIST_ENTRY(l, struct http_call, link);

        c->impl = NULL;
        error_set(&e, ERR_CANCELED, "canceled");
        c->on_done(c, ERR_CANCELED, &e);
    }
}

static void cancel(struct http_peer *peer, struct http_call *c)
{
    struct test_peer *p = (struct test_peer *)(void *)peer;

    if (!c->impl)
        return;
    list_del(&c->link);
    list_add_tail(&p->canceled, &c->link);
    timer_set_in(&p->env->env, &p->timer, 0);
}

static const struct http_peer_ops ops = {.start = start, .cancel = cancel};

void test_peer_init(struct test_peer *p, struct test_env *env)
{
    *p = (struct test_peer){.peer.ops = &ops, .env = env};
    list_init(&p->waiting);
    list_init(&p->canceled);
    timer_init(&p->timer, on_cancel_turn, p);
}

void test_peer_done(struct test_peer *p)
{
    assert_true(list_empty(&p->waiting));
    assert_true(list_empty(&p->canceled));
}

struct http_call *test_peer_first(struct test_peer *p)
{
    return list_empty(&p->waiting) ? NULL : LIST_ENTRY(p->waiting.next, struct http_call, link);
}

unsigned test_peer_open(const struct test_peer *p)
{
    unsigned n = 0;

    LIST_EACH (it, &p->waiting)
        n++;
    return n;
}

void test_peer_head(struct http_call *c, int status, const char *retry_after)
{
    struct http_header headers[2] = {{STR("content-type"), STR("application/json")},
                                     {STR("retry-after"), str_of(retry_after)}};

    if (c->on_head)
        c->on_head(c, status, headers, retry_after ? 2 : 1);
}

void test_peer_data(struct http_call *c, const char *text)
{
    if (c->on_data)
        c->on_data(c, str_of(text));
}

void test_peer_end(struct http_call *c, int rc)
{
    struct error e = {0};

    list_del(&c->link);
    c->impl = NULL;
    if (rc < 0)
        error_set(&e, rc, "connection lost");
    c->on_done(c, rc, rc < 0 ? &e : NULL);
}

void test_peer_answer(struct test_peer *p, int status, const char *text)
{
    struct http_call *c = test_peer_first(p);

    assert_non_null(c);
    test_peer_head(c, status, NULL);
    if (*text)
        test_peer_data(c, text);
    test_peer_end(c, 0);
}

const char *test_peer_header(const struct http_call *c, const char *name)
{
    static char out[4096];
    struct str value = http_header_find(c->headers, c->n_headers, name);

    (void)snprintf(out, sizeof(out), "%.*s", (int)value.n, value.p ? value.p : "");
    return out;
}
