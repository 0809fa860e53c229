/*
 * schedule_record: what an invoker's record says of its schedule, and what is written into it.
 *
 * Edits. Due times are those of the schedule that is there now, and a time that came before the edit was never due.
 * Nobody keeps when that was, so the patch of last-schedule-time L carries the schedule that it was written by. If that
 * is another one, the edit lies somewhere in (L, now]: as a rule just now, since an edit is noted at once, but maybe
 * long ago, while nobody led. So of the new schedule's times only the latest counts, and only if it came less than
 * catch_up_s ago: what a CronJob would do with startingDeadlineSeconds. All before it are not told of as missed. With
 * @every there is none: its first time is that long after the edit was noted.
 */
#include "controllers/schedule_parts.h"

#include <string.h>

#include "controllers/trigger.h"
#include "core/base/json.h"

/* Window of the annotation schedule-spread: at most half of the shortest gap; not for @every (multitenancy.md 4.3). */
static int64_t spread_of(const struct kobj *o, const struct cron *cron)
{
    int64_t ns = 0, window_s, gap_s = cron_shortest_gap(cron);
    uint64_t hash = 0;
    char hex[65];

    if (cron->every_s || str_parse_duration_ns(str_of(kobj_get(o, "annotation:stash.appscode.com/schedule-spread")),
                                               &ns, NULL) < 0)
        return 0;
    window_s = ns / 1000000000;
    if (window_s > gap_s / 2)
        window_s = gap_s / 2;
    if (window_s <= 0)
        return 0;
    str_sha256_hex(str_of(o->uid), hex);
    for (int i = 0; i < 16; i++)
        hash = hash << 4 | (uint64_t)(hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10);
    return (int64_t)(hash % (uint64_t)window_s);
}

static bool parse(const struct kobj *o, struct cron *ret)
{
    const char *schedule = kobj_text(o, "spec.schedule");

    return !o->deleting && schedule[0] && strcmp(kobj_text(o, "spec.paused"), "true") != 0 &&
           strcmp(kobj_text(o, "status.phase"), "Ready") == 0 && cron_parse(ret, str_of(schedule), NULL) == 0;
}

void schedule_last(const struct kobj *o, int64_t now_s, struct schedule *ret)
{
    if (str_parse_time(str_of(kobj_get(o, "annotation:" SCHEDULE_ANNOTATION)), &ret->last_s) < 0)
        ret->last_s = o->created_s;
    if (ret->last_s > now_s + SCHEDULE_AHEAD_MAX_S)
        ret->last_s = now_s;
}

/* Its document is that of the record's version or a newer one, and then the patch meets a conflict. */
void schedule_record(struct world *w, const struct kobj *o, int64_t last_s, const struct ledger_entry *entry,
                     struct plan *p)
{
    const json_t *doc = world_doc(w, o->kind, o->ns, o->name);
    char text[32];

    if (doc)
        plan_patch(p, o->kind, o->ns, o->name, NULL, o->rv,
                   json_pack("{s:{s:{s:s, s:s, s:s}}}", "metadata", "annotations", SCHEDULE_ANNOTATION,
                             str_format_time(last_s, text), SCHEDULE_TEXT_ANNOTATION, kobj_text(o, "spec.schedule"),
                             LEDGER_ANNOTATION, ledger_add(world_arena(w), doc, entry)));
}

/* Since last-schedule-time was written, or ever if it has not been. A record of an older operator does not tell. */
static bool was_edited(const struct kobj *o)
{
    const char *text = kobj_get(o, "annotation:" SCHEDULE_TEXT_ANNOTATION);

    if (text)
        return strcmp(text, kobj_text(o, "spec.schedule")) != 0;
    return !kobj_get(o, "annotation:" SCHEDULE_ANNOTATION) && o->generation > 1;
}

void schedule_since(const struct schedule_context *c, const struct kobj *o, const struct cron *cron, int64_t now_s,
                    struct schedule *ret)
{
    int64_t from_s = now_s - ret->offset_s - (cron->every_s ? 0 : c->settings->catch_up_s);

    ret->since_s = ret->last_s;
    ret->is_edited = was_edited(o);
    if (ret->is_edited && from_s > ret->since_s)
        ret->since_s = from_s;
}

bool schedule_read(const struct schedule_context *c, const struct kobj *o, int64_t now_s, struct cron *cron,
                   struct schedule *ret)
{
    enum trigger t = trigger_of(c->settings, o);
    const struct kobj *cronjob;

    if (t == TRIGGER_UNKNOWN || !parse(o, cron))
        return false;
    cronjob = t == TRIGGER_CRONJOB ? trigger_cronjob(c->cache, o) : NULL;
    ret->until_s = cronjob ? cronjob->created_s : INT64_MAX;
    ret->offset_s = spread_of(o, cron);
    schedule_last(o, now_s, ret);
    schedule_since(c, o, cron, now_s, ret);
    return !cronjob || cron_next(cron, ret->since_s) <= ret->until_s;
}

bool schedule_of(const struct schedule_context *c, const struct kobj *invoker, int64_t now_s, struct schedule *ret)
{
    struct cron cron;

    return schedule_read(c, invoker, now_s, &cron, ret);
}

int64_t schedule_next(const struct schedule_context *c, const struct kobj *invoker, int64_t now_s, int64_t after_s)
{
    struct schedule s;
    struct cron cron;
    int64_t next;

    if (!schedule_read(c, invoker, now_s, &cron, &s))
        return INT64_MAX;
    if (s.is_edited && s.until_s == INT64_MAX && after_s < now_s)
        return now_s; /* the edit is to be noted */
    if (after_s > s.since_s + s.offset_s)
        s.since_s = after_s - s.offset_s;
    next = cron_next(&cron, s.since_s);
    return next == INT64_MAX || next > s.until_s ? INT64_MAX : next + s.offset_s;
}
