/* test_push: the Pushgateway interface by plain calls, and the registry's page. */
#include "test.h"
#include "support_push.h"

#include <math.h>
#include <stdio.h>
#include <zlib.h>

#include "core/base/mem.h"
#include "metrics/registry.h"
#include "metrics/text.h"

static int set_up(void **state)
{
    const struct push_limits limits = {.groups = 5, .series_per_group = 10, .total_bytes = 2000};

    *state = support_push_new(&limits);
    return 0;
}

static int tear_down(void **state)
{
    support_push_free(*state);
    return 0;
}

static void put_replaces_a_group_and_post_only_equal_names(void **state)
{
    struct push_world *w = *state;

    assert_int_equal(push_send(w, "PUT", "/metrics/job/a", "# HELP x an x\n# TYPE x gauge\nx{k=\"v\"} 1\ny 2\n"), 200);
    push_assert_page(w, "# HELP x an x\n# TYPE x gauge\nx{instance=\"\",job=\"a\",k=\"v\"} 1\n", true);
    push_assert_page(w, "# TYPE y untyped\ny{instance=\"\",job=\"a\"} 2\n", true);
    assert_int_equal(push_send(w, "POST", "/metrics/job/a", "y 3\nz 4\n"), 200);
    push_assert_page(w, "y{instance=\"\",job=\"a\"} 3\n", true);
    push_assert_page(w, "x{instance", true);
    push_assert_page(w, "z{instance=\"\",job=\"a\"} 4\n", true);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/a", "z 5\n"), 200);
    push_assert_page(w, "x{instance", false);
    push_assert_page(w, "push_time_seconds{instance=\"\",job=\"a\"} 1.7723304005e+09\n", true);
    assert_int_equal(push_send(w, "DELETE", "/metrics/job/a", ""), 202);
    assert_string_equal(push_page(w), "");
}

static void the_operators_own_groups_are_kept_like_pushed_ones(void **state)
{
    struct push_world *w = *state;
    struct error e = {0};

    assert_int_equal(push_put(w->push, "n", "a", NULL, STR("# HELP x an x\n# TYPE x gauge\nx{k=\"v\"} 1\n"),
                              1772330400500, &e),
                     0);
    assert_int_equal(push_put(w->push, "n", "a", "app-db", STR("y 2\n"), 1772330400500, &e), 0);
    assert_int_equal(push_send(w, "POST", "/metrics/job/a", "z 4\n"), 200); /* a Job's push beside it */
    push_assert_page(w, "# HELP x an x\n# TYPE x gauge\n"
                        "x{instance=\"\",job=\"a\",k=\"v\",pusher_namespace=\"n\"} 1\n",
                     true);
    push_assert_page(w, "y{instance=\"\",job=\"a\",pusher_namespace=\"n\",target=\"app-db\"} 2\n", true);
    push_assert_page(w, "z{instance=\"\",job=\"a\"} 4\n", true);
    assert_int_equal(push_put(w->push, "n", "a", "app-db", STR("# TYPE x counter\nx 2\n"), 1772330400500, &e),
                     ERR_CONFLICT);
    assert_non_null(strstr(e.msg, "x is a gauge"));
    push_drop_job(w->push, "n", "a");
    assert_string_equal(push_page(w), "");
}

static void grouping_labels_win_and_come_decoded(void **state)
{
    struct push_world *w = *state;

    assert_int_equal(push_send(w, "POST", "/metrics/job/a%20b/instance/i/path@base64/L3Zhci90bXA",
                               "x{job=\"own\",path=\"own\"} 1\n"),
                     200);
    push_assert_page(w, "x{instance=\"i\",job=\"a b\",path=\"/var/tmp\"} 1\n", true);
    assert_int_equal(push_send(w, "POST", "/metrics/job@base64/YS9i", "x 1\n"), 200);
    push_assert_page(w, "x{instance=\"\",job=\"a/b\"} 1\n", true);
    assert_int_equal(push_send(w, "POST", "/metrics/job%40base64/Ly8%3D/l/", "x{m=\"\"} 3\n"),
                     200); /* as some clients escape */
    push_assert_page(w, "x{instance=\"\",job=\"//\",l=\"\",m=\"\"} 3\n", true);
    assert_int_equal(push_send(w, "POST", "/metrics/job/", "x 1\n"), 400);
    assert_int_equal(push_send(w, "POST", "/metrics/job/a/odd", "x 1\n"), 400);
    assert_int_equal(push_send(w, "POST", "/metrics/job/a/0x/1", "x 1\n"), 400);
    assert_int_equal(push_send(w, "GET", "/metrics/job/a", ""), 405);
}

