/* test_scan: shapes that a server sends, and the wishes of the header that the fuzz target's oracle cannot see. */
#include "test.h"

#include <stdio.h>

#include "core/base/limits.h"
#include "core/base/mem.h"
#include "k8s/scan.h"

static struct {
    unsigned n;
    enum scan_event last;
    struct kobj *o;
    struct scan *scan;
    int code;
    bool initial_end;
    char message[100];
    char raw[256]; /* "": none */
} heard;

static void on_object(void *ctx, enum scan_event type, const struct kobj *o)
{
    (void)ctx;
    heard.n++;
    heard.last = type;
    kobj_unref(heard.o);
    heard.o = o ? kobj_ref(o) : NULL;
    heard.code = scan_status_code(heard.scan);
    (void)snprintf(heard.raw, sizeof(heard.raw), "%.*s", (int)scan_raw(heard.scan).n,
                   scan_raw(heard.scan).p ? scan_raw(heard.scan).p : "");
    heard.initial_end = scan_initial_end(heard.scan);
    (void)snprintf(heard.message, sizeof(heard.message), "%s", scan_status_message(heard.scan));
}

static struct scan *begin(enum kind_id id, enum scan_mode mode)
{
    kobj_unref(heard.o);
    memset(&heard, 0, sizeof(heard));
    heard.scan = scan_new(kind_get(id), mode, on_object, NULL);
    return heard.scan;
}

static void finish(struct scan *s)
{
    scan_free(s);
    kobj_unref(heard.o);
    heard.o = NULL;
}

static int feed(struct scan *s, const char *text)
{
    return scan_feed(s, str_of(text), NULL);
}

static void events_come_as_their_lines_end(void **state)
{
    size_t live = mem_live();
    struct scan *s = begin(KIND_BACKUPSESSION, SCAN_WATCH);

    (void)state;
    assert_int_equal(
        feed(s, "{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"name\":\"a\",\"managedFields\":[{\"f\":\"}\"}],"
                "\"resourceVersion\":\"4\"},\"status\":{\"phase\":\"Run"),
        0);
    assert_int_equal(heard.n, 0);
    assert_int_equal(scan_end(s, NULL), ERR_INVALID);
    finish(s);
    s = begin(KIND_BACKUPSESSION, SCAN_WATCH);
    assert_int_equal(feed(s,
                          "{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"4\"},"
                          "\"status\":{\"phase\":\"Running\"}}}"),
                     0);
    assert_int_equal(heard.n, 1);
    assert_int_equal(heard.last, SCAN_MODIFIED);
    assert_string_equal(heard.o->name, "a");
    assert_string_equal(kobj_text(heard.o, "status.phase"), "Running");
    assert_int_equal(feed(s, "\n{\"type\":\"DELETED\",\"object\":{\"metadata\":{\"name\":\"b\"}}}\n"), 0);
    assert_int_equal(heard.last, SCAN_DELETED);
    assert_null(kobj_get(heard.o, "status.phase")); /* nothing is left of the line before */
    assert_string_equal(heard.o->rv, "");
    assert_int_equal(scan_end(s, NULL), 0);
    finish(s);
    assert_int_equal(mem_live(), live);
}

static void the_text_comes_too_but_for_managed_fields(void **state)
{
    static const char line[] =
        "{\"type\":\"ADDED\", \"object\": {\"metadata\":{\"managedFields\" : [{\"f\":\"}]\"}] ,\"name\":\"a\"},"
        "\"spec\":{\"managedFields\":1,\"other\":[\"x\",{}]}} }\n";
    static const char want[] = "{\"metadata\":{\"managedFields\" : null ,\"name\":\"a\"},"
                               "\"spec\":{\"managedFields\":1,\"other\":[\"x\",{}]}}";
    struct scan *s = begin(KIND_BACKUPSESSION, SCAN_WATCH);

    (void)state;
    scan_keep_raw(s);
    assert_int_equal(feed(s, line), 0);
    assert_string_equal(heard.raw, want);
    for (const char *c = line; *c; c++) /* in chunks of one byte */
        assert_int_equal(scan_feed(s, (struct str){c, 1}, NULL), 0);
    assert_int_equal(heard.n, 2);
    assert_string_equal(heard.raw, want);
    assert_int_equal(feed(s, "{\"type\":\"ADDED\",\"object\":{}}"), 0);
    assert_string_equal(heard.raw, "{}"); /* nothing of the one before */
    finish(s);
    s = begin(KIND_BACKUPSESSION, SCAN_WATCH);
    assert_int_equal(feed(s, line), 0);
    assert_string_equal(heard.raw, ""); /* not asked for */
    finish(s);
}

