/* support_world: see support_world.h. */
#include "test.h"

#include "support_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"

enum { OUT_MAX = 64 * 1024, RERUNS_MAX = 16 };

static const struct operator_settings default_settings = {
    .own_namespace = "stash",
    .image = "registry/stashd:0.1",
    .pull_policy = "IfNotPresent",
    .fullname = "stashd",
    .pushgateway_url = "",
    .job_ttl_s = 3600,
    .job_default_timeout_s = 86400,
    .pod_start_timeout_s = 900,
    .catch_up_s = 600,
};

static void changed(void *ctx, const struct kind *k, const struct kobj *old, const struct kobj *now)
{
    struct test_world *w = ctx;

    (void)k;
    unseen_jobs_changed(&w->unseen, w->cache, old, now, (uint64_t)w->now_ms * 1000000);
}

int test_world_setup(void **state)
{
    size_t live;
    struct test_world *w;

    mem_install(1);
    live = mem_live();
    w = mem_zalloc(sizeof(*w));
    w->live = live;
    w->settings = default_settings;
    w->cache = cache_new(1, changed, w);
    unseen_jobs_init(&w->unseen);
    controllers_index(w->cache);
    map_init(&w->docs, 1);
    list_init(&w->refusals);
    arena_init(&w->arena);
    buf_init(&w->out, OUT_MAX);
    buf_init(&w->pushed, OUT_MAX);
    test_world_at(w, "2026-03-01T02:00:00Z");
    *state = w;
    return 0;
}

int test_world_teardown(void **state)
{
    struct test_world *w = *state;
    size_t it = 0, live = w->live;
    struct str key;
    void *doc;

    arena_done(&w->arena);
    buf_done(&w->out);
    buf_done(&w->pushed);
    refusals_free(&w->refusals);
    cache_free(w->cache);
    unseen_jobs_clear(&w->unseen);
    while (map_next(&w->docs, &it, &key, &doc))
        json_decref(doc);
    map_done(&w->docs);
    mem_free(w);
    assert_int_equal(mem_live(), live);
    return 0;
}

void test_world_at(struct test_world *w, const char *rfc3339)
{
    int64_t s;

    assert_int_equal(str_parse_time(str_of(rfc3339), &s), 0);
    w->now_ms = s * 1000;
}

static char *doc_key(const struct kind *k, const char *ns, const char *name)
{
    return mem_printf("%s/%s/%s", k->plural, k->namespaced && ns ? ns : "", name);
}

static void set_default(json_t *object, const char *key, json_t *value_take)
{
    if (json_object_get(object, key))
        json_decref(value_take);
    else
        json_object_set_new(object, key, value_take);
}

static void put(struct test_world *w, json_t *object_take)
{
    const struct kind *k =
        kind_find(str_of(json_text(object_take, "apiVersion")), str_of(json_text(object_take, "kind")));
    json_t *meta = json_object_get(object_take, "metadata");
    AUTO_FREE char *uid = mem_printf("uid-%s", json_text(meta, "name"));
    AUTO_FREE char *rv = mem_printf("%lu", (unsigned long)++w->rv);
    AUTO_FREE char *key = NULL;
    struct kobj *record;
    char now[32];

    if (!k)
        fail_msg("unknown kind %s %s", json_text(object_take, "apiVersion"), json_text(object_take, "kind"));
    assert_non_null(meta);
    set_default(meta, "uid", json_string(uid));
    set_default(meta, "generation", json_integer(1));
    set_default(meta, "creationTimestamp", json_string(str_format_time(w->now_ms / 1000, now)));
    json_object_set_new(meta, "resourceVersion", json_string(rv));
    key = doc_key(k, json_string_value(json_object_get(meta, "namespace")), json_text(meta, "name"));
    record = kobj_from_json(k, object_take);
    cache_put(w->cache, record);
    kobj_unref(record);
    json_decref(map_put(&w->docs, str_of(key), object_take));
}

void test_world_add(struct test_world *w, const char *yaml)
{
    json_t *documents = test_yaml_documents(yaml), *d;
    size_t i;

    json_array_foreach (documents, i, d)
        put(w, json_deep_copy(d));
    json_decref(documents);
}

