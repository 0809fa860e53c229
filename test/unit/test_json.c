/* test_json: a value's text and copies, against jansson's own. */
#include "test.h"

#include "core/base/json.h"
#include "core/base/mem.h"

static void assert_same_text(const char *json)
{
    json_t *value = json_loads(json, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    AUTO_FREE char *want = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY), *got = json_compact(value);

    assert_non_null(value);
    assert_string_equal(got, want);
    json_decref(value);
}

static void a_text_is_what_jansson_writes(void **state)
{
    static const char *const texts[] = {
        "{}", "[]", "{\"b\":1,\"a\":[true,false,null],\"c\":{\"d\":{}}}", "[[[]],[1,2],{\"x\":[]}]", "\"\"",
        "-9223372036854775808", "9223372036854775807", "0", "1.5", "1e300", "-0.0", "2.0",
        "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f/\"", "\"gr\\u00fc\\u00df \\u20ac \\ud83d\\ude00\"",
        "{\"\\n\\\"\":\"\\u0000x\"}", "null", "[\"a\",\"\",\"\\\\\"]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_same_text(texts[i]);
}

static void no_value_is_written_as_null(void **state)
{
    AUTO_FREE char *text = json_compact(NULL);

    (void)state;
    assert_string_equal(text, "null");
    assert_null(json_clone(NULL));
}

static void a_copy_is_equal_and_its_containers_are_its_own(void **state)
{
    json_t *value = json_loads("{\"a\":{\"b\":[1,{\"c\":\"d\"}]},\"e\":null}", 0, NULL), *copy = json_clone(value);

    (void)state;
    assert_true(json_equal(value, copy));
    json_object_set_new(json_at(copy, "a.b.1"), "c", json_string("x"));
    json_array_append_new(json_at(copy, "a.b"), json_true());
    assert_string_equal(json_text(value, "a.b.1.c"), "d");
    assert_int_equal(json_array_size(json_at(value, "a.b")), 2);
    json_decref(value);
    assert_string_equal(json_text(copy, "a.b.1.c"), "x");
    json_decref(copy);
}

static void a_text_over_the_cap_sticks(void **state)
{
    json_t *value = json_pack("[s, s]", "0123456789", "0123456789");
    struct buf out;

    (void)state;
    buf_init(&out, 16);
    json_write(&out, value);
    assert_int_equal(buf_error(&out), ERR_TOOBIG);
    buf_done(&out);
    json_decref(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_what_jansson_writes),
        cmocka_unit_test(no_value_is_written_as_null),
        cmocka_unit_test(a_copy_is_equal_and_its_containers_are_its_own),
        cmocka_unit_test(a_text_over_the_cap_sticks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
