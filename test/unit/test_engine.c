/* test_engine: events to passes, plans to requests, with the API server played by the test. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "controllers/docs.h"
#include "controllers/engine.h"
#include "controllers/target_lock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "support_env.h"
#include "support_peer.h"
#include "support_world.h"

struct bench {
    struct test_env env;
    struct test_peer peer;
    struct kube kube;
    struct cache *cache;
    struct engine *engine;
    struct log log;
    struct operator_settings settings;
    unsigned passes;
    char results[512]; /* "reason=result " of each pass */
    double counted;
    uint64_t held_ns; /* of the first unseen Job */
    int active_changes;
    bool stopped;
    size_t live;
    /* What the controller under test does. */
    void (*act)(struct bench *b, const struct kobj *self, struct world *w, struct plan *p);
    unsigned observed;
    bool fenced;
    uint32_t drain_ms;
    int64_t catalog_s;
};

static struct bench *bench; /* the controller's callbacks have no context of their own */

struct view {
    const struct kobj *self;
};

static int observe(struct world *w, const struct kobj *self, void *view)
{
    (void)w;
    ((struct view *)view)->self = self;
    bench->observed++;
    return 0;
}

static void act(const void *view, struct world *w, struct plan *p)
{
    if (bench->act)
        bench->act(bench, ((const struct view *)view)->self, w, p);
}

static void wake_repository(const struct cache *c, const struct kobj *changed, wake_fn *wake, void *ctx)
{
    (void)c;
    wake(ctx, changed->ns, kobj_text(changed, "spec.repository.name"));
}

static bool is_settled(const struct kobj *o)
{
    return strcmp(kobj_text(o, "spec.usagePolicy.allowedNamespaces.from"), "All") == 0;
}

static const char *const phases[] = {"", NULL};
static const struct rule rules[] = {{0, NULL, act, 0, "Acted"}};
static const struct watched watches[] = {{KIND_BACKUPCONFIGURATION, wake_repository, NULL}};
static const struct controller under_test = {
    .name = "test", .kind = KIND_REPOSITORY, .component = "Test", .phases = phases, .rules = rules, .n_rules = 1,
    .view_size = sizeof(struct view), .observe = observe, .watches = watches, .n_watches = 1,
    .is_settled = is_settled,
};
static const struct controller *const table[] = {&under_test};

static void on_pass(void *ctx, const struct controller *c, const char *reason, const char *result, uint64_t took_ns)
{
    struct bench *b = ctx;
    size_t n = strlen(b->results);

    (void)c;
    (void)took_ns;
    b->passes++;
    (void)snprintf(b->results + n, sizeof(b->results) - n, "%s=%s ", reason, result);
}

static void on_count(void *ctx, const char *family, const char *label, double by)
{
    (void)family;
    (void)label;
    ((struct bench *)ctx)->counted += by;
}

static bool may_write(void *ctx)
{
    return !((struct bench *)ctx)->fenced;
}

static void on_active(void *ctx, bool active)
{
    (void)active;
    ((struct bench *)ctx)->active_changes++;
}

static void drop_line(void *ctx, struct str line)
{
    (void)ctx;
    (void)line;
}

static void changed(void *ctx, const struct kind *k, const struct kobj *old, const struct kobj *now)
{
    struct bench *b = ctx;

    if (b->engine)
        engine_changed(b->engine, k, old, now);
}

static void make_engine(struct bench *b, unsigned concurrency, double qps, double burst)
{
    b->engine = engine_new(&(struct engine_options){
        .env = &b->env.env, .kube = &b->kube, .cache = b->cache, .log = &b->log, .settings = &b->settings,
        .concurrency = concurrency, .qps = qps, .burst = burst, .drain_ms = b->drain_ms, .controllers = table,
        .n_controllers = 1,
        .on_pass = on_pass, .may_write = may_write, .on_count = on_count, .on_active = on_active, .ctx = b});
    engine_set_leader(b->engine, true);
    engine_set_synced(b->engine);
}

static int setup(void **state)
{
    size_t live;
    struct bench *b;

    mem_install(1);
    live = mem_live();
    b = mem_zalloc(sizeof(*b));
    b->live = live;
    bench = b;
    test_env_init(&b->env);
    test_peer_init(&b->peer, &b->env);
    b->log = (struct log){.env = &b->env.env, .write = drop_line};
    b->kube = (struct kube){.env = &b->env.env, .peers = {&b->peer.peer, &b->peer.peer, &b->peer.peer}};
    b->cache = cache_new(1, changed, b);
    cache_index_owners(b->cache, kind_get(KIND_POD)); /* as controllers_index does */
    *state = b;
    return 0;
}

static void stopped(void *ctx)
{
    ((struct bench *)ctx)->stopped = true;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    size_t live = b->live;

    engine_stop(b->engine, stopped, b);
    assert_false(b->stopped); /* never inside the call */
    for (int i = 0; i < 5; i++)
        test_env_settle(&b->env);
    assert_true(b->stopped);
    engine_free(b->engine);
    b->engine = NULL;
    cache_free(b->cache);
    test_peer_done(&b->peer);
    test_env_done(&b->env);
    mem_free(b);
    assert_int_equal(mem_live(), live);
    return 0;
}

static void put(struct bench *b, const char *yaml)
{
    json_t *object = test_yaml(yaml);
    struct kobj *o =
        kobj_from_json(kind_find(str_of(json_text(object, "apiVersion")), str_of(json_text(object, "kind"))), object);

    cache_put(b->cache, o);
    kobj_unref(o);
    json_decref(object);
}

static void put_repository(struct bench *b, const char *name, int rv)
{
    AUTO_FREE char *text = mem_printf("{apiVersion: stash.appscode.com/v1alpha1, kind: Repository, metadata: {name: %s,"
                                      " namespace: demo, uid: uid-%s, resourceVersion: '%d'}}",
                                      name, name, rv);

    put(b, text);
}

/* The request that waits: "POST /path body". */
static const char *request(struct bench *b)
{
    static char out[2048];
    struct http_call *c;

    test_env_settle(&b->env);
    c = test_peer_first(&b->peer);
    if (!c)
        return "";
    (void)snprintf(out, sizeof(out), "%s %s %.*s", c->method, c->path, (int)c->body.n, c->body.p ? c->body.p : "");
    return out;
}

static void expect(struct bench *b, const char *start)
{
    const char *r = request(b);

    if (strncmp(r, start, strlen(start)) != 0)
        fail_msg("wanted \"%s\", there is \"%s\"", start, r);
}

static void answer(struct bench *b, int status, const char *text)
{
    test_env_settle(&b->env);
    test_peer_answer(&b->peer, status, text);
    test_env_settle(&b->env);
}

#define JOBS "/apis/batch/v1/namespaces/demo/jobs"
#define SESSIONS "/apis/stash.appscode.com/v1beta1/namespaces/demo/backupsessions"
#define REPOSITORIES "/apis/stash.appscode.com/v1alpha1/namespaces/demo/repositories"

static json_t *job(const char *name)
{
    return json_pack("{s:{s:s, s:[{s:s, s:b}]}}", "metadata", "name", name, "ownerReferences", "uid", "uid-owner",
                     "controller", 1);
}

static void make_two_jobs(struct bench *b, const struct kobj *self, struct world *w, struct plan *p)
{
    (void)b;
    (void)w;
    plan_create(p, kind_get(KIND_JOB), self->ns, job("one"));
    plan_count(p, "family", NULL, 1);
    plan_create(p, kind_get(KIND_JOB), self->ns, job("two"));
}

static void effects_run_one_after_the_other(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = make_two_jobs;
    put_repository(b, "repo", 1);
    expect(b, "POST " JOBS " {");
    assert_int_equal(test_peer_open(&b->peer), 1);
    assert_true(b->counted == 0);
    answer(b, 201, "{}");
    assert_true(b->counted == 1);
    expect(b, "POST " JOBS " {");
    assert_int_equal(b->passes, 0);
    answer(b, 201, "{}");
    assert_string_equal(b->results, "Acted=ok ");
    assert_true(engine_idle(b->engine));
}

