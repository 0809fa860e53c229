/* test_push_store: what groups share, what tells them apart, and what thousands of them cost. */
#include "test.h"
#include "support_push.h"

#include <malloc.h>
#include <stdio.h>

#include "core/base/mem.h"
#include "metrics/lines.h"

enum { N_SESSIONS = 1000, N_METRICS = 11 };

static int set_up(void **state)
{
    const struct push_limits limits = {.groups = 4 * N_SESSIONS, .series_per_group = 30};

    *state = support_push_new(&limits);
    return 0;
}

static int tear_down(void **state)
{
    support_push_free(*state);
    return 0;
}

static void series_of_a_family_stay_in_the_order_of_the_push(void **state)
{
    struct push_world *w = *state;

    assert_int_equal(push_send(w, "PUT", "/metrics/job/j", "a{l=\"2\"} 1\na{l=\"1\"} 2\nb{l=\"1\"} 3\nb{l=\"2\"} 4\n"),
                     200);
    push_assert_page(w, "a{instance=\"\",job=\"j\",l=\"2\"} 1\na{instance=\"\",job=\"j\",l=\"1\"} 2\n"
                        "# TYPE b untyped\n"
                        "b{instance=\"\",job=\"j\",l=\"1\"} 3\nb{instance=\"\",job=\"j\",l=\"2\"} 4\n",
                     true);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/k", "b{l=\"1\"} 5\na{l=\"1\"} 6\n"), 200);
    assert_int_equal(push_send(w, "POST", "/metrics/job/j", "c{l=\"2\"} 7\na{l=\"2\"} 8\n"), 200);
    push_assert_page(w, "# TYPE a untyped\na{instance=\"\",job=\"j\",l=\"2\"} 8\na{instance=\"\",job=\"k\",l=\"1\"} 6\n"
                        "# TYPE b untyped\nb{instance=\"\",job=\"j\",l=\"1\"} 3\nb{instance=\"\",job=\"j\",l=\"2\"} 4\n"
                        "b{instance=\"\",job=\"k\",l=\"1\"} 5\n"
                        "# TYPE c untyped\nc{instance=\"\",job=\"j\",l=\"2\"} 7\n",
                     true);
}

static void a_family_is_what_its_first_sample_says_in_each_push(void **state)
{
    struct push_world *w = *state;

    assert_int_equal(push_send(w, "PUT", "/metrics/job/j", "# HELP a First\n# TYPE a gauge\na{l=\"1\"} 1\n"
                                                           "# HELP a Later\n# TYPE a counter\na{l=\"2\"} 2\n"),
                     200);
    push_assert_page(w, "# HELP a First\n# TYPE a gauge\na{instance=\"\",job=\"j\",l=\"1\"} 1\n"
                        "a{instance=\"\",job=\"j\",l=\"2\"} 2\n",
                     true);
    /* Of the helps that groups have for it, the last one's is shown. */
    assert_int_equal(push_send(w, "PUT", "/metrics/job/k", "# HELP a Another\n# TYPE a gauge\na 3\n"), 200);
    push_assert_page(w, "# HELP a Another\n# TYPE a gauge\na{instance=\"\",job=\"j\",l=\"1\"} 1\n", true);
}

