/* test_watch: the list-and-watch machine against a server that is the test. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/mem.h"
#include "k8s/auth.h"
#include "k8s/watch.h"
#include "support_env.h"
#include "support_peer.h"

struct world {
    struct test_env env;
    struct test_peer peer;
    struct kube kube;
    struct cache *cache;
    struct kube_watch watch;
    unsigned n_synced, n_trouble, n_stopped, n_changes;
    int trouble;
    bool stop_on_change, stop_on_synced;
    size_t live;
};

static const struct kind *job(void)
{
    return kind_get(KIND_JOB);
}

static void on_change(void *ctx, const struct kind *k, const struct kobj *old, const struct kobj *now)
{
    struct world *w = ctx;

    (void)k;
    (void)old;
    (void)now;
    w->n_changes++;
    if (w->stop_on_change)
        kube_watch_stop(&w->watch);
}

static void on_synced(struct kube_watch *watch)
{
    struct world *w = watch->data;

    w->n_synced++;
    if (w->stop_on_synced)
        kube_watch_stop(watch);
}

static void on_trouble(struct kube_watch *watch, int rc, const struct error *e)
{
    struct world *w = watch->data;

    assert_true(e->msg[0]);
    w->n_trouble++;
    w->trouble = rc;
}

static void on_stopped(struct kube_watch *watch)
{
    struct world *w = watch->data;

    w->n_stopped++;
    memset(watch, 0x55, sizeof(*watch)); /* its owner may free it */
}

static int set_up(void **state)
{
    size_t live = mem_live();
    struct world *w = mem_zalloc(sizeof(*w));

    w->live = live;
    test_env_init(&w->env);
    test_peer_init(&w->peer, &w->env);
    w->kube = (struct kube){.env = &w->env.env, .peers = {NULL, &w->peer.peer, NULL}, .user_agent = "stashd/test"};
    w->cache = cache_new(1, on_change, w);
    w->watch = (struct kube_watch){.kube = &w->kube, .cache = w->cache, .kind = job(), .on_synced = on_synced,
                                   .on_trouble = on_trouble, .on_stopped = on_stopped, .data = w};
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    size_t live = w->live;

    if (!w->n_stopped)
        kube_watch_stop(&w->watch);
    assert_int_equal(w->n_stopped > 1, 0);
    test_env_settle(&w->env);
    assert_int_equal(w->n_stopped, 1);
    cache_free(w->cache);
    kube_auth_free(w->kube.auth);
    test_peer_done(&w->peer);
    test_env_done(&w->env);
    mem_free(w);
    assert_int_equal(mem_live(), live);
    return 0;
}

static const char *path(struct world *w)
{
    return test_peer_first(&w->peer)->path;
}

static void say(struct world *w, const char *type, const char *name, int rv)
{
    char line[300];

    (void)snprintf(line, sizeof(line),
                   "{\"type\":\"%s\",\"object\":{\"metadata\":{\"namespace\":\"n\",\"name\":\"%s\","
                   "\"resourceVersion\":\"%d\"}}}\n",
                   type, name, rv);
    test_peer_data(test_peer_first(&w->peer), line);
}

static void say_initial_end(struct world *w, int rv)
{
    char line[300];

    (void)snprintf(line, sizeof(line),
                   "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"%d\",\"annotations\":"
                   "{\"k8s.io/initial-events-end\":\"true\"}}}}\n",
                   rv);
    test_peer_data(test_peer_first(&w->peer), line);
}

static void open_with(struct world *w, int status)
{
    test_peer_head(test_peer_first(&w->peer), status, NULL);
}

/* Started, with job a at 5 and the list's end at 9. */
static void synced(struct world *w)
{
    kube_watch_start(&w->watch);
    open_with(w, 200);
    say(w, "ADDED", "a", 5);
    say_initial_end(w, 9);
    assert_int_equal(w->watch.state, WATCH_WATCHING);
}