void test_world_addf(struct test_world *w, const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    assert_true(vasprintf(&text, fmt, ap) >= 0);
    va_end(ap);
    test_world_add(w, text);
    free(text);
}

void test_world_add_file(struct test_world *w, const char *name)
{
    AUTO_FREE char *path = mem_printf("%s/%s", TEST_DATA, name);
    FILE *f = fopen(path, "r");
    char *text = NULL;
    size_t cap = 0;

    if (!f)
        fail_msg("cannot open %s", path);
    assert_true(getdelim(&text, &cap, '\0', f) > 0);
    (void)fclose(f); /* read only */
    test_world_add(w, text);
    free(text);
}

const json_t *test_world_get(struct test_world *w, enum kind_id kind, const char *ns, const char *name)
{
    AUTO_FREE char *key = doc_key(kind_get(kind), ns, name);

    return map_get(&w->docs, str_of(key));
}

void test_world_unseen(struct test_world *w, enum kind_id kind, const char *ns, const char *name)
{
    cache_del(w->cache, kind_get(kind), kind_get(kind)->namespaced ? ns : NULL, name);
}

void test_world_unheard(struct test_world *w, enum kind_id kind, const char *ns, const char *name)
{
    AUTO_FREE char *key = doc_key(kind_get(kind), ns, name);

    json_decref(map_del(&w->docs, str_of(key)));
}

void test_world_del(struct test_world *w, enum kind_id kind, const char *ns, const char *name)
{
    test_world_unheard(w, kind, ns, name);
    test_world_unseen(w, kind, ns, name);
}

static json_t *merge(const json_t *target, const json_t *patch)
{
    json_t *out, *value;
    const char *key;

    if (!json_is_object(patch))
        return json_deep_copy(patch);
    out = json_is_object(target) ? json_copy((json_t *)target) : json_object();
    json_object_foreach ((json_t *)patch, key, value) {
        if (json_is_null(value))
            json_object_del(out, key);
        else
            json_object_set_new(out, key, merge(json_object_get(target, key), value));
    }
    return out;
}

static void patch_object(struct test_world *w, const struct kind *k, const char *ns, const char *name,
                         const json_t *patch)
{
    AUTO_FREE char *key = doc_key(k, ns, name);
    const json_t *old = map_get(&w->docs, str_of(key));
    json_t *new;

    if (!old)
        return; /* a missing object is success (controller.h) */
    new = merge(old, patch);
    if (json_object_get(patch, "spec") && !json_equal(json_object_get(old, "spec"), json_object_get(new, "spec")))
        json_object_set_new(json_object_get(new, "metadata"), "generation",
                            json_integer(json_int(old, "metadata.generation", 0) + 1));
    put(w, new);
}

void test_world_patch(struct test_world *w, enum kind_id kind, const char *ns, const char *name, const char *yaml)
{
    json_t *patch = test_yaml(yaml);

    assert_non_null(test_world_get(w, kind, ns, name));
    patch_object(w, kind_get(kind), ns, name, patch);
    json_decref(patch);
}

/* By the label that Kubernetes gives them. */
static json_t *pods_of(struct test_world *w, const struct world_doc *d)
{
    json_t *items = json_array();
    struct str key;
    void *value;

    for (size_t it = 0; map_next(&w->docs, &it, &key, &value);)
        if (str_starts(key, STR("pods/")) && strcmp(json_meta(value, "labels", "job-name"), d->name) == 0 &&
            strcmp(json_text(value, "metadata.namespace"), d->ns) == 0)
            json_array_append(items, value);
    return json_pack("{s:o}", "items", items);
}

static void give_documents(struct test_world *w)
{
    for (struct world_doc *d; (d = world_wanted(&w->world)) != NULL;) {
        AUTO_FREE char *key = doc_key(d->kind, d->ns, d->name);

        if (d->query) {
            world_give(&w->world, d, pods_of(w, d));
            continue;
        }
        if (d->body) {
            world_give(&w->world, d, json_pack("{s:{s:b}}", "status", "allowed", w->accounts_may));
            continue;
        }
        world_give(&w->world, d, json_incref(map_get(&w->docs, str_of(key))));
    }
}