/* Four groups whose series all have the labels {job="j",t="1",u="2"}. */
static void groups_with_the_same_labels_are_told_apart_by_names(void **state)
{
    struct push_world *w = *state;

    assert_int_equal(push_send(w, "PUT", "/metrics/job/j", "a{t=\"1\",u=\"2\"} 1\n"), 200);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/j/t/1",
                               "other 1\nb{u=\"2\"} 1\nother2 1\nb2{u=\"2\"} 1\n"),
                     200);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/j/u/2", "c{t=\"1\"} 1\n"), 200);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/j/t/1/u/2", "b2 1\n"), 400);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/j/t/1/u/2", "# HELP c Another help\nc 1\n"), 400);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/j/t/1/u/2", "other 1\nd 1\n"), 200);
    assert_int_equal(push_send(w, "POST", "/metrics/job/j/t/1/u/2", "e 1\na 1\n"), 400);
    push_assert_page(w, "\ne{", false);
    assert_int_equal(push_send(w, "DELETE", "/metrics/job/j/u/2", ""), 202);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/j/t/1", "b{u=\"2\"} 1\n"), 200); /* b2 has gone */
    assert_int_equal(push_send(w, "POST", "/metrics/job/j/t/1/u/2", "c 1\nb2 1\n"), 200);
    assert_int_equal(push_send(w, "POST", "/metrics/job/j/t/1/u/2", "b 1\n"), 400);
    assert_int_equal(push_send(w, "DELETE", "/metrics/job/j/t/1", ""), 202);
    assert_int_equal(push_send(w, "POST", "/metrics/job/j/t/1/u/2", "b 1\n"), 200);
    assert_int_equal(push_send(w, "POST", "/metrics/job/j", "b{t=\"1\",u=\"2\"} 1\n"), 400);
}

static void a_group_does_not_outgrow_its_cap_by_additions(void **state)
{
    struct push_world *w = *state;
    struct buf many;

    buf_init(&many, 4096);
    for (int i = 0; i < 20; i++)
        buf_printf(&many, "many{l=\"%d\"} 1\n", i);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/j", many.data), 200);
    assert_int_equal(push_send(w, "POST", "/metrics/job/j", many.data), 200); /* the same again: they are replaced */
    assert_int_equal(push_send(w, "POST", "/metrics/job/j", "a 1\nb 1\nc 1\nd 1\ne 1\nf 1\ng 1\nh 1\ni 1\nj 1\n"), 200);
    assert_int_equal(push_send(w, "POST", "/metrics/job/j", "j 2\nk 1\n"), 413);
    push_assert_page(w, "j{instance=\"\",job=\"j\"} 1\n", true);
    push_assert_page(w, "many{instance=\"\",job=\"j\",l=\"19\"} 1\n", true);
    push_assert_page(w, "push_failure_time_seconds{instance=\"\",job=\"j\"} 1.7723304005e+09\n", true);
    assert_int_equal(push_refused(w->push), 1);
    buf_done(&many);
}

/* A help stays as long as a series has it, and each is counted once. */
static void helps_count_for_the_total(void **state)
{
    const struct push_limits limits = {.total_bytes = 4500};
    struct push_world *w = *state;
    char first[1100], second[1100], third[1100];

    push_free(w->push);
    w->push = push_new(1, &limits);
    (void)snprintf(first, sizeof(first), "# HELP a %01000d\na 1\n", 1);
    (void)snprintf(second, sizeof(second), "# HELP a %01000d\na 1\n", 2);
    (void)snprintf(third, sizeof(third), "# HELP a %01000d\na 1\n", 3);
    for (int i = 0; i < 10; i++) {
        char path[64];

        (void)snprintf(path, sizeof(path), "/metrics/job/j%d", i);
        assert_int_equal(push_send(w, "PUT", path, first), 200);
    }
    assert_int_equal(push_send(w, "PUT", "/metrics/job/k", second), 200);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/l", third), 413);
    assert_int_equal(push_refused(w->push), 1);
    assert_int_equal(push_send(w, "DELETE", "/metrics/job/k", ""), 202);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/l", third), 200);
}