static void a_streamed_list_fills_the_cache_and_goes_on_as_a_watch(void **state)
{
    struct world *w = *state;
    const char *t;

    w->watch.ns = "n";
    w->watch.selector = "a=b,c in (d)";
    kube_watch_start(&w->watch);
    assert_int_equal(w->watch.state, WATCH_LISTING);
    t = strstr(path(w), "timeoutSeconds=");
    assert_non_null(t);
    assert_in_range(strtol(t + 15, NULL, 10), 300, 600);
    assert_non_null(strstr(path(w), "/apis/batch/v1/namespaces/n/jobs?watch=true&allowWatchBookmarks=true&"));
    assert_non_null(strstr(path(w), "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&labelSelector="
                                    "a%3Db%2Cc%20in%20%28d%29"));
    assert_true(test_peer_first(&w->peer)->bulk);
    assert_int_equal(test_peer_first(&w->peer)->timeout_ms, 0);

    open_with(w, 200);
    say(w, "ADDED", "a", 5);
    assert_non_null(cache_find(w->cache, job(), "n", "a"));
    assert_false(cache_complete(w->cache, job()));
    assert_int_equal(w->n_synced, 0);
    say_initial_end(w, 9);
    assert_true(cache_complete(w->cache, job()));
    assert_int_equal(w->n_synced, 1);
    assert_int_equal(w->watch.lists, 1);

    say(w, "ADDED", "b", 10);
    say(w, "MODIFIED", "a", 11);
    assert_string_equal(cache_find(w->cache, job(), "n", "a")->rv, "11");
    say(w, "DELETED", "b", 12);
    assert_null(cache_find(w->cache, job(), "n", "b"));
    assert_int_equal(w->n_changes, 4);
}

static void the_end_of_a_stream_goes_on_from_the_last_version_at_once(void **state)
{
    struct world *w = *state;

    synced(w);
    say(w, "MODIFIED", "a", 11);
    test_peer_data(test_peer_first(&w->peer),
                   "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"20\"}}}\n");
    test_env_advance(&w->env, 400000);
    test_peer_end(test_peer_first(&w->peer), 0);
    assert_int_equal(w->watch.state, WATCH_WAITING);
    test_env_settle(&w->env);
    assert_non_null(strstr(path(w), "&resourceVersion=20"));
    assert_null(strstr(path(w), "sendInitialEvents"));
    assert_int_equal(w->watch.state, WATCH_WATCHING);
    assert_int_equal(w->watch.restarts, 1);
    assert_int_equal(w->watch.lists, 1);
}

static void who_asks_for_a_list_gets_one_that_begins_after_that(void **state)
{
    struct world *w = *state;

    kube_watch_start(&w->watch);
    open_with(w, 200);
    kube_watch_list(&w->watch); /* this one began before */
    assert_true(w->watch.is_stale);
    test_env_settle(&w->env);
    assert_non_null(strstr(path(w), "&sendInitialEvents=true"));
    open_with(w, 200);
    say(w, "ADDED", "a", 15);
    say_initial_end(w, 19);
    assert_false(w->watch.is_stale);
    assert_int_equal(w->n_synced, 1);

    kube_watch_list(&w->watch); /* from the middle of a watch */
    test_env_settle(&w->env);
    assert_int_equal(test_peer_open(&w->peer), 1);
    assert_non_null(strstr(path(w), "&sendInitialEvents=true"));
    assert_non_null(cache_find(w->cache, job(), "n", "a")); /* nothing is dropped meanwhile */
    open_with(w, 200);
    say_initial_end(w, 29);
    assert_null(cache_find(w->cache, job(), "n", "a"));
    assert_int_equal(w->n_synced, 2);

    test_peer_end(test_peer_first(&w->peer), ERR_NET); /* from a back-off */
    kube_watch_list(&w->watch);
    test_env_settle(&w->env);
    assert_non_null(strstr(path(w), "&sendInitialEvents=true"));
    assert_int_equal(w->watch.lists, 2);
}

static void a_lost_connection_backs_off_and_the_back_off_grows_to_30_s(void **state)
{
    struct world *w = *state;
    uint64_t most = 0;

    synced(w);
    for (int i = 0; i < 60; i++) {
        uint64_t wait;

        test_peer_end(test_peer_first(&w->peer), ERR_NET);
        assert_int_equal(w->watch.state, WATCH_WAITING);
        wait = test_env_next_ms(&w->env);
        assert_true(wait <= (i < 6 ? 500u << i : 30000u) + 1);
        most = wait > most ? wait : most;
        test_env_advance(&w->env, wait);
        assert_non_null(strstr(path(w), "&resourceVersion=9"));
    }
    assert_true(most > 15000);
    open_with(w, 200);
    say(w, "MODIFIED", "a", 30); /* a success: from the start again */
    test_peer_end(test_peer_first(&w->peer), ERR_NET);
    assert_true(test_env_next_ms(&w->env) <= 501);
}

