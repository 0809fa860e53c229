/* support_model: see support_model.h. */
#include "test.h"

#include "core/base/buf.h"
#include "core/base/mem.h"
#include "support_model.h"

void test_model_init(struct test_model *t, size_t history, bool rbac)
{
    struct model_options o = {.seed = 7, .history_max = history, .rbac = rbac};

    mem_install(1);
    t->live = mem_live();
    test_env_init(&t->env);
    o.env = &t->env.env;
    t->m = model_new(&o);
    model_start(t->m);
    test_env_settle(&t->env);
}

void test_model_done(struct test_model *t)
{
    model_free(t->m);
    test_env_done(&t->env);
    assert_int_equal(mem_live(), t->live);
}

json_t *test_model_do(struct test_model *t, const char *method, const char *path, const char *body, int *status)
{
    json_t *tree = body ? json_loads(body, 0, NULL) : NULL, *answer = NULL;

    if (body)
        assert_non_null(tree);
    *status = model_do(t->m, "system:admin", method, path, tree, &answer);
    json_decref(tree);
    return answer;
}

void test_model_ok(struct test_model *t, const char *method, const char *path, const char *body, int status)
{
    int got;
    json_t *answer = test_model_do(t, method, path, body, &got);

    if (got != status) {
        char *text = json_dumps(answer, JSON_COMPACT);

        print_error("%s %s: %s\n", method, path, text);
        mem_free(text);
    }
    assert_int_equal(got, status);
    json_decref(answer);
}

/* ---- exchanges ---- */

static struct test_serve *of(struct http_serve *s)
{
    return (struct test_serve *)(void *)s;
}

static void serve_head(struct http_serve *s, int status, const struct http_header *headers, size_t n)
{
    struct buf text;

    of(s)->status = status;
    buf_init(&text, 64 * 1024);
    for (size_t i = 0; i < n; i++)
        buf_printf(&text, "%.*s: %.*s\n", (int)headers[i].name.n, headers[i].name.p, (int)headers[i].value.n,
                   headers[i].value.n ? headers[i].value.p : "");
    of(s)->head = buf_take(&text);
}

static void serve_write(struct http_serve *s, struct str bytes)
{
    buf_add_str(&of(s)->out, bytes);
}

static void serve_end(struct http_serve *s)
{
    of(s)->ended = true;
}

static void serve_reset(struct http_serve *s)
{
    of(s)->reset = true;
}

static size_t serve_pending(struct http_serve *s)
{
    return of(s)->out.len;
}

static const struct http_serve_ops ops = {serve_head, serve_write, serve_end, serve_reset, serve_pending};

void test_serve(struct test_model *t, struct test_serve *s, const char *subject, const char *method, const char *path,
                const char *headers, const char *body)
{
    struct str rest = str_of(headers), line, name, all;

    *s = (struct test_serve){.method = mem_strdup(method), .path = mem_strdup(path)};
    buf_init(&s->out, 256 * 1024 * 1024);
    s->serve.ops = &ops;
    s->serve.method = str_of(s->method);
    all = str_of(s->path);
    (void)str_cut(&all, '?', &s->serve.path);
    s->serve.query = all;
    while (str_cut(&rest, '\n', &line) && line.n) {
        (void)str_cut(&line, ':', &name);
        s->headers[s->serve.n_headers++] = (struct http_header){name, str_trim(line)};
    }
    s->serve.headers = s->headers;
    s->serve.body = str_of(body);
    s->serve.client_subject = str_of(subject);
    model_serve(t->m, &s->serve);
}

json_t *test_serve_line(struct test_serve *s)
{
    char *end = s->out.len ? memchr(s->out.data, '\n', s->out.len) : NULL;
    json_t *tree;

    if (!end)
        return NULL;
    tree = json_loadb(s->out.data, (size_t)(end - s->out.data), 0, NULL);
    assert_non_null(tree);
    buf_consume(&s->out, (size_t)(end - s->out.data) + 1);
    return tree;
}

json_t *test_serve_json(struct test_serve *s)
{
    json_t *tree = json_loadb(s->out.data, s->out.len, 0, NULL);

    assert_non_null(tree);
    return tree;
}

void test_serve_done(struct test_serve *s)
{
    if (s->serve.on_close)
        s->serve.on_close(&s->serve);
    s->closed = true;
    buf_done(&s->out);
    mem_free(s->method);
    mem_free(s->path);
    mem_free(s->head);
}
