/* test_guard: the settings of a donor, the choice of it, and when a transfer costs the cluster too much. */
#include "test.h"

#include "controllers/job/guard.h"
#include "core/base/json.h"
#include "core/base/mem.h"

static int tear_down(void **state)
{
    (void)state;
    return mem_live() ? -1 : 0;
}

/* ---- settings ---- */

static int read_settings(const char *text, struct guard_settings *s, struct error *e)
{
    json_t *o = json_loads(text, JSON_DECODE_ANY, NULL);
    int rc = guard_settings_read(s, o, e);

    json_decref(o);
    return rc;
}

static void settings_have_defaults_and_are_read(void **state)
{
    struct guard_settings s;
    struct error e;

    (void)state;
    assert_int_equal(guard_settings_read(&s, NULL, &e), 0);
    assert_int_equal(s.min_synced, 1);
    assert_int_equal(s.segment, -1);
    assert_int_equal(read_settings("{\"name\": \"n2\", \"segment\": 3, \"minSynced\": 0, "
                                   "\"maxFlowControlPercent\": 20, \"maxReceiveQueue\": 5, \"maxSeconds\": 60}",
                                   &s, &e),
                     0);
    assert_string_equal(s.name, "n2");
    assert_int_equal(s.segment, 3);
    assert_int_equal(s.min_synced, 0);
    assert_int_equal(s.flow_control, 20);
    assert_int_equal(s.receive_queue, 5);
    assert_int_equal(s.max_s, 60);
}

static void a_wrong_setting_is_named_with_what_it_may_be(void **state)
{
    struct guard_settings s;
    struct error e;

    (void)state;
    assert_int_equal(read_settings("{\"minSynced\": \"two\"}", &s, &e), ERR_INVALID);
    assert_string_equal(e.msg, "the AppBinding's parameters.donor.minSynced must be a whole number from 0 to 15");
    assert_int_equal(read_settings("{\"maxFlowControlPercent\": 101}", &s, &e), ERR_INVALID);
    assert_int_equal(read_settings("{\"name\": 2}", &s, &e), ERR_INVALID);
    assert_int_equal(read_settings("[]", &s, &e), ERR_INVALID);
    assert_string_equal(e.msg, "the AppBinding's parameters.donor must be an object");
}

/* ---- the choice ---- */

static struct galera_node node(const char *name, uint64_t writes, uint64_t segment, uint64_t commits)
{
    struct galera_node n = {
        .ready = true, .connected = true, .writes = writes, .segment = segment, .local_commits = commits};

    (void)snprintf(n.name, sizeof(n.name), "%s", name);
    (void)snprintf(n.state, sizeof(n.state), "Synced");
    (void)snprintf(n.status, sizeof(n.status), "Primary");
    return n;
}

static void a_donor_is_no_writer_then_near_then_idle(void **state)
{
    struct galera_node nodes[] = {node("w", 9, 1, 1), node("a", 0, 2, 5), node("b", 0, 1, 50), node("c", 0, 1, 60)};

    (void)state;
    assert_int_equal(galera_choose(nodes, 4, "", 1), 2);  /* not the writer, of our segment, the fewest commits */
    assert_int_equal(galera_choose(nodes, 4, "", -1), 1); /* any segment */
    assert_int_equal(galera_choose(nodes, 4, "w", 1), 0); /* the user's word */
    assert_int_equal(galera_choose(nodes, 4, "x", 1), -1);
}

static void the_others_that_are_synced_are_counted(void **state)
{
    static struct galera g = {.n = 4, .donor = 2};

    (void)state;
    g.nodes[0] = g.nodes[1] = node("a", 0, 0, 0);
    g.nodes[2] = node("b", 0, 0, 0);
    g.nodes[3] = node("c", 0, 0, 0);
    assert_int_equal(galera_synced_others(&g), 2);
    (void)snprintf(g.nodes[3].state, sizeof(g.nodes[3].state), "Joined");
    assert_int_equal(galera_synced_others(&g), 1);
    g.donor = -1;
    assert_int_equal(galera_synced_others(&g), 1);
    g.n = 1; /* nobody can be asked: what the group says of itself */
    g.nodes[0].cluster_size = 3;
    assert_int_equal(galera_synced_others(&g), 2);
}

static void a_garbd_of_an_older_series_is_refused(void **state)
{
    struct error e;

    (void)state;
    assert_int_equal(galera_check_garbd(STR(" INFO: 4.23.r"), "26.4.23(r1)", &e), 0);
    assert_int_equal(galera_check_garbd(STR(" INFO: 4.7.r"), "26.4.23(r1)", &e), 0);
    assert_int_equal(galera_check_garbd(STR(" INFO: 4.23.r"), "25.3.37(r1)", &e), 0);
    assert_int_equal(galera_check_garbd(STR("INFO: 25.3.33"), "26.4.23(r1)", &e), ERR_INVALID);
    assert_non_null(strstr(e.msg, "garbd is of Galera 3.33, the cluster's provider is 26.4.23(r1)"));
    assert_int_equal(galera_check_garbd(STR("no version"), "26.4.23", &e), 0);
    assert_int_equal(galera_check_garbd(STR(" INFO: 4.23.r"), "", &e), 0);
}

/* ---- the watch ---- */

static void a_sample_is_read_line_by_line(void **state)
{
    struct guard_sample s = {0};

    (void)state;
    assert_false(guard_parse(STR("wsrep_local_state_comment\tSynced"), &s));
    assert_false(guard_parse(STR("wsrep_cluster_status\tPrimary"), &s));
    assert_false(guard_parse(STR("wsrep_flow_control_paused_ns\t12000"), &s));
    assert_false(guard_parse(STR("wsrep_local_recv_queue\t7"), &s));
    assert_false(guard_parse(STR("no tab"), &s));
    assert_true(guard_parse(STR("sample\tends"), &s));
    assert_int_equal(s.paused_ns, 12000);
    assert_int_equal(s.queue, 7);
    assert_true(s.synced);
    assert_false(guard_parse(STR("wsrep_cluster_status\tnon-Primary"), &s));
    assert_false(s.synced);
}