static void nothing_runs_before_the_caches_are_complete_and_the_lead_is_ours(void **state)
{
    struct bench *b = *state;

    b->engine = engine_new(&(struct engine_options){.env = &b->env.env, .kube = &b->kube, .cache = b->cache,
                                                    .log = &b->log, .settings = &b->settings, .concurrency = 4,
                                                    .controllers = table, .n_controllers = 1, .on_active = on_active,
                                                    .ctx = b});
    put_repository(b, "a", 1);
    put_repository(b, "b", 1);
    test_env_settle(&b->env);
    engine_set_leader(b->engine, true);
    test_env_settle(&b->env);
    assert_int_equal(b->observed, 0);
    engine_set_synced(b->engine);
    assert_int_equal(b->observed, 0);
    test_env_settle(&b->env);
    assert_int_equal(b->observed, 2);
    assert_int_equal(b->active_changes, 1);
}

static void losing_the_lead_ends_passes_and_empties_the_queue(void **state)
{
    struct bench *b = *state;

    make_engine(b, 1, 0, 0);
    b->act = make_two_jobs;
    put_repository(b, "a", 1);
    put_repository(b, "b", 1);
    expect(b, "POST");
    assert_int_equal(engine_queued(b->engine, &under_test), 1);
    engine_set_leader(b->engine, false);
    test_env_settle(&b->env);
    assert_int_equal(test_peer_open(&b->peer), 0);
    assert_int_equal(engine_running(b->engine), 0);
    assert_int_equal(engine_queued(b->engine, &under_test), 0);
    assert_string_equal(b->results, "Acted=canceled ");
    put_repository(b, "c", 1);
    test_env_settle(&b->env);
    assert_int_equal(test_peer_open(&b->peer), 0);
    /* Back in the lead everything is looked at again. */
    engine_set_leader(b->engine, true);
    for (int i = 0; i < 6; i++)
        answer(b, 201, "{}");
    assert_int_equal(b->passes, 4);
}

/* A process that was stopped hears of an answer before its timers say that the lead is over. */
static void nothing_is_written_once_the_lead_may_be_over(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = make_two_jobs;
    put_repository(b, "a", 1);
    expect(b, "POST");
    b->fenced = true;
    answer(b, 201, "{}"); /* the first Job's: the second must not follow */
    assert_string_equal(request(b), "");
    assert_string_equal(b->results, "Acted=canceled ");
    assert_int_equal(engine_running(b->engine), 0);
}

static void events_during_a_pass_make_one_more(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = make_two_jobs;
    put_repository(b, "a", 1);
    expect(b, "POST");
    put_repository(b, "a", 2);
    put_repository(b, "a", 3);
    test_env_settle(&b->env);
    assert_int_equal(test_peer_open(&b->peer), 1);
    b->act = NULL;
    answer(b, 201, "{}");
    answer(b, 201, "{}");
    assert_int_equal(b->passes, 2);
}

static void a_watched_kind_wakes_the_mapped_key(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    put_repository(b, "a", 1);
    test_env_settle(&b->env);
    assert_int_equal(b->observed, 1);
    put(b, "{apiVersion: stash.appscode.com/v1beta1, kind: BackupConfiguration, metadata: {name: x, namespace: demo, "
           "resourceVersion: '7'}, spec: {repository: {name: a}}}");
    test_env_settle(&b->env);
    assert_int_equal(b->observed, 2);
    cache_del(b->cache, kind_get(KIND_REPOSITORY), "demo", "a");
    test_env_settle(&b->env);
    assert_int_equal(b->observed, 2);
}

static void put_open(struct bench *b, int rv, const char *from, const char *bucket)
{
    AUTO_FREE char *text =
        mem_printf("{apiVersion: stash.appscode.com/v1alpha1, kind: Repository, metadata: {name: a, namespace: demo,"
                   " uid: u, resourceVersion: '%d', annotations: {nonce: '%d'}},"
                   " spec: {usagePolicy: {allowedNamespaces: {from: %s}}, backend: {s3: {bucket: %s}}}}",
                   rv, rv, from, bucket);

    put(b, text);
    test_env_settle(&b->env);
}

static void a_change_that_no_record_shows_is_no_news_of_one_that_is_settled(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    put_open(b, 1, "Same", "x");
    put_open(b, 2, "Same", "x");
    assert_int_equal(b->observed, 2);
    put_open(b, 3, "All", "x"); /* a change that it shows */
    assert_int_equal(b->observed, 3);
    put_open(b, 4, "All", "x");
    assert_int_equal(b->observed, 3);
    put_open(b, 5, "All", "y");
    assert_int_equal(b->observed, 4);
    engine_wake(b->engine, &under_test, "demo", "a");
    test_env_settle(&b->env);
    assert_int_equal(b->observed, 5);
}

static void at_most_so_many_passes_run_at_once(void **state)
{
    struct bench *b = *state;

    make_engine(b, 2, 0, 0);
    b->act = make_two_jobs;
    put_repository(b, "a", 1);
    put_repository(b, "b", 1);
    put_repository(b, "c", 1);
    test_env_settle(&b->env);
    assert_int_equal(test_peer_open(&b->peer), 2);
    for (int i = 0; i < 6; i++)
        answer(b, 201, "{}");
    assert_int_equal(b->passes, 3);
}

static void a_failure_stops_the_plan_and_comes_back_later_and_later(void **state)
{
    struct bench *b = *state;
    uint64_t longest = 0;

    make_engine(b, 4, 0, 0);
    b->act = make_two_jobs;
    put_repository(b, "a", 1);
    for (int i = 0; i < 12; i++) {
        uint64_t wait;

        answer(b, 500, "{}");
        assert_int_equal(test_peer_open(&b->peer), 0);
        wait = test_env_next_ms(&b->env);
        assert_in_range(wait, 1000, 300000);
        longest = wait > longest ? wait : longest;
        assert_in_range(wait, 1000, i < 8 ? 1000u << (i + 1) : 300000);
        test_env_advance(&b->env, wait);
    }
    assert_true(longest > 30000);
    b->act = NULL;
    answer(b, 201, "{}");
    answer(b, 201, "{}");
    assert_int_equal(b->passes, 13);
    assert_int_equal(test_env_next_ms(&b->env), UINT64_MAX);
}

static void a_name_that_our_own_object_has_is_success(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = make_two_jobs;
    put_repository(b, "a", 1);
    answer(b, 409, "{\"kind\":\"Status\",\"reason\":\"AlreadyExists\",\"message\":\"exists\"}");
    expect(b, "GET " JOBS "/one ");
    answer(b, 200,
           "{\"metadata\":{\"ownerReferences\":[{\"uid\":\"x\"},{\"uid\":\"uid-owner\",\"controller\":true}]}}");
    expect(b, "POST ");
    answer(b, 201, "{}");
    assert_string_equal(b->results, "Acted=ok ");
}

static char heard[256];

static void make_job_unless_refused(struct bench *b, const struct kobj *self, struct world *w, struct plan *p)
{
    const struct refusal *r = world_refusal(w, kind_get(KIND_JOB), self->ns, "one");

    (void)b;
    if (r && world_now_s(w) < r->retry_s) {
        (void)snprintf(heard, sizeof(heard), "%s %u %lld: %s", r->reason, r->times,
                       (long long)(r->retry_s - world_now_s(w)), r->message);
        plan_wake_at(p, r->retry_s);
        return;
    }
    (void)snprintf(heard, sizeof(heard), "nothing");
    plan_create(p, kind_get(KIND_JOB), self->ns, job("one"));
}

static void a_name_that_somebody_else_has_is_told_to_the_next_pass(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = make_job_unless_refused;
    put_repository(b, "a", 1);
    answer(b, 409, "{\"kind\":\"Status\",\"reason\":\"AlreadyExists\",\"message\":\"exists\"}");
    answer(b, 200, "{\"metadata\":{\"ownerReferences\":[{\"uid\":\"other\",\"controller\":true}]}}");
    assert_string_equal(heard, "NameConflict 1 600: Job one exists and is not ours");
    assert_string_equal(b->results, "Acted=refused Acted=ok ");
}

