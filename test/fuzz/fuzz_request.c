/*
 * fuzz_request: lines "<METHOD> <path> <body>" asked of one model, or "@<content type> <METHOD> <path> <body>" as an
 * exchange of HTTP (without a type by nobody whom it knows). Each is answered with a status and a tree; a list shows
 * exactly what single gets show; nothing is left when the model goes.
 * Reads: k8s/model/request.c
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Time stands still; timers fire when the input is done. */
struct fuzz_env {
    struct env env;
    struct heap timers;
    uint64_t random;
};

static uint64_t now_ns(struct env *e)
{
    (void)e;
    return 1000000000;
}

static int64_t wall_ms(struct env *e)
{
    (void)e;
    return 1772330400000;
}

static uint64_t next_random(struct env *e)
{
    struct fuzz_env *f = (struct fuzz_env *)(void *)e;

    f->random = f->random * 6364136223846793005u + 1442695040888963407u;
    return f->random;
}

static void set(struct env *e, struct timer *t, uint64_t due_ns)
{
    struct heap *h = &((struct fuzz_env *)(void *)e)->timers;

    heap_del(h, &t->node);
    heap_add(h, &t->node, due_ns);
}

static void clear(struct env *e, struct timer *t)
{
    heap_del(&((struct fuzz_env *)(void *)e)->timers, &t->node);
}

static const struct env_ops ops = {.now_ns = now_ns, .wall_ms = wall_ms, .random = next_random, .timer_set = set,
                                   .timer_clear = clear};

/* What is due now, but no more turns than any input needs. */
static void settle(struct fuzz_env *f)
{
    for (int i = 0; i < 1000; i++) {
        struct heap_node *first = heap_first(&f->timers);
        struct timer *t = (struct timer *)(void *)first;

        if (!first || first->key > now_ns(&f->env))
            return;
        heap_pop(&f->timers);
        t->on_fire(t);
    }
}

struct exchange {
    struct http_serve serve; /* first */
    struct buf out;
    int status;
    bool ended;
};

static void head(struct http_serve *s, int status, const struct http_header *headers, size_t n)
{
    (void)headers, (void)n;
    ((struct exchange *)(void *)s)->status = status;
}

static void write_out(struct http_serve *s, struct str bytes)
{
    buf_add_str(&((struct exchange *)(void *)s)->out, bytes);
}

static void end(struct http_serve *s)
{
    ((struct exchange *)(void *)s)->ended = true;
}

static size_t pending(struct http_serve *s)
{
    (void)s;
    return 0;
}

static const struct http_serve_ops serve_ops = {head, write_out, end, end, pending};

/* A watch has no end: the client goes. */
static void serve(struct model *m, struct str type, struct str line)
{
    const struct http_header header = {STR("content-type"), type};
    struct exchange x = {.serve = {.body = line, .headers = &header, .n_headers = 1, .ops = &serve_ops}};
    json_t *answer;

    if (!str_cut(&x.serve.body, ' ', &x.serve.method) || !str_cut(&x.serve.body, ' ', &x.serve.query))
        return;
    (void)str_cut(&x.serve.query, '?', &x.serve.path);
    x.serve.client_subject = type.n ? STR("CN=fuzz,O=system:masters") : STR_NONE;
    buf_init(&x.out, 1 << 26);
    model_serve(m, &x.serve);
    assert(x.status >= 200 && x.status < 600);
    answer = json_loadb(x.out.len ? x.out.data : "", x.out.len, 0, NULL);
    assert(x.status < 400 || x.ended);
    assert(x.status < 400 || !answer || json_int(answer, "code", 0) == x.status); /* of no resource: a plain text */
    json_decref(answer);
    if (x.serve.on_close)
        x.serve.on_close(&x.serve);
    buf_done(&x.out);
}

static void ask(struct model *m, struct str line)
{
    struct str method, path, type;
    char *m_text, *p_text;
    json_t *body, *answer = NULL;
    int status;

    if (str_starts(line, STR("@"))) {
        if (str_cut(&line, ' ', &type))
            serve(m, (struct str){type.p + 1, type.n - 1}, line);
        return;
    }
    if (!str_cut(&line, ' ', &method) || !str_cut(&line, ' ', &path))
        return;
    m_text = mem_strndup(method.n ? method.p : "", method.n);
    p_text = mem_strndup(path.n ? path.p : "", path.n);
    body = json_loadb(line.n ? line.p : "", line.n, 0, NULL);
    status = model_do(m, "fuzz", m_text, p_text, body, &answer);
    assert(status >= 200 && status < 600);
    assert(answer);
    json_decref(answer);
    json_decref(body);
    mem_free(m_text);
    mem_free(p_text);
}

static void check_list(struct model *m)
{
    json_t *list, *item, *one;
    size_t i;

    assert(model_do(m, "fuzz", "GET", "/api/v1/configmaps", NULL, &list) == 200);
    json_array_foreach(json_object_get(list, "items"), i, item) {
        char *path = mem_printf("/api/v1/namespaces/%s/configmaps/%s", json_text(item, "metadata.namespace"),
                                json_text(item, "metadata.name"));

        assert(model_do(m, "fuzz", "GET", path, NULL, &one) == 200);
        assert(json_equal(item, one));
        json_decref(one);
        mem_free(path);
    }
    json_decref(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_env f = {.env = {&ops}, .random = 1};
    struct model_options o = {.env = &f.env, .seed = 1, .rbac = true};
    struct str rest = {(const char *)data, size}, line;
    struct model *m;
    size_t live;

    mem_install(1);
    live = mem_live();
    heap_init(&f.timers);
    m = model_new(&o);
    model_start(m);
    settle(&f);
    while (str_cut(&rest, '\n', &line))
        ask(m, line);
    settle(&f);
    check_list(m);
    model_free(m);
    assert(!heap_first(&f.timers));
    heap_done(&f.timers);
    assert(mem_live() == live);
    return 0;
}
