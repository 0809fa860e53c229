/*
 * admission_serve: see admission_serve.h. A request is decided like a pass of the engine: decide, read what was asked
 * for, decide again. It owns a copy of nothing: the parsed review lives as long as the request.
 */
#include "controllers/admission_serve.h"

#include "controllers/admission.h"
#include "controllers/world.h"
#include "core/base/limits.h"
#include "core/base/mem.h"

enum {
    OPEN_MAX = 512,         /* over it a client shall come again */
    READ_TIMEOUT_MS = 4000, /* the API server waits 10 s for us */
    RERUNS_MAX = 8,
};

static const char text_plain[] = "text/plain; charset=utf-8";

struct open_review {
    struct list link;
    struct admission_server *server;
    struct http_serve *http; /* NULL: the client went */
    struct admission_request request;
    struct arena arena;
    struct world world;
    struct list reads;
    size_t n_reads, reruns;
    bool unread; /* something could not be read */
};

struct review_read {
    struct list link;
    struct open_review *review;
    struct world_doc *doc;
    struct kube_call call;
};

static void decide(struct open_review *r);

/* ---- the end ---- */

static void finish(struct open_review *r)
{
    struct admission_server *s = r->server;

    list_del(&r->link);
    kube_admission_done(&r->request);
    arena_done(&r->arena);
    mem_free(r);
    if (--s->n_open == 0 && s->on_idle)
        s->on_idle(s->ctx);
}

static void answer(struct open_review *r, struct admission_verdict *v)
{
    struct http_serve *s = r->http;
    struct buf out;

    if (r->unread && v->warnings)
        json_array_append_new(v->warnings, json_string("the usage policy could not be looked at: see the conditions"));
    buf_init(&out, LIMIT_REQUEST_BODY);
    kube_admission_answer(&r->request, v, &out);
    r->server->n_allowed += !v->refusal;
    r->server->n_refused += v->refusal != NULL;
    s->on_close = NULL;
    s->data = NULL;
    if (buf_error(&out) < 0)
        http_reply(s, 500, text_plain, STR("the answer is too big\n"));
    else
        http_reply(s, 200, "application/json", buf_str(&out));
    buf_done(&out);
    finish(r);
}

/* ---- reading ---- */

static void read_done(struct kube_call *call, int rc, const json_t *object, const struct error *e)
{
    struct review_read *read = call->data;
    struct open_review *r = read->review;

    (void)e; /* the reconciler meets it again and says so */
    list_del(&read->link);
    r->unread |= rc < 0 && rc != ERR_NOTFOUND;
    world_give(&r->world, read->doc, rc == 0 ? json_incref((json_t *)object) : NULL);
    if (--r->n_reads)
        return;
    if (r->http)
        decide(r);
    else
        finish(r);
}

static void read_all(struct open_review *r)
{
    LIST_EACH (it, &r->world.docs) {
        struct world_doc *d = LIST_ENTRY(it, struct world_doc, link);
        struct review_read *read;

        if (d->known)
            continue;
        read = arena_alloc(&r->arena, sizeof(*read));
        read->review = r;
        read->doc = d;
        read->call = (struct kube_call){.verb = d->body ? KUBE_CREATE : KUBE_GET, .kind = d->kind, .ns = d->ns,
                                        .name = d->body ? NULL : d->name, .body = d->body,
                                        .timeout_ms = READ_TIMEOUT_MS, .on_done = read_done, .data = read};
        list_add_tail(&r->reads, &read->link);
        r->n_reads++;
        kube_start(r->server->kube, &read->call);
    }
}

static void decide(struct open_review *r)
{
    struct admission_server *s = r->server;
    struct admission_verdict verdict;

    world_rerun(&r->world);
    admission_decide(&r->world, &r->request, !r->unread && s->knows(s->ctx), &verdict);
    if (world_waiting(&r->world) && r->reruns++ < RERUNS_MAX)
        read_all(r);
    else
        answer(r, &verdict);
}

/* ---- requests ---- */

static void client_went(struct http_serve *http)
{
    struct open_review *r = http->data;

    r->http = NULL;
}

static void take(struct admission_server *s, struct http_serve *http, const struct admission_request *request)
{
    struct open_review *r = mem_zalloc(sizeof(*r));
    int64_t now_ms = env_wall_ms(s->kube->env);

    r->server = s;
    r->http = http;
    r->request = *request;
    arena_init(&r->arena);
    list_init(&r->reads);
    world_init(&r->world, s->settings, s->cache, &r->arena, now_ms, now_ms);
    http->data = r;
    http->on_close = client_went;
    list_add_tail(&s->open, &r->link);
    s->n_open++;
    decide(r);
}

void admission_serve(void *ctx, struct http_serve *http)
{
    struct admission_server *s = ctx;
    struct admission_request request;
    struct error e;

    if (!str_is(http->path, "/validate")) {
        http_reply(http, 404, text_plain, STR("not found\n"));
    } else if (!str_is(http->method, "POST")) {
        http_reply(http, 405, text_plain, STR("an AdmissionReview is posted\n"));
    } else if (s->n_open >= OPEN_MAX) {
        http_reply(http, 429, text_plain, STR("too many reviews at once\n"));
    } else if (kube_admission_parse(http->body, &request, &e) < 0) {
        http_reply(http, 400, text_plain, str_of(e.msg));
    } else {
        take(s, http, &request);
    }
}

void admission_serve_init(struct admission_server *s)
{
    list_init(&s->open);
}

void admission_serve_stop(struct admission_server *s)
{
    LIST_EACH (it, &s->open) {
        struct open_review *r = LIST_ENTRY(it, struct open_review, link);

        LIST_EACH (at, &r->reads)
            kube_cancel(&LIST_ENTRY(at, struct review_read, link)->call);
    }
}