static void an_inconsistent_push_changes_nothing_but_the_failure_time(void **state)
{
    struct push_world *w = *state;

    assert_int_equal(push_send(w, "PUT", "/metrics/job/a", "# TYPE x gauge\nx{group=\"b\"} 1\n"), 200);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/b", "# TYPE x counter\nx 2\n"), 400);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/a/group/b", "# TYPE x gauge\nx 9\n"), 400); /* the same series */
    assert_int_equal(push_send(w, "PUT", "/metrics/job/b", "x 1\nx 1\n"), 400);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/b", "x 1 1772330400000\n"), 400);
    push_assert_page(w, "x{group=\"b\",instance=\"\",job=\"a\"} 1\n", true);
    push_assert_page(w, "job=\"b\"} 2", false);
    push_assert_page(w, "push_failure_time_seconds{instance=\"\",job=\"b\"} 1.7723304005e+09\n", true);
    push_assert_page(w, "push_time_seconds{instance=\"\",job=\"b\"} 0\n", true);
    /* The only holder of a name may change its type. */
    assert_int_equal(push_send(w, "PUT", "/metrics/job/a", "# TYPE x counter\nx 1\n"), 200);
    /* As the original does: no exposition is no push; another help and our own names do no harm. */
    assert_int_equal(push_send(w, "PUT", "/metrics/job/c", "}{\n"), 400);
    push_assert_page(w, "job=\"c\"", false);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/c",
                               "# HELP x other\n# TYPE x counter\nx 3\npush_time_seconds 1\n"),
                     200);
    push_assert_page(w, "x{instance=\"\",job=\"c\"} 3\n", true);
    push_assert_page(w, "push_time_seconds{instance=\"\",job=\"c\"} 1.7723304005e+09\n", true);
}

static void what_was_dropped_or_replaced_stands_in_nobodys_way(void **state)
{
    struct push_world *w = *state;

    assert_int_equal(push_send(w, "PUT", "/metrics/job/a",
                               "# TYPE x gauge\nx{group=\"b\"} 1\nx{group=\"c\"} 1\n"),
                     200);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/a/group/b", "# TYPE x gauge\nx 9\n"), 400);
    assert_int_equal(push_send(w, "POST", "/metrics/job/a", "# TYPE x gauge\nx{group=\"c\"} 2\n"), 200); /* without b */
    assert_int_equal(push_send(w, "PUT", "/metrics/job/a/group/b", "# TYPE x gauge\nx 9\n"), 200);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/a/group/c", "# TYPE x gauge\nx 9\n"), 400);
    assert_int_equal(push_send(w, "POST", "/metrics/job/a",
                               "# TYPE x counter\nx 1\n"),
                     400); /* group b has it as gauge */
    assert_int_equal(push_send(w, "DELETE", "/metrics/job/a/group/b", ""), 202);
    assert_int_equal(push_send(w, "POST", "/metrics/job/a", "# TYPE x counter\nx 1\n"), 200);
    assert_int_equal(push_send(w, "DELETE", "/metrics/job/a", ""), 202);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/b", "# TYPE x gauge\nx{job=\"a\"} 1\n"), 200);
}

static void pushed_series_join_the_operators_own_families(void **state)
{
    static const char own[] =
        "# HELP a Own\n# TYPE a gauge\na 1\n# HELP z Own\n# TYPE z counter\nz{l=\"1\"} 2\nz{l=\"2\"} 3\n";
    struct push_world *w = *state;

    push_write(w->push, STR(own), &w->page);
    assert_string_equal(w->page.data, own);
    buf_clear(&w->page);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/j",
                               "# TYPE a gauge\na 5\n# TYPE m gauge\nm 6\n# TYPE z gauge\nz 7\n"),
                     200);
    push_write(w->push, STR(own), &w->page);
    assert_non_null(strstr(w->page.data,
                           "# HELP a Own\n# TYPE a gauge\na 1\na{instance=\"\",job=\"j\"} 5\n# TYPE m gauge\n"
                           "m{instance=\"\",job=\"j\"} 6\n# HELP push_failure_time_seconds "));
    assert_non_null(strstr(w->page.data, "z{l=\"2\"} 3\n"));
    assert_null(strstr(w->page.data, "} 7\n")); /* another type: one of them has to give way */
}

static void histograms_keep_their_family_and_the_bound_stands_last(void **state)
{
    struct push_world *w = *state;

    assert_int_equal(push_send(w, "PUT", "/metrics/job/a",
                               "# TYPE h histogram\nh_bucket{le=\"1.0\",z=\"q\"} 1\nh_bucket{le=\"+Inf\",z=\"q\"} 2\n"
                               "h_sum{z=\"q\"} 1.5\nh_count{z=\"q\"} 2\n"),
                     200);
    /* not "1.0" */
    push_assert_page(w, "# TYPE h histogram\nh_bucket{instance=\"\",job=\"a\",z=\"q\",le=\"1\"} 1\n", true);
    push_assert_page(w, "h_count{instance=\"\",job=\"a\",z=\"q\"} 2\n", true);
}