static void streams_that_end_at_once_do_not_spin(void **state)
{
    struct world *w = *state;
    uint64_t from;

    synced(w);
    from = w->env.now_ns;
    for (int i = 0; i < 40; i++) {
        test_env_advance(&w->env, test_env_next_ms(&w->env) == UINT64_MAX ? 0 : 1);
        if (!test_peer_first(&w->peer))
            test_env_advance(&w->env, test_env_next_ms(&w->env));
        open_with(w, 200);
        test_peer_end(test_peer_first(&w->peer), 0);
    }
    assert_true(w->env.now_ns - from > 60 * 1000000000ull);
}

static void a_410_status_lists_again_without_emptying_the_cache(void **state)
{
    struct world *w = *state;

    synced(w);
    say(w, "ADDED", "b", 10);
    test_peer_end(test_peer_first(&w->peer), ERR_NET);
    test_env_advance(&w->env, 1000);
    test_peer_answer(&w->peer, 410, "{\"kind\":\"Status\",\"code\":410,\"message\":\"too old\"}");
    assert_true(test_env_next_ms(&w->env) <= 10000);
    test_env_advance(&w->env, 10000);
    assert_non_null(strstr(path(w), "sendInitialEvents=true"));
    assert_int_equal(w->watch.state, WATCH_LISTING);
    assert_true(cache_complete(w->cache, job()));
    assert_int_equal(cache_count(w->cache, job()), 2);
    open_with(w, 200);
    say(w, "ADDED", "a", 5);
    assert_int_equal(cache_count(w->cache, job()), 2);
    say_initial_end(w, 40);
    assert_int_equal(cache_count(w->cache, job()), 1); /* b went while we did not look */
    assert_int_equal(w->n_synced, 2);
    assert_int_equal(w->watch.lists, 2);
    assert_int_equal(w->n_trouble, 0);
}

static void a_410_event_lists_again_too(void **state)
{
    struct world *w = *state;

    synced(w);
    test_peer_data(test_peer_first(&w->peer),
                   "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,\"message\":\"too old\"}}\n"
                   "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"ghost\"}}}\n");
    test_env_settle(&w->env);
    assert_int_equal(cache_count(w->cache, job()), 1);
    test_env_advance(&w->env, 10000);
    assert_non_null(strstr(path(w), "sendInitialEvents=true"));
}

static void another_error_event_goes_on_from_the_last_version(void **state)
{
    struct world *w = *state;

    synced(w);
    test_peer_data(test_peer_first(&w->peer), "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":500}}\n");
    test_env_advance(&w->env, 600);
    assert_non_null(strstr(path(w), "&resourceVersion=9"));
}

static void a_server_without_streaming_lists_is_asked_for_whole_ones_for_an_hour(void **state)
{
    struct world *w = *state;

    kube_watch_start(&w->watch);
    test_peer_answer(&w->peer, 422, "{\"kind\":\"Status\",\"message\":\"sendInitialEvents: Forbidden\"}");
    test_env_settle(&w->env);
    assert_string_equal(path(w), "/apis/batch/v1/jobs");
    assert_int_equal(w->n_trouble, 0);
    open_with(w, 200);
    test_peer_data(test_peer_first(&w->peer),
                   "{\"items\":[{\"metadata\":{\"namespace\":\"n\",\"name\":\"a\",\"resourceVersion\":\"4\"}}]");
    assert_int_equal(cache_count(w->cache, job()), 1);
    test_peer_data(test_peer_first(&w->peer), ",\"metadata\":{\"resourceVersion\":\"33\"}}");
    assert_false(cache_complete(w->cache, job()));
    test_peer_end(test_peer_first(&w->peer), 0);
    assert_true(cache_complete(w->cache, job()));
    assert_int_equal(w->n_synced, 1);
    test_env_settle(&w->env);
    assert_non_null(strstr(path(w), "&resourceVersion=33"));

    test_peer_answer(&w->peer, 410, "");
    test_env_advance(&w->env, 10000);
    assert_string_equal(path(w), "/apis/batch/v1/jobs");
    test_peer_answer(&w->peer, 200, "{\"items\":[],\"metadata\":{\"resourceVersion\":\"34\"}}");
    assert_int_equal(cache_count(w->cache, job()), 0);
    test_env_settle(&w->env);
    w->env.now_ns += 3600 * 1000000000ull; /* time passes, the stream stays */
    test_peer_answer(&w->peer, 410, "");
    test_env_advance(&w->env, 10000);
    assert_non_null(strstr(path(w), "sendInitialEvents=true"));
}