static void a_full_quota_is_tried_again_after_a_while_and_then_forgotten(void **state)
{
    static const char full[] = "{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"message\":\"jobs.batch \\\"one\\\" is "
                               "forbidden: exceeded quota: q, requested: count/jobs.batch=1\"}";
    struct bench *b = *state;
    uint64_t wait;

    make_engine(b, 4, 0, 0);
    b->act = make_job_unless_refused;
    put_repository(b, "a", 1);
    answer(b, 403, full);
    assert_non_null(strstr(heard, "NamespaceQuotaExceeded 1 30: jobs.batch"));
    put_repository(b, "a", 2); /* an event in between does not try again */
    test_env_settle(&b->env);
    assert_int_equal(test_peer_open(&b->peer), 0);
    test_env_advance(&b->env, 30000);
    answer(b, 403, full);
    assert_non_null(strstr(heard, "NamespaceQuotaExceeded 2 "));
    wait = test_env_next_ms(&b->env);
    assert_in_range(wait, 30000, 60000);
    test_env_advance(&b->env, wait);
    answer(b, 201, "{}");
    assert_string_equal(heard, "nothing");
    put_repository(b, "a", 3); /* nothing is remembered */
    answer(b, 201, "{}");
    assert_string_equal(heard, "nothing");
}

static void one_that_ignores_its_refusal_is_slowed_down(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = make_two_jobs;
    put_repository(b, "a", 1);
    answer(b, 422, "{\"kind\":\"Status\",\"reason\":\"Invalid\",\"message\":\"spec is bad\"}");
    answer(b, 422, "{\"kind\":\"Status\",\"reason\":\"Invalid\",\"message\":\"spec is bad\"}");
    assert_int_equal(test_peer_open(&b->peer), 0);
    assert_string_equal(b->results, "Acted=refused Acted=error ");
    assert_in_range(test_env_next_ms(&b->env), 1000, 2000);
}

static void make_nothing(struct bench *b, const struct kobj *self, struct world *w, struct plan *p)
{
    (void)b;
    (void)w;
    plan_create(p, kind_get(KIND_JOB), self->ns, NULL);
}

static void what_has_no_object_is_not_sent(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = make_nothing;
    put_repository(b, "a", 1);
    test_env_settle(&b->env);
    assert_int_equal(test_peer_open(&b->peer), 0);
    assert_string_equal(b->results, "Acted=error ");
}

static void read_two_documents(struct bench *b, const struct kobj *self, struct world *w, struct plan *p)
{
    const json_t *own = world_doc(w, self->kind, self->ns, self->name);
    const json_t *task = world_doc(w, kind_get(KIND_TASK), NULL, "t");

    (void)b;
    if (world_waiting(w))
        return;
    assert_null(task);
    plan_status(p, json_pack("{s:s, s:s}", "same", "yes", "seen", json_text(own, "spec.word")));
    plan_create(p, kind_get(KIND_JOB), self->ns, job("one"));
    plan_status(p, json_pack("{s:s}", "last", "done"));
}

static void documents_are_fetched_at_once_and_status_has_their_version(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = read_two_documents;
    put_repository(b, "a", 1);
    expect(b, "GET " REPOSITORIES "/a ");
    assert_int_equal(test_peer_open(&b->peer), 2);
    answer(b, 200,
           "{\"metadata\":{\"resourceVersion\":\"5\"},\"spec\":{\"word\":\"hi\"},\"status\":{\"same\":\"yes\"}}");
    expect(b, "GET /apis/stash.appscode.com/v1beta1/tasks/t ");
    answer(b, 404, "{\"kind\":\"Status\",\"reason\":\"NotFound\"}");
    /* What is so already is left out; the version is the document's. */
    expect(b,
           "PATCH " REPOSITORIES "/a/status {\"status\":{\"seen\":\"hi\"},\"metadata\":{\"resourceVersion\":\"5\"}}");
    answer(b, 200, "{\"metadata\":{\"resourceVersion\":\"6\"}}");
    expect(b, "POST ");
    answer(b, 201, "{}");
    /* The second write follows the first one's answer. */
    expect(b,
           "PATCH " REPOSITORIES "/a/status {\"status\":{\"last\":\"done\"},\"metadata\":{\"resourceVersion\":\"6\"}}");
    answer(b, 200, "{}");
    assert_string_equal(b->results, "Acted=ok ");
}

static void count_words(struct bench *b, const struct kobj *self, struct world *w, struct plan *p)
{
    const json_t *own = world_doc(w, self->kind, self->ns, self->name);

    (void)p;
    if (!world_waiting(w))
        b->counted += (double)json_int(own, "spec.words", 0);
}

static void a_document_is_asked_for_again_only_when_it_has_changed(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = count_words;
    put_repository(b, "a", 5);
    expect(b, "GET " REPOSITORIES "/a ");
    answer(b, 200, "{\"metadata\":{\"resourceVersion\":\"5\"},\"spec\":{\"words\":1}}");
    assert_true(b->counted == 1);
    engine_wake(b->engine, &under_test, "demo", "a");
    test_env_settle(&b->env);
    assert_int_equal(test_peer_open(&b->peer), 0);
    assert_true(b->counted == 2);
    put_repository(b, "a", 6); /* somebody has changed it */
    expect(b, "GET " REPOSITORIES "/a ");
    answer(b, 200, "{\"metadata\":{\"resourceVersion\":\"7\"},\"spec\":{\"words\":10}}");
    assert_true(b->counted == 12);
    engine_wake(b->engine, &under_test, "demo", "a"); /* the cache is behind, and its event must be on its way */
    test_env_settle(&b->env);
    assert_int_equal(test_peer_open(&b->peer), 0);
    assert_true(b->counted == 22);
    test_env_advance(&b->env, DOCS_AHEAD_MS); /* it did not come: what is so now, only the server knows */
    engine_wake(b->engine, &under_test, "demo", "a");
    expect(b, "GET " REPOSITORIES "/a ");
    answer(b, 404, "{\"kind\":\"Status\",\"reason\":\"NotFound\"}");
}

static void write_words(struct bench *b, const struct kobj *self, struct world *w, struct plan *p)
{
    const json_t *own = world_doc(w, self->kind, self->ns, self->name);

    if (world_waiting(w))
        return;
    b->counted += (double)json_int(own, "spec.words", 0);
    plan_status(p, json_pack("{s:s}", "phase", "Ready"));
}

static void the_answer_of_a_write_is_the_next_pass_s_document(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = write_words;
    put_repository(b, "a", 5);
    expect(b, "GET " REPOSITORIES "/a ");
    answer(b, 200, "{\"metadata\":{\"resourceVersion\":\"5\"},\"spec\":{\"words\":1}}");
    expect(b, "PATCH " REPOSITORIES "/a/status ");
    answer(b, 200,
           "{\"metadata\":{\"resourceVersion\":\"6\"},\"spec\":{\"words\":1},\"status\":{\"phase\":\"Ready\"}}");
    put_repository(b, "a", 6);
    test_env_settle(&b->env);
    assert_int_equal(test_peer_open(&b->peer), 0);
    assert_string_equal(b->results, "Acted=ok Acted=ok ");
    assert_true(b->counted == 2);
}

static void own_it_and_write(struct bench *b, const struct kobj *self, struct world *w, struct plan *p)
{
    const json_t *own = world_doc(w, self->kind, self->ns, self->name);

    if (world_waiting(w))
        return;
    plan_patch(p, self->kind, self->ns, self->name, NULL, json_text(own, "metadata.resourceVersion"),
               json_pack("{s:{s:s}}", "metadata", "name", "a"));
    write_words(b, self, w, p);
}

/* Nobody wrote in between, so the status is still made from all there is. */
static void a_status_behind_a_patch_of_the_object_has_the_patched_version(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = own_it_and_write;
    put_repository(b, "a", 5);
    expect(b, "GET " REPOSITORIES "/a ");
    answer(b, 200, "{\"metadata\":{\"resourceVersion\":\"5\"}}");
    expect(b, "PATCH " REPOSITORIES "/a {\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"5\"}}");
    answer(b, 200, "{\"metadata\":{\"resourceVersion\":\"6\"}}");
    expect(b, "PATCH " REPOSITORIES "/a/status "
              "{\"status\":{\"phase\":\"Ready\"},\"metadata\":{\"resourceVersion\":\"6\"}}");
    answer(b, 200, "{\"metadata\":{\"resourceVersion\":\"7\"}}");
}