static void one_came(void *ctx, const struct kobj *o, struct str text)
{
    (void)snprintf(ctx, 100, "%s %s %.*s", o->name, o->rv, (int)text.n, text.p);
}

static void one_object_alone(void **state)
{
    static const char object[] =
        "{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"7\",\"managedFields\":[1]}}\n";
    struct scan_ones *ones = scan_ones_new();
    char heard_one[100] = "";

    (void)state;
    assert_true(scan_one(ones, kind_get(KIND_JOB), str_of(object), one_came, heard_one));
    assert_string_equal(heard_one, "a 7 {\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"7\","
                                   "\"managedFields\":null}}");
    heard_one[0] = '\0';
    assert_false(scan_one(ones, kind_get(KIND_JOB), STR("{\"metadata\":{}"), one_came, heard_one));
    assert_false(scan_one(ones, kind_get(KIND_JOB), STR("[]"), one_came, heard_one));
    assert_false(scan_one(ones, kind_get(KIND_JOB), STR(""), one_came, heard_one));
    assert_false(scan_one(ones, kind_get(KIND_JOB), STR("{},{"), one_came, heard_one));
    assert_string_equal(heard_one, "");
    for (int i = 0; i < 2; i++) { /* also by a scan that has seen another */
        assert_true(scan_one(ones, kind_get(KIND_JOB), STR("{\"metadata\":{\"name\":\"b\"}}"), one_came, heard_one));
        assert_string_equal(heard_one, "b  {\"metadata\":{\"name\":\"b\"}}");
    }
    scan_ones_free(ones);
}

/* Its memory is as big as the cap. */
static void a_scan_that_met_too_big_an_object_is_not_kept(void **state)
{
    struct scan_ones *ones = scan_ones_new();
    size_t live = mem_live();
    char heard_one[100] = "";
    struct buf big;

    (void)state;
    buf_init(&big, 2 * LIMIT_WATCH_LINE);
    buf_puts(&big, "{\"metadata\":{\"name\":\"a\"},\"data\":\"");
    while (big.len <= LIMIT_WATCH_LINE)
        buf_puts(&big, "0123456789012345678901234567890123456789012345678901234567890123");
    buf_puts(&big, "\"}");
    assert_int_equal(buf_error(&big), 0);
    assert_false(scan_one(ones, kind_get(KIND_JOB), buf_str(&big), one_came, heard_one));
    buf_done(&big);
    assert_int_equal(mem_live(), live);
    assert_true(scan_one(ones, kind_get(KIND_JOB), STR("{\"metadata\":{\"name\":\"b\"}}"), one_came, heard_one));
    scan_ones_free(ones);
}

static void a_bookmark_tells_its_version_and_the_end_of_the_list(void **state)
{
    struct scan *s = begin(KIND_JOB, SCAN_WATCH);

    (void)state;
    assert_int_equal(feed(s,
                          "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"9\",\"annotations\":"
                          "{\"k8s.io/initial-events-end\":\"true\"}}}}"),
                     0);
    assert_int_equal(heard.last, SCAN_BOOKMARK);
    assert_string_equal(heard.o->rv, "9");
    assert_true(heard.initial_end);
    assert_int_equal(feed(s, "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"10\"}}}"), 0);
    assert_false(heard.initial_end);
    finish(s);
}

static void an_error_event_tells_code_and_message(void **state)
{
    struct scan *s = begin(KIND_JOB, SCAN_WATCH);

    (void)state;
    assert_int_equal(
        feed(s, "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"message\":\"too old\",\"code\":410}}"), 0);
    assert_int_equal(heard.last, SCAN_ERROR);
    assert_null(heard.o);
    assert_int_equal(heard.code, 410);
    assert_string_equal(heard.message, "too old");
    finish(s);
}

static void a_list_may_tell_its_version_last(void **state)
{
    struct scan *s = begin(KIND_POD, SCAN_LIST);

    (void)state;
    assert_int_equal(feed(s, "{\"items\":[{\"metadata\":{\"name\":\"a\"}},{\"metadata\":{\"name\":\"b\"}}"), 0);
    assert_int_equal(heard.n, 2);
    assert_int_equal(heard.last, SCAN_ADDED);
    assert_string_equal(scan_list_rv(s), "");
    assert_int_equal(feed(s, "],\"metadata\":{\"resourceVersion\":\"12\",\"continue\":\"next\"}}\n"), 0);
    assert_string_equal(scan_list_rv(s), "12");
    assert_string_equal(scan_continue(s), "next");
    assert_int_equal(scan_end(s, NULL), 0);
    assert_int_equal(feed(s, "{"), ERR_INVALID);
    finish(s);
}

