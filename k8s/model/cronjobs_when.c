/*
 * cronjobs_when: which due time of a schedule is to be served now, and when to look again.
 *
 * Many due times may have passed while nobody looked; only the latest counts. It is not found by walking over all of
 * them, which after years of a minute's schedule would be millions: the first gap tells about how many there are, and
 * the walk begins one gap before the end of so many. For uneven schedules ("30 6-16/4 * * 1-5") that leaves a longer
 * walk, or a start so late that no due time is left before now; then nothing is due, as on the real controller.
 */
#include "k8s/model/cronjobs.h"

enum {
    DELTA_MS = 100, /* clocks differ: a look at exactly the due time might be a moment early */
    MANY = 100,
};

struct due cronjobs_due(const struct cron *schedule, int64_t earliest_s, int64_t now_ms)
{
    int64_t first = cron_next(schedule, earliest_s), second, gap, count;
    struct due d = {.at_s = -1};

    if (first == INT64_MAX) {
        d.never = true;
        return d;
    }
    if (now_ms < first * 1000)
        return d;
    second = cron_next(schedule, first);
    if (second == INT64_MAX || now_ms < second * 1000) {
        d.at_s = first;
        return d;
    }
    gap = second - first;
    count = (now_ms / 1000 - first) / gap + 1;
    d.missed = count > MANY ? MISSED_MANY : MISSED_FEW;
    for (int64_t t = cron_next(schedule, first + (count - 2) * gap); t != INT64_MAX && t * 1000 <= now_ms;
         t = cron_next(schedule, t))
        d.at_s = t;
    return d;
}

uint64_t cronjobs_wait(const struct cron *schedule, int64_t earliest_s, int64_t now_ms)
{
    struct due d = cronjobs_due(schedule, earliest_s, now_ms);
    int64_t from = d.at_s, next;

    if (from < 0)
        from = d.missed == MISSED_NONE && !d.never ? earliest_s : now_ms / 1000;
    next = cron_next(schedule, from);
    if (next == INT64_MAX)
        return UINT64_MAX;
    next = next * 1000 + DELTA_MS - now_ms;
    return next > 0 ? (uint64_t)next : 0;
}