static void after_a_conflict_the_document_is_read_anew(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = write_words;
    put_repository(b, "a", 5);
    expect(b, "GET " REPOSITORIES "/a ");
    answer(b, 200, "{\"metadata\":{\"resourceVersion\":\"5\"}}");
    expect(b, "PATCH " REPOSITORIES "/a/status ");
    answer(b, 409, "{\"kind\":\"Status\",\"reason\":\"Conflict\"}");
    test_env_advance(&b->env, 1000);
    expect(b, "GET " REPOSITORIES "/a ");
    answer(b, 404, "{\"kind\":\"Status\",\"reason\":\"NotFound\"}");
    expect(b, "PATCH " REPOSITORIES "/a/status ");
    answer(b, 404, "{\"kind\":\"Status\",\"reason\":\"NotFound\"}");
}

static void read_task(struct bench *b, const struct kobj *self, struct world *w, struct plan *p)
{
    const json_t *task = world_doc(w, kind_get(KIND_TASK), NULL, "t");

    (void)self;
    (void)p;
    if (!world_waiting(w))
        b->counted += (double)json_int(task, "spec.words", 0);
}

static void what_several_want_is_read_once(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = read_task;
    put(b, "{apiVersion: stash.appscode.com/v1beta1, kind: Task, metadata: {name: t, uid: t, resourceVersion: '1'}}");
    put_repository(b, "a", 2);
    put_repository(b, "b", 3);
    put_repository(b, "c", 4);
    expect(b, "GET /apis/stash.appscode.com/v1beta1/tasks/t ");
    assert_int_equal(test_peer_open(&b->peer), 1);
    answer(b, 500, "{}"); /* fails one of them only: the next asks */
    expect(b, "GET /apis/stash.appscode.com/v1beta1/tasks/t ");
    assert_int_equal(test_peer_open(&b->peer), 1);
    answer(b, 200, "{\"metadata\":{\"name\":\"t\",\"resourceVersion\":\"1\"},\"spec\":{\"words\":1}}");
    assert_int_equal(test_peer_open(&b->peer), 0);
    assert_true(b->counted == 2);
    assert_string_equal(b->results, "Acted=error Acted=ok Acted=ok ");
}

static void write_to_a_read_b(struct bench *b, const struct kobj *self, struct world *w, struct plan *p)
{
    const json_t *a;

    if (strcmp(self->name, "a") == 0) {
        plan_patch(p, self->kind, self->ns, "a", NULL, NULL, json_pack("{s:{s:i}}", "spec", "words", 7));
        return;
    }
    a = world_doc(w, self->kind, self->ns, "a");
    if (!world_waiting(w))
        b->counted += (double)json_int(a, "spec.words", 0);
}

static void a_write_whose_event_came_first_is_waited_for(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = write_to_a_read_b;
    put_repository(b, "a", 1);
    expect(b, "PATCH " REPOSITORIES "/a ");
    put_repository(b, "a", 2); /* the write's event */
    put_repository(b, "b", 3);
    test_env_settle(&b->env);
    assert_int_equal(test_peer_open(&b->peer), 1); /* b asks for nothing */
    answer(b, 200, "{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"2\"},\"spec\":{\"words\":7}}");
    assert_true(b->counted == 7);
}

static void look_for_the_job(struct bench *b, const struct kobj *self, struct world *w, struct plan *p)
{
    const json_t *job_doc = world_doc(w, kind_get(KIND_JOB), self->ns, "one");

    if (world_waiting(w))
        return;
    if (job_doc)
        b->counted++;
    else
        plan_create(p, kind_get(KIND_JOB), self->ns, job("one"));
}

static void what_was_made_is_known_before_its_event(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = look_for_the_job;
    cache_set_complete(b->cache, kind_get(KIND_JOB));
    put_repository(b, "a", 1);
    expect(b, "GET " JOBS "/one ");
    answer(b, 404, "{\"kind\":\"Status\",\"reason\":\"NotFound\"}");
    expect(b, "POST " JOBS " ");
    answer(b, 201, "{\"metadata\":{\"name\":\"one\",\"resourceVersion\":\"2\"}}");
    engine_wake(b->engine, &under_test, "demo", "a");
    test_env_settle(&b->env);
    assert_int_equal(test_peer_open(&b->peer), 0);
    assert_true(b->counted == 1);
    /* No event came for it: then it is looked for without being asked to. */
    test_env_advance(&b->env, DOCS_AHEAD_MS + 1000);
    expect(b, "GET " JOBS "/one ");
    answer(b, 200, "{\"metadata\":{\"name\":\"one\",\"resourceVersion\":\"2\"}}");
    assert_true(b->counted == 2);
}

static void what_is_gone_is_not_known_any_more(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = look_for_the_job;
    cache_set_complete(b->cache, kind_get(KIND_JOB));
    put_repository(b, "a", 1);
    expect(b, "GET " JOBS "/one ");
    answer(b, 404, "{\"kind\":\"Status\",\"reason\":\"NotFound\"}");
    expect(b, "POST " JOBS " ");
    answer(b, 201, "{\"metadata\":{\"name\":\"one\",\"resourceVersion\":\"2\"}}");
    put(b, "{apiVersion: batch/v1, kind: Job, metadata: {name: one, namespace: demo, uid: u, resourceVersion: '2'}}");
    cache_del(b->cache, kind_get(KIND_JOB), "demo", "one");
    engine_wake(b->engine, &under_test, "demo", "a");
    expect(b, "GET " JOBS "/one ");
    answer(b, 404, "{\"kind\":\"Status\",\"reason\":\"NotFound\"}");
    expect(b, "POST " JOBS " ");
    answer(b, 201, "{}");
}

#define ACCOUNTS "/api/v1/namespaces/demo/serviceaccounts"

static void want_account(struct bench *b, const struct kobj *self, struct world *w, struct plan *p)
{
    (void)b;
    (void)w;
    plan_apply(p, kind_get(KIND_SERVICEACCOUNT), self->ns, json_pack("{s:{s:s}}", "metadata", "name", "stash-backup"));
    plan_create(p, kind_get(KIND_JOB), self->ns, job(self->name));
}

static void what_several_apply_is_sent_once(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = want_account;
    cache_set_complete(b->cache, kind_get(KIND_SERVICEACCOUNT));
    put_repository(b, "a", 1);
    put_repository(b, "b", 2);
    put_repository(b, "c", 3);
    expect(b, "PATCH " ACCOUNTS "/stash-backup");
    assert_int_equal(test_peer_open(&b->peer), 1);
    answer(b, 200, "{\"apiVersion\":\"v1\",\"kind\":\"ServiceAccount\",\"metadata\":{\"name\":\"stash-backup\","
                   "\"namespace\":\"demo\",\"resourceVersion\":\"4\"}}");
    assert_int_equal(test_peer_open(&b->peer), 3); /* all go on */
    for (int i = 0; i < 3; i++) {
        expect(b, "POST " JOBS " ");
        answer(b, 201, "{}");
    }
    assert_string_equal(b->results, "Acted=ok Acted=ok Acted=ok ");
    put_repository(b, "d", 5); /* and later, before the cache shows it */
    expect(b, "POST " JOBS " ");
    answer(b, 201, "{}");
}

static void a_failed_apply_is_tried_by_the_next(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = want_account;
    cache_set_complete(b->cache, kind_get(KIND_SERVICEACCOUNT));
    put_repository(b, "a", 1);
    put_repository(b, "b", 2);
    expect(b, "PATCH " ACCOUNTS "/stash-backup");
    answer(b, 500, "{}");
    expect(b, "PATCH " ACCOUNTS "/stash-backup");
    assert_string_equal(b->results, "Acted=error ");
    put_repository(b, "c", 3); /* waits for b's when all is stopped (teardown) */
    test_env_settle(&b->env);
    assert_int_equal(test_peer_open(&b->peer), 1);
}

static void losing_the_lead_ends_those_that_wait_for_another_too(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 1, 1);
    b->act = make_two_jobs;
    put_repository(b, "a", 1); /* takes the only token */
    expect(b, "POST " JOBS " ");
    b->act = want_account;
    put_repository(b, "b", 2); /* held back by the limit */
    put_repository(b, "c", 3); /* waits for b's */
    test_env_settle(&b->env);
    assert_int_equal(engine_running(b->engine), 3);
    b->env.now_ns += 1000000000; /* the process was stopped: a token is there, its timer has not fired */
    b->fenced = true;
    engine_set_leader(b->engine, false);
    test_env_settle(&b->env);
    assert_int_equal(engine_running(b->engine), 0);
    assert_string_equal(b->results, "Acted=canceled Acted=canceled Acted=canceled ");
}