static void no_namespace_takes_what_others_need(void **state)
{
    const struct push_limits limits = {.groups = 16, .total_bytes = 32 * 1024};
    struct push_world *w = *state;
    char body[16 * 1024], path[64];

    push_free(w->push);
    w->push = push_new(1, &limits);
    w->ns = "foe";
    for (unsigned i = 0; i < 20; i++) { /* refused ones are groups, too */
        (void)snprintf(path, sizeof(path), "/metrics/job/j%u", i);
        assert_int_equal(push_send(w, "PUT", path, i % 2 ? "a 1 1\n" : "a 1\n"), i % 2 ? 400 : i < 8 ? 200 : 429);
    }
    assert_int_equal(push_groups(w->push), 8);
    w->ns = "fiend";
    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(path, sizeof(path), "/metrics/job/j%u", i);
        assert_int_equal(push_send(w, "PUT", path, "a 1\n"), i < 4 ? 200 : 429);
    }
    assert_string_equal(w->body.data, "namespace fiend has 4 groups already, half of the 8 that others leave\n");
    w->ns = "shop";
    assert_int_equal(push_send(w, "PUT", "/metrics/job/j", "a 1\n"), 200);
    push_clear(w->push);

    w->ns = "foe"; /* lines, helps and labels of groups are one room */
    (void)snprintf(body, sizeof(body), "a{l=\"%07000d\"} 1\n", 1);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/lines", body), 200);
    (void)snprintf(body, sizeof(body), "# HELP b %07000d\nb 1\n", 1);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/help", body), 200);
    (void)snprintf(body, sizeof(body), "/metrics/job/labels/l/%07000d", 1);
    assert_int_equal(push_send(w, "PUT", body, ""), 413);
    (void)snprintf(body, sizeof(body), "# HELP b %07000d\nb 1\n", 2);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/help", body), 200); /* no bigger than before */
    (void)snprintf(body, sizeof(body), "# HELP b %011000d\nb 1\n", 2);
    assert_int_equal(push_send(w, "POST", "/metrics/job/help", body), 413);
    push_assert_page(w, "# HELP b 000", true);
    assert_int_equal(push_refused(w->push), 6 + 16 + 2);
    w->ns = "shop";
    (void)snprintf(body, sizeof(body), "a{l=\"%07000d\"} 1\n", 1);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/lines", body), 200);
    w->ns = "foe";
    (void)snprintf(body, sizeof(body), "a{l=\"%07000d\"} 2\n", 1);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/lines", body), 200);
}

static void an_addition_does_not_put_a_series_on_the_page_twice(void **state)
{
    struct push_world *w = *state;

    assert_int_equal(push_send(w, "PUT", "/metrics/job/j", "# TYPE foo summary\nfoo_count 2\nfoo_sum 1\n"), 200);
    assert_int_equal(push_send(w, "POST", "/metrics/job/j", "# TYPE foo_count gauge\nfoo_count 3\n"), 400);
    push_assert_page(w, "\nfoo_count{instance=\"\",job=\"j\"} 2\n", true);
    push_assert_page(w, "\nfoo_count{instance=\"\",job=\"j\"} 3\n", false);
    assert_int_equal(push_send(w, "POST", "/metrics/job/j", "# TYPE foo summary\nfoo_count 4\n"), 200);
    push_assert_page(w, "\nfoo_count{instance=\"\",job=\"j\"} 4\n", true);
}

static void no_two_groups_look_the_same(void **state)
{
    struct push_world *w = *state;

    assert_int_equal(push_send(w, "PUT", "/metrics/job/j", "a 1\n"), 200);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/j/instance@base64/=", "b 1\n"), 400);
    assert_int_equal(push_groups(w->push), 1);
    assert_int_equal(push_send(w, "DELETE", "/metrics/job/j", ""), 202);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/j/instance@base64/=", "b 1\n"), 200);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/j", "a 1\n"), 400);
    assert_int_equal(push_groups(w->push), 1);
}

static void a_job_is_dropped_by_its_name_alone(void **state)
{
    struct push_world *w = *state;

    assert_int_equal(push_send(w, "PUT", "/metrics/job/x", "a 1\n"), 200);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/x/target/1", "a 1\n"), 200);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/x/target/2", "a 1 1\n"), 400); /* has a failure to tell */
    assert_int_equal(push_send(w, "PUT", "/metrics/job/y/a/p%2Cjob%3D%22x%22%2C%5C", "a 1\n"), 200);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/y/job2/x", "a 1\n"), 200);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/%22%2C%5C", "a 1\n"), 200);
    assert_int_equal(push_groups(w->push), 6);
    push_drop_job(w->push, "any", "x");
    assert_int_equal(push_groups(w->push), 3);
    push_assert_page(w, "a{a=\"p,job=\\\"x\\\",\\\\\",instance=\"\",job=\"y\"} 1\n", true);
    push_drop_job(w->push, "any", "\",\\");
    assert_int_equal(push_groups(w->push), 2);
    push_drop_job(w->push, "any", "y");
    push_assert_page(w, "a", false);
}

