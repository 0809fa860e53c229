/* support_cluster: see support_cluster.h. */
#include "test.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "support_cluster.h"

static void on_commit(void *ctx, uint64_t rv, const char *key, const json_t *object)
{
    struct cluster *c = ctx;

    c->commits = mem_realloc(c->commits, (c->n_commits + 1) * sizeof(*c->commits));
    c->commits[c->n_commits++] =
        (struct cluster_commit){.rv = rv, .key = mem_strdup(key), .object = json_deep_copy(object)};
}

static struct cluster *cluster_new(void)
{
    struct cluster *c = mem_zalloc(sizeof(*c));

    test_env_init(&c->env);
    c->m = model_new(&(struct model_options){.env = &c->env.env, .seed = 1, .on_commit = on_commit, .ctx = c});
    return c;
}

int cluster_setup(void **state)
{
    struct cluster *c;
    size_t live;

    mem_install(1);
    live = mem_live();
    c = cluster_new();
    c->live = live;
    model_start(c->m);
    cluster_settle(c);
    *state = c;
    return 0;
}

void cluster_free(struct cluster *c)
{
    json_decref(c->answer);
    model_free(c->m);
    test_env_done(&c->env);
    for (size_t i = 0; i < c->n_commits; i++) {
        mem_free(c->commits[i].key);
        json_decref(c->commits[i].object);
    }
    mem_free(c->commits);
    mem_free(c);
}

int cluster_teardown(void **state)
{
    struct cluster *c = *state;
    size_t live = c->live;

    cluster_free(c);
    if (mem_live() != live)
        print_error("%zu blocks left\n", mem_live() - live);
    return mem_live() == live ? 0 : -1;
}

struct cluster *cluster_restart(const struct cluster *c, size_t n)
{
    struct cluster *other = cluster_new();

    other->env.now_ns = c->env.now_ns;
    other->env.wall_ms = c->env.wall_ms;
    for (size_t i = 0; i < n; i++)
        model_load(other->m, c->commits[i].rv, c->commits[i].key, json_deep_copy(c->commits[i].object));
    model_start(other->m);
    cluster_settle(other);
    return other;
}

json_t *cluster_parse(const char *text)
{
    char *copy = mem_strdup(text);
    json_error_t e;
    json_t *value;

    for (char *p = copy; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    value = json_loads(copy, JSON_DECODE_ANY, &e);
    if (!value)
        fail_msg("%s at %d of %s", e.text, e.position, text);
    mem_free(copy);
    return value;
}

int cluster_do(struct cluster *c, const char *method, const char *path, const char *body)
{
    json_t *parsed = body ? cluster_parse(body) : NULL;
    int status;

    json_decref(c->answer);
    c->answer = NULL;
    status = model_do(c->m, "admin", method, path, parsed, &c->answer);
    json_decref(parsed);
    return status;
}

void cluster_must(struct cluster *c, int status, const char *method, const char *path, const char *body)
{
    int is = cluster_do(c, method, path, body);

    if (is != status)
        fail_msg("%s %s: %d %s", method, path, is, json_text(c->answer, "message"));
}

bool cluster_has(struct cluster *c, const char *path)
{
    return cluster_do(c, "GET", path, NULL) == 200;
}

/* Kept in the answer itself, so that it lives as long. */
static const char *keep(struct cluster *c, char *text_take)
{
    json_t *kept = json_string(text_take);

    mem_free(text_take);
    if (!c->answer)
        c->answer = json_object();
    json_object_set_new(c->answer, "x-kept", kept);
    return json_string_value(kept);
}

const char *cluster_text(struct cluster *c, const char *path, const char *field)
{
    const json_t *value;

    (void)cluster_do(c, "GET", path, NULL);
    value = json_at(c->answer, field);
    if (!value || json_is_string(value))
        return value ? json_string_value(value) : "";
    return keep(c, json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS));
}

const char *cluster_names(struct cluster *c, const char *path)
{
    json_t *items, *one;
    struct buf names;
    size_t i;

    cluster_must(c, 200, "GET", path, NULL);
    items = json_object_get(c->answer, "items");
    buf_init(&names, 1 << 20);
    json_array_foreach (items, i, one)
        buf_printf(&names, "%s%s", i > 0 ? " " : "", json_text(one, "metadata.name"));
    return keep(c, buf_take(&names));
}

const char *cluster_name(struct cluster *c, const char *path, size_t n)
{
    const char *name;

    cluster_must(c, 200, "GET", path, NULL);
    name = json_text(json_array_get(json_object_get(c->answer, "items"), n), "metadata.name");
    if (!*name)
        fail_msg("%s has no item %zu", path, n);
    return name;
}

void cluster_settle(struct cluster *c)
{
    test_env_settle(&c->env);
}

void cluster_advance(struct cluster *c, uint64_t seconds)
{
    test_env_advance(&c->env, seconds * 1000);
    cluster_settle(c); /* what the last timer asked for */
}
