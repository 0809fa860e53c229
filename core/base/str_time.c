/* str_time: Go's durations and RFC 3339 times (str.h), without libc's zones: all is UTC. */
#include "core/base/str.h"

#include <stdio.h>

static const struct {
    const char *name;
    int64_t ns;
} units[] = {
    {"ns", 1            },
    {"us", 1000         },
    {"\xc2\xb5s", 1000  }, /* micro sign */
    {"\xce\xbcs", 1000  }, /* Greek mu */
    {"ms", 1000000      },
    {"s",  1000000000   },
    {"m",  60000000000  },
    {"h",  3600000000000},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Exact: a double loses the last nanosecond of "24.500005807s". */
static int64_t fraction_ns(uint64_t fraction, uint64_t scale, int64_t unit)
{
    __extension__ unsigned __int128 product = (unsigned __int128)fraction * (uint64_t)unit;

    return (int64_t)(product / scale);
}

/* One "1.5h" off the front of *s, added to *sum. */
static int duration_part(struct str *s, int64_t *sum, struct error *e)
{
    uint64_t whole = 0, fraction = 0, scale = 1;
    bool digits = false;
    size_t n = 0;
    const char *start = s->p;
    int64_t unit = 0, add;

    for (; n < s->n && is_digit(s->p[n]); n++, digits = true)
        if (__builtin_mul_overflow(whole, 10u, &whole) ||
            __builtin_add_overflow(whole, (uint64_t)(s->p[n] - '0'), &whole))
            return error_set(e, ERR_INVALID, "the number is too large");
    if (n < s->n && s->p[n] == '.')
        for (n++; n < s->n && is_digit(s->p[n]); n++, digits = true)
            if (scale < 1000000000000u) {
                fraction = fraction * 10 + (uint64_t)(s->p[n] - '0');
                scale *= 10;
            }
    if (!digits)
        return error_set(e, ERR_INVALID, "a number is missing at \"%.*s\"", (int)(s->n > 20 ? 20 : s->n), start);
    s->p += n;
    s->n -= n;
    for (n = 0; n < s->n && !is_digit(s->p[n]) && s->p[n] != '.'; n++)
        ;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (str_is((struct str){s->p, n}, units[i].name))
            unit = units[i].ns;
    if (!unit)
        return error_set(e, ERR_INVALID,
                         n ? "unknown unit \"%.*s\"; use ns, us, ms, s, m or h" : "a unit is missing%.*s",
                         (int)(n > 20 ? 20 : n), s->p);
    s->p += n;
    s->n -= n;
    if (whole > (uint64_t)INT64_MAX || __builtin_mul_overflow((int64_t)whole, unit, &add) ||
        __builtin_add_overflow(add, fraction_ns(fraction, scale, unit), &add) ||
        __builtin_add_overflow(*sum, add, sum))
        return error_set(e, ERR_INVALID, "over 292 years");
    return 0;
}

int str_parse_duration_ns(struct str s, int64_t *ret_ns, struct error *e)
{
    struct str whole = s;
    bool minus = false;
    int64_t sum = 0;

    if (s.n && (s.p[0] == '-' || s.p[0] == '+')) {
        minus = s.p[0] == '-';
        s.p++;
        s.n--;
    }
    if (str_eq(s, STR("0"))) {
        *ret_ns = 0;
        return 0;
    }
    if (!s.n)
        return error_set(e, ERR_INVALID, "duration \"%.*s\": empty", (int)whole.n, whole.n ? whole.p : "");
    while (s.n) {
        int rc = duration_part(&s, &sum, e);

        if (rc < 0)
            return error_wrap(e, rc, "duration \"%.*s\"", (int)(whole.n > 40 ? 40 : whole.n), whole.p);
    }
    *ret_ns = minus ? -sum : sum;
    return 0;
}

/* "1.5" from 1500 thousandths: fraction digits without trailing zeros. */
static void put_fraction(char *out, size_t size, uint64_t value, uint64_t unit, const char *name)
{
    char digits[24];
    uint64_t rest = value % unit;
    int n = 0;

    for (uint64_t scale = unit / 10; rest && scale; scale /= 10) {
        digits[n++] = (char)('0' + rest / scale);
        rest %= scale;
    }
    (void)snprintf(out, size, "%llu%s%.*s%s", (unsigned long long)(value / unit), n ? "." : "", n, digits, name);
}

const char *str_format_duration(int64_t ns, char out[32])
{
    uint64_t v = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    char *p = out;
    size_t left = 32;
    uint64_t minutes;

    if (ns < 0) {
        *p++ = '-';
        left--;
    }
    if (v == 0)
        (void)snprintf(p, left, "0s");
    else if (v < 1000)
        put_fraction(p, left, v, 1, "ns");
    else if (v < 1000000)
        put_fraction(p, left, v, 1000, "\xc2\xb5s");
    else if (v < 1000000000)
        put_fraction(p, left, v, 1000000, "ms");
    else {
        minutes = v / 60000000000u;
        if (minutes >= 60) {
            int n = snprintf(p, left, "%lluh", (unsigned long long)(minutes / 60));

            p += n;
            left -= (size_t)n;
        }
        if (minutes) {
            int n = snprintf(p, left, "%llum", (unsigned long long)(minutes % 60));

            p += n;
            left -= (size_t)n;
        }
        put_fraction(p, left, v % 60000000000u, 1000000000u, "s");
    }
    return out;
}

/* Days since 1970-01-01 of a civil date (proleptic Gregorian), by counting from March so that leap days come last. */
static int64_t days_from_civil(int64_t y, unsigned m, unsigned d)
{
    int64_t era, shifted = m <= 2 ? y - 1 : y;
    unsigned year_of_era, day_of_year, month = (m + 9) % 12;

    era = (shifted >= 0 ? shifted : shifted - 399) / 400;
    year_of_era = (unsigned)(shifted - era * 400);
    day_of_year = (153 * month + 2) / 5 + d - 1;
    return era * 146097 + (int64_t)(year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year) - 719468;
}

static unsigned days_of_month(int64_t y, unsigned m)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);

    return m == 2 && leap ? 29 : days[m - 1];
}

