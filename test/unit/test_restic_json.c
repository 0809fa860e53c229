/* test_restic_json: what restic prints. Texts of 0.14 were taken
 * from that program, newer ones follow its documentation. */
#include "test.h"

#include "core/base/mem.h"
#include "core/restic/restic.h"

enum { V14 = RESTIC_VERSION(0, 14, 0), V18 = RESTIC_VERSION(0, 18, 1) };

static int tear_down(void **state)
{
    (void)state;
    return mem_live() ? -1 : 0;
}

static void a_summary_of_014_has_a_short_id_and_no_packed_size(void **state)
{
    struct restic_line l;

    (void)state;
    restic_parse_line(STR("{\"message_type\":\"summary\",\"files_new\":1,\"files_changed\":0,\"files_unmodified\":0,"
                          "\"data_added\":3000417,\"total_files_processed\":1,\"total_bytes_processed\":3000000,"
                          "\"total_duration\":0.254317249,\"snapshot_id\":\"d5c6cef8\"}\n"),
                      &l);
    assert_int_equal(l.type, RESTIC_LINE_SUMMARY);
    assert_string_equal(l.summary.snapshot_id, "d5c6cef8");
    assert_int_equal(l.summary.files_new, 1);
    assert_int_equal(l.summary.files_changed, 0);
    assert_int_equal(l.summary.bytes_added, 3000417);
    assert_int_equal(l.summary.bytes_processed, 3000000);
    assert_int_equal(l.summary.bytes_added_packed, -1);
    assert_true(l.summary.duration_s > 0.25 && l.summary.duration_s < 0.26);
}

static void counters_that_are_not_told_stay_unknown(void **state)
{
    struct restic_line l;

    (void)state;
    restic_parse_line(STR("{\"message_type\":\"summary\",\"data_added_packed\":7}"), &l);
    assert_int_equal(l.summary.files_total, -1);
    assert_int_equal(l.summary.bytes_added_packed, 7);
    assert_string_equal(l.summary.snapshot_id, "");
}

static void other_lines_are_told_apart(void **state)
{
    struct restic_line l;

    (void)state;
    restic_parse_line(STR("{\"message_type\":\"status\",\"percent_done\":0,\"total_files\":1,\"bytes_done\":2391263}"),
                      &l);
    assert_int_equal(l.type, RESTIC_LINE_STATUS);
    assert_int_equal(l.bytes_done, 2391263);
    restic_parse_line(STR("{\"message_type\":\"error\",\"error\":{\"Op\":\"read\",\"Path\":\"/stdin\",\"Err\":{}},"
                          "\"during\":\"archival\",\"item\":\"/stdin\"}"),
                      &l);
    assert_int_equal(l.type, RESTIC_LINE_ERROR);
    assert_string_equal(l.message, "archival /stdin: read");
    restic_parse_line(STR("{\"message_type\":\"exit_error\",\"code\":12,\"message\":\"Fatal: wrong password\"}"), &l);
    assert_int_equal(l.type, RESTIC_LINE_EXIT);
    assert_int_equal(l.code, 12);
    restic_parse_line(STR("Fatal: something"), &l);
    assert_int_equal(l.type, RESTIC_LINE_OTHER);
    restic_parse_line(STR("{\"message_type\":\"summary\""), &l);
    assert_int_equal(l.type, RESTIC_LINE_OTHER);
    restic_parse_line(STR(""), &l);
    assert_int_equal(l.type, RESTIC_LINE_OTHER);
}

static void snapshots_come_with_their_tags_and_sizes(void **state)
{
    static const char text[] =
        "[{\"time\":\"2026-11-25T16:43:34.600335134Z\",\"paths\":[\"/xtrabackup.stream\"],\"hostname\":\"h\","
        "\"tags\":[\"stash.method=mariabackup\",\"stash.bytes=77\",\"plain\"],\"id\":\"d5c6\"},"
        "{\"id\":\"e1\",\"summary\":{\"total_bytes_processed\":5}}]\n";
    struct restic_snapshots s;
    struct error e;

    (void)state;
    assert_int_equal(restic_parse_snapshots(STR(text), &s, &e), 0);
    assert_int_equal(s.n, 2);
    assert_string_equal(s.items[0].paths[0], "/xtrabackup.stream");
    assert_int_equal(s.items[0].time_s, 1795625014);
    assert_string_equal(restic_tag(&s.items[0], "stash.method"), "mariabackup");
    assert_null(restic_tag(&s.items[0], "stash.meth"));
    assert_int_equal(s.items[0].bytes, 77);
    assert_int_equal(s.items[1].bytes, 5);
    restic_snapshots_done(&s);
    assert_int_equal(restic_parse_snapshots(STR("null\n"), &s, &e), 0);
    assert_int_equal(restic_parse_snapshots(STR("[{\"id\":"), &s, &e), ERR_INVALID);
}

