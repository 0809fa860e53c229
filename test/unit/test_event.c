/* test_event: what goes out for events that repeat, and what happens to those that cannot. */
#include "test.h"

#include <stdio.h>

#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/base/mem.h"
#include "k8s/event.h"
#include "support_env.h"
#include "support_peer.h"

struct world {
    struct test_env env;
    struct test_peer peer;
    struct kube kube;
    struct kube_events *ev;
    json_t *body;
    size_t live;
};

static int set_up(void **state)
{
    size_t live = mem_live();
    struct world *w = mem_zalloc(sizeof(*w));

    w->live = live;
    test_env_init(&w->env);
    test_peer_init(&w->peer, &w->env);
    w->kube = (struct kube){.env = &w->env.env, .peers = {&w->peer.peer, NULL, NULL}};
    w->ev = kube_events_new(&w->kube);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    size_t live = w->live;

    kube_events_free(w->ev);
    test_env_settle(&w->env);
    json_decref(w->body);
    test_peer_done(&w->peer);
    test_env_done(&w->env);
    mem_free(w);
    assert_int_equal(mem_live(), live);
    return 0;
}

static void say(struct world *w, const char *name, const char *message)
{
    const struct kube_event event = {.component = "BackupConfiguration Controller", .type = "Normal",
                                     .reason = "BackupSession Created", .message = message,
                                     .api_version = "stash.appscode.com/v1beta1", .kind = "BackupConfiguration",
                                     .ns = "demo", .name = name, .uid = "u1"};

    kube_event_send(w->ev, &event);
}

static const json_t *body(struct world *w)
{
    struct http_call *c = test_peer_first(&w->peer);

    assert_non_null(c);
    json_decref(w->body);
    w->body = json_loadb(c->body.p, c->body.n, 0, NULL);
    assert_non_null(w->body);
    return w->body;
}

static void the_first_is_created_in_full(void **state)
{
    struct world *w = *state;
    const json_t *b;

    say(w, "db", "made db-1");
    b = body(w);
    assert_string_equal(test_peer_first(&w->peer)->method, "POST");
    assert_string_equal(test_peer_first(&w->peer)->path, "/api/v1/namespaces/demo/events");
    assert_string_equal(json_text(b, "metadata.name"), "db.1898951bcca04000");
    assert_string_equal(json_text(b, "metadata.namespace"), "demo");
    assert_string_equal(json_text(b, "involvedObject.apiVersion"), "stash.appscode.com/v1beta1");
    assert_string_equal(json_text(b, "involvedObject.kind"), "BackupConfiguration");
    assert_string_equal(json_text(b, "involvedObject.namespace"), "demo");
    assert_string_equal(json_text(b, "involvedObject.name"), "db");
    assert_string_equal(json_text(b, "involvedObject.uid"), "u1");
    assert_string_equal(json_text(b, "type"), "Normal");
    assert_string_equal(json_text(b, "reason"), "BackupSession Created");
    assert_string_equal(json_text(b, "message"), "made db-1");
    assert_string_equal(json_text(b, "reportingComponent"), "BackupConfiguration Controller");
    assert_string_equal(json_text(b, "source.component"), "BackupConfiguration Controller");
    assert_string_equal(json_text(b, "firstTimestamp"), "2026-03-01T02:00:00Z");
    assert_string_equal(json_text(b, "lastTimestamp"), "2026-03-01T02:00:00Z");
    assert_int_equal(json_int(b, "count", 0), 1);
    assert_int_equal(kube_events_running(w->ev), 1);
    test_peer_answer(&w->peer, 201, "{}");
    assert_int_equal(kube_events_running(w->ev), 0);
}

static void a_repetition_within_ten_minutes_raises_the_count(void **state)
{
    struct world *w = *state;

    say(w, "db", "m");
    say(w, "db", "m"); /* while the first is under way */
    assert_int_equal(test_peer_open(&w->peer), 1);
    test_env_advance(&w->env, 1000);
    test_peer_answer(&w->peer, 201, "{}");
    assert_string_equal(test_peer_first(&w->peer)->method, "PATCH");
    assert_non_null(strstr(test_peer_first(&w->peer)->path, "/api/v1/namespaces/demo/events/db.1898951bcca04000"));
    assert_int_equal(json_int(body(w), "count", 0), 2);
    assert_string_equal(json_text(body(w), "lastTimestamp"), "2026-03-01T02:00:00Z");
    test_peer_answer(&w->peer, 200, "{}");
    assert_null(test_peer_first(&w->peer));

    test_env_advance(&w->env, 9 * 60 * 1000);
    say(w, "db", "m");
    assert_int_equal(json_int(body(w), "count", 0), 3);
    assert_string_equal(json_text(body(w), "lastTimestamp"), "2026-03-01T02:09:01Z");
    test_peer_answer(&w->peer, 200, "{}");
    say(w, "db", "another message");
    assert_string_equal(test_peer_first(&w->peer)->method, "POST");
    test_peer_answer(&w->peer, 201, "{}");
    test_env_advance(&w->env, 10 * 60 * 1000);
    say(w, "db", "m");
    assert_string_equal(test_peer_first(&w->peer)->method, "POST");
    assert_int_equal(json_int(body(w), "count", 0), 1);
    test_peer_answer(&w->peer, 201, "{}");
    assert_int_equal(kube_events_dropped(w->ev), 0);
}