#define SECOND 1000000000ull

/* Samples of n seconds: each second it was paused for so many permille, and so many write sets waited. */
static void play(struct guard_view *v, unsigned n, unsigned permille, uint64_t queue, bool synced)
{
    struct guard_sample last = v->n ? v->window[(v->n - 1) % GUARD_WINDOW] : (struct guard_sample){.at_ns = SECOND};

    for (unsigned i = 0; i < n; i++) {
        last.at_ns += SECOND;
        last.paused_ns += permille * (SECOND / 1000);
        last.queue = queue;
        last.synced = synced;
        guard_note(v, &last);
    }
}

static uint64_t now_of(const struct guard_view *v)
{
    return v->window[(v->n - 1) % GUARD_WINDOW].at_ns;
}

static void flow_control_over_the_limit_stops(void **state)
{
    static struct guard_view v[2] = {{.name = "d", .is_donor = true}, {.name = "n1"}};
    struct guard_settings s = {.flow_control = 50};
    struct error e;

    (void)state;
    play(&v[0], 30, 1000, 0, false); /* the donor itself does not count */
    play(&v[1], 5, 900, 0, true);
    assert_int_equal(guard_flow_control(&v[1]), -1); /* too early to tell */
    play(&v[1], 15, 200, 0, true);
    assert_int_equal(guard_flow_control(&v[1]), 20);
    assert_int_equal(guard_judge(v, 2, &s, now_of(&v[1]), &e), 0);
    play(&v[1], 12, 600, 0, true);
    assert_int_equal(guard_judge(v, 2, &s, now_of(&v[1]), &e), ERR_INVALID);
    assert_non_null(strstr(e.msg, "flow control held node n1 back for 60 % of the last 10 s, over the limit of 50 %"));
    s.flow_control = 100;
    assert_int_equal(guard_judge(v, 2, &s, now_of(&v[1]), &e), 0);
    assert_int_equal(v[1].paused_ns, SECOND / 1000 * (4 * 900 + 15 * 200 + 12 * 600)); /* since the first sample */
}

static void a_queue_that_stays_long_stops(void **state)
{
    static struct guard_view v = {.name = "n1"};
    struct guard_settings s = {.flow_control = 50, .receive_queue = 100};
    struct error e;

    (void)state;
    play(&v, 10, 0, 200, true);
    play(&v, 1, 0, 5, true); /* a short wave */
    assert_int_equal(guard_judge(&v, 1, &s, now_of(&v), &e), 0);
    play(&v, 11, 0, 200, true);
    assert_int_equal(guard_judge(&v, 1, &s, now_of(&v), &e), ERR_INVALID);
    assert_non_null(strstr(e.msg, "over 200 write sets waited on node n1 for 10 s, over the limit of 100"));
    assert_int_equal(v.queue_max, 200);
}

static void too_few_synced_nodes_stop(void **state)
{
    static struct guard_view v[3] = {{.name = "d", .is_donor = true}, {.name = "n1"}, {.name = "n3"}};
    struct guard_settings s = {.flow_control = 50, .min_synced = 2};
    struct error e;

    (void)state;
    play(&v[1], 11, 0, 0, true);
    play(&v[2], 11, 0, 0, true);
    assert_int_equal(guard_judge(v, 3, &s, now_of(&v[1]), &e), 0);
    play(&v[2], 5, 0, 0, false); /* for a moment */
    play(&v[1], 5, 0, 0, true);
    assert_int_equal(guard_judge(v, 3, &s, now_of(&v[1]), &e), 0);
    play(&v[1], 10, 0, 0, true); /* n3 no longer answers */
    assert_int_equal(guard_judge(v, 3, &s, now_of(&v[1]), &e), ERR_INVALID);
    assert_non_null(strstr(e.msg, "only 1 nodes were Synced in the last 10 s, 2 must be"));
    assert_int_equal(guard_judge(v, 1, &s, 0, &e), 0); /* nobody but the donor is watched: nothing is known */
}

static void a_restarted_server_begins_anew(void **state)
{
    static struct guard_view v = {.name = "n1"};

    (void)state;
    play(&v, 20, 500, 0, true);
    v.window[(v.n - 1) % GUARD_WINDOW].paused_ns += 0;
    guard_note(&v, &(struct guard_sample){.at_ns = now_of(&v) + SECOND, .paused_ns = 0, .synced = true});
    assert_int_equal(guard_flow_control(&v), -1);
    assert_int_equal(v.paused_ns, SECOND / 2 * 19);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(settings_have_defaults_and_are_read, tear_down),
        cmocka_unit_test_teardown(a_wrong_setting_is_named_with_what_it_may_be, tear_down),
        cmocka_unit_test_teardown(a_donor_is_no_writer_then_near_then_idle, tear_down),
        cmocka_unit_test_teardown(the_others_that_are_synced_are_counted, tear_down),
        cmocka_unit_test_teardown(a_garbd_of_an_older_series_is_refused, tear_down),
        cmocka_unit_test_teardown(a_sample_is_read_line_by_line, tear_down),
        cmocka_unit_test_teardown(flow_control_over_the_limit_stops, tear_down),
        cmocka_unit_test_teardown(a_queue_that_stays_long_stops, tear_down),
        cmocka_unit_test_teardown(too_few_synced_nodes_stop, tear_down),
        cmocka_unit_test_teardown(a_restarted_server_begins_anew, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
