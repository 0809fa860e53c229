/* test_base64: every length and byte comes back; what is no base64 is refused. */
#include "test.h"

#include "core/base/base64.h"

static void all_bytes_and_lengths_come_back(void **state)
{
    char bytes[256];
    struct buf text, back;

    (void)state;
    buf_init(&text, 1024);
    buf_init(&back, 1024);
    for (int i = 0; i < 256; i++)
        bytes[i] = (char)(i * 7);
    for (size_t n = 0; n <= 256; n++) {
        buf_clear(&text);
        buf_clear(&back);
        base64_encode(&text, (struct str){bytes, n});
        assert_int_equal(text.len, (n + 2) / 3 * 4);
        assert_true(base64_decode(&back, buf_str(&text)));
        assert_true(str_eq(buf_str(&back), (struct str){bytes, n}));
    }
    buf_done(&text);
    buf_done(&back);
}

static void known_texts_match_and_bad_ones_are_refused(void **state)
{
    static const char *const bad[] = {"a", "ab", "abc", "a===", "ab=c", "abcd=", "ab c", "ab==ab=="};
    struct buf out;

    (void)state;
    buf_init(&out, 64);
    assert_true(base64_decode(&out, STR("c3Rh\nc2hk\n")));
    assert_string_equal(out.data, "stashd");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        buf_clear(&out);
        if (base64_decode(&out, str_of(bad[i])))
            fail_msg("\"%s\" was taken", bad[i]);
    }
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_bytes_and_lengths_come_back),
        cmocka_unit_test(known_texts_match_and_bad_ones_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
