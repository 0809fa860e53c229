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

/* ---- reading ---- */

static void assert_same(struct str text, size_t flags, json_t *got_take)
{
    json_t *want = json_loadb(text.p, text.n, flags, NULL);

    if (!want != !got_take || (want && !json_equal(want, got_take)))
        fail_msg("%.*s: %s", (int)text.n, text.p, got_take ? "read" : "not read");
    json_decref(want);
    json_decref(got_take);
}

/* In memory of its own, without a NUL: a byte behind it is seen by the sanitizer. */
static void assert_reads_as_jansson(struct str text)
{
    char *bytes = mem_alloc(text.n);
    struct str alone = {memcpy(bytes, text.p, text.n), text.n};

    assert_same(text, JSON_ALLOW_NUL, json_read(alone));
    assert_same(text, JSON_REJECT_DUPLICATES, json_read_strict(alone));
    mem_free(bytes);
}

#define READS(lit) assert_reads_as_jansson(STR(lit))

static void what_is_read_is_what_jansson_reads(void **state)
{
    (void)state;
    READS("{}");
    READS(" [ ] \r\n\t");
    READS("{\"a\":{\"b\":[1,-2,3.5,1e3,2E-2,-0,0.0]},\"c\":[true,false,null],\"a\":\"the last one counts\"}");
    READS("[\"\",\"a\",\"seven..\",\"eight...\",\"nine.....\",\"sixteen.........\\n\",\"\\\"\"]");
    READS("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u00fc\\u20ac\\ud83d\\ude00\"]");
    READS("[\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80 \x7f\"]");
    READS("{\"\":0,\"\\n\\u20ac\":{\"\\\"\":\"\\t\"},"
          "\"a key of more than sixty-four bytes, which needs memory of its own \\n\":[\"\\n\"]}");
    READS("[9223372036854775807,-9223372036854775808,1e308,1e-400,"
          "0.3333333333333333333333333333333333333333333333333333333333333333333333333333333333333333]");
}

static void what_is_no_json_is_not_read(void **state)
{
    static const char *const texts[] = {
        "", " ", "1", "\"a\"", "null", "{", "[", "[1", "[1,", "[1,]", "[,]", "[1 2]", "{\"a\"}", "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}", "{\"a\":1]", "[1}", "[] []", "{}x", "[01]", "[-]", "[+1]", "[1.]", "[.5]", "[1e]", "[1e+]",
        "[0x1]",
        "[9223372036854775808]", "[1e400]", "[-1e400]", "[tru]", "[truex]", "[nullnull]", "[True]", "[\"a]", "[\"\\",
        "[\"\\x\"]", "[\"\\u12\"]", "[\"\\u12g4\"]", "[\"\\ud800\"]", "[\"\\ud800\\n\"]",
        "[\"\\ud800\\u0041\"]",
        "[\"\\udc00\"]", "[\"\n\"]", "[\"\x1f\"]", "[\"\x80\"]", "[\"\xc0\x80\"]", "[\"\xc3\"]", "[\"\xe0\x80\x80\"]",
        "[\"\xed\xa0\x80\"]", "[\"\xf4\x90\x80\x80\"]", "[\"\xf5\x80\x80\x80\"]", "[\"\xe2\x82", "{\"\\u0000\":1}",
        "[\"0123456\x80\"]", "[\"01234567", "\xef\xbb\xbf[]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        json_t *got = json_read(str_of(texts[i]));

        if (got)
            fail_msg("read: %s", texts[i]);
        assert_reads_as_jansson(str_of(texts[i]));
    }
    assert_reads_as_jansson((struct str){"[\"\0\"]", 5});
    assert_reads_as_jansson((struct str){"[]\0", 3});
    assert_null(json_read((struct str){"[1\0]", 4})); /* which jansson reads */
}

static void read_strictly_a_key_comes_once(void **state)
{
    (void)state;
    READS("{\"a\":1,\"b\":{\"a\":2},\"c\":[{\"a\":3},{\"a\":3}]}");
    assert_null(json_read_strict(STR("{\"b\":[{\"a\":1,\"\\u0061\":1}]}")));
    assert_null(json_read_strict(STR("[\"\\u0000\"]")));
}

static void a_text_may_be_as_deep_as_for_jansson(void **state)
{
    enum { DEEP = 2048 };
    char text[2 * DEEP + 2];

    (void)state;
    memset(text, '[', DEEP + 1);
    memset(text + DEEP + 1, ']', DEEP + 1);
    assert_reads_as_jansson((struct str){text, 2 * DEEP + 2});
    assert_reads_as_jansson((struct str){text + 1, 2 * DEEP});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_what_jansson_writes),
        cmocka_unit_test(no_value_is_written_as_null),
        cmocka_unit_test(a_copy_is_equal_and_its_containers_are_its_own),
        cmocka_unit_test(a_text_over_the_cap_sticks),
        cmocka_unit_test(what_is_read_is_what_jansson_reads),
        cmocka_unit_test(what_is_no_json_is_not_read),
        cmocka_unit_test(read_strictly_a_key_comes_once),
        cmocka_unit_test(a_text_may_be_as_deep_as_for_jansson),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