/* shop-db/backup and shop/db-backup have one job's name. */
static void a_group_is_of_the_namespace_that_pushed_it(void **state)
{
    static const char job[] = "x-shop-db-backup";
    struct push_world *w = *state;
    struct error e = {0};
    char path[128];

    (void)snprintf(path, sizeof(path), "/metrics/job/%s", job);
    w->ns = "shop";
    assert_int_equal(push_send(w, "PUT", path, "a 1\n"), 200);
    assert_int_equal(push_put(w->push, "shop", job, NULL, STR("own 1\n"), 1, &e), 0);
    w->ns = "shop-db";
    assert_int_equal(push_send(w, "PUT", path, "a{pusher_namespace=\"shop\"} 2\n"), 200);
    assert_int_equal(push_put(w->push, "shop-db", job, NULL, STR("own 2\n"), 1, &e), 0);
    assert_int_equal(push_send(w, "DELETE", "/metrics/job/other", ""), 202);
    push_assert_page(w, "a{instance=\"\",job=\"x-shop-db-backup\",pusher_namespace=\"shop\"} 1\n", true);
    push_assert_page(w, "a{instance=\"\",job=\"x-shop-db-backup\",pusher_namespace=\"shop-db\"} 2\n",
                     true);
    push_assert_page(w, "shop\"} 1\nown{instance=\"\",job=\"x-shop-db-backup\",pusher_namespace=", true);
    w->ns = "foe";
    assert_int_equal(push_send(w, "DELETE", path, ""), 202);
    assert_int_equal(push_groups(w->push), 2);
    (void)snprintf(path, sizeof(path), "/metrics/job/%s/pusher_namespace/shop", job);
    assert_int_equal(push_send(w, "DELETE", path, ""), 403);
    assert_int_equal(push_send(w, "PUT", path, "a 3\n"), 403);
    assert_non_null(strstr(w->body.data, "pusher_namespace is foe for this account, not \"shop\""));
    assert_int_equal(push_groups(w->push), 2);
    w->ns = "shop"; /* said or not, it is one group */
    assert_int_equal(push_send(w, "POST", path, "a 4\n"), 200);
    assert_int_equal(push_groups(w->push), 2);
    push_drop_job(w->push, "shop", job);
    assert_int_equal(push_groups(w->push), 1);
    push_assert_page(w, "shop-db\"} 2\n", true);
    push_assert_page(w, "shop\"}", false);
}