static void a_list_that_breaks_off_drops_nothing(void **state)
{
    struct world *w = *state;

    kube_watch_start(&w->watch);
    open_with(w, 200);
    say(w, "ADDED", "a", 5);
    test_peer_end(test_peer_first(&w->peer), 0); /* no bookmark came */
    assert_int_equal(w->watch.state, WATCH_EMPTY);
    assert_int_equal(w->n_synced, 0);
    assert_int_equal(cache_count(w->cache, job()), 1);
    test_env_advance(&w->env, 600);
    assert_non_null(strstr(path(w), "sendInitialEvents=true"));
    open_with(w, 200);
    test_peer_data(test_peer_first(&w->peer), "{\"type\":\"ADDED\",\"object\":{broken");
    test_env_settle(&w->env);
    assert_int_equal(w->watch.state, WATCH_EMPTY);
    assert_int_equal(cache_count(w->cache, job()), 1);
}

static void retry_after_is_honoured(void **state)
{
    struct world *w = *state;

    kube_watch_start(&w->watch);
    test_peer_head(test_peer_first(&w->peer), 429, "7");
    test_peer_end(test_peer_first(&w->peer), 0);
    assert_in_range(test_env_next_ms(&w->env), 7000, 7100);
    assert_int_equal(w->n_trouble, 0);
}

static void a_server_that_is_not_there_is_told_once(void **state)
{
    struct world *w = *state;

    kube_watch_start(&w->watch);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(w->n_trouble, i > 2);
        test_peer_end(test_peer_first(&w->peer), ERR_NET);
        test_env_advance(&w->env, 30000);
    }
    assert_int_equal(w->n_trouble, 1);
    assert_int_equal(w->trouble, ERR_NET);
    open_with(w, 200);
    say_initial_end(w, 9);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(w->n_trouble, 1);
        test_peer_answer(&w->peer, 503, "");
        test_env_advance(&w->env, 30000);
    }
    assert_int_equal(w->n_trouble, 2);
}

static void denied_and_unknown_are_told_once_until_the_next_success(void **state)
{
    struct world *w = *state;

    kube_watch_start(&w->watch);
    for (int i = 0; i < 3; i++) {
        test_peer_answer(&w->peer, 403, "{\"message\":\"jobs is forbidden\"}");
        test_env_advance(&w->env, 30000);
    }
    assert_int_equal(w->n_trouble, 1);
    assert_int_equal(w->trouble, ERR_DENIED);
    open_with(w, 200);
    say_initial_end(w, 9);
    test_peer_end(test_peer_first(&w->peer), ERR_NET);
    test_env_advance(&w->env, 600);
    test_peer_answer(&w->peer, 404, "");
    assert_int_equal(w->n_trouble, 2);
    assert_int_equal(w->trouble, ERR_NOTFOUND);
    test_env_advance(&w->env, 30000);
    assert_non_null(test_peer_first(&w->peer));
}

static void a_version_that_is_never_accepted_ends_in_a_new_list(void **state)
{
    struct world *w = *state;

    synced(w);
    test_peer_end(test_peer_first(&w->peer), ERR_NET);
    for (int i = 0; i < 8; i++) {
        test_env_advance(&w->env, 30000);
        if (strstr(path(w), "sendInitialEvents"))
            break;
        test_peer_answer(&w->peer, 504, "{\"message\":\"Too large resource version\"}");
    }
    assert_non_null(strstr(path(w), "sendInitialEvents"));
}