static void forget_sums_its_groups_and_nothing_is_zero(void **state)
{
    int64_t kept = -1, removed = -1;
    struct error e;

    (void)state;
    assert_int_equal(restic_parse_forget(STR("[{\"keep\":[{},{}],\"remove\":null},{\"keep\":[{}],\"remove\":[{}]}]\n"
                                             "[0:00] 100.00%  1 / 1 files deleted\n"),
                                         &kept, &removed, &e),
                     0);
    assert_int_equal(kept, 3);
    assert_int_equal(removed, 1);
    assert_int_equal(restic_parse_forget(STR_NONE, &kept, &removed, &e), 0);
    assert_int_equal(kept + removed, 0);
}

static void check_tells_damage_from_failure(void **state)
{
    (void)state;
    assert_int_equal(restic_parse_check(0, STR("no errors were found\n"), STR_NONE), RESTIC_CHECK_GOOD);
    assert_int_equal(restic_parse_check(1, STR("load indexes\n"), STR("Fatal: repository contains errors\n")),
                     RESTIC_CHECK_DAMAGED);
    assert_int_equal(restic_parse_check(1, STR("{\"message_type\":\"summary\",\"num_errors\":2}\n"), STR_NONE),
                     RESTIC_CHECK_DAMAGED);
    assert_int_equal(restic_parse_check(1, STR_NONE, STR("Fatal: wrong password or no key found\n")),
                     RESTIC_CHECK_FAILED);
}

static void count_id(void *ctx, struct str id)
{
    assert_int_equal(id.n, 64);
    ++*(int *)ctx;
}

static void locks_are_listed_and_read(void **state)
{
    struct restic_lock l;
    struct error e;
    int n = 0;

    (void)state;
    restic_parse_locks(STR("e1476724df560a22ceaee4b4bd1fba493297c93b04be3dd047df494162c2a926\nshort\n"
                           "E1476724df560a22ceaee4b4bd1fba493297c93b04be3dd047df494162c2a926\n"),
                       count_id, &n);
    assert_int_equal(n, 1);
    assert_int_equal(restic_parse_lock(STR("{\n \"time\": \"2026-11-25T16:43:34Z\",\n \"exclusive\": true,\n"
                                           " \"hostname\": \"pod-1\",\n \"pid\": 7\n}\n"),
                                       &l, &e),
                     0);
    assert_string_equal(l.host, "pod-1");
    assert_true(l.exclusive);
    assert_int_equal(restic_parse_lock(STR("null"), &l, &e), ERR_INVALID);
}

static void versions_are_read(void **state)
{
    (void)state;
    assert_int_equal(restic_parse_version(STR("restic 0.14.0 compiled with go1.19.8 on linux/amd64\n")), V14);
    assert_int_equal(restic_parse_version(STR("{\"message_type\":\"version\",\"version\":\"0.18.1\"}")), V18);
    assert_int_equal(restic_parse_version(STR("restic 0.17-dev")), RESTIC_VERSION(0, 17, 0));
    assert_int_equal(restic_parse_version(STR("bash: restic: not found")), 0);
}

static void absence_is_only_what_the_backend_says(void **state)
{
    static const char absent[] = "Fatal: unable to open config file: stat /r/config: no such file or directory\n"
                                 "Is there a repository at the following location?\n/r\n";
    static const char refused[] =
        "Fatal: unable to open config file: client.Head: Head \"http://127.0.0.1:1/x/config\": "
        "dial tcp 127.0.0.1:1: connect: connection refused\n"
        "Is there a repository at the following location?\nrest:http://127.0.0.1:1/x/\n";
    static const char unknown[] = "Fatal: unable to open config file: something new\n"
                                  "Is there a repository at the following location?\n/r\n";

    (void)state;
    assert_int_equal(restic_classify(V14, 1, 0, STR(absent)), RESTIC_ABSENT);
    assert_int_equal(restic_classify(V14, 1, 0, STR(refused)), RESTIC_BUSY);
    assert_int_equal(restic_classify(V14, 1, 0, STR(unknown)), RESTIC_FAILED);
    assert_int_equal(restic_classify(V18, 10, 0, STR_NONE), RESTIC_ABSENT);
    assert_int_equal(restic_classify(V18, 1, 0, STR(absent)), RESTIC_FAILED);
}

