/*
 * checker_schedule: the part of the checker that judges schedules. The operator's patch of last-schedule-time carries
 * the version that it was computed from, so the schedule that it speaks of is the one of the object before the patch.
 */
#include "checker_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controllers/ledger.h"
#include "controllers/schedule.h"
#include "controllers/trigger.h"
#include "core/base/mem.h"

struct checked_invoker *checker_invoker(const struct checker *c, const char *uid)
{
    return map_get(&c->invokers, str_of(uid));
}

static void take_schedule(struct checker *c, struct checked_invoker *i, const char *text)
{
    if (strcmp(i->schedule, text) == 0)
        return;
    memmove(i->schedules + 1, i->schedules, (CHECKED_SCHEDULES - 1) * sizeof(i->schedules[0]));
    if (!oracle_read(&i->schedules[0], text))
        checker_violation(c, "schedule %s is none", text);
    i->n_schedules += i->n_schedules < CHECKED_SCHEDULES;
    (void)snprintf(i->schedule, sizeof(i->schedule), "%s", text);
}

static bool was_made(const struct checker *c, const char *uid, const json_t *config, int64_t due_s)
{
    AUTO_FREE char *name = mem_printf("%s-%lld", json_text(config, "metadata.name"), (long long)due_s);

    return checker_session(c, uid, name) != NULL;
}

/* What became of the due times in (from, to], by what was committed. */
static void judge(struct checker *c, struct checked_invoker *i, const json_t *o, int64_t to_s, const json_t *ledger)
{
    int64_t n = 0, made = 0, d_made = json_int(ledger, "made", 0) - i->made,
            d_coalesced = json_int(ledger, "coalesced", 0) - i->coalesced,
            d_skipped = json_int(ledger, "skipped", 0) - i->skipped;

    for (int64_t t = oracle_next(&i->schedules[0], i->last_s); t <= to_s; t = oracle_next(&i->schedules[0], t)) {
        n++;
        made += was_made(c, json_text(o, "metadata.uid"), o, t);
    }
    c->totals.due += (uint64_t)n;
    c->totals.made += (uint64_t)d_made;
    c->totals.coalesced += (uint64_t)d_coalesced;
    c->totals.missed += (uint64_t)d_skipped;
    if (d_made + d_coalesced + d_skipped != n || (d_made != made && !i->by_cronjob))
        checker_violation(c, "%s (%s): %lld due in (%lld, %lld], %lld sessions made; the ledger says %lld made, %lld "
                             "coalesced, %lld skipped", i->name, i->schedule, (long long)n, (long long)i->last_s,
                          (long long)to_s, (long long)made, (long long)d_made, (long long)d_coalesced,
                          (long long)d_skipped);
}

static void take_ledger(struct checker *c, struct checked_invoker *i, const json_t *o)
{
    const char *text = json_meta(o, "annotations", SCHEDULE_ANNOTATION);
    json_t *ledger = json_loads(json_meta(o, "annotations", LEDGER_ANNOTATION), 0, NULL);
    int64_t s;

    if (str_parse_time(str_of(text), &s) == 0 && s != i->last_s) {
        if (s < i->last_s)
            checker_violation(c, "%s: last-schedule-time went back", i->name);
        judge(c, i, o, s, ledger);
        i->last_s = s;
    }
    i->made = json_int(ledger, "made", 0);
    i->coalesced = json_int(ledger, "coalesced", 0);
    i->skipped = json_int(ledger, "skipped", 0);
    json_decref(ledger);
}

void checker_invoker_changed(struct checker *c, const char *type, const json_t *o)
{
    const char *uid = json_text(o, "metadata.uid");
    struct checked_invoker *i = checker_invoker(c, uid);

    if (!i) {
        i = mem_zalloc(sizeof(*i));
        (void)snprintf(i->name, sizeof(i->name), "%.30s/%.30s", json_text(o, "metadata.namespace"),
                       json_text(o, "metadata.name"));
        if (str_parse_time(str_of(json_text(o, "metadata.creationTimestamp")), &i->last_s) < 0)
            checker_violation(c, "%s has no creation", i->name);
        map_put(&c->invokers, str_of(uid), i);
        take_schedule(c, i, json_text(o, "spec.schedule"));
    }
    take_ledger(c, i, o); /* by the old schedule */
    take_schedule(c, i, json_text(o, "spec.schedule"));
    i->exists = strcmp(type, "DELETED") != 0 && !json_text(o, "metadata.deletionTimestamp")[0];
    i->ready = strcmp(json_text(o, "status.phase"), "Ready") == 0;
    i->paused = json_flag(o, "spec.paused", false);
    i->by_cronjob = i->by_cronjob || strcmp(json_meta(o, "annotations", TRIGGER_ANNOTATION), "cronjob") == 0;
}

/* A session that is no retry is for a due time, whoever made it, and for one that was not told of as missed. */
void checker_session_is_due(struct checker *c, const struct checked_invoker *i, const json_t *session)
{
    const char *name = json_text(session, "metadata.name"), *dash = strrchr(name, '-');
    bool fits = false;
    int64_t due_s;

    if (!i || json_meta(session, "annotations", "stash.appscode.com/retry-of")[0])
        return;
    if (!dash || str_to_i64(str_of(dash + 1), &due_s) < 0) {
        checker_violation(c, "session %s has no due time", name);
        return;
    }
    for (unsigned k = 0; k < i->n_schedules && !fits; k++)
        fits = i->schedules[k].every_s ? true : oracle_next(&i->schedules[k], due_s - 1) == due_s;
    if (!fits)
        checker_violation(c, "session %s is for no due time of %s", name, i->schedule);
    if (due_s <= i->last_s && !i->by_cronjob)
        checker_violation(c, "session %s was made after its due time had been dealt with", name);
}

void checker_all_dealt_with(struct checker *c, int64_t until_s)
{
    size_t it = 0;
    struct str uid;
    void *value;

    while (map_next(&c->invokers, &it, &uid, &value)) {
        const struct checked_invoker *i = value;

        if (i->exists && !i->ready)
            checker_violation(c, "%s is not Ready", i->name);
        if (i->exists && i->ready && !i->paused && !i->by_cronjob &&
            oracle_next(&i->schedules[0], i->last_s) <= until_s)
            checker_violation(c, "%s (%s): what was due at %lld is not dealt with", i->name, i->schedule,
                              (long long)oracle_next(&i->schedules[0], i->last_s));
    }
}
