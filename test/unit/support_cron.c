/* support_cron: see support_cron.h. It shares nothing with core/base: no parser, no calendar, no bit sets. */
#include "support_cron.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { WORD_MAX = 128, YEARS = 5 };

static const char *const month_names[] = {"", "jan", "feb", "mar", "apr", "may", "jun",
                                          "jul", "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

const char *const oracle_zones[ORACLE_ZONES] = {
    "UTC",              "Europe/Berlin",      "Europe/London",      "Europe/Lisbon",     "Europe/Kyiv",
    "Europe/Dublin",    "Europe/Istanbul",    "Africa/Cairo",       "Africa/Casablanca", "Africa/Johannesburg",
    "America/New_York", "America/Chicago",    "America/Denver",     "America/Phoenix",   "America/Los_Angeles",
    "America/Halifax",  "America/St_Johns",   "America/Havana",     "America/Santiago",  "America/Asuncion",
    "America/Sao_Paulo", "Asia/Beirut",       "Asia/Jerusalem",     "Asia/Tehran",       "Asia/Kolkata",
    "Asia/Kathmandu",   "Australia/Sydney",   "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Apia",
};

struct field {
    long min, max;
    const char *const *names; /* by value; NULL: numbers only */
};

static bool read_value(const struct field *f, const char *text, long *ret)
{
    char *end;

    for (long i = 0; f->names && f->names[i]; i++) {
        if (f->names[i][0] && strcasecmp(text, f->names[i]) == 0) {
            *ret = i;
            return true;
        }
    }
    *ret = strtol(text, &end, 10);
    return text[0] && !*end;
}

/* "*", "?", "a", "a-b", each with "/step". */
static bool item_allows(const struct field *f, const char *item, long value, bool *star)
{
    char text[WORD_MAX], *slash, *dash;
    long from = f->min, to = f->max, step = 1;

    (void)snprintf(text, sizeof(text), "%s", item);
    slash = strchr(text, '/');
    if (slash) {
        *slash = '\0';
        step = strtol(slash + 1, NULL, 10);
    }
    dash = strchr(text, '-');
    if (dash)
        *dash = '\0';
    if (strcmp(text, "*") == 0 || strcmp(text, "?") == 0) {
        *star = *star || step == 1;
    } else {
        if (!read_value(f, text, &from) || (dash && !read_value(f, dash + 1, &to)))
            return false;
        if (!dash && !slash)
            to = from;
        else if (!dash && f->min == 7)
            to = 6; /* N/step ends on Saturday, so it never reaches Sunday's second number */
    }
    return value >= from && value <= to && (value - from) % step == 0;
}

static bool field_allows(const struct field *f, const char *list, long value, bool *star)
{
    char text[WORD_MAX], *rest = text, *item;
    bool allowed = false;

    (void)snprintf(text, sizeof(text), "%s", list);
    while ((item = strsep(&rest, ",")))
        allowed = item_allows(f, item, value, star) || allowed;
    return allowed;
}

static void ask_all(const struct field *f, const char *text, bool *allowed, bool *star)
{
    for (long v = f->min; v <= f->max; v++)
        allowed[v] = field_allows(f, text, v, star);
}

static const char *without_macro(const char *text)
{
    static const char *const macros[][2] = {
        {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"},  {"@monthly", "0 0 1 * *"}, {"@weekly", "0 0 * * 0"},
        {"@daily", "0 0 * * *"},  {"@midnight", "0 0 * * *"}, {"@hourly", "0 * * * *"},
    };

    for (size_t i = 0; i < sizeof(macros) / sizeof(macros[0]); i++)
        if (strcmp(text, macros[i][0]) == 0)
            return macros[i][1];
    return text;
}

/* "1h30m10s" */
static int64_t read_every(const char *text)
{
    int64_t s = 0;
    char *end;

    for (; *text; text = end + 1) {
        long n = strtol(text, &end, 10);

        if (end == text || !strchr("hms", *end) || !*end)
            return 0;
        s += n * (*end == 'h' ? 3600 : *end == 'm' ? 60 : 1);
    }
    return s;
}

bool oracle_read(struct oracle *o, const char *expression)
{
    static const struct field minute = {0, 59, NULL}, hour = {0, 23, NULL}, day = {1, 31, NULL},
                              month = {1, 12, month_names}, weekday = {0, 6, weekday_names},
                              sunday = {7, 7, NULL}; /* its second number */
    char words[5][WORD_MAX];
    bool unused = false, is_seven = false;

    *o = (struct oracle){0};
    if (strncmp(expression, "@every ", 7) == 0) {
        o->every_s = read_every(expression + 7);
        return o->every_s > 0;
    }
    if (sscanf(without_macro(expression), "%127s %127s %127s %127s %127s", words[0], words[1], words[2], words[3],
               words[4]) != 5)
        return false;
    ask_all(&minute, words[0], o->minute, &unused);
    ask_all(&hour, words[1], o->hour, &unused);
    ask_all(&day, words[2], o->day, &o->day_is_star);
    ask_all(&month, words[3], o->month, &unused);
    ask_all(&weekday, words[4], o->weekday, &o->weekday_is_star);
    if (strchr(words[4], '7')) {
        is_seven = field_allows(&sunday, words[4], 7, &unused);
        o->weekday[0] = o->weekday[0] || is_seven;
    }
    return true;
}

static bool day_allowed(const struct oracle *o, const struct tm *t)
{
    bool day = o->day[t->tm_mday], weekday = o->weekday[t->tm_wday];

    if (!o->month[t->tm_mon + 1])
        return false;
    return o->day_is_star || o->weekday_is_star ? day && weekday : day || weekday;
}

int64_t oracle_next(const struct oracle *o, int64_t after_s)
{
    time_t t = (time_t)after_s;
    struct tm now;
    long second;

    if (o->every_s)
        return after_s + o->every_s;
    (void)gmtime_r(&t, &now);
    second = now.tm_hour * 3600L + now.tm_min * 60L + now.tm_sec;
    for (int64_t midnight = after_s - second, days = 0; days <= YEARS * 366; midnight += 86400, days++, second = -1) {
        t = (time_t)midnight;
        (void)gmtime_r(&t, &now);
        if (!day_allowed(o, &now))
            continue;
        for (int m = 0; m < 1440; m++)
            if (m * 60L > second && o->hour[m / 60] && o->minute[m % 60])
                return midnight + m * 60L;
    }
    return INT64_MAX;
}
