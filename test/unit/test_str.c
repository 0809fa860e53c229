/* test_str: views, durations, times, quantities, sizes and names. */
#include "test.h"

#include "core/base/mem.h"
#include "core/base/str.h"

static void cutting_gives_each_part_and_an_empty_last_one(void **state)
{
    struct str rest = STR("a,,b,"), part;

    (void)state;
    assert_true(str_cut(&rest, ',', &part) && str_is(part, "a"));
    assert_true(str_cut(&rest, ',', &part) && str_is(part, ""));
    assert_true(str_cut(&rest, ',', &part) && str_is(part, "b"));
    assert_true(str_cut(&rest, ',', &part) && str_is(part, ""));
    assert_false(str_cut(&rest, ',', &part));
}

static void numbers_are_whole_and_in_range(void **state)
{
    uint64_t u;
    int64_t i;

    (void)state;
    assert_int_equal(str_to_u64(STR("18446744073709551615"), &u), 0);
    assert_true(u == UINT64_MAX);
    assert_int_equal(str_to_u64(STR("18446744073709551616"), &u), ERR_INVALID);
    assert_int_equal(str_to_u64(STR(""), &u), ERR_INVALID);
    assert_int_equal(str_to_u64(STR("+1"), &u), ERR_INVALID);
    assert_int_equal(str_to_i64(STR("-9223372036854775808"), &i), 0);
    assert_true(i == INT64_MIN);
    assert_int_equal(str_to_i64(STR("9223372036854775808"), &i), ERR_INVALID);
}

static void durations_are_gos(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
        const char *printed;
    } good[] = {
        {"0",       0,                 "0s"       },
        {"0s",      0,                 "0s"       },
        {"350ms",   350000000,         "350ms"    },
        {"1.5s",    1500000000,        "1.5s"     },
        {"1h30m",   5400000000000,     "1h30m0s"  },
        {"1m24.500005807s", 84500005807, "1m24.500005807s"},
        {"-1m2.5s", -62500000000,      "-1m2.5s"  },
        {"90s",     90000000000,       "1m30s"    },
        {"10us",    10000,             "10\xc2\xb5s"},
        {"7ns",     7,                 "7ns"      },
    };
    static const char *const bad[] = {"", "1", "1d", "s", "1.s.", "h1", "--1s", "300000h1000000000h"};
    char out[32];
    int64_t ns;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(str_parse_duration_ns(str_of(good[i].text), &ns, NULL), 0);
        assert_true(ns == good[i].ns);
        assert_string_equal(str_format_duration(ns, out), good[i].printed);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct error e = {0};

        assert_int_equal(str_parse_duration_ns(str_of(bad[i]), &ns, &e), ERR_INVALID);
        assert_true(e.msg[0]);
    }
}

static void times_survive_formatting_and_parsing(void **state)
{
    char out[32];
    int64_t t;

    (void)state;
    for (int64_t s = -62135596800; s < 253402300799; s += 86400 * 37 + 3671) {
        assert_int_equal(str_parse_time(str_of(str_format_time(s, out)), &t), 0);
        assert_true(t == s);
    }
    assert_string_equal(str_format_time(1772330400, out), "2026-03-01T02:00:00Z");
    assert_int_equal(str_parse_time(STR("2026-03-01T04:00:00.25+02:00"), &t), 0);
    assert_true(t == 1772330400);
    assert_int_equal(str_parse_time(STR("2026-02-29T00:00:00Z"), &t), ERR_INVALID);
    assert_int_equal(str_parse_time(STR("2026-03-01 02:00:00Z"), &t), ERR_INVALID);
    assert_int_equal(str_parse_time(STR("2026-03-01T02:00:00"), &t), ERR_INVALID);
    assert_int_equal(str_parse_time(STR("9999-12-31T23:59:59Z"), &t), 0);
    assert_int_equal(str_parse_time(STR("9999-12-31T23:59:60Z"), &t), ERR_INVALID); /* no time that can be written */
    assert_int_equal(str_parse_time(STR("0001-01-01T00:00:00+00:01"), &t), ERR_INVALID);
}

static void quantities_are_kubernetes_own(void **state)
{
    static const struct {
        const char *text;
        int64_t milli;
    } good[] = {{"1", 1000},      {"500m", 500}, {"1Gi", 1073741824000}, {"2.5G", 2500000000000},
                {"1e3", 1000000}, {"0.1m", 1}};
    static const char *const bad[] = {"", "Gi", "1GiB", "1 Gi x", "1..2", "1e40"};
    int64_t v;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(str_parse_quantity_milli(str_of(good[i].text), &v), 0);
        assert_true(v == good[i].milli);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(str_parse_quantity_milli(str_of(bad[i]), &v), ERR_INVALID);
}

static void sizes_are_printed_as_consumers_parse_them(void **state)
{
    char out[32];
    uint64_t bytes;

    (void)state;
    assert_string_equal(str_format_size(1024, out), "1024 B");
    assert_string_equal(str_format_size(1025, out), "1.001 KiB");
    assert_string_equal(str_format_size(318940119, out), "304.165 MiB");
    assert_int_equal(str_parse_size(STR("304.165 MiB"), &bytes), 0);
    assert_string_equal(str_format_size(bytes, out), "304.165 MiB");
    assert_int_equal(str_parse_size(STR("12"), &bytes), ERR_INVALID);
    assert_int_equal(str_parse_size(STR("x MiB"), &bytes), ERR_INVALID);
    assert_string_equal(str_format_clock(5, out), "0:05");
    assert_string_equal(str_format_clock(3723, out), "1:02:03");
}

static void long_names_end_with_a_hash_of_the_whole(void **state)
{
    char out[256], other[256];
    char full[101];

    (void)state;
    memset(full, 'a', 100);
    full[100] = 0;
    assert_string_equal(str_shorten_name(STR("db.daily"), 63, false, out), "db.daily");
    assert_string_equal(str_shorten_name(STR("db.daily"), 63, true, out), "db-daily");
    (void)str_shorten_name(str_of(full), 63, false, out);
    assert_int_equal(strlen(out), 63);
    full[99] = 'b';
    (void)str_shorten_name(str_of(full), 63, false, other);
    assert_string_not_equal(out, other);
    assert_true(str_is_dns_label(str_of(out)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cutting_gives_each_part_and_an_empty_last_one),
        cmocka_unit_test(numbers_are_whole_and_in_range),
        cmocka_unit_test(durations_are_gos),
        cmocka_unit_test(times_survive_formatting_and_parsing),
        cmocka_unit_test(quantities_are_kubernetes_own),
        cmocka_unit_test(sizes_are_printed_as_consumers_parse_them),
        cmocka_unit_test(long_names_end_with_a_hash_of_the_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
