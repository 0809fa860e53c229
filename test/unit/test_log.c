/* test_log: one JSON object a line, credentials never in it; and the small helpers of http.h. */
#include "test.h"

#include <jansson.h>

#include "core/base/buf.h"
#include "core/base/http.h"
#include "core/base/log.h"

static void keep(void *ctx, struct str line)
{
    buf_add_str(ctx, line);
}

static void a_line_is_one_json_object_with_the_parents_fields(void **state)
{
    struct buf out;
    struct log root = {.min = LOG_INFO, .write = keep, .ctx = &out};
    const struct log_field own[] = {F_STR("controller", "backupsession")};
    struct log child = {.parent = &root, .fields = own, .n_fields = 1};
    struct error e = {.msg = "said \"no\"\n"};
    json_t *line;

    (void)state;
    buf_init(&out, 4096);
    log_debug(&child, "not seen");
    assert_int_equal(out.len, 0);
    log_warn(&child, "pass failed", F_INT("attempt", -3), F_BOOL("again", true), F_ERR(&e), F_STR("none", NULL));
    line = json_loadb(out.data, out.len, JSON_DISABLE_EOF_CHECK, NULL);
    assert_non_null(line);
    assert_string_equal(json_string_value(json_object_get(line, "level")), "warn");
    assert_string_equal(json_string_value(json_object_get(line, "controller")), "backupsession");
    assert_int_equal(json_integer_value(json_object_get(line, "attempt")), -3);
    assert_string_equal(json_string_value(json_object_get(line, "error")), "said \"no\"\n");
    assert_int_equal(out.data[out.len - 1], '\n');
    json_decref(line);
    buf_done(&out);
}

static void known_credentials_never_reach_the_line(void **state)
{
    struct buf out;
    const struct str secrets[] = {STR("hunter2hunter2"), STR("abc")};
    struct log l = {.write = keep, .ctx = &out, .secrets = secrets, .n_secrets = 2};

    (void)state;
    buf_init(&out, 4096);
    log_error(&l, "failed", F_STR("url", "rest:http://u:hunter2hunter2@h/ abc hunter2hunter2"));
    assert_null(strstr(out.data, "hunter2hunter2"));
    assert_non_null(strstr(out.data, "u:[redacted]@h/ abc [redacted]"));
    buf_done(&out);
}

static void a_credential_with_a_quote_or_at_the_cut_does_not_reach_the_line_either(void **state)
{
    struct buf out, text;
    const struct str secrets[] = {STR("pa\"ss\\word"), STR("0123456789abcdef"), STR("redacted")};
    struct log l = {.write = keep, .ctx = &out, .secrets = secrets, .n_secrets = 3};

    (void)state;
    buf_init(&out, 4096);
    buf_init(&text, 4096);
    log_error(&l, "failed", F_STR("line", "with pa\"ss\\word in it"));
    assert_null(strstr(out.data, "ss\\"));
    assert_non_null(strstr(out.data, "with [redacted] in it"));
    buf_clear(&out);
    for (int i = 0; i < 250; i++)
        buf_putc(&text, '.');
    buf_puts(&text, "0123456789abcdef");
    log_error(&l, "failed", F_VIEW("line", buf_str(&text)));
    assert_null(strstr(out.data, "0123"));
    buf_clear(&out);
    log_error(&l, "failed", F_STR("line", "it was redacted")); /* a password that is a part of the mark */
    assert_non_null(strstr(out.data, "it was [redacted]"));
    buf_done(&text);
    buf_done(&out);
}

static void queries_are_decoded_and_paths_refuse_bad_escapes(void **state)
{
    struct buf out;
    char value[32];

    (void)state;
    assert_true(http_query(STR("limit=5&labelSelector=a%3Db%2Cc&x"), "labelSelector", value, sizeof(value)));
    assert_string_equal(value, "a=b,c");
    assert_true(http_query(STR("x&q=a+b"), "q", value, sizeof(value)));
    assert_string_equal(value, "a b");
    assert_true(http_query(STR("watch"), "watch", value, sizeof(value)));
    assert_string_equal(value, "");
    assert_false(http_query(STR("ab=1"), "a", value, sizeof(value)));
    buf_init(&out, 64);
    assert_true(http_unescape(&out, STR("a%2Fb%20")));
    assert_string_equal(out.data, "a/b ");
    assert_false(http_unescape(&out, STR("%2")));
    assert_false(http_unescape(&out, STR("%zz")));
    assert_false(http_unescape(&out, STR("%00")));
    buf_clear(&out);
    http_escape(&out, STR("a=b,c/d~"));
    assert_string_equal(out.data, "a%3Db%2Cc%2Fd~");
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_one_json_object_with_the_parents_fields),
        cmocka_unit_test(known_credentials_never_reach_the_line),
        cmocka_unit_test(a_credential_with_a_quote_or_at_the_cut_does_not_reach_the_line_either),
        cmocka_unit_test(queries_are_decoded_and_paths_refuse_bad_escapes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
