/* test_lease: who leads when, against a server with one record that is the test; and two of us over simulated hours. */
#include "test.h"

#include <stdio.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/lease.h"
#include "support_env.h"
#include "support_peer.h"

/* A server with one Lease. */
struct server {
    json_t *record; /* NULL: absent */
    int rv;
    unsigned writes;
};

struct member {
    struct test_peer peer;
    struct kube kube;
    struct kube_lease lease;
    bool cut_off; /* its requests get no answer that arrives */
    unsigned n_changes, n_stopped;
    bool stop_on_change;
};

struct world {
    struct test_env env;
    struct server server;
    struct member a, b;
    size_t live;
};

static void on_change(struct kube_lease *l, bool is_leader)
{
    struct member *m = l->data;

    assert_int_equal(l->is_leader, is_leader);
    m->n_changes++;
    if (m->stop_on_change)
        kube_lease_stop(l);
}

static void on_stopped(struct kube_lease *l)
{
    ((struct member *)l->data)->n_stopped++;
}

static void member_init(struct world *w, struct member *m, const char *identity)
{
    test_peer_init(&m->peer, &w->env);
    m->kube = (struct kube){.env = &w->env.env, .peers = {NULL, NULL, &m->peer.peer}};
    m->lease = (struct kube_lease){.kube = &m->kube, .ns = "stash", .name = "stashd", .identity = identity,
                                   .on_change = on_change, .on_stopped = on_stopped, .data = m};
}

static int set_up(void **state)
{
    size_t live = mem_live();
    struct world *w = mem_zalloc(sizeof(*w));

    w->live = live;
    test_env_init(&w->env);
    member_init(w, &w->a, "pod-a_1");
    member_init(w, &w->b, "pod-b_2");
    *state = w;
    return 0;
}

static json_t *merge(json_t *record, const json_t *patch)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)patch, key, value) {
        if (json_is_object(value) && json_is_object(json_object_get(record, key)))
            (void)merge(json_object_get(record, key), value);
        else
            (void)json_object_set(record, key, value);
    }
    return record;
}

static int serve(struct server *s, const struct http_call *c)
{
    bool create = strcmp(c->method, "POST") == 0;
    json_t *body;

    assert_non_null(strstr(c->path, "/apis/coordination.k8s.io/v1/namespaces/stash/leases"));
    if (strcmp(c->method, "GET") == 0)
        return s->record ? 200 : 404;
    body = json_loadb(c->body.p, c->body.n, 0, NULL);
    assert_non_null(body);
    if (create == (s->record != NULL) || (!create && !str_same(json_text(body, "metadata.resourceVersion"),
                                                               json_text(s->record, "metadata.resourceVersion")))) {
        json_decref(body);
        return create ? 409 : s->record ? 409 : 404;
    }
    s->record = create ? json_deep_copy(body) : merge(s->record, body);
    s->rv++;
    s->writes++;
    (void)json_object_set_new(json_object_get(s->record, "metadata"), "resourceVersion", json_sprintf("%d", s->rv));
    json_decref(body);
    return create ? 201 : 200;
}

static void answer_all(struct world *w, struct member *m)
{
    while (test_peer_first(&m->peer)) {
        struct http_call *c = test_peer_first(&m->peer);
        int status;

        if (m->cut_off) {
            test_peer_end(c, ERR_TIMEOUT);
            continue;
        }
        status = serve(&w->server, c);
        test_peer_head(c, status, NULL);
        if (status < 300) {
            char *text = json_compact(w->server.record);

            test_peer_data(c, text);
            mem_free(text);
        }
        test_peer_end(c, 0);
    }
}

static void run(struct world *w, uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i += 50) {
        test_env_advance(&w->env, 50);
        answer_all(w, &w->a);
        answer_all(w, &w->b);
        assert_false(w->a.lease.is_leader && w->b.lease.is_leader);
    }
}

/* The first one to lead makes the record, and has it for 15 s before. */
static void start_first(struct world *w, struct member *m)
{
    kube_lease_start(&m->lease);
    run(w, 17500);
    assert_true(m->lease.is_leader);
}

/* Somebody does, by hand. */
static void delete_record(struct world *w)
{
    json_decref(w->server.record);
    w->server.record = NULL;
}

static void stop(struct world *w, struct member *m)
{
    if (m->lease.on_stopped && m->lease.timer.on_fire && !m->n_stopped) {
        kube_lease_stop(&m->lease);
        assert_false(m->lease.is_leader);
        answer_all(w, m);
        test_env_settle(&w->env);
        assert_int_equal(m->n_stopped, 1);
    }
}