static void a_stream_that_the_server_forgot_is_opened_again(void **state)
{
    struct world *w = *state;

    synced(w);
    test_env_advance(&w->env, 389 * 1000);
    assert_int_equal(w->watch.restarts, 0);
    test_env_advance(&w->env, 302 * 1000 + 500);
    assert_true(w->watch.restarts >= 1);
    assert_non_null(strstr(path(w), "&resourceVersion=9"));
}

static const char *token = "one";
static int read_token(const char *file, struct buf *out, struct error *e)
{
    (void)file;
    (void)e;
    buf_puts(out, token);
    return 0;
}

static void a_401_reads_the_token_again_and_only_the_second_is_trouble(void **state)
{
    struct world *w = *state;

    token = "one";
    w->kube.auth = kube_auth_token_file(&w->env.env, "/t", read_token);
    kube_watch_start(&w->watch);
    assert_string_equal(test_peer_header(test_peer_first(&w->peer), "authorization"), "Bearer one");
    token = "two";
    test_peer_answer(&w->peer, 401, "{}");
    test_env_settle(&w->env);
    assert_string_equal(test_peer_header(test_peer_first(&w->peer), "authorization"), "Bearer two");
    assert_int_equal(w->n_trouble, 0);
    test_peer_answer(&w->peer, 401, "{}");
    assert_int_equal(w->n_trouble, 1);
    assert_int_equal(w->trouble, ERR_DENIED);
    test_env_advance(&w->env, 600);
    assert_non_null(test_peer_first(&w->peer));
}

static void it_may_be_stopped_inside_its_callbacks(void **state)
{
    struct world *w = *state;

    w->stop_on_change = true;
    kube_watch_start(&w->watch);
    open_with(w, 200);
    test_peer_data(test_peer_first(&w->peer), "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"a\"}}}\n"
                                              "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"b\"}}}\n");
    assert_int_equal(w->n_changes, 1);
    assert_int_equal(w->n_stopped, 0);
    test_env_settle(&w->env);
    assert_int_equal(w->n_stopped, 1);
}

static void it_may_be_stopped_when_a_whole_list_has_come(void **state)
{
    struct world *w = *state;

    w->stop_on_synced = true;
    kube_watch_start(&w->watch);
    test_peer_answer(&w->peer, 400, "{}");
    test_env_settle(&w->env);
    test_peer_answer(&w->peer, 200, "{\"items\":[],\"metadata\":{\"resourceVersion\":\"34\"}}");
    assert_int_equal(w->n_stopped, 0);
    test_env_settle(&w->env);
    assert_int_equal(w->n_stopped, 1);
}

static void it_may_be_stopped_between_tries(void **state)
{
    struct world *w = *state;

    kube_watch_start(&w->watch);
    test_peer_end(test_peer_first(&w->peer), ERR_NET);
    kube_watch_stop(&w->watch);
    kube_watch_stop(&w->watch);
    assert_int_equal(w->n_stopped, 0);
    test_env_settle(&w->env);
    assert_int_equal(w->n_stopped, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_streamed_list_fills_the_cache_and_goes_on_as_a_watch),
        TEST(the_end_of_a_stream_goes_on_from_the_last_version_at_once),
        TEST(who_asks_for_a_list_gets_one_that_begins_after_that),
        TEST(a_lost_connection_backs_off_and_the_back_off_grows_to_30_s),
        TEST(streams_that_end_at_once_do_not_spin),
        TEST(a_410_status_lists_again_without_emptying_the_cache),
        TEST(a_410_event_lists_again_too),
        TEST(another_error_event_goes_on_from_the_last_version),
        TEST(a_server_without_streaming_lists_is_asked_for_whole_ones_for_an_hour),
        TEST(a_list_that_breaks_off_drops_nothing),
        TEST(retry_after_is_honoured),
        TEST(denied_and_unknown_are_told_once_until_the_next_success),
        TEST(a_version_that_is_never_accepted_ends_in_a_new_list),
        TEST(a_stream_that_the_server_forgot_is_opened_again),
        TEST(a_server_that_is_not_there_is_told_once),
        TEST(a_401_reads_the_token_again_and_only_the_second_is_trouble),
        TEST(it_may_be_stopped_inside_its_callbacks),
        TEST(it_may_be_stopped_when_a_whole_list_has_come),
        TEST(it_may_be_stopped_between_tries),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