static void ask_and_tell(struct bench *b, const struct kobj *self, struct world *w, struct plan *p)
{
    (void)b;
    if (world_may(w, "demo", "reader", "get", kind_get(KIND_APPBINDING), "prod", "db"))
        plan_patch(p, self->kind, self->ns, self->name, NULL, NULL, json_pack("{s:{}}", "spec"));
}

static void a_right_is_asked_of_the_api_server(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = ask_and_tell;
    put_repository(b, "a", 1);
    expect(b, "POST /apis/authorization.k8s.io/v1/subjectaccessreviews {");
    assert_non_null(strstr(request(b), "\"user\":\"system:serviceaccount:demo:reader\""));
    answer(b, 201, "{\"status\": {\"allowed\": true}}");
    expect(b, "PATCH " REPOSITORIES "/a");
    answer(b, 200, "{}");
    put_repository(b, "a", 2);
    expect(b, "POST /apis/authorization");
    answer(b, 201, "{\"status\": {\"allowed\": false}}");
    assert_string_equal(request(b), "");
    assert_string_equal(b->results, "Acted=ok Acted=ok ");
}

/* As who wants a target does, and then makes a Job of that target. */
static void look_for_the_unseen(struct bench *b, const struct kobj *self, struct world *w, struct plan *p)
{
    const struct unseen_jobs *unseen = world_unseen(w);
    json_t *made;

    if (list_empty(&unseen->jobs)) {
        made = job("one");
        json_object_set_new(json_object_get(made, "metadata"), "annotations",
                            json_pack("{s:s}", TARGET_LOCK_ANNOTATION, "g/k/demo/db"));
        plan_create(p, kind_get(KIND_JOB), self->ns, made);
        return;
    }
    b->held_ns = LIST_ENTRY(unseen->jobs.next, struct unseen_job, link)->held_until_ns;
    b->counted = (double)json_array_size(world_pods(w, "demo", "one"));
}

#define PODS "GET /api/v1/namespaces/demo/pods?labelSelector=job-name%3Done&limit=50 "

/* A look by another object; the list is answered with so many pods. */
static void look_sees(struct bench *b, const char *by, int rv, int pods)
{
    put_repository(b, by, rv);
    expect(b, PODS);
    answer(b, 200, pods == 2 ? "{\"items\": [{\"metadata\": {}}, {\"metadata\": {}}]}" : "{\"items\": []}");
    assert_true(b->counted == pods);
}

static void put_job(struct bench *b, int rv)
{
    AUTO_FREE char *yaml =
        mem_printf("{apiVersion: batch/v1, kind: Job, metadata: {name: one, namespace: demo, uid: u, resourceVersion: "
                   "\"%d\", annotations: {" TARGET_LOCK_ANNOTATION ": g/k/demo/db}, ownerReferences: [{uid: "
                   "uid-owner, controller: true}]}}", rv);

    put(b, yaml);
}

static void a_job_that_the_cache_does_not_show_is_remembered_and_its_pods_are_asked_for(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = look_for_the_unseen;
    put_repository(b, "a", 1);
    expect(b, "POST " JOBS " ");
    answer(b, 201, "{}");
    look_sees(b, "b", 1, 2);
    assert_true(b->held_ns == 0); /* the API server tells */
    look_sees(b, "b", 2, 0); /* nothing is kept of a list */
    put_job(b, 1);           /* the cache has it */
    put_repository(b, "c", 1);
    expect(b, "POST " JOBS " ");
    answer(b, 201, "{}");
    cache_del(b->cache, kind_get(KIND_JOB), "demo", "one"); /* and has it no more */
    look_sees(b, "c", 2, 0);
    test_env_advance(&b->env, 900 * 1000);
    put_repository(b, "c", 3);
    expect(b, "POST " JOBS " "); /* long ago */
    answer(b, 201, "{}");
}

static void a_job_whose_request_has_no_answer_may_still_be_made(void **state)
{
    struct bench *b = *state;
    struct list *post;

    make_engine(b, 4, 0, 0);
    b->act = look_for_the_unseen;
    put_repository(b, "a", 1);
    expect(b, "POST " JOBS " ");
    put_repository(b, "b", 1); /* while it is under way */
    test_env_settle(&b->env);
    post = b->peer.waiting.next; /* the later one has its answer first */
    list_del(post);
    list_add_tail(&b->peer.waiting, post);
    expect(b, PODS);
    answer(b, 200, "{\"items\": []}");
    assert_true(b->held_ns == UINT64_MAX);
    cache_del(b->cache, kind_get(KIND_REPOSITORY), "demo", "a");
    answer(b, 500, "{}");
    look_sees(b, "b", 2, 0);
    assert_true(b->held_ns > env_now_ns(&b->env.env) && b->held_ns < UINT64_MAX);
}

static void a_job_that_was_refused_is_not_remembered(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = look_for_the_unseen;
    put_repository(b, "a", 1);
    expect(b, "POST " JOBS " ");
    cache_del(b->cache, kind_get(KIND_REPOSITORY), "demo", "a");
    answer(b, 403, "{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"message\":\"exceeded quota: jobs\"}");
    put_repository(b, "b", 1);
    expect(b, "POST " JOBS " ");
    answer(b, 201, "{}");
}

/* Megabytes of pods that somebody has given the label, or a name that is no label: no reason to stop. */
static void a_list_that_cannot_be_had_is_none(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = look_for_the_unseen;
    put_repository(b, "a", 1);
    expect(b, "POST " JOBS " ");
    answer(b, 201, "{}");
    put_repository(b, "b", 1);
    expect(b, PODS);
    answer(b, 400, "{\"kind\":\"Status\",\"reason\":\"BadRequest\"}");
    put_repository(b, "c", 1);
    expect(b, PODS);
    answer(b, 200, "{}");
    assert_string_equal(b->results, "Acted=ok Acted=ok Acted=error ");
}

static void a_conflict_comes_back_soon(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = read_two_documents;
    put_repository(b, "a", 1);
    answer(b, 200, "{\"metadata\":{\"resourceVersion\":\"5\"}}");
    answer(b, 404, "{}");
    answer(b, 409, "{\"kind\":\"Status\",\"reason\":\"Conflict\",\"message\":\"changed\"}");
    assert_string_equal(b->results, "Acted=conflict ");
    assert_in_range(test_env_next_ms(&b->env), 50, 300);
}

static void a_status_of_a_gone_object_ends_the_pass(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = read_two_documents;
    put_repository(b, "a", 1);
    answer(b, 200, "{\"metadata\":{\"resourceVersion\":\"5\"}}");
    answer(b, 404, "{}");
    answer(b, 404, "{\"kind\":\"Status\",\"reason\":\"NotFound\"}");
    assert_int_equal(test_peer_open(&b->peer), 0);
    assert_string_equal(b->results, "Acted=ok ");
}

static void write_if_there(struct bench *b, const struct kobj *self, struct world *w, struct plan *p)
{
    const json_t *own = world_doc(w, self->kind, self->ns, self->name);

    (void)b;
    if (own)
        plan_status(p, json_pack("{s:s}", "phase", "Ready"));
}

/* The watch of what went with it (its Jobs) may be ahead of its own. */
static void what_the_server_says_is_gone_has_no_pass_again(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = write_if_there;
    put_repository(b, "a", 1);
    answer(b, 200, "{\"metadata\":{\"resourceVersion\":\"1\"}}");
    expect(b, "PATCH " REPOSITORIES "/a/status ");
    answer(b, 404, "{\"kind\":\"Status\",\"reason\":\"NotFound\"}");
    put_repository(b, "a", 2); /* an event from before its end */
    test_env_settle(&b->env);
    assert_int_equal(test_peer_open(&b->peer), 0);
    assert_string_equal(b->results, "Acted=ok ");
    put(b, "{apiVersion: stash.appscode.com/v1alpha1, kind: Repository, metadata: {name: a, namespace: demo,"
           "uid: another, resourceVersion: '9'}}");
    expect(b, "GET " REPOSITORIES "/a ");
    answer(b, 404, "{}"); /* no word of an object: the kind may not be served just now */
    put(b, "{apiVersion: stash.appscode.com/v1alpha1, kind: Repository, metadata: {name: a, namespace: demo,"
           "uid: another, resourceVersion: '10'}}");
    expect(b, "GET " REPOSITORIES "/a ");
    answer(b, 404, "{\"kind\":\"Status\",\"reason\":\"NotFound\"}");
    put(b, "{apiVersion: stash.appscode.com/v1alpha1, kind: Repository, metadata: {name: a, namespace: demo,"
           "uid: another, resourceVersion: '11'}}");
    assert_string_equal(request(b), "");
}

