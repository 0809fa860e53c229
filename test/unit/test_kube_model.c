/* test_kube_model: client, watch, cache, events and lease against the model API server, in one process. */
#include "test.h"

#include <stdio.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/event.h"
#include "k8s/lease.h"
#include "k8s/model/model.h"
#include "k8s/watch.h"
#include "support_env.h"

struct world {
    struct test_env env;
    struct model *model;
    struct http_peer *peer;
    struct kube kube;
    struct cache *cache;
    struct kube_watch watch;
    bool stopped;
    /* the last call's answer */
    struct kube_call call;
    bool done;
    int rc;
    struct error error;
    json_t *object;
    size_t live;
};

static void watch_stopped(struct kube_watch *watch)
{
    ((struct world *)watch->data)->stopped = true;
}

static int set_up(void **state)
{
    size_t live = mem_live();
    struct world *w = mem_zalloc(sizeof(*w));

    w->live = live;
    test_env_init(&w->env);
    w->model = model_new(&(struct model_options){.env = &w->env.env, .seed = 1, .history_max = 100});
    model_start(w->model);
    w->peer = model_peer_new(w->model, "tester", "system:masters");
    w->kube = (struct kube){.env = &w->env.env, .peers = {w->peer, w->peer, w->peer}, .user_agent = "stashd/test"};
    w->cache = cache_new(1, NULL, NULL);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    size_t live = w->live;

    if (w->watch.kube) {
        kube_watch_stop(&w->watch);
        test_env_settle(&w->env);
        assert_true(w->stopped);
    }
    json_decref(w->object);
    cache_free(w->cache);
    model_peer_free(w->peer);
    model_free(w->model);
    test_env_done(&w->env);
    mem_free(w);
    assert_int_equal(mem_live(), live);
    return 0;
}

static void call_done(struct kube_call *c, int rc, const json_t *object, const struct error *e)
{
    struct world *w = c->data;

    w->done = true;
    w->rc = rc;
    w->error = e ? *e : (struct error){0};
    json_decref(w->object);
    w->object = json_incref((json_t *)(uintptr_t)object);
}

static int run(struct world *w, enum kube_verb verb, const char *name, json_t *body_take)
{
    w->call = (struct kube_call){.verb = verb, .kind = kind_get(KIND_POD), .ns = "default", .name = name,
                                 .body = body_take, .on_done = call_done, .data = w};
    w->done = false;
    kube_start(&w->kube, &w->call);
    json_decref(body_take);
    test_env_settle(&w->env);
    assert_true(w->done);
    return w->rc;
}

static json_t *pod(const char *name)
{
    return json_pack("{s:{s:s},s:{s:[{s:s,s:s}]}}", "metadata", "name", name, "spec", "containers", "name", "c",
                     "image", "busybox");
}

static void the_verbs_work_and_fail_as_the_header_says(void **state)
{
    struct world *w = *state;
    char *rv;

    assert_int_equal(run(w, KUBE_GET, "p", NULL), ERR_NOTFOUND);
    assert_string_equal(w->error.msg, "pods \"p\" not found");
    assert_int_equal(run(w, KUBE_CREATE, NULL, pod("p")), 0);
    rv = mem_strdup(json_text(w->object, "metadata.resourceVersion"));
    assert_int_equal(run(w, KUBE_CREATE, NULL, pod("p")), ERR_EXISTS);
    assert_string_equal(w->call.reason, "AlreadyExists");
    assert_int_equal(run(w, KUBE_CREATE, NULL, json_pack("{s:{s:s}}", "metadata", "name", "q")), ERR_INVALID);
    assert_int_equal(run(w, KUBE_PATCH, "p", json_pack("{s:{s:s,s:{s:s}}}", "metadata", "resourceVersion", rv, "labels",
                                                       "a", "b")),
                     0);
    assert_string_equal(json_meta(w->object, "labels", "a"), "b");
    assert_int_equal(run(w, KUBE_PATCH, "p", json_pack("{s:{s:s,s:{s:s}}}", "metadata", "resourceVersion", rv, "labels",
                                                       "a", "c")),
                     ERR_CONFLICT);
    assert_int_equal(run(w, KUBE_APPLY, "p2", pod("p2")), 0);
    assert_int_equal(run(w, KUBE_LIST, NULL, NULL), 0);
    assert_int_equal(json_array_size(json_at(w->object, "items")), 2);
    assert_int_equal(run(w, KUBE_DELETE, "p", json_pack("{s:{s:s}}", "preconditions", "uid", "other")), ERR_CONFLICT);
    assert_int_equal(run(w, KUBE_DELETE, "p", json_pack("{s:i}", "gracePeriodSeconds", 0)), 0);
    assert_int_equal(run(w, KUBE_GET, "p", NULL), ERR_NOTFOUND);
    mem_free(rv);
}