static int tear_down(void **state)
{
    struct world *w = *state;
    size_t live = w->live;

    stop(w, &w->a);
    stop(w, &w->b);
    test_peer_done(&w->a.peer);
    test_peer_done(&w->b.peer);
    json_decref(w->server.record);
    test_env_done(&w->env);
    mem_free(w);
    assert_int_equal(mem_live(), live);
    return 0;
}

static void an_absent_lease_is_made_kept_for_15_s_and_renewed_every_two_seconds(void **state)
{
    struct world *w = *state;
    unsigned writes;

    kube_lease_start(&w->a.lease);
    assert_int_equal(w->a.n_changes, 0);
    run(w, 100);
    assert_string_equal(json_text(w->server.record, "spec.holderIdentity"), "pod-a_1");
    assert_string_equal(json_text(w->server.record, "spec.acquireTime") + 10, "T02:00:15.050000Z");
    run(w, 14900);
    assert_int_equal(w->a.n_changes, 0); /* somebody whose Lease was deleted may still lead */
    run(w, 2500);
    assert_true(w->a.lease.is_leader);
    assert_string_equal(json_text(w->server.record, "spec.holderIdentity"), "pod-a_1");
    assert_int_equal(json_int(w->server.record, "spec.leaseDurationSeconds", 0), 15);
    assert_int_equal(json_int(w->server.record, "spec.leaseTransitions", -1), 0);
    assert_int_equal(strlen(json_text(w->server.record, "spec.renewTime")), strlen("2026-03-01T02:00:00.000000Z"));
    writes = w->server.writes;
    run(w, 60000);
    assert_in_range(w->server.writes - writes, 24, 30);
    assert_int_equal(w->a.n_changes, 1);
    assert_string_equal(json_text(w->server.record, "spec.acquireTime") + 10, "T02:00:15.050000Z");
}

static void the_others_know_where_the_leader_is_reached(void **state)
{
    struct world *w = *state;

    w->a.lease.address = "10.0.0.1:8080";
    start_first(w, &w->a);
    assert_string_equal(w->a.lease.holder_address, "");
    kube_lease_start(&w->b.lease);
    run(w, 5000);
    assert_string_equal(w->b.lease.holder_address, "10.0.0.1:8080");
    w->a.cut_off = true;
    run(w, 30000);
    assert_true(w->b.lease.is_leader); /* and says no address, so that a's goes */
    assert_string_equal(w->b.lease.holder_address, "");
    assert_string_equal(json_meta(w->server.record, "annotations", "stash.appscode.com/leader-address"), "");
}

static void a_second_one_waits_until_the_record_stood_still_for_15_s(void **state)
{
    struct world *w = *state;
    uint64_t died, took;

    start_first(w, &w->a);
    kube_lease_start(&w->b.lease);
    run(w, 60000);
    assert_int_equal(w->b.n_changes, 0);
    w->a.cut_off = true;
    died = w->env.now_ns;
    while (w->a.lease.is_leader)
        run(w, 50);
    took = (w->env.now_ns - died) / 1000000;
    assert_in_range(took, 7500, 10050);
    while (!w->b.lease.is_leader)
        run(w, 50);
    took = (w->env.now_ns - died) / 1000000;
    assert_in_range(took, 12500, 17500);
    assert_int_equal(json_int(w->server.record, "spec.leaseTransitions", -1), 1);
    assert_string_equal(json_text(w->server.record, "spec.holderIdentity"), "pod-b_2");
    w->a.cut_off = false;
    run(w, 60000);
    assert_true(w->b.lease.is_leader);
    assert_int_equal(w->a.n_changes, 2);
}

static void a_lease_given_back_is_taken_within_three_seconds(void **state)
{
    struct world *w = *state;

    start_first(w, &w->a);
    kube_lease_start(&w->b.lease);
    run(w, 5000);
    stop(w, &w->a);
    assert_string_equal(json_text(w->server.record, "spec.holderIdentity"), "");
    assert_int_equal(w->a.n_changes, 2);
    run(w, 3000);
    assert_true(w->b.lease.is_leader);
}

static void leadership_ends_ten_seconds_after_the_last_renewal_with_a_request_under_way(void **state)
{
    struct world *w = *state;

    start_first(w, &w->a);
    while (!test_peer_first(&w->a.peer)) /* no answer comes */
        test_env_advance(&w->env, 50);
    test_env_advance(&w->env, 7500);
    assert_true(w->a.lease.is_leader);
    test_env_advance(&w->env, 600);
    assert_false(w->a.lease.is_leader);
    assert_non_null(test_peer_first(&w->a.peer));
    test_peer_end(test_peer_first(&w->a.peer), ERR_TIMEOUT);
    run(w, 3000);
    assert_true(w->a.lease.is_leader); /* the record was still ours */
    assert_int_equal(w->a.n_changes, 3);
}

