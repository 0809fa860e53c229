/* test_scan_skip: blocks against a reader that takes a byte at a time. */
#include "test.h"

#include <string.h>

#include "k8s/scan_skip.h"

struct reader {
    size_t depth;
    bool in_text, escaped;
};

/* False: that byte closes the value. */
static bool take(struct reader *r, char c)
{
    if (r->escaped) {
        r->escaped = false;
    } else if (r->in_text) {
        r->escaped = c == '\\';
        r->in_text = c != '"';
    } else if (c == '"') {
        r->in_text = true;
    } else if (c == '{' || c == '[') {
        r->depth++;
    } else if (c == '}' || c == ']') {
        r->depth--;
    }
    return r->depth > 0;
}

static uint64_t dice = 7;

static size_t roll(size_t n)
{
    dice = dice * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(dice >> 33) % n;
}

static void fill(char *text, size_t n, const char *signs)
{
    for (size_t i = 0; i < n; i++)
        text[i] = roll(3) ? (char)('a' + roll(26)) : signs[roll(strlen(signs))];
}

static bool has_escape(const char *text)
{
    return memchr(text, '\\', SCAN_SKIP_BLOCK) != NULL;
}

static void check(const char *text, size_t n)
{
    struct reader r = {1, false, false};
    size_t depth = 1, at;
    bool in_text;

    at = (size_t)(scan_skip(text, text + n, &depth, &in_text) - text);
    for (size_t i = 0; i < at; i++)
        assert_true(take(&r, text[i]));
    assert_int_equal(depth, r.depth);
    assert_int_equal(in_text, r.in_text);
    assert_false(r.escaped);
#ifdef __SSE2__
    if (n - at >= SCAN_SKIP_BLOCK && !has_escape(text + at))
        assert_false(take(&r, text[at])); /* there is a reason to stop */
#endif
}

static void it_stops_where_a_byte_at_a_time_would_be(void **state)
{
    static const char *const signs[] = {"\"{}[]", "\"\"\"{[{[}]", "\"{}[]\\:,", "{}{[", "\""};
    char text[700];

    (void)state;
    for (int i = 0; i < 20000; i++) {
        size_t n = roll(sizeof(text));

        fill(text, n, signs[roll(sizeof(signs) / sizeof(signs[0]))]);
        check(text, n);
    }
}

static void it_ends_on_the_bracket_that_closes_the_value(void **state)
{
    char text[512];

    (void)state;
    for (size_t n = 0; n < 300; n++) {
        size_t depth = 1;
        bool in_text;
        const char *at;

        memset(text, 'x', sizeof(text));
        text[n] = ']';
        at = scan_skip(text, text + sizeof(text), &depth, &in_text);
        check(text, sizeof(text));
#ifdef __SSE2__
        assert_ptr_equal(at, text + n);
#else
        assert_ptr_equal(at, text);
#endif
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_stops_where_a_byte_at_a_time_would_be),
        cmocka_unit_test(it_ends_on_the_bracket_that_closes_the_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
