/* test_cron: Kubernetes' dialect, against due times worked out by hand and against a slow oracle. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cron.h"

static int64_t at(const char *text)
{
    int64_t t = 0;

    assert_int_equal(str_parse_time(str_of(text), &t), 0);
    return t;
}

static void assert_next(const char *expression, const char *after, const char *due)
{
    struct error e = {0};
    struct cron c;
    char out[32];

    if (cron_parse(&c, str_of(expression), &e) < 0)
        fail_msg("%s: %s", expression, e.msg);
    assert_string_equal(str_format_time(cron_next(&c, at(after)), out), due);
}

static void due_times_are_those_of_the_calendar(void **state)
{
    (void)state;
    assert_next("*/5 * * * *", "2026-03-01T02:00:00Z", "2026-03-01T02:05:00Z");
    assert_next("*/5 * * * *", "2026-03-01T02:04:59Z", "2026-03-01T02:05:00Z");
    assert_next("0 0 * * *", "2026-12-31T23:59:30Z", "2027-01-01T00:00:00Z");
    assert_next("30 2 29 2 *", "2026-03-01T00:00:00Z", "2028-02-29T02:30:00Z");
    assert_next("0 12 * * MON-FRI", "2026-11-27T12:00:00Z", "2026-11-30T12:00:00Z");
    assert_next("0 12 * * 7", "2026-11-25T00:00:00Z", "2026-11-29T12:00:00Z");
    assert_next("15 10 ? jan,JUL *", "2026-02-01T00:00:00Z", "2026-07-01T10:15:00Z");
    assert_next("5/20 * * * *", "2026-02-01T00:06:00Z", "2026-02-01T00:25:00Z");
    assert_next("@weekly", "2026-11-25T00:00:00Z", "2026-11-29T00:00:00Z");
    assert_next("@every 1h30m", "2026-11-25T00:00:07Z", "2026-11-25T01:30:07Z");
    assert_next("0 0 * * *", "1969-12-30T12:00:00Z", "1969-12-31T00:00:00Z");
}

static void restricted_day_and_weekday_are_ored(void **state)
{
    (void)state;
    /* 13 November 2026 is a Friday. */
    assert_next("0 0 13 * FRI", "2026-11-06T00:00:00Z", "2026-11-13T00:00:00Z");
    assert_next("0 0 13 * FRI", "2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z");
    assert_next("0 0 13 * FRI", "2026-12-11T00:00:00Z", "2026-12-13T00:00:00Z");
    /* "*" beside one of them: the other decides; a stepped star is a restriction (as robfig and Kubernetes have it). */
    assert_next("0 0 13 * *", "2026-11-14T00:00:00Z", "2026-12-13T00:00:00Z");
}

static void the_process_zone_changes_nothing(void **state)
{
    (void)state;
    setenv("TZ", "Europe/Berlin", 1);
    assert_next("30 2 * * *", "2026-03-28T02:30:00Z", "2026-03-29T02:30:00Z"); /* a local time that does not exist */
    assert_next("30 2 * * *", "2026-10-24T02:30:00Z", "2026-10-25T02:30:00Z"); /* one that exists twice */
    unsetenv("TZ");
}

static void a_date_that_never_comes_has_no_due_time(void **state)
{
    struct cron c;

    (void)state;
    assert_int_equal(cron_parse(&c, STR("0 0 31 2 *"), NULL), 0);
    assert_true(cron_next(&c, 1772330400) == INT64_MAX);
}

static void wrong_text_names_the_field(void **state)
{
    static const char *const cases[][2] = {
        {"61 * * * *",     "minute 61 is over 59"   },
        {"* 24 * * *",     "hour 24 is over 23"     },
        {"* * 0 * *",      "day of month 0 is under 1"},
        {"* * * 13 *",     "month 13 is over 12"    },
        {"* * * * 8",      "day of week 8 is over 7"},
        {"* * * *",        "4 fields"               },
        {"* * * * * *",    "6 fields"               },
        {"",               "empty"                  },
        {"30-10 * * * *",  "backwards"              },
        {"*/0 * * * *",    "step"                   },
        {"a * * * *",      "minute \"a\""           },
        {"1,,2 * * * *",   "minute \"\""            },
        {"@fortnightly",   "unknown macro"          },
        {"@every 1d",      "unit"                   },
        {"@every 10ms",    "under one second"       },
        {"TZ=UTC * * * * *", "TZ="                  },
        {"CRON_TZ=Asia/Tokyo 0 0 * * *", "TZ="      },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error e = {0};
        struct cron c;

        assert_int_equal(cron_parse(&c, str_of(cases[i][0]), &e), ERR_INVALID);
        if (!strstr(e.msg, cases[i][1]))
            fail_msg("%s: \"%s\" lacks \"%s\"", cases[i][0], e.msg, cases[i][1]);
    }
}

/* The oracle: walk minute by minute and compare against sets built without any of cron.c's shortcuts. */
static void random_expressions_agree_with_a_walk_over_minutes(void **state)
{
    unsigned seed = 5;

    (void)state;
    for (int round = 0; round < 300; round++) {
        unsigned m = (unsigned)rand_r(&seed) % 60, h = (unsigned)rand_r(&seed) % 24,
                 step = 1 + (unsigned)rand_r(&seed) % 20;
        unsigned d1 = 1 + (unsigned)rand_r(&seed) % 28;
        int64_t t = 1772330400 + rand_r(&seed) % 100000000, walk = t / 60 * 60 + 60;
        char text[64];
        struct cron c;

        (void)snprintf(text, sizeof(text), "%u/%u %u-23 %u-31 * *", m, step, h, d1);
        assert_int_equal(cron_parse(&c, str_of(text), NULL), 0);
        for (;; walk += 60) {
            struct str_date date = str_date_of(walk / 86400);
            unsigned minute = (unsigned)(walk / 60 % 60), hour = (unsigned)(walk / 3600 % 24);

            if (date.day >= d1 && hour >= h && minute >= m && (minute - m) % step == 0)
                break;
        }
        assert_true(cron_next(&c, t) == walk);
    }
}

static void the_shortest_gap_is_never_longer_than_a_gap_seen(void **state)
{
    static const char *const cases[] = {"*/7 * * * *", "0 */5 * * *",  "58,2 * * * *",
                                        "30 4 * * *",  "0 0,23 * * *", "@every 90s"};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t t = 1772330400, best = INT64_MAX;
        struct cron c;

        assert_int_equal(cron_parse(&c, str_of(cases[i]), NULL), 0);
        for (int n = 0; n < 3000; n++) {
            int64_t next = cron_next(&c, t);

            if (n && next - t < best)
                best = next - t;
            t = next;
        }
        assert_true(cron_shortest_gap(&c) == best);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(due_times_are_those_of_the_calendar),
        cmocka_unit_test(restricted_day_and_weekday_are_ored),
        cmocka_unit_test(the_process_zone_changes_nothing),
        cmocka_unit_test(a_date_that_never_comes_has_no_due_time),
        cmocka_unit_test(wrong_text_names_the_field),
        cmocka_unit_test(random_expressions_agree_with_a_walk_over_minutes),
        cmocka_unit_test(the_shortest_gap_is_never_longer_than_a_gap_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