void test_world_begin(struct test_world *w)
{
    arena_done(&w->arena);
    arena_init(&w->arena);
    world_init(&w->world, &w->settings, w->cache, &w->arena, w->now_ms, w->asked_ms ? w->asked_ms : w->now_ms);
    w->world.refusals = &w->refusals;
    unseen_jobs_expire(&w->unseen, (uint64_t)w->now_ms * 1000000);
    w->world.unseen = &w->unseen;
    w->world.failures = w->failures;
    w->world.catalog_until_s = w->now_ms / 1000 + w->catalog_s;
    w->runs = 0;
}

bool test_world_again(struct test_world *w)
{
    if (!world_waiting(&w->world))
        return false;
    assert_true(++w->runs < RERUNS_MAX);
    give_documents(w);
    world_rerun(&w->world);
    return true;
}

const char *test_world_decide(struct test_world *w, const struct controller *c, const char *ns, const char *name)
{
    const struct kind *k = kind_get(c->kind);
    const struct kobj *self = cache_find(w->cache, k, k->namespaced ? ns : NULL, name);

    if (!self)
        fail_msg("no %s %s/%s", k->name, ns ? ns : "", name);
    test_world_begin(w);
    do {
        plan_init(&w->plan, &w->arena, self, w->now_ms / 1000);
        w->rule = controller_decide(c, &w->world, self, &w->plan);
    } while (test_world_again(w));
    plan_settle(&w->plan, world_peek(&w->world, k, ns, name));
    buf_clear(&w->out);
    plan_print(&w->plan, &w->out);
    assert_int_equal(buf_error(&w->out), 0);
    return w->out.data;
}

static void carry_out(struct test_world *w, const struct effect *e)
{
    switch (e->type) {
    case EFFECT_CREATE:
        if (!test_world_get(w, e->kind->id, e->ns, e->name))
            put(w, json_deep_copy(e->body));
        break;
    case EFFECT_APPLY:
        if (test_world_get(w, e->kind->id, e->ns, e->name))
            patch_object(w, e->kind, e->ns, e->name, e->body);
        else
            put(w, json_deep_copy(e->body));
        break;
    case EFFECT_STATUS:
    case EFFECT_PATCH:
        patch_object(w, e->kind, e->ns, e->name, e->body);
        break;
    case EFFECT_DELETE:
        test_world_del(w, e->kind->id, e->ns, e->name);
        break;
    case EFFECT_PUSH:
        buf_printf(&w->pushed, "push %s %s%s%s\n%s", e->ns, e->family, e->label ? "/" : "", e->label ? e->label : "",
                   e->message);
        break;
    case EFFECT_EVENT:
    case EFFECT_COUNT:
    case EFFECT_WAKE:
        break;
    }
}

void test_world_carry_out(struct test_world *w)
{
    LIST_EACH (it, &w->plan.effects)
        carry_out(w, LIST_ENTRY(it, struct effect, link));
}

const char *test_world_step(struct test_world *w, const struct controller *c, const char *ns, const char *name)
{
    const char *lines = test_world_decide(w, c, ns, name);

    test_world_carry_out(w);
    return lines;
}

const json_t *test_world_effect(struct test_world *w, enum effect_type type, enum kind_id kind, const char *name)
{
    LIST_EACH (it, &w->plan.effects) {
        const struct effect *e = LIST_ENTRY(it, struct effect, link);
        AUTO_FREE char *full = NULL;

        if (e->type != type || !e->kind || e->kind->id != kind)
            continue;
        full = e->ns ? mem_printf("%s/%s", e->ns, e->name) : mem_strdup(e->name);
        if (str_same(full, name))
            return e->body;
    }
    return NULL;
}

void test_world_refuse(struct test_world *w, enum kind_id kind, const char *ns, const char *name, enum refusal_kind why,
                       const char *message)
{
    refusals_note(&w->refusals, kind_get(kind), ns, name, why, message, w->now_ms / 1000, 0);
}

const char *test_world_without(const char *lines, const char *annotation)
{
    static char out[4096];
    AUTO_FREE char *mark = mem_printf(" annotation:%s=", annotation);
    size_t n = 0;

    while (*lines && n < sizeof(out) - 1) {
        if (strncmp(lines, mark, strlen(mark)) == 0)
            lines += strcspn(lines, "\n");
        else
            out[n++] = *lines++;
    }
    out[n] = '\0';
    return out;
}
