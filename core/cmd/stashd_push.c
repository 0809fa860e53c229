/* stashd_push: see stashd_push.h. A request waits for its review;
 * a client that goes meanwhile takes its request along. */
#include "core/cmd/stashd_push.h"

#include <assert.h>
#include <ctype.h>

#include "core/base/json.h"
#include "core/base/mem.h"

enum { WAITING_MAX = 256 };

/* Asked only here, never watched: not in the table of kinds. */
static const struct kind token_review = {.id = N_KINDS,
                                         .group = "authentication.k8s.io",
                                         .version = "v1",
                                         .name = "TokenReview",
                                         .plural = "tokenreviews"};

struct review {
    struct list link;
    struct stashd_push *owner;
    struct http_serve *serve; /* NULL: the client went */
    struct kube_call call;
};

static const char text_plain[] = "text/plain; charset=utf-8";

void stashd_push_init(struct stashd_push *p, struct kube *kube, bool open, uint64_t seed)
{
    *p = (struct stashd_push){.kube = kube, .open = open};
    p->push = push_new(seed, &(struct push_limits){0, 0, 0});
    list_init(&p->waiting);
}

void stashd_push_stop(struct stashd_push *p)
{
    LIST_EACH (it, &p->waiting)
        kube_cancel(&LIST_ENTRY(it, struct review, link)->call);
}

void stashd_push_done(struct stashd_push *p)
{
    assert(list_empty(&p->waiting));
    push_free(p->push);
}

static void serve(struct stashd_push *p, struct http_serve *s, const char *ns)
{
    if (!push_serve(p->push, s, ns, env_wall_ms(p->kube->env)))
        http_reply(s, 404, text_plain, STR("not found\n"));
}

static void client_went(struct http_serve *s)
{
    struct review *r = s->data;

    r->serve = NULL;
}

/* Any account of the cluster may push, for its namespace; what else there is (users, nodes) may not: NULL. */
static char *namespace_of(const json_t *answer)
{
    static const char prefix[] = "system:serviceaccount:";
    struct str rest = str_of(json_text(answer, "status.user.username")), ns;

    if (!json_flag(answer, "status.authenticated", false) || !str_starts(rest, str_of(prefix)))
        return NULL;
    rest = (struct str){rest.p + sizeof(prefix) - 1, rest.n - (sizeof(prefix) - 1)};
    return str_cut(&rest, ':', &ns) && rest.n && ns.n ? mem_strndup(ns.p, ns.n) : NULL;
}

static void review_done(struct kube_call *call, int rc, const json_t *object, const struct error *e)
{
    struct review *r = call->data;
    struct http_serve *s = r->serve;
    struct stashd_push *p = r->owner;
    AUTO_FREE char *ns = rc < 0 ? NULL : namespace_of(object);

    (void)e;
    list_del(&r->link);
    mem_free(r);
    if (!s)
        return;
    s->on_close = NULL;
    s->data = NULL;
    if (rc < 0)
        http_reply(s, 503, text_plain, STR("the token could not be checked\n"));
    else if (!ns)
        http_reply(s, 401, text_plain, STR("the token is not a valid ServiceAccount token\n"));
    else
        serve(p, s, ns);
}

static void start_review(struct stashd_push *p, struct http_serve *s, struct str token)
{
    struct review *r = mem_zalloc(sizeof(*r));
    json_t *body = json_pack("{s:{s:s%}}", "spec", "token", token.p, token.n);

    r->owner = p;
    r->serve = s;
    r->call = (struct kube_call){.verb = KUBE_CREATE, .kind = &token_review, .body = body, .on_done = review_done,
                                 .data = r};
    s->data = r;
    s->on_close = client_went;
    list_add_tail(&p->waiting, &r->link);
    kube_start(p->kube, &r->call);
    json_decref(body);
}

static size_t n_waiting(const struct stashd_push *p)
{
    size_t n = 0;

    LIST_EACH (it, &p->waiting)
        n++;
    return n;
}

bool stashd_push_serve(struct stashd_push *p, struct http_serve *s)
{
    struct str token = http_header_find(s->headers, s->n_headers, "authorization");

    if (!push_is_write(s) || p->open)
        return push_serve(p->push, s, NULL, env_wall_ms(p->kube->env));
    if (!str_starts(token, STR("Bearer ")) || token.n == 7) {
        http_reply(s, 401, text_plain, STR("a push needs a ServiceAccount token\n"));
    } else if (n_waiting(p) >= WAITING_MAX) {
        http_reply(s, 429, text_plain, STR("too many pushes at once\n"));
    } else {
        start_review(p, s, (struct str){token.p + 7, token.n - 7});
    }
    return true;
}

/* Job "backupconfiguration-<namespace>-<name>" (metrics.md 3). */
void stashd_push_forget(struct stashd_push *p, const struct kobj *invoker)
{
    AUTO_FREE char *job = mem_printf("%s-%s-%s", invoker->kind->name, invoker->ns, invoker->name);

    for (char *c = job; *c != '-'; c++)
        *c = (char)tolower((unsigned char)*c);
    push_drop_job(p->push, invoker->ns, job);
}

void stashd_push_forget_all(struct stashd_push *p)
{
    push_clear(p->push);
}