static void make_own_job(struct bench *b, const struct kobj *self, struct world *w, struct plan *p)
{
    (void)b;
    if (!world_doc(w, self->kind, self->ns, self->name))
        return;
    plan_create(p, kind_get(KIND_JOB), self->ns,
                json_pack("{s:{s:s, s:[{s:s, s:b}]}}", "metadata", "name", "one", "ownerReferences", "uid", self->uid,
                          "controller", 1));
}

static void a_job_is_made_for_what_is_there_and_as_it_was(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = make_own_job;
    put_repository(b, "a", 1);
    answer(b, 200, "{\"metadata\":{\"resourceVersion\":\"1\"}}");
    expect(b, "GET " REPOSITORIES "/a "); /* it is old, and the cache may be older */
    answer(b, 200, "{\"metadata\":{\"name\":\"a\",\"uid\":\"uid-a\",\"resourceVersion\":\"2\"}}");
    assert_string_equal(b->results, "Acted=conflict ");
    test_env_advance(&b->env, 1000);
    expect(b, "GET " REPOSITORIES "/a ");
    answer(b, 200, "{\"metadata\":{\"resourceVersion\":\"2\"}}");
    expect(b, "GET " REPOSITORIES "/a ");
    answer(b, 200, "{\"metadata\":{\"name\":\"a\",\"uid\":\"uid-a\",\"resourceVersion\":\"2\"}}");
    expect(b, "POST " JOBS " ");
    answer(b, 201, "{}");
    assert_string_equal(b->results, "Acted=conflict Acted=ok ");
}

static void no_job_is_made_for_what_is_gone(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = make_own_job;
    put_repository(b, "a", 1);
    answer(b, 200, "{\"metadata\":{\"resourceVersion\":\"1\"}}");
    expect(b, "GET " REPOSITORIES "/a ");
    answer(b, 404, "{\"kind\":\"Status\",\"reason\":\"NotFound\"}");
    assert_string_equal(b->results, "Acted=ok ");
    put_repository(b, "a", 2);
    assert_string_equal(request(b), "");
}

/* The first try may have been carried out, and its Job be gone again. */
static void a_young_one_is_looked_at_again_after_a_failure(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = make_own_job;
    put(b, "{apiVersion: stash.appscode.com/v1alpha1, kind: Repository, metadata: {name: a, namespace: demo,"
           "uid: uid-a, resourceVersion: '1', creationTimestamp: '2999-01-01T00:00:00Z'}}");
    answer(b, 200, "{\"metadata\":{\"resourceVersion\":\"1\"}}");
    expect(b, "POST " JOBS " ");
    answer(b, 500, "{}");
    test_env_advance(&b->env, 2000);
    expect(b, "GET " REPOSITORIES "/a ");
    answer(b, 200, "{\"metadata\":{\"resourceVersion\":\"1\"}}");
    expect(b, "GET " REPOSITORIES "/a ");
    answer(b, 200, "{\"metadata\":{\"name\":\"a\",\"uid\":\"uid-a\",\"resourceVersion\":\"1\"}}");
    expect(b, "POST " JOBS " ");
    answer(b, 201, "{}");
    assert_string_equal(b->results, "Acted=error Acted=ok ");
}

static const struct kobj *repository(struct bench *b, const char *name)
{
    return cache_find(b->cache, kind_get(KIND_REPOSITORY), "demo", name);
}

static void delete_old_beside_new(struct bench *b, const struct kobj *self, struct world *w, struct plan *p)
{
    (void)w;
    if (strcmp(self->name, "self") == 0)
        plan_delete_beside(p, repository(b, "old"), repository(b, "new"));
}

static void decide_to_delete_old(struct bench *b)
{
    make_engine(b, 4, 0, 0);
    b->act = delete_old_beside_new;
    put_repository(b, "old", 1);
    put_repository(b, "new", 2);
    put_repository(b, "self", 3);
    test_env_settle(&b->env);
    b->results[0] = '\0';
    expect(b, "GET " REPOSITORIES "/new ");
}

#define NEW_IS_THERE "{\"metadata\":{\"name\":\"new\",\"uid\":\"uid-new\",\"resourceVersion\":\"7\"}}"

static void what_goes_beside_another_goes_while_that_is_there(void **state)
{
    struct bench *b = *state;

    decide_to_delete_old(b);
    answer(b, 200, NEW_IS_THERE);
    expect(b, "DELETE " REPOSITORIES "/old ");
    assert_non_null(strstr(request(b), "\"preconditions\":{\"uid\":\"uid-old\"}"));
    answer(b, 200, "{}");
    assert_string_equal(b->results, "Acted=ok ");
}

static void does_not_delete(struct bench *b, int status, const char *body)
{
    decide_to_delete_old(b);
    answer(b, status, body);
    assert_string_equal(b->results, "Acted=conflict ");
    assert_string_equal(request(b), "");
    test_env_advance(&b->env, 1000);
    expect(b, "GET " REPOSITORIES "/new "); /* the cache has not heard of it yet */
    answer(b, 200, NEW_IS_THERE);
    expect(b, "DELETE " REPOSITORIES "/old ");
    answer(b, 200, "{}");
}

static void nothing_goes_beside_one_that_is_gone(void **state)
{
    does_not_delete(*state, 404, "{\"kind\":\"Status\",\"reason\":\"NotFound\"}");
}

static void nothing_goes_beside_another_of_that_name(void **state)
{
    does_not_delete(*state, 200, "{\"metadata\":{\"name\":\"new\",\"uid\":\"uid-2\",\"resourceVersion\":\"7\"}}");
}

static void nothing_goes_beside_one_that_is_going(void **state)
{
    does_not_delete(*state, 200, "{\"metadata\":{\"name\":\"new\",\"uid\":\"uid-new\",\"resourceVersion\":\"7\","
                                 "\"deletionTimestamp\":\"2026-03-01T02:00:00Z\"}}");
}

/* Since then somebody may have taken it: the process may have stood still, or the answer come late. */
static void what_was_there_too_long_ago_lets_nothing_go(void **state)
{
    struct bench *b = *state;

    decide_to_delete_old(b);
    test_env_advance(&b->env, 5001);
    answer(b, 200, NEW_IS_THERE);
    assert_string_equal(b->results, "Acted=conflict ");
    test_env_advance(&b->env, 1000);
    expect(b, "GET " REPOSITORIES "/new ");
    answer(b, 200, NEW_IS_THERE);
    expect(b, "DELETE " REPOSITORIES "/old ");
    answer(b, 200, "{}");
}

static void make_job_or_delete_old(struct bench *b, const struct kobj *self, struct world *w, struct plan *p)
{
    if (strncmp(self->name, "busy", 4) == 0)
        plan_create(p, kind_get(KIND_JOB), self->ns, job("one"));
    delete_old_beside_new(b, self, w, p);
}

static void a_delete_that_had_to_wait_for_the_server_is_not_sent(void **state)
{
    struct bench *b = *state;
    struct http_call *c;

    make_engine(b, 4, 0, 0);
    b->act = make_job_or_delete_old;
    put_repository(b, "busy", 1);
    put_repository(b, "old", 2);
    put_repository(b, "new", 3);
    put_repository(b, "self", 4);
    expect(b, "POST " JOBS " ");
    c = test_peer_first(&b->peer);
    test_peer_head(c, 429, "7");
    test_peer_end(c, 0);
    expect(b, "GET " REPOSITORIES "/new ");
    answer(b, 200, NEW_IS_THERE);
    assert_string_equal(request(b), "");
    b->results[0] = '\0';
    b->act = NULL;
    test_env_advance(&b->env, 7000);
    assert_string_equal(request(b), "");
    assert_non_null(strstr(b->results, "Acted=conflict "));
}