static void what_is_ten_minutes_old_is_forgotten_though_nothing_happens(void **state)
{
    struct world *w = *state;
    size_t all, one;

    for (int i = 0; i < 3; i++) {
        say(w, i ? "db" : "other", i == 2 ? "m2" : "m");
        test_peer_answer(&w->peer, 201, "{}");
    }
    test_env_advance(&w->env, 9 * 60 * 1000);
    say(w, "db", "m"); /* still known */
    assert_string_equal(test_peer_first(&w->peer)->method, "PATCH");
    test_peer_answer(&w->peer, 200, "{}");
    all = mem_live();
    test_env_advance(&w->env, 2 * 60 * 1000); /* that one was two minutes ago */
    one = mem_live();
    assert_true(one <= all - 4);
    test_env_advance(&w->env, 11 * 60 * 1000);
    assert_int_equal(mem_live(), one - 2); /* an entry and its name */
}

static void an_event_that_expired_is_made_again_with_its_count(void **state)
{
    struct world *w = *state;

    say(w, "db", "m");
    test_peer_answer(&w->peer, 201, "{}");
    say(w, "db", "m");
    test_peer_answer(&w->peer, 404, "{}");
    assert_string_equal(test_peer_first(&w->peer)->method, "POST");
    assert_int_equal(json_int(body(w), "count", 0), 2);
    assert_string_not_equal(json_text(body(w), "metadata.name"), "db.1898951bcca04000");
    test_peer_answer(&w->peer, 201, "{}");
    assert_int_equal(kube_events_dropped(w->ev), 0);
}

static void a_refused_one_is_dropped_and_forgotten(void **state)
{
    struct world *w = *state;

    say(w, "db", "m");
    test_peer_answer(&w->peer, 403, "{}");
    assert_int_equal(kube_events_dropped(w->ev), 1);
    say(w, "db", "m");
    assert_string_equal(test_peer_first(&w->peer)->method, "POST");
    test_peer_end(test_peer_first(&w->peer), ERR_NET);
    assert_int_equal(kube_events_dropped(w->ev), 2);
}

static void an_object_has_five_at_once_and_one_a_minute(void **state)
{
    struct world *w = *state;
    char message[16];

    for (int i = 0; i < 7; i++) {
        (void)snprintf(message, sizeof(message), "m%d", i);
        say(w, "db", message);
    }
    assert_int_equal(test_peer_open(&w->peer), 5);
    assert_int_equal(kube_events_dropped(w->ev), 2);
    while (test_peer_first(&w->peer))
        test_peer_answer(&w->peer, 201, "{}");
    say(w, "other", "m"); /* another object has its own */
    test_peer_answer(&w->peer, 201, "{}");
    say(w, "db", "m0"); /* a repetition is not lost, it only waits */
    assert_null(test_peer_first(&w->peer));
    test_env_advance(&w->env, 60000);
    say(w, "db", "m0");
    assert_int_equal(json_int(body(w), "count", 0), 3);
    test_peer_answer(&w->peer, 200, "{}");
    assert_int_equal(kube_events_dropped(w->ev), 2);
}

static void all_of_us_have_twenty_at_once_and_twenty_a_second(void **state)
{
    struct world *w = *state;
    char name[16];

    for (int i = 0; i < 25; i++) {
        (void)snprintf(name, sizeof(name), "db%d", i);
        say(w, name, "m");
    }
    assert_int_equal(test_peer_open(&w->peer), 20);
    while (test_peer_first(&w->peer))
        test_peer_answer(&w->peer, 201, "{}");
    test_env_advance(&w->env, 100);
    say(w, "a", "m");
    say(w, "b", "m");
    say(w, "c", "m");
    assert_int_equal(test_peer_open(&w->peer), 2);
    while (test_peer_first(&w->peer))
        test_peer_answer(&w->peer, 201, "{}");
}

static void long_texts_are_cut_between_characters(void **state)
{
    struct world *w = *state;
    char message[3000] = "x", name[300];

    for (int i = 0; i < 1000; i++)
        memcpy(message + 1 + 2 * i, "\xc3\xa9", 3);
    memset(name, 'n', 253);
    name[253] = 0;
    say(w, name, message);
    assert_int_equal(strlen(json_text(body(w), "message")), LIMIT_MESSAGE - 1);
    assert_true(strlen(json_text(body(w), "metadata.name")) <= 253);
    test_peer_answer(&w->peer, 201, "{}");
}

static void cluster_objects_have_their_events_in_default(void **state)
{
    struct world *w = *state;
    const struct kube_event event = {.component = "c", .type = "Normal", .reason = "r", .message = "m",
                                     .api_version = "v1", .kind = "Namespace", .ns = "", .name = "demo", .uid = "u"};

    kube_event_send(w->ev, &event);
    assert_string_equal(test_peer_first(&w->peer)->path, "/api/v1/namespaces/default/events");
    assert_null(json_at(body(w), "involvedObject.namespace"));
    test_peer_answer(&w->peer, 201, "{}");
}

static void free_cancels_what_is_under_way(void **state)
{
    struct world *w = *state;

    say(w, "a", "m");
    say(w, "b", "m");
    assert_int_equal(kube_events_running(w->ev), 2); /* tear_down frees, and looks for leaks */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_first_is_created_in_full),
        TEST(a_repetition_within_ten_minutes_raises_the_count),
        TEST(what_is_ten_minutes_old_is_forgotten_though_nothing_happens),
        TEST(an_event_that_expired_is_made_again_with_its_count),
        TEST(a_refused_one_is_dropped_and_forgotten),
        TEST(an_object_has_five_at_once_and_one_a_minute),
        TEST(all_of_us_have_twenty_at_once_and_twenty_a_second),
        TEST(long_texts_are_cut_between_characters),
        TEST(cluster_objects_have_their_events_in_default),
        TEST(free_cancels_what_is_under_way),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