static void start_watch(struct world *w, const char *selector)
{
    w->watch = (struct kube_watch){.kube = &w->kube,
                                   .cache = w->cache,
                                   .kind = kind_get(KIND_POD),
                                   .selector = selector,
                                   .on_stopped = watch_stopped,
                                   .data = w};
    kube_watch_start(&w->watch);
    test_env_settle(&w->env);
}

static void a_watch_follows_what_others_do(void **state)
{
    const struct kind *k = kind_get(KIND_POD);
    struct world *w = *state;

    (void)run(w, KUBE_CREATE, NULL, pod("a"));
    (void)run(w, KUBE_CREATE, NULL, pod("b"));
    start_watch(w, NULL);
    assert_int_equal(w->watch.state, WATCH_WATCHING);
    assert_true(cache_complete(w->cache, k));
    assert_int_equal(cache_count(w->cache, k), 2);
    assert_string_equal(kobj_text(cache_find(w->cache, k, "default", "a"), "status.phase"), "Pending");
    (void)run(w, KUBE_CREATE, NULL, pod("c"));
    (void)run(w, KUBE_DELETE, "a", json_pack("{s:i}", "gracePeriodSeconds", 0));
    (void)run(w, KUBE_PATCH, "b", json_pack("{s:{s:{s:s}}}", "metadata", "labels", "job-name", "j"));
    assert_null(cache_find(w->cache, k, "default", "a"));
    assert_non_null(cache_find(w->cache, k, "default", "c"));
    assert_string_equal(kobj_text(cache_find(w->cache, k, "default", "b"), "label:job-name"), "j");
}

static void a_selector_lets_objects_in_and_out(void **state)
{
    const struct kind *k = kind_get(KIND_POD);
    struct world *w = *state;

    (void)run(w, KUBE_CREATE, NULL, pod("a"));
    start_watch(w, "team=x");
    assert_true(cache_complete(w->cache, k));
    assert_int_equal(cache_count(w->cache, k), 0);
    (void)run(w, KUBE_PATCH, "a", json_pack("{s:{s:{s:s}}}", "metadata", "labels", "team", "x"));
    assert_int_equal(cache_count(w->cache, k), 1);
    (void)run(w, KUBE_PATCH, "a", json_pack("{s:{s:{s:s}}}", "metadata", "labels", "team", "y"));
    assert_int_equal(cache_count(w->cache, k), 0);
}

static void a_watch_outlives_streams_and_compaction(void **state)
{
    const struct kind *k = kind_get(KIND_POD);
    struct world *w = *state;
    char name[16];

    start_watch(w, NULL);
    for (int i = 0; i < 30; i++) {
        (void)snprintf(name, sizeof(name), "p%d", i);
        (void)run(w, KUBE_CREATE, NULL, pod(name));
        if (i > 2)
            (void)run(w, KUBE_DELETE, "p1", json_pack("{s:i}", "gracePeriodSeconds", 0));
        if (i % 5 == 0)
            model_compact(w->model, model_rv(w->model));
        test_env_advance(&w->env, 120 * 1000);
    }
    test_env_advance(&w->env, 20 * 1000);
    assert_int_equal(cache_count(w->cache, k), 29);
    assert_true(w->watch.restarts >= 5);
}

static void events_and_lease_are_accepted(void **state)
{
    struct world *w = *state;
    struct kube_events *ev = kube_events_new(&w->kube);
    struct kube_lease lease = {.kube = &w->kube, .ns = "default", .name = "stashd", .identity = "me"};
    const struct kube_event event = {.component = "Some Controller", .type = "Normal", .reason = "Made It",
                                     .message = "m", .api_version = "v1", .kind = "Pod", .ns = "default", .name = "p",
                                     .uid = "u"};

    kube_event_send(ev, &event);
    test_env_settle(&w->env);
    kube_event_send(ev, &event);
    test_env_settle(&w->env);
    assert_int_equal(kube_events_dropped(ev), 0);
    assert_int_equal(kube_events_running(ev), 0);
    kube_events_free(ev);

    kube_lease_start(&lease);
    test_env_advance(&w->env, 17500);
    assert_true(lease.is_leader);
    test_env_advance(&w->env, 30000);
    assert_true(lease.is_leader);
    kube_lease_stop(&lease);
    test_env_settle(&w->env);
    assert_false(lease.is_leader);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_verbs_work_and_fail_as_the_header_says),
        TEST(a_watch_follows_what_others_do),
        TEST(a_selector_lets_objects_in_and_out),
        TEST(a_watch_outlives_streams_and_compaction),
        TEST(events_and_lease_are_accepted),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