static void an_answer_that_comes_after_ten_seconds_makes_nobody_leader(void **state)
{
    struct world *w = *state;

    kube_lease_start(&w->a.lease);
    test_env_settle(&w->env);
    test_peer_answer(&w->a.peer, 404, "{}");
    test_env_advance(&w->env, 10000);
    test_peer_answer(&w->a.peer, 201,
                     "{\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":{\"holderIdentity\":\"pod-a_1\"}}");
    assert_false(w->a.lease.is_leader);
}

static void who_lost_the_record_to_another_stops_at_once(void **state)
{
    struct world *w = *state;

    start_first(w, &w->a);
    (void)json_object_set_new(json_object_get(w->server.record, "spec"), "holderIdentity", json_string("somebody"));
    (void)json_object_set_new(json_object_get(w->server.record, "metadata"), "resourceVersion", json_string("x"));
    run(w, 5000);
    assert_false(w->a.lease.is_leader);
}

static void it_may_be_stopped_inside_on_change(void **state)
{
    struct world *w = *state;

    w->a.stop_on_change = true;
    kube_lease_start(&w->a.lease);
    run(w, 17500);
    assert_int_equal(w->a.n_stopped, 1);
    assert_int_equal(w->a.n_changes, 2);
    assert_string_equal(json_text(w->server.record, "spec.holderIdentity"), "");
}

static void a_stop_waits_for_the_request_under_way_to_give_the_lease_back(void **state)
{
    struct world *w = *state;

    start_first(w, &w->a);
    test_env_advance(&w->env, 2400);
    assert_non_null(test_peer_first(&w->a.peer));
    kube_lease_stop(&w->a.lease);
    assert_false(w->a.lease.is_leader);
    assert_int_equal(w->a.n_stopped, 0);
    answer_all(w, &w->a);
    assert_int_equal(w->a.n_stopped, 1);
    assert_string_equal(json_text(w->server.record, "spec.holderIdentity"), "");
}

/* ---- a Lease that somebody deletes ---- */

static void who_leads_makes_a_deleted_record_again_and_goes_on(void **state)
{
    struct world *w = *state;

    start_first(w, &w->a);
    kube_lease_start(&w->b.lease);
    for (int i = 0; i < 20; i++) {
        run(w, 20000 + env_random(&w->env.env) % 3000);
        delete_record(w);
        run(w, 5000);
        assert_string_equal(json_text(w->server.record, "spec.holderIdentity"), "pod-a_1");
    }
    assert_int_equal(w->a.n_changes, 1);
    assert_int_equal(w->b.n_changes, 0);
}

/* The old leader hears of nothing, and leads as it may for ten seconds: run sees no two. */
static void who_makes_a_deleted_record_leads_when_the_old_leader_no_longer_does(void **state)
{
    struct world *w = *state;
    uint64_t deleted;

    start_first(w, &w->a);
    kube_lease_start(&w->b.lease);
    run(w, 5000);
    w->a.cut_off = true;
    delete_record(w);
    deleted = w->env.now_ns;
    while (!w->server.record)
        run(w, 50);
    assert_string_equal(json_text(w->server.record, "spec.holderIdentity"), "pod-b_2");
    assert_true(w->a.lease.is_leader);
    while (!w->b.lease.is_leader)
        run(w, 50);
    assert_in_range((w->env.now_ns - deleted) / 1000000, 15000, 25000);
    assert_false(w->a.lease.is_leader);
    w->a.cut_off = false;
    run(w, 20000);
    assert_true(w->b.lease.is_leader);
}

static void who_may_not_lead_yet_gives_nothing_back(void **state)
{
    struct world *w = *state;

    start_first(w, &w->a);
    w->a.cut_off = true;
    delete_record(w);
    kube_lease_start(&w->b.lease);
    run(w, 100);
    stop(w, &w->b);
    assert_string_equal(json_text(w->server.record, "spec.holderIdentity"), "pod-b_2");
}

/* The same pod's, by its identity; what it knew is lost. */
static void start_anew(struct world *w, struct member *m, const char *identity)
{
    struct kube_lease fresh = {.kube = &m->kube, .ns = "stash", .name = "stashd", .identity = identity,
                               .on_change = on_change, .on_stopped = on_stopped, .data = m};

    while (test_peer_first(&m->peer))
        test_peer_end(test_peer_first(&m->peer), ERR_NET);
    timer_clear(&w->env.env, &m->lease.timer);
    m->lease = fresh;
    kube_lease_start(&m->lease);
}

static void a_container_started_anew_waits_on_and_one_that_led_does_not(void **state)
{
    struct world *w = *state;

    start_first(w, &w->a);
    start_anew(w, &w->a, "pod-a_1");
    run(w, 100);
    assert_true(w->a.lease.is_leader);
    kube_lease_start(&w->b.lease);
    run(w, 1000);
    w->a.cut_off = true;
    delete_record(w);
    while (!w->server.record)
        run(w, 50);
    start_anew(w, &w->b, "pod-b_2"); /* run sees that a leads still */
    run(w, 14000);
    assert_false(w->b.lease.is_leader);
    run(w, 4000);
    assert_true(w->b.lease.is_leader);
}

/* Its record is gone, and it does not know yet that its time is over: it was stopped, say. */
static void a_leader_that_was_frozen_waits_as_any_other(void **state)
{
    struct world *w = *state;

    start_first(w, &w->a);
    while (!test_peer_first(&w->a.peer))
        test_env_advance(&w->env, 50);
    delete_record(w);
    w->env.now_ns += 11000 * 1000000ull; /* no timer has run */
    answer_all(w, &w->a);
    answer_all(w, &w->a);
    assert_false(kube_lease_holds(&w->a.lease));
    run(w, 14000);
    assert_false(w->a.lease.is_leader);
    run(w, 12000);
    assert_true(w->a.lease.is_leader);
}

/* One whose record goes again and again waits anew each time. */
static void a_record_that_does_not_stay_makes_nobody_leader(void **state)
{
    struct world *w = *state;

    kube_lease_start(&w->a.lease);
    kube_lease_start(&w->b.lease);
    for (int i = 0; i < 20; i++) {
        run(w, 12000);
        delete_record(w);
    }
    assert_int_equal(w->a.n_changes + w->b.n_changes, 0);
}

static void a_record_whose_making_got_no_answer_is_kept_for_15_s_too(void **state)
{
    struct world *w = *state;

    kube_lease_start(&w->a.lease);
    test_env_settle(&w->env);
    test_peer_answer(&w->a.peer, 404, "{}");
    assert_int_equal(serve(&w->server, test_peer_first(&w->a.peer)), 201);
    test_peer_end(test_peer_first(&w->a.peer), ERR_NET);
    run(w, 15000);
    assert_false(w->a.lease.is_leader);
    run(w, 5000);
    assert_true(w->a.lease.is_leader);
}

/* ---- at length ---- */

/* Connections that come and go, and a Lease that does: never two leaders (run asserts it each 50 ms), and one in calm
 * times. */
static void there_are_never_two_leaders_over_a_simulated_day(void **state)
{
    struct world *w = *state;
    unsigned with_leader = 0;

    kube_lease_start(&w->a.lease);
    kube_lease_start(&w->b.lease);
    for (int i = 0; i < 400; i++) {
        uint64_t dice = env_random(&w->env.env);

        w->a.cut_off = dice % 3 == 0;
        w->b.cut_off = dice / 3 % 3 == 0;
        run(w, 1000 + dice / 9 % 20000);
        if (dice / 180000 % 4 == 0) {
            delete_record(w);
            run(w, dice / 720000 % 4000);
        }
        w->a.cut_off = w->b.cut_off = false;
        run(w, 24000);
        with_leader += w->a.lease.is_leader || w->b.lease.is_leader;
    }
    assert_int_equal(with_leader, 400);
    assert_true(w->a.n_changes > 10 && w->b.n_changes > 10);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_absent_lease_is_made_kept_for_15_s_and_renewed_every_two_seconds),
        TEST(the_others_know_where_the_leader_is_reached),
        TEST(a_second_one_waits_until_the_record_stood_still_for_15_s),
        TEST(a_lease_given_back_is_taken_within_three_seconds),
        TEST(leadership_ends_ten_seconds_after_the_last_renewal_with_a_request_under_way),
        TEST(an_answer_that_comes_after_ten_seconds_makes_nobody_leader),
        TEST(who_lost_the_record_to_another_stops_at_once),
        TEST(it_may_be_stopped_inside_on_change),
        TEST(a_stop_waits_for_the_request_under_way_to_give_the_lease_back),
        TEST(who_leads_makes_a_deleted_record_again_and_goes_on),
        TEST(who_makes_a_deleted_record_leads_when_the_old_leader_no_longer_does),
        TEST(who_may_not_lead_yet_gives_nothing_back),
        TEST(a_container_started_anew_waits_on_and_one_that_led_does_not),
        TEST(a_leader_that_was_frozen_waits_as_any_other),
        TEST(a_record_that_does_not_stay_makes_nobody_leader),
        TEST(a_record_whose_making_got_no_answer_is_kept_for_15_s_too),
        TEST(there_are_never_two_leaders_over_a_simulated_day),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