static void caps_refuse_instead_of_growing(void **state)
{
    struct push_world *w = *state;
    struct error e = {0};
    char path[64], body[1200];

    assert_int_equal(push_send(w, "PUT", "/metrics/job/a",
                               "a 1\nb 1\nc 1\nd 1\ne 1\nf 1\ng 1\nh 1\ni 1\nj 1\nk 1\n"),
                     413);
    (void)snprintf(body, sizeof(body), "x{l=\"%01000d\"} 1\n", 0);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/big", body), 200);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/big2", body), 413);
    assert_int_equal(push_put(w->push, "n", "big3", NULL, str_of(body), 1, &e), 0); /* clients can't keep it out */
    push_drop_job(w->push, "n", "big3");
    for (int i = 0; push_groups(w->push) < 5; i++) {
        (void)snprintf(path, sizeof(path), "/metrics/job/n%d", i);
        assert_int_equal(push_send(w, "PUT", path, "n 1\n"), 200);
    }
    assert_int_equal(push_send(w, "PUT", "/metrics/job/one-more", "n 1\n"), 429);
    assert_int_equal(push_groups(w->push), 5);
    assert_int_equal(push_refused(w->push), 3);
    push_drop_job(w->push, "n", "n0");
    assert_int_equal(push_groups(w->push), 4);
}

static void gzip_is_unpacked_and_other_formats_are_refused(void **state)
{
    const struct http_header gzip = {STR("content-encoding"), STR("gzip")};
    const struct http_header proto = {STR("content-type"),
                                      STR("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily")};
    struct push_world *w = *state;
    unsigned char packed[256];
    z_stream z = {.next_in = (unsigned char *)"x 7\n", .avail_in = 4, .next_out = packed, .avail_out = sizeof(packed)};

    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(push_request(w, "PUT", "/metrics/job/a",
                                  &gzip, 1, (struct str){(char *)packed, z.total_out}),
                     200);
    push_assert_page(w, "x{instance=\"\",job=\"a\"} 7\n", true);
    assert_int_equal(push_request(w, "PUT", "/metrics/job/a",
                                  &gzip, 1, (struct str){(char *)packed, z.total_out - 3}),
                     400);
    assert_int_equal(push_request(w, "PUT", "/metrics/job/a", &proto, 1, STR("x 1\n")), 415);
    (void)deflateEnd(&z);
}

static void numbers_are_printed_as_go_prints_them(void **state)
{
    static const struct {
        double v;
        const char *text;
    } cases[] = {{0, "0"}, {1, "1"}, {-2.5, "-2.5"}, {0.1, "0.1"}, {100000, "100000"}, {1000000, "1e+06"},
                 {1234567, "1.234567e+06"},
                 {0.0001, "0.0001"}, {0.00001, "1e-05"}, {1e21, "1e+21"}, {318940119, "3.18940119e+08"},
                 {1.0 / 3, "0.3333333333333333"},
                 {INFINITY, "+Inf"}, {-INFINITY, "-Inf"}};
    char out[32];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(text_format_value(cases[i].v, out), cases[i].text);
    assert_string_equal(text_format_value(NAN, out), "NaN");
}

static void the_registry_writes_what_it_counted(void **state)
{
    static const char *const labels[] = {"kind", "result", NULL};
    static const double buckets[] = {0.1, 1};
    struct registry *r = registry_new();
    struct metric *c = registry_add(r, METRIC_COUNTER, "passes_total", "Passes run.", labels, NULL, 0);
    struct metric *h = registry_add(r, METRIC_HISTOGRAM, "took_seconds", "How long.", NULL, buckets, 2);
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    registry_write(r, &out);
    assert_string_equal(out.data, "");
    metric_add(c, (const char *const[]){"job", "a \"b\"\n"}, 1);
    metric_add(c, (const char *const[]){"job", "a \"b\"\n"}, 2);
    metric_observe(h, NULL, 0.05);
    metric_observe(h, NULL, 5);
    registry_write(r, &out);
    assert_string_equal(
        out.data,
        "# HELP passes_total Passes run.\n# TYPE passes_total counter\n"
        "passes_total{kind=\"job\",result=\"a \\\"b\\\"\\n\"} 3\n"
        "# HELP took_seconds How long.\n# TYPE took_seconds histogram\n"
        "took_seconds_bucket{le=\"0.1\"} 1\ntook_seconds_bucket{le=\"1\"} 1\ntook_seconds_bucket{le=\"+Inf\"} 2\n"
        "took_seconds_sum 5.05\ntook_seconds_count 2\n");
    metric_drop(c, (const char *const[]){"job", "a \"b\"\n"});
    buf_clear(&out);
    registry_write(r, &out);
    assert_null(strstr(out.data, "passes_total"));
    buf_done(&out);
    registry_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(put_replaces_a_group_and_post_only_equal_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_operators_own_groups_are_kept_like_pushed_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(grouping_labels_win_and_come_decoded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_inconsistent_push_changes_nothing_but_the_failure_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_dropped_or_replaced_stands_in_nobodys_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pushed_series_join_the_operators_own_families, set_up, tear_down),
        cmocka_unit_test_setup_teardown(histograms_keep_their_family_and_the_bound_stands_last, set_up, tear_down),
        cmocka_unit_test_setup_teardown(caps_refuse_instead_of_growing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(gzip_is_unpacked_and_other_formats_are_refused, set_up, tear_down),
        cmocka_unit_test(numbers_are_printed_as_go_prints_them),
        cmocka_unit_test(the_registry_writes_what_it_counted),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