struct str_date str_date_of(int64_t days)
{
    struct str_date date;
    int64_t era;
    unsigned doe, yoe, doy, mp;

    days += 719468;
    era = (days >= 0 ? days : days - 146096) / 146097;
    doe = (unsigned)(days - era * 146097);
    yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    mp = (5 * doy + 2) / 153;
    date.day = doy - (153 * mp + 2) / 5 + 1;
    date.month = mp < 10 ? mp + 3 : mp - 9;
    date.year = (int64_t)yoe + era * 400 + (date.month <= 2);
    date.days_in_month = days_of_month(date.year, date.month);
    return date;
}

/* n digits at s.p + at, or -1. */
static int digits_at(struct str s, size_t at, size_t n)
{
    int v = 0;

    for (size_t i = at; i < at + n; i++) {
        if (i >= s.n || !is_digit(s.p[i]))
            return -1;
        v = v * 10 + (s.p[i] - '0');
    }
    return v;
}

static bool char_at(struct str s, size_t at, const char *set)
{
    return at < s.n && s.p[at] && strchr(set, s.p[at]);
}

/* The first seconds of the first year that RFC 3339 can write here, and of the first that it can't. */
#define YEAR_1 INT64_C(-62135596800)
#define YEAR_10000 INT64_C(253402300800)

int str_parse_time(struct str s, int64_t *ret_unix_s)
{
    int y = digits_at(s, 0, 4), mo = digits_at(s, 5, 2), d = digits_at(s, 8, 2);
    int h = digits_at(s, 11, 2), mi = digits_at(s, 14, 2), sec = digits_at(s, 17, 2);
    int64_t offset = 0, unix_s;
    size_t at = 19;

    if (y < 1 || mo < 1 || mo > 12 || d < 1 || (unsigned)d > days_of_month(y, (unsigned)mo) || h < 0 || h > 23 ||
        mi < 0 || mi > 59 || sec < 0 || sec > 60 || !char_at(s, 4, "-") || !char_at(s, 7, "-") ||
        !char_at(s, 10, "Tt") || !char_at(s, 13, ":") || !char_at(s, 16, ":"))
        return ERR_INVALID;
    if (char_at(s, at, ".")) {
        size_t start = ++at;

        while (at < s.n && is_digit(s.p[at]))
            at++;
        if (at == start)
            return ERR_INVALID;
    }
    if (char_at(s, at, "Zz")) {
        at++;
    } else if (char_at(s, at, "+-")) {
        int oh = digits_at(s, at + 1, 2), om = digits_at(s, at + 4, 2);

        if (oh < 0 || oh > 23 || om < 0 || om > 59 || !char_at(s, at + 3, ":"))
            return ERR_INVALID;
        offset = (int64_t)(oh * 60 + om) * 60 * (s.p[at] == '-' ? -1 : 1);
        at += 6;
    } else {
        return ERR_INVALID;
    }
    if (at != s.n)
        return ERR_INVALID;
    unix_s = days_from_civil(y, (unsigned)mo, (unsigned)d) * 86400 + h * 3600 + mi * 60 + sec - offset;
    if (unix_s < YEAR_1 || unix_s >= YEAR_10000) /* by its offset, or its leap second */
        return ERR_INVALID;
    *ret_unix_s = unix_s;
    return 0;
}

const char *str_format_time(int64_t unix_s, char out[32])
{
    int64_t days = unix_s / 86400, rest = unix_s % 86400;
    struct str_date date;

    if (rest < 0) {
        rest += 86400;
        days--;
    }
    date = str_date_of(days);
    (void)snprintf(out, 32, "%04d-%02u-%02uT%02d:%02d:%02dZ", (int)date.year, date.month, date.day, (int)(rest / 3600),
                   (int)(rest / 60 % 60), (int)(rest % 60));
    return out;
}