static void put_old_new_and_self(struct bench *b)
{
    put_repository(b, "old", 2);
    put_repository(b, "new", 3);
    put_repository(b, "self", 4);
}

/* However long the line: else a busy operator asks in vain for ever. */
static void a_delete_follows_its_look_past_the_line(void **state)
{
    struct bench *b = *state;

    make_engine(b, 8, 0.5, 1);
    b->act = make_job_or_delete_old;
    put_repository(b, "busy-1", 1); /* takes the only token */
    put_repository(b, "busy-2", 1);
    put_repository(b, "busy-3", 1);
    put_old_new_and_self(b);
    put_repository(b, "busy-4", 1);
    test_env_advance(&b->env, 6001);
    for (int i = 0; i < 3; i++) {
        expect(b, "POST " JOBS " ");
        answer(b, 201, "{}");
    }
    expect(b, "GET " REPOSITORIES "/new "); /* it has waited for more than five seconds */
    answer(b, 200, NEW_IS_THERE);
    expect(b, "DELETE " REPOSITORIES "/old ");
    answer(b, 200, "{}");
    /* It counts all the same. */
    test_env_advance(&b->env, 2001);
    assert_string_equal(request(b), "");
    test_env_advance(&b->env, 2000);
    expect(b, "POST " JOBS " ");
    answer(b, 201, "{}");
}

static void a_delete_that_the_server_holds_back_goes_first(void **state)
{
    struct bench *b = *state;
    struct http_call *c;

    make_engine(b, 8, 0.1, 2);
    b->act = make_job_or_delete_old;
    put_repository(b, "busy-1", 1);
    put_old_new_and_self(b);
    expect(b, "POST " JOBS " ");
    c = test_peer_first(&b->peer);
    test_peer_head(c, 429, "2");
    test_peer_end(c, 0);
    put_repository(b, "busy-2", 1);
    expect(b, "GET " REPOSITORIES "/new ");
    answer(b, 200, NEW_IS_THERE);
    assert_string_equal(request(b), "");
    b->act = NULL;
    test_env_advance(&b->env, 2000);
    expect(b, "DELETE " REPOSITORIES "/old ");
    answer(b, 200, "{}");
}

static void what_comes_too_late_costs_no_request(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0.1, 2);
    b->act = make_job_or_delete_old;
    put_old_new_and_self(b);
    expect(b, "GET " REPOSITORIES "/new ");
    test_env_advance(&b->env, 5001);
    b->results[0] = '\0';
    answer(b, 200, NEW_IS_THERE);
    assert_string_equal(b->results, "Acted=conflict ");
    put_repository(b, "busy", 1);
    expect(b, "POST " JOBS " ");
    answer(b, 201, "{}");
}

static void delete_old_beside_self(struct bench *b, const struct kobj *self, struct world *w, struct plan *p)
{
    (void)w;
    if (strcmp(self->name, "self") == 0)
        plan_delete_beside(p, repository(b, "old"), self);
}

/* What was decided on it may not be so any more. */
static void nothing_goes_beside_the_object_itself_when_it_has_changed(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = delete_old_beside_self;
    put_repository(b, "old", 1);
    put_repository(b, "self", 3);
    expect(b, "GET " REPOSITORIES "/self ");
    b->results[0] = '\0';
    answer(b, 200, "{\"metadata\":{\"name\":\"self\",\"uid\":\"uid-self\",\"resourceVersion\":\"4\"}}");
    assert_string_equal(b->results, "Acted=conflict ");
    put_repository(b, "self", 4);
    test_env_advance(&b->env, 1000);
    expect(b, "GET " REPOSITORIES "/self ");
    answer(b, 200, "{\"metadata\":{\"name\":\"self\",\"uid\":\"uid-self\",\"resourceVersion\":\"4\"}}");
    expect(b, "DELETE " REPOSITORIES "/old ");
    answer(b, 200, "{}");
}

static void make_own_session(struct bench *b, const struct kobj *self, struct world *w, struct plan *p)
{
    (void)b;
    (void)w;
    plan_create(p, kind_get(KIND_BACKUPSESSION), self->ns,
                json_pack("{s:{s:s, s:[{s:s, s:b}]}}", "metadata", "name", "one", "ownerReferences", "uid", self->uid,
                          "controller", 1));
}

/* Its answer was lost: it may have been made, and have gone with its invoker. */
static void a_session_is_asked_for_again_only_while_its_invoker_is_there(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = make_own_session;
    put_repository(b, "a", 1);
    expect(b, "POST " SESSIONS " ");
    answer(b, 500, "{}");
    test_env_advance(&b->env, 2000);
    expect(b, "GET " REPOSITORIES "/a ");
    answer(b, 404, "{\"kind\":\"Status\",\"reason\":\"NotFound\"}");
    assert_string_equal(b->results, "Acted=error Acted=ok ");
    put_repository(b, "a", 2);
    assert_string_equal(request(b), "");
}

static void delete_job(struct bench *b, const struct kobj *self, struct world *w, struct plan *p)
{
    (void)b;
    (void)w;
    plan_delete(p, kind_get(KIND_JOB), self->ns, "old", "uid-old", "Foreground");
    plan_patch(p, kind_get(KIND_REPOSITORY), self->ns, "other", NULL, "9",
               json_pack("{s:{s:{s:s}}}", "metadata", "annotations", "a", "b"));
}

static void a_delete_has_its_uid_and_absence_is_success(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = delete_job;
    put_repository(b, "a", 1);
    expect(b, "DELETE " JOBS "/old ");
    assert_non_null(strstr(request(b), "\"preconditions\":{\"uid\":\"uid-old\"}"));
    assert_non_null(strstr(request(b), "\"propagationPolicy\":\"Foreground\""));
    answer(b, 404, "{}");
    expect(b, "PATCH " REPOSITORIES "/other ");
    assert_non_null(strstr(request(b), "\"resourceVersion\":\"9\""));
    answer(b, 404, "{}");
    assert_string_equal(b->results, "Acted=ok ");
}

static void a_delete_that_meets_a_conflict_is_tried_again(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = delete_job;
    put_repository(b, "a", 1);
    expect(b, "DELETE " JOBS "/old ");
    answer(b, 409, "{\"kind\":\"Status\",\"reason\":\"Conflict\"}");
    assert_string_equal(b->results, "Acted=conflict ");
    test_env_advance(&b->env, 1000);
    expect(b, "DELETE " JOBS "/old ");
    answer(b, 404, "{}");
    expect(b, "PATCH " REPOSITORIES "/other ");
    answer(b, 404, "{}");
    assert_string_equal(b->results, "Acted=conflict Acted=ok ");
}

static void nothing_is_made_in_a_namespace_that_goes(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    put(b, "{apiVersion: v1, kind: Namespace, metadata: {name: demo, deletionTimestamp: '2026-03-01T00:00:00Z'}}");
    b->act = make_two_jobs;
    put_repository(b, "a", 1);
    test_env_settle(&b->env);
    assert_int_equal(test_peer_open(&b->peer), 0);
    assert_string_equal(b->results, "Acted=ok ");
}

static void after_a_429_no_request_comes_before_its_time(void **state)
{
    struct bench *b = *state;
    struct http_call *c;

    make_engine(b, 4, 0, 0);
    b->act = make_two_jobs;
    put_repository(b, "a", 1);
    expect(b, "POST");
    c = test_peer_first(&b->peer);
    test_peer_head(c, 429, "7");
    test_peer_end(c, 0);
    put_repository(b, "b", 1);
    test_env_advance(&b->env, 6999);
    assert_int_equal(test_peer_open(&b->peer), 0);
    test_env_advance(&b->env, 1);
    expect(b, "POST");
    b->act = NULL;
    while (test_peer_open(&b->peer))
        answer(b, 201, "{}");
}

