/*
 * cron: see cron.h. A parsed expression is five bit sets; the next due time is found field by field from the top:
 * month, day, hour, minute, each jump setting the lower ones to their first value. Days are counted in the civil
 * calendar of UTC, so nothing here knows of zones or daylight saving.
 */
#include "core/base/cron.h"

#include <ctype.h>
#include <stdbool.h>

enum { ANY_DAY = 1, ANY_WEEKDAY = 2 }; /* flags: that field was '*' or '?' */

struct field {
    const char *name;
    unsigned min, max;
    const char *const *names; /* of min.. ; NULL: none */
    unsigned n_names;
};

static const char *const months[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                     "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const weekdays[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

static const struct field fields[] = {
    {"minute",       0, 59, NULL,     0 },
    {"hour",         0, 23, NULL,     0 },
    {"day of month", 1, 31, NULL,     0 },
    {"month",        1, 12, months,   12},
    {"day of week",  0, 7,  weekdays, 7 },
};

static const struct {
    const char *name, *fields;
} macros[] = {
    {"@yearly",  "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"}, {"@weekly", "0 0 * * 0"},
    {"@daily",   "0 0 * * *"}, {"@midnight", "0 0 * * *"}, {"@hourly",  "0 * * * *"},
};

static int parse_value(const struct field *f, struct str text, unsigned *ret, struct error *e)
{
    uint64_t v;

    for (unsigned i = 0; i < f->n_names; i++) {
        bool same = text.n == 3;

        for (unsigned c = 0; same && c < 3; c++)
            same = tolower((unsigned char)text.p[c]) == f->names[i][c];
        if (same) {
            *ret = f->min + i;
            return 0;
        }
    }
    if (str_to_u64(text, &v) < 0)
        return error_set(e, ERR_INVALID, "%s \"%.*s\" is not a number", f->name, (int)(text.n > 20 ? 20 : text.n),
                         text.n ? text.p : "");
    if (v < f->min)
        return error_set(e, ERR_INVALID, "%s %llu is under %u", f->name, (unsigned long long)v, f->min);
    if (v > f->max)
        return error_set(e, ERR_INVALID, "%s %llu is over %u", f->name, (unsigned long long)v, f->max);
    *ret = (unsigned)v;
    return 0;
}

/* Where a star and "5/2" end: 7 is a second name of Sunday, not a day after Saturday. */
static unsigned last_value(const struct field *f)
{
    return f->max == 7 ? 6 : f->max;
}

/* One item of a comma list: "*", "5", "1-5", "*"/2, "1-10/3", "5/15" (from 5 to the end). */
static int parse_item(const struct field *f, struct str item, uint64_t *bits, bool *ret_any, struct error *e)
{
    struct str range = STR_NONE, step_text = item, from_text = STR_NONE, to_text;
    unsigned from = f->min, to = f->max, step = 1;
    uint64_t v;
    int rc;

    (void)str_cut(&step_text, '/', &range);
    if (step_text.p) {
        if (str_to_u64(step_text, &v) < 0 || v == 0 || v > 1000)
            return error_set(e, ERR_INVALID, "%s step \"%.*s\" is not a number over 0", f->name,
                             (int)(step_text.n > 20 ? 20 : step_text.n), step_text.n ? step_text.p : "");
        step = (unsigned)v;
    }
    if (str_is(range, "*") || str_is(range, "?")) {
        *ret_any = step == 1;
        to = last_value(f);
    } else {
        to_text = range;
        (void)str_cut(&to_text, '-', &from_text);
        rc = parse_value(f, from_text, &from, e);
        if (rc < 0)
            return rc;
        if (!to_text.p)
            to = step_text.p && from < last_value(f) ? last_value(f) : from;
        else if ((rc = parse_value(f, to_text, &to, e)) < 0)
            return rc;
        if (from > to)
            return error_set(e, ERR_INVALID, "%s range %u-%u runs backwards", f->name, from, to);
    }
    for (unsigned i = from; i <= to; i += step)
        *bits |= 1ull << (f->max == 7 && i == 7 ? 0 : i);
    return 0;
}

static int parse_field(const struct field *f, struct str text, uint64_t *bits, bool *ret_any, struct error *e)
{
    struct str item;
    int rc;

    *bits = 0;
    *ret_any = false;
    while (str_cut(&text, ',', &item)) {
        bool any = false;

        rc = parse_item(f, item, bits, &any, e);
        if (rc < 0)
            return rc;
        *ret_any |= any;
    }
    return 0;
}

static int parse_every(struct cron *c, struct str text, struct error *e)
{
    int64_t ns;
    int rc = str_parse_duration_ns(str_trim(text), &ns, e);

    if (rc < 0)
        return error_wrap(e, rc, "@every");
    if (ns < 1000000000)
        return error_set(e, ERR_INVALID, "@every is under one second");
    if (ns / 1000000000 > UINT32_MAX)
        return error_set(e, ERR_INVALID, "@every is over 136 years");
    *c = (struct cron){.every_s = (uint32_t)(ns / 1000000000)};
    return 0;
}

/* Cuts the next word off; blanks and tabs part words. */
static bool next_word(struct str *rest, struct str *word)
{
    *rest = str_trim(*rest);
    if (!rest->n)
        return false;
    word->p = rest->p;
    for (word->n = 0; word->n < rest->n && rest->p[word->n] != ' ' && rest->p[word->n] != '\t'; word->n++)
        ;
    rest->p += word->n;
    rest->n -= word->n;
    return true;
}

static int parse_fields(struct cron *c, struct str text, struct error *e)
{
    struct str words[5], word, rest = text;
    uint64_t bits[5];
    bool any[5];
    unsigned n = 0;

    for (; next_word(&rest, &word); n++)
        if (n < 5)
            words[n] = word;
    if (n != 5)
        return error_set(e, ERR_INVALID, "\"%.*s\" has %u fields instead of 5 (minute hour day month weekday)",
                         (int)(text.n > 80 ? 80 : text.n), text.n ? text.p : "", n);
    for (n = 0; n < 5; n++) {
        int rc = parse_field(&fields[n], words[n], &bits[n], &any[n], e);

        if (rc < 0)
            return rc;
    }
    *c = (struct cron){.minutes = bits[0],
                       .hours = (uint32_t)bits[1],
                       .days = (uint32_t)bits[2],
                       .months = (uint16_t)bits[3],
                       .weekdays = (uint8_t)bits[4],
                       .flags = (uint8_t)((any[2] ? ANY_DAY : 0) | (any[4] ? ANY_WEEKDAY : 0))};
    return 0;
}

int cron_parse(struct cron *c, struct str text, struct error *e)
{
    text = str_trim(text);
    if (!text.n)
        return error_set(e, ERR_INVALID, "the expression is empty");
    if (str_starts(text, STR("TZ=")) || str_starts(text, STR("CRON_TZ=")))
        return error_set(e, ERR_INVALID, "TZ= is not allowed; schedules are in UTC");
    if (str_starts(text, STR("@every ")))
        return parse_every(c, (struct str){text.p + 7, text.n - 7}, e);
    for (size_t i = 0; i < sizeof(macros) / sizeof(macros[0]); i++)
        if (str_is(text, macros[i].name))
            return parse_fields(c, str_of(macros[i].fields), e);
    if (text.p[0] == '@')
        return error_set(e, ERR_INVALID, "unknown macro \"%.*s\"", (int)(text.n > 40 ? 40 : text.n), text.p);
    return parse_fields(c, text, e);
}

static bool day_fits(const struct cron *c, int64_t days, const struct str_date *date)
{
    bool day = c->days >> date->day & 1;
    bool weekday = c->weekdays >> (unsigned)(((days % 7) + 11) % 7) & 1; /* 1970-01-01 was a Thursday */

    if (c->flags) /* one of them is '*': the other decides */
        return day && weekday;
    return day || weekday;
}

/* First minute of the day at or after `minute` that fits, or -1. */
static int minute_of_day(const struct cron *c, int minute)
{
    for (int h = minute / 60, m = minute % 60; h < 24; h++, m = 0) {
        uint64_t left = c->minutes >> m << m;

        if ((c->hours >> h & 1) && left)
            return h * 60 + __builtin_ctzll(left);
    }
    return -1;
}

int64_t cron_next(const struct cron *c, int64_t after)
{
    enum { HORIZON_DAYS = 5 * 366 };
    int64_t minute, day, last;
    struct str_date date;
    int from, found;

    if (c->every_s)
        return after + c->every_s;
    minute = (after >= 0 ? after : after - 59) / 60 + 1;
    day = (minute >= 0 ? minute : minute - 1439) / 1440;
    from = (int)(minute - day * 1440);
    last = day + HORIZON_DAYS;
    for (date = str_date_of(day); day <= last; from = 0) {
        if (!(c->months >> date.month & 1)) {
            day += date.days_in_month - date.day + 1;
            date = str_date_of(day);
            continue;
        }
        found = day_fits(c, day, &date) ? minute_of_day(c, from) : -1;
        if (found >= 0)
            return (day * 1440 + found) * 60;
        day++;
        if (date.day++ == date.days_in_month)
            date = str_date_of(day);
    }
    return INT64_MAX;
}

/* Smallest distance between neighbouring set bits, or 0 with fewer than two. */
static unsigned bit_gap(uint64_t bits)
{
    unsigned best = 0;

    while (bits & (bits - 1)) {
        unsigned low = (unsigned)__builtin_ctzll(bits), gap;

        bits &= bits - 1;
        gap = (unsigned)__builtin_ctzll(bits) - low;
        if (!best || gap < best)
            best = gap;
    }
    return best;
}

int64_t cron_shortest_gap(const struct cron *c)
{
    int64_t minutes = bit_gap(c->minutes), wrap, gap;
    unsigned hours = bit_gap(c->hours);

    if (c->every_s)
        return c->every_s;
    if (!c->minutes)
        return INT64_MAX;
    gap = minutes ? minutes : INT64_MAX / 60;
    /* From the last minute of one hour to the first of the next allowed hour; over midnight when both ends are set. */
    wrap = __builtin_ctzll(c->minutes) - (63 - __builtin_clzll(c->minutes));
    if (hours && hours * 60 + wrap < gap)
        gap = hours * 60 + wrap;
    wrap += (__builtin_ctz(c->hours) + 24 - (31 - __builtin_clz(c->hours))) * 60;
    if (wrap < gap)
        gap = wrap;
    return gap * 60;
}