static void failures_have_their_class(void **state)
{
    (void)state;
    assert_int_equal(restic_classify(V14, 1, 0, STR("Fatal: wrong password or no key found")), RESTIC_WRONG_PASSWORD);
    assert_int_equal(restic_classify(V18, 12, 0, STR_NONE), RESTIC_WRONG_PASSWORD);
    assert_int_equal(restic_classify(V18, 11, 0, STR_NONE), RESTIC_LOCKED);
    assert_int_equal(restic_classify(V14, 11, 0, STR_NONE), RESTIC_FAILED); /* no such code then */
    assert_int_equal(restic_classify(V14, 1, 0,
                                     STR("Fatal: unable to create lock in backend: repository is already locked by")),
                     RESTIC_LOCKED);
    assert_int_equal(restic_classify(V14, 1, 0,
                                     STR("Fatal: create repository at /r failed: config file already exists")),
                     RESTIC_PRESENT);
    assert_int_equal(restic_classify(V14, 0, 9, STR_NONE), RESTIC_INTERRUPTED);
    assert_int_equal(restic_classify(V14, 130, 0, STR_NONE), RESTIC_INTERRUPTED);
    assert_int_equal(restic_classify(V14, 3, 0, STR_NONE), RESTIC_INCOMPLETE);
    assert_int_equal(restic_classify(V14, 0, 0, STR("anything")), RESTIC_OK);
}

static void the_message_shown_is_the_last_word(void **state)
{
    char text[64];

    (void)state;
    restic_error_text(STR("warning\nFatal: unable to open config file: x\nIs there a repository at the following "
                          "location?\n/r\n"),
                      text, sizeof(text));
    assert_string_equal(text, "Fatal: unable to open config file: x");
    restic_error_text(STR("a\n{\"message_type\":\"exit_error\",\"code\":1,\"message\":\"told\"}\n"), text,
                      sizeof(text));
    assert_string_equal(text, "told");
    restic_error_text(STR("one\ntwo\n\n"), text, sizeof(text));
    assert_string_equal(text, "two");
    restic_error_text(STR_NONE, text, sizeof(text));
    assert_string_equal(text, "");
}

static void a_policy_becomes_flags(void **state)
{
    static const char *const tags[] = {"keep=me", NULL};
    struct restic_policy p = {.keep_last = 3, .keep_yearly = 1, .keep_tags = tags, .prune = true};
    static const char *const expected[] = {"restic", "forget", "--no-cache", "--keep-last=3", "--keep-yearly=1",
                                           "--keep-tag=keep=me", "--prune", NULL};
    struct backend b = {.flags = {mem_strdup("--no-cache")}, .n_flags = 1};
    struct restic_command c;
    size_t i = 0;

    (void)state;
    restic_begin(&c, &b, "forget");
    restic_add_policy(&c, &p);
    for (; restic_argv(&c)[i]; i++)
        assert_string_equal(restic_argv(&c)[i], expected[i]);
    assert_null(expected[i]);
    assert_false(restic_policy_is_empty(&p));
    assert_true(restic_policy_is_empty(&(struct restic_policy){.prune = true}));
    restic_done(&c);
    backend_done(&b);
}

static void waiting_for_locks_is_asked_of_versions_that_can(void **state)
{
    struct backend b = {0};
    struct restic_command c;

    (void)state;
    restic_begin(&c, &b, "backup");
    restic_add_retry_lock(&c, V14, 600);
    assert_null(restic_argv(&c)[2]);
    restic_add_retry_lock(&c, V18, 600);
    assert_string_equal(restic_argv(&c)[2], "--retry-lock=600s");
    restic_done(&c);
}

int main(void)
{
#define T(f) cmocka_unit_test_teardown(f, tear_down)
    static const struct CMUnitTest tests[] = {
        T(a_summary_of_014_has_a_short_id_and_no_packed_size),
        T(counters_that_are_not_told_stay_unknown),
        T(other_lines_are_told_apart),
        T(snapshots_come_with_their_tags_and_sizes),
        T(forget_sums_its_groups_and_nothing_is_zero),
        T(check_tells_damage_from_failure),
        T(locks_are_listed_and_read),
        T(versions_are_read),
        T(absence_is_only_what_the_backend_says),
        T(failures_have_their_class),
        T(the_message_shown_is_the_last_word),
        T(a_policy_becomes_flags),
        T(waiting_for_locks_is_asked_of_versions_that_can),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