static void what_the_operator_tells_cannot_be_pushed(void **state)
{
    static const char *const refused[] = {
        "# TYPE stash_operator_leader gauge\nstash_operator_leader 1\n",
        "stash_build_info 1\n",
        "# TYPE stash_appscode_com_backupsession_success gauge\nstash_appscode_com_backupsession_success 0\n",
        "# TYPE stash_backup_session_success counter\nstash_backup_session_success 0\n",
        "# TYPE stash_restore_target_success gauge\nstash_restore_target_success 0\n",
        "# TYPE stash_operator_queue summary\nstash_operator_queue_depth 1\nstash_operator_queue_count 1\n",
        /* What workers tell is of one type, and of their own namespace. */
        "# TYPE stash_appscode_com_repository_integrity counter\nstash_appscode_com_repository_integrity 0\n",
        "stash_backup_host_backup_success 1\n",
        "# TYPE stash_backup_host_backup_success gauge\nstash_backup_host_backup_success{namespace=\"shop\"} 0\n",
    };
    static const char *const taken[] = {
        "# TYPE stash_appscode_com_backupsession_host_backup_success gauge\n"
        "stash_appscode_com_backupsession_host_backup_success{namespace=\"foe\"} 1\n",
        "# TYPE stash_restore_host_restore_success gauge\nstash_restore_host_restore_success{namespace=\"foe\"} 1\n",
        /* A Repository that others use, too. */
        "# TYPE stash_appscode_com_repository_integrity gauge\n"
        "stash_appscode_com_repository_integrity{namespace=\"shop\"} 1\n",
        "stashed 1\n",
    };
    struct push_world *w = *state;
    struct error e = {0};

    w->ns = "foe";
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_int_equal(push_send(w, "PUT", "/metrics/job/j", refused[i]), 400);
    push_assert_page(w, "stash", false);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/j", refused[0]), 400);
    assert_non_null(strstr(w->body.data, "stash_operator_leader is told by the operator itself: it cannot be pushed"));
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
        assert_int_equal(push_send(w, "POST", "/metrics/job/j", taken[i]), 200);
    assert_int_equal(push_put(w->push, "shop", "k", NULL, str_of(refused[2]), 1, &e), 0);
}

static void namespaces_need_not_agree_on_types(void **state)
{
    static const char own[] = "# HELP z Own\n# TYPE z counter\nz 1\n";
    struct push_world *w = *state;

    w->ns = "foe";
    assert_int_equal(push_send(w, "PUT", "/metrics/job/j", "# TYPE a counter\na 1\n# TYPE z gauge\nz 1\n"), 200);
    w->ns = "shop";
    assert_int_equal(push_send(w, "PUT", "/metrics/job/j", "# TYPE a gauge\na 2\n# TYPE z counter\nz 2\n"), 200);
    push_assert_page(w, "# TYPE a untyped\na{instance=\"\",job=\"j\",pusher_namespace=\"foe\"} 1\n"
                        "a{instance=\"\",job=\"j\",pusher_namespace=\"shop\"} 2\n",
                     true);
    /* Within one they do. */
    assert_int_equal(push_send(w, "PUT", "/metrics/job/k", "b 1\n# TYPE a counter\na 3\n"), 400);
    assert_string_equal(w->body.data,
                        "a is a gauge in group {instance=\"\",job=\"j\",pusher_namespace=\"shop\"}, not a counter\n");
    assert_int_equal(push_send(w, "PUT", "/metrics/job/k", "# TYPE a gauge\na 3\n"), 200);
    assert_int_equal(push_send(w, "POST", "/metrics/job/j", "# TYPE a counter\na 3\n"), 400);
    /* Of those that agree with the operator's own family all are there. */
    buf_clear(&w->page);
    push_write(w->push, STR(own), &w->page);
    assert_non_null(strstr(w->page.data, "z 1\nz{instance=\"\",job=\"j\",pusher_namespace=\"shop\"} 2\n"));
    assert_null(strstr(w->page.data, "z{instance=\"\",job=\"j\",pusher_namespace=\"foe\"}"));
    w->ns = "foe";
    assert_int_equal(push_send(w, "DELETE", "/metrics/job/j", ""), 202);
    push_assert_page(w, "# TYPE a gauge\na{", true);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/j", "# TYPE a histogram\na_sum 1\n"), 200);
    push_assert_page(w, "# TYPE a untyped\na{", true);
}

static void a_refused_push_leaves_nothing(void **state)
{
    struct push_world *w = *state;
    size_t live;

    assert_int_equal(push_send(w, "PUT", "/metrics/job/j", "# TYPE a gauge\na{t=\"1\"} 1\n"), 200);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/j/t/1", "b 1\n"), 200);
    live = mem_live();
    assert_int_equal(push_send(w, "PUT", "/metrics/job/j/t/1", "# HELP new A new one\nnew 1\na 2\n"), 400);
    assert_int_equal(push_send(w, "POST", "/metrics/job/j/t/1", "new 1\n# TYPE a counter\na{t=\"2\"} 2\n"), 400);
    assert_int_equal(push_send(w, "POST", "/metrics/job/j/t/1", "new 1\nnew 1\n"), 400);
    assert_int_equal(push_send(w, "POST", "/metrics/job/j/t/1", "new 1\nnew2{\n"), 400);
    assert_int_equal(mem_live(), live);
    push_assert_page(w, "new", false);
}