static void one_objects_size_and_depth_stop_nobody(void **state)
{
    struct scan *s = begin(KIND_NAMESPACE, SCAN_WATCH);
    static char junk[64 * 1024 + 1];

    (void)state;
    memset(junk, '[', sizeof(junk) - 1);
    assert_int_equal(feed(s, "{\"type\":\"ADDED\",\"object\":{\"spec\":"), 0);
    assert_int_equal(feed(s, junk), 0);
    memset(junk, ']', sizeof(junk) - 1);
    assert_int_equal(feed(s, junk), 0);
    memset(junk, 'x', sizeof(junk) - 1);
    assert_int_equal(feed(s, ",\"big\":\""), 0);
    for (int i = 0; i < 64; i++) /* 4 MiB */
        assert_int_equal(feed(s, junk), 0);
    assert_int_equal(feed(s, "\",\"status\":{\"phase\":\""), 0);
    for (int i = 0; i < 64; i++)
        assert_int_equal(feed(s, junk), 0);
    assert_int_equal(feed(s, "\"},\"metadata\":{\"name\":\"a\"}}}"), 0);
    assert_int_equal(heard.n, 1);
    assert_null(kobj_get(heard.o, "status.phase")); /* over LIMIT_STRING: absent */
    assert_int_equal(feed(s, "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"b\"},"
                             "\"status\":{\"phase\":\"Active\"}}}"),
                     0);
    assert_string_equal(heard.o->name, "b");
    assert_string_equal(kobj_text(heard.o, "status.phase"), "Active");
    finish(s);
}

static void conditions_over_the_cap_stay_whole(void **state)
{
    struct scan *s = begin(KIND_NAMESPACE, SCAN_WATCH);
    struct str status;

    (void)state;
    finish(s);
    s = begin(KIND_POD, SCAN_WATCH);
    assert_int_equal(feed(s, "{\"type\":\"ADDED\",\"object\":{\"status\":{\"conditions\":["
                             "{\"type\":\"Ready\",\"status\":\"True\"}"),
                     0);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(feed(s, ",{\"type\":\"Abcdefgh\",\"status\":\"False\",\"message\":\"x\"}"), 0);
    assert_int_equal(feed(s, "]}}}"), 0);
    assert_true(strlen(kobj_get(heard.o, "status.conditions")) <= LIMIT_STRING);
    assert_true(kobj_condition(heard.o, "Ready", &status, NULL));
    assert_true(str_ends(str_of(kobj_get(heard.o, "status.conditions")), STR(" Abcdefgh=False/")));
    finish(s);
}

static void what_is_no_json_is_an_error_and_stays_one(void **state)
{
    static const char *const texts[] = {
        "Too many requests", "[]", "7", "{\"type\":\"ADDED\"}", "{\"type\":\"ADDED\",\"object\":[]}",
        "{\"type\":\"X\",\"object\":{}}",
        "{,}", "{\"a\" 1}", "{\"a\":1,}", "{\"a\":}", "{\"a\":tru}", "{\"a\":1]", "{\"\\x\":1}", "{\"\\u12g4\":1}",
        "{\"object\":{}}",
    };
    struct error e;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct scan *s = begin(KIND_JOB, SCAN_WATCH);

        assert_int_equal(scan_feed(s, str_of(texts[i]), &e), ERR_INVALID);
        assert_true(str_starts(str_of(e.msg), STR("broken JSON from the API server: ")));
        assert_int_equal(feed(s, "{\"type\":\"ADDED\",\"object\":{}}"), ERR_INVALID);
        assert_int_equal(scan_end(s, NULL), ERR_INVALID);
        assert_int_equal(heard.n, 0);
        finish(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_come_as_their_lines_end),
        cmocka_unit_test(the_text_comes_too_but_for_managed_fields),
        cmocka_unit_test(one_object_alone),
        cmocka_unit_test(a_scan_that_met_too_big_an_object_is_not_kept),
        cmocka_unit_test(a_bookmark_tells_its_version_and_the_end_of_the_list),
        cmocka_unit_test(an_error_event_tells_code_and_message),
        cmocka_unit_test(a_list_may_tell_its_version_last),
        cmocka_unit_test(one_objects_size_and_depth_stop_nobody),
        cmocka_unit_test(conditions_over_the_cap_stay_whole),
        cmocka_unit_test(what_is_no_json_is_an_error_and_stays_one),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