static void the_rate_limit_holds_requests_back_in_order(void **state)
{
    struct bench *b = *state;

    make_engine(b, 10, 2, 3);
    b->act = make_job_unless_refused;
    for (int i = 0; i < 6; i++) {
        AUTO_FREE char *name = mem_printf("r%d", i);

        put_repository(b, name, 1);
    }
    test_env_settle(&b->env);
    assert_int_equal(test_peer_open(&b->peer), 3);
    test_env_advance(&b->env, 501);
    assert_int_equal(test_peer_open(&b->peer), 4);
    test_env_advance(&b->env, 1000);
    assert_int_equal(test_peer_open(&b->peer), 6);
    for (int i = 0; i < 6; i++)
        answer(b, 201, "{}");
    assert_int_equal(b->passes, 6);
}

/* With as many passes as may run, nothing but the next token brings a turn. */
static void events_do_not_put_off_what_the_rate_limit_holds_back(void **state)
{
    struct bench *b = *state;

    make_engine(b, 2, 1, 1);
    b->act = make_job_unless_refused;
    put_repository(b, "a", 1);
    put_repository(b, "b", 1);
    test_env_settle(&b->env);
    assert_int_equal(test_peer_open(&b->peer), 1);
    for (int i = 0; i < 3; i++) {
        test_env_advance(&b->env, 400);
        put_repository(b, "c", i + 1);
    }
    test_env_settle(&b->env);
    assert_int_equal(test_peer_open(&b->peer), 2);
    b->act = NULL;
    answer(b, 201, "{}");
    answer(b, 201, "{}");
}

static void stopping_cancels_what_runs_and_what_waits(void **state)
{
    struct bench *b = *state;

    make_engine(b, 10, 1, 1);
    b->act = make_two_jobs;
    put_repository(b, "a", 1);
    put_repository(b, "b", 1);
    test_env_settle(&b->env);
    assert_int_equal(test_peer_open(&b->peer), 1);
    /* The teardown stops the engine and asserts that all ended. */
}

static void stopping_sends_what_the_rate_limit_holds_back(void **state)
{
    struct bench *b = *state;

    b->drain_ms = 5000;
    make_engine(b, 10, 0.001, 1);
    b->act = make_job_unless_refused;
    put_repository(b, "a", 1);
    put_repository(b, "b", 1);
    test_env_settle(&b->env);
    assert_int_equal(test_peer_open(&b->peer), 1);
    engine_stop(b->engine, stopped, b);
    test_env_settle(&b->env);
    assert_int_equal(test_peer_open(&b->peer), 2);
    answer(b, 201, "{}");
    assert_false(b->stopped);
    answer(b, 201, "{}");
    assert_true(b->stopped);
    assert_string_equal(b->results, "Acted=ok Acted=ok ");
    engine_free(b->engine); /* the teardown stops one too */
    b->stopped = false;
    make_engine(b, 1, 0, 0);
}

static void wake_later(struct bench *b, const struct kobj *self, struct world *w, struct plan *p)
{
    (void)self;
    b->counted = (double)(world_now_s(w) - world_asked_s(w));
    plan_wake_at(p, world_now_s(w) + 60);
}

static void a_plan_may_ask_to_be_woken(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = wake_later;
    put_repository(b, "a", 1);
    test_env_settle(&b->env);
    assert_int_equal(b->passes, 1);
    test_env_advance(&b->env, 59000);
    assert_int_equal(b->passes, 1);
    test_env_advance(&b->env, 1000);
    assert_int_equal(b->passes, 2);
    assert_true(b->counted == 0); /* asked for when it fired, not when it was planned */
    b->act = NULL;
    test_env_advance(&b->env, 60000);
    assert_int_equal(b->passes, 3);
}

static void note_catalog(struct bench *b, const struct kobj *self, struct world *w, struct plan *p)
{
    (void)self;
    (void)p;
    b->catalog_s = world_catalog_until_s(w) ? world_catalog_until_s(w) - world_now_s(w) : 0;
}

static int64_t catalog_left_s(struct bench *b)
{
    engine_wake(b->engine, &under_test, "demo", "a");
    test_env_settle(&b->env);
    return b->catalog_s;
}

static void a_task_or_function_that_is_gone_may_be_replaced_for_a_minute(void **state)
{
    struct bench *b = *state;

    make_engine(b, 4, 0, 0);
    b->act = note_catalog;
    put_repository(b, "a", 1);
    assert_in_range(catalog_left_s(b), 1, 11); /* it may have been gone when the caches were filled */
    test_env_advance(&b->env, 12000);
    put(b, "{apiVersion: stash.appscode.com/v1beta1, kind: Function, metadata: {name: f, resourceVersion: '7'}}");
    assert_int_equal(catalog_left_s(b), 0);
    cache_del(b->cache, kind_get(KIND_FUNCTION), NULL, "f");
    assert_in_range(catalog_left_s(b), 59, 61);
    test_env_advance(&b->env, 62000);
    assert_int_equal(catalog_left_s(b), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(effects_run_one_after_the_other),
        T(nothing_runs_before_the_caches_are_complete_and_the_lead_is_ours),
        T(losing_the_lead_ends_passes_and_empties_the_queue),
        T(nothing_is_written_once_the_lead_may_be_over),
        T(events_during_a_pass_make_one_more),
        T(a_watched_kind_wakes_the_mapped_key),
        T(a_change_that_no_record_shows_is_no_news_of_one_that_is_settled),
        T(at_most_so_many_passes_run_at_once),
        T(a_failure_stops_the_plan_and_comes_back_later_and_later),
        T(what_has_no_object_is_not_sent),
        T(a_name_that_our_own_object_has_is_success),
        T(a_name_that_somebody_else_has_is_told_to_the_next_pass),
        T(a_full_quota_is_tried_again_after_a_while_and_then_forgotten),
        T(one_that_ignores_its_refusal_is_slowed_down),
        T(documents_are_fetched_at_once_and_status_has_their_version),
        T(a_document_is_asked_for_again_only_when_it_has_changed),
        T(the_answer_of_a_write_is_the_next_pass_s_document),
        T(a_status_behind_a_patch_of_the_object_has_the_patched_version),
        T(after_a_conflict_the_document_is_read_anew),
        T(what_several_want_is_read_once),
        T(a_write_whose_event_came_first_is_waited_for),
        T(what_was_made_is_known_before_its_event),
        T(what_is_gone_is_not_known_any_more),
        T(what_several_apply_is_sent_once),
        T(a_failed_apply_is_tried_by_the_next),
        T(losing_the_lead_ends_those_that_wait_for_another_too),
        T(a_right_is_asked_of_the_api_server),
        T(a_job_that_the_cache_does_not_show_is_remembered_and_its_pods_are_asked_for),
        T(a_job_whose_request_has_no_answer_may_still_be_made),
        T(a_job_that_was_refused_is_not_remembered),
        T(a_list_that_cannot_be_had_is_none),
        T(a_conflict_comes_back_soon),
        T(a_status_of_a_gone_object_ends_the_pass),
        T(what_the_server_says_is_gone_has_no_pass_again),
        T(a_job_is_made_for_what_is_there_and_as_it_was),
        T(no_job_is_made_for_what_is_gone),
        T(a_young_one_is_looked_at_again_after_a_failure),
        T(a_session_is_asked_for_again_only_while_its_invoker_is_there),
        T(what_goes_beside_another_goes_while_that_is_there),
        T(nothing_goes_beside_one_that_is_gone),
        T(nothing_goes_beside_another_of_that_name),
        T(nothing_goes_beside_one_that_is_going),
        T(what_was_there_too_long_ago_lets_nothing_go),
        T(a_delete_that_had_to_wait_for_the_server_is_not_sent),
        T(a_delete_follows_its_look_past_the_line),
        T(a_delete_that_the_server_holds_back_goes_first),
        T(what_comes_too_late_costs_no_request),
        T(nothing_goes_beside_the_object_itself_when_it_has_changed),
        T(a_delete_has_its_uid_and_absence_is_success),
        T(a_delete_that_meets_a_conflict_is_tried_again),
        T(nothing_is_made_in_a_namespace_that_goes),
        T(after_a_429_no_request_comes_before_its_time),
        T(the_rate_limit_holds_requests_back_in_order),
        T(events_do_not_put_off_what_the_rate_limit_holds_back),
        T(stopping_cancels_what_runs_and_what_waits),
        T(stopping_sends_what_the_rate_limit_holds_back),
        T(a_plan_may_ask_to_be_woken),
        T(a_task_or_function_that_is_gone_may_be_replaced_for_a_minute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