/* ---- what they cost ---- */

size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t bytes_in_use(void)
{
    struct mallinfo2 m = mallinfo2();

    if (__sanitizer_get_current_allocated_bytes)
        return __sanitizer_get_current_allocated_bytes();
    return m.uordblks + m.hblkhd;
}

/* What one session of a backup pushes for itself or for its target. */
static void push_session(struct push_world *w, unsigned number, bool of_target)
{
    char name[64], repository[64], job[96];
    struct error e = {0};
    struct lines l;
    struct buf out;

    (void)snprintf(name, sizeof(name), "db-%05u", number);
    (void)snprintf(repository, sizeof(repository), "repository-%05u", number);
    (void)snprintf(job, sizeof(job), "backupconfiguration-tenant-17-%s", name);
    buf_init(&out, 64 * 1024);
    lines_init(&l, &out);
    lines_label(&l, "invoker_kind", "BackupConfiguration");
    lines_label(&l, "invoker_name", name);
    lines_label(&l, "namespace", "tenant-17");
    lines_label(&l, "driver", "Restic");
    lines_label(&l, "repository", repository);
    if (of_target)
        lines_target(&l, "AppBinding", name, "kubedb.com/perconaxtradb", "appcatalog.appscode.com/v1alpha1");
    for (unsigned i = 0; i < N_METRICS; i++) {
        char now[96], legacy[96];
        const struct lines_metric m = {now, legacy, "How long the last good backup of it took."};

        (void)snprintf(now, sizeof(now), "stash_appscode_com_backupsession_%u_%d_seconds", i, of_target);
        (void)snprintf(legacy, sizeof(legacy), "stash_backup_session_%u_%d_seconds", i, of_target);
        lines_gauge(&l, &m, i + number);
    }
    assert_int_equal(push_put(w->push, "tenant-17", job, of_target ? name : NULL, buf_str(&out), 1772330400500, &e), 0);
    lines_done(&l);
    buf_done(&out);
}

/* 44 series in two groups: names and helps are told a thousand times and kept once, labels once a group. */
static void what_thousands_of_sessions_push_stays_small(void **state)
{
    struct push_world *w = *state;
    size_t bytes = bytes_in_use(), live = mem_live();

    for (unsigned i = 0; i < N_SESSIONS; i++) {
        push_session(w, i, false);
        push_session(w, i, true);
    }
    bytes = bytes_in_use() - bytes;
    live = mem_live() - live;
    print_message("%zu bytes, %.2f blocks a session\n", bytes / N_SESSIONS, (double)live / N_SESSIONS);
    assert_true(bytes > 44 * sizeof(double) * N_SESSIONS); /* else nothing was measured */
    assert_true(bytes < 2300 * N_SESSIONS);
    assert_true(live < 4 * N_SESSIONS + 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(series_of_a_family_stay_in_the_order_of_the_push, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_family_is_what_its_first_sample_says_in_each_push, set_up, tear_down),
        cmocka_unit_test_setup_teardown(groups_with_the_same_labels_are_told_apart_by_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_group_does_not_outgrow_its_cap_by_additions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(helps_count_for_the_total, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_namespace_takes_what_others_need, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_addition_does_not_put_a_series_on_the_page_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_two_groups_look_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_job_is_dropped_by_its_name_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_group_is_of_the_namespace_that_pushed_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_the_operator_tells_cannot_be_pushed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(namespaces_need_not_agree_on_types, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_refused_push_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_thousands_of_sessions_push_stays_small, set_up, tear_down),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
