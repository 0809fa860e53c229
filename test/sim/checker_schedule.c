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

enum { DUE_MAX = 10000 }; /* of schedule.c: of more, the sums tell no more */

struct checked_invoker *checker_invoker(const struct checker *c, const char *uid)
{
    return map_get(&c->invokers, str_of(uid));
}

static void take_schedule(struct checker *c, struct checked_invoker *i, const char *text)
{
    if (strcmp(i->schedule, text) == 0)
        return;
    memmove(i->schedules + 1, i->schedules, (CHECKED_SCHEDULES - 1) * sizeof(i->schedules[0]));
    memmove(i->replaced_ns + 1, i->replaced_ns, (CHECKED_SCHEDULES - 1) * sizeof(i->replaced_ns[0]));
    i->replaced_ns[1] = checker_now_ns(c);
    i->replaced_ns[0] = 0;
    i->steady_ns = checker_now_ns(c);
    if (!oracle_read(&i->schedules[0], text))
        checker_violation(c, "schedule %s is none", text);
    i->n_schedules += i->n_schedules < CHECKED_SCHEDULES;
    (void)snprintf(i->schedule, sizeof(i->schedule), "%s", text);
}

/* Nothing has stood in the way of what was due then, nor of its being made at once. */
static bool was_calm(const struct checker *c, const struct checked_invoker *i, int64_t due_s)
{
    uint64_t since_ns = c->calm_ns > i->steady_ns ? c->calm_ns : i->steady_ns;
    int64_t ago_s = checker_now_s(c) - due_s;

    return c->calm_ns != UINT64_MAX && !i->by_cronjob && !i->off_ns && ago_s >= 0 &&
           checker_now_ns(c) / 1000000000 >= since_ns / 1000000000 + (uint64_t)ago_s + CHECKED_CALM_S;
}

/* NULL: it was never made. A retry is for no due time, whatever its name. */
static const struct checked_session *session_of(const struct checker *c, const json_t *config, int64_t due_s)
{
    AUTO_FREE char *name = mem_printf("%s-%lld", json_text(config, "metadata.name"), (long long)due_s);
    const struct checked_session *s;

    s = checker_session(c, json_text(config, "metadata.uid"), name);
    return s && !s->is_retry ? s : NULL;
}

/* A session of it waits for what has outlived its own (a pod whose Job was deleted without it): what is due meanwhile
 * is one with that session. */
static bool is_in_line(const struct checker *c, const struct checked_invoker *i, const json_t *config)
{
    return i->n_open && !i->running && checker_target_is_held(c, config);
}

/* Since it was told of; before the first time, was the object ever? */
static bool is_edited(const struct checked_invoker *i)
{
    return i->told[0] ? strcmp(i->told, i->schedule) != 0 : i->generation > 1;
}

struct outcome_counts {
    int64_t due, made, there; /* there: made, and not removed by now */
};

static struct outcome_counts count(struct checker *c, const struct checked_invoker *i, const json_t *o, int64_t to_s)
{
    int64_t edit_s = checker_now_s(c) - (int64_t)((checker_now_ns(c) - i->steady_ns) / 1000000000);
    int64_t from_s = is_edited(i) && edit_s > i->last_s ? edit_s : i->last_s;
    struct outcome_counts n = {0};

    for (int64_t t = oracle_next(&i->schedules[0], from_s); t <= to_s && n.due < DUE_MAX;
         t = oracle_next(&i->schedules[0], t)) {
        const struct checked_session *s = session_of(c, o, t);

        n.due++;
        n.made += s != NULL;
        n.there += s && s->exists;
        if (!s && was_calm(c, i, t) && !is_in_line(c, i, o))
            checker_violation(c, "%s (%s): %lld was missed in calm weather", i->name, i->schedule, (long long)t);
    }
    if (is_edited(i)) /* the latest may be from just before the edit */
        n.made = session_of(c, o, to_s) != NULL;
    return n;
}

/* Of a schedule that was edited since it was last told of, only one time may be: nobody knows which of the others were
 * due. Calm weather has no outage to hide behind: there each has its session, whatever is told. */
static bool is_true(const struct checked_invoker *i, struct outcome_counts n, int64_t made, int64_t sum)
{
    if (is_edited(i))
        return made >= 0 && sum >= made && sum <= 1 && made <= n.made;
    return sum == n.due && (i->by_cronjob || (made >= n.there && made <= n.made));
}

/* What became of the due times in (from, to], by what was committed; what history has removed of them is no longer
 * known as made. */
static void judge(struct checker *c, struct checked_invoker *i, const json_t *o, int64_t to_s, const json_t *ledger)
{
    struct outcome_counts n = count(c, i, o, to_s);
    int64_t made = json_int(ledger, "made", 0) - i->made, coalesced = json_int(ledger, "coalesced", 0) - i->coalesced,
            skipped = json_int(ledger, "skipped", 0) - i->skipped, sum = made + coalesced + skipped;

    c->totals.due += (uint64_t)(is_edited(i) ? sum : n.due);
    c->totals.made += (uint64_t)made;
    c->totals.coalesced += (uint64_t)coalesced;
    c->totals.missed += (uint64_t)skipped;
    if (is_true(i, n, made, sum) || (n.due == DUE_MAX && !is_edited(i)))
        return;
    checker_violation(c, "%s (%s): %lld due in (%lld, %lld], %lld sessions made; the ledger says %lld made, %lld "
                         "coalesced, %lld skipped", i->name, i->schedule, (long long)n.due, (long long)i->last_s,
                      (long long)to_s, (long long)n.made, (long long)made, (long long)coalesced, (long long)skipped);
}

/* The schedule that the ledger was last written by. */
static void take_told(struct checker *c, struct checked_invoker *i, const json_t *o)
{
    const char *told = json_meta(o, "annotations", SCHEDULE_TEXT_ANNOTATION);

    if (!told[0] || strcmp(told, i->told) == 0)
        return;
    if (strcmp(told, i->schedule) != 0)
        checker_violation(c, "%s (%s): the ledger is said to be by %s", i->name, i->schedule, told);
    (void)snprintf(i->told, sizeof(i->told), "%s", told);
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

/* Is it there, does it trigger; and since when? */
static void take_state(struct checker *c, struct checked_invoker *i, const char *type, const json_t *o)
{
    bool was_on = i->exists && i->ready && !i->paused, on;

    i->exists = strcmp(type, "DELETED") != 0 && !json_text(o, "metadata.deletionTimestamp")[0];
    i->ready = strcmp(json_text(o, "status.phase"), "Ready") == 0;
    i->paused = json_flag(o, "spec.paused", false);
    on = i->exists && i->ready && !i->paused;
    if (on != was_on)
        i->steady_ns = checker_now_ns(c);
    if (on != was_on || !i->off_ns)
        i->off_ns = on ? 0 : checker_now_ns(c);
    i->by_cronjob = i->by_cronjob || strcmp(json_meta(o, "annotations", TRIGGER_ANNOTATION), "cronjob") == 0;
    i->spreads = i->spreads || json_meta(o, "annotations", "stash.appscode.com/schedule-spread")[0];
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
    i->generation = json_int(o, "metadata.generation", 0);
    take_ledger(c, i, o); /* by the old schedule */
    take_told(c, i, o);
    take_schedule(c, i, json_text(o, "spec.schedule"));
    take_state(c, i, type, o);
}

/* By a schedule that is in force, or was until lately. */
static bool fits_schedule(const struct checker *c, const struct checked_invoker *i, int64_t due_s)
{
    for (unsigned k = 0; k < i->n_schedules; k++) {
        bool old = i->replaced_ns[k] && checker_now_ns(c) > i->replaced_ns[k] + CHECKED_LATE_S * 1000000000ull;

        if (old && !i->by_cronjob)
            return false;
        if (i->schedules[k].every_s || oracle_next(&i->schedules[k], due_s - 1) == due_s)
            return true;
    }
    return false;
}

static void check_time(struct checker *c, const struct checked_invoker *i, const char *name, int64_t due_s)
{
    int64_t prompt_s = CHECKED_PROMPT_S + (i->spreads ? CHECKED_SPREAD_S : 0);

    if (due_s <= i->last_s)
        checker_violation(c, "session %s was made after its due time had been dealt with", name);
    if (due_s > checker_now_s(c) + CHECKED_AHEAD_S)
        checker_violation(c, "session %s was made %lld s before its time", name,
                          (long long)(due_s - checker_now_s(c)));
    if (i->off_ns && checker_now_ns(c) > i->off_ns + CHECKED_LATE_S * 1000000000ull)
        checker_violation(c, "session %s was made for %s, which triggers nothing any more", name, i->name);
    if (checker_now_s(c) - due_s > prompt_s && was_calm(c, i, due_s))
        checker_violation(c, "session %s was made %lld s late in calm weather", name,
                          (long long)(checker_now_s(c) - due_s));
}

/* A session that is no retry is for a due time, whoever made it, and for one that was not told of as missed. */
void checker_session_is_due(struct checker *c, const struct checked_invoker *i, const json_t *session)
{
    const char *name = json_text(session, "metadata.name"), *dash = strrchr(name, '-');
    int64_t due_s;

    if (!i || json_meta(session, "annotations", CHECKED_RETRY)[0])
        return;
    if (!dash || str_to_i64(str_of(dash + 1), &due_s) < 0) {
        checker_violation(c, "session %s has no due time", name);
        return;
    }
    if (!fits_schedule(c, i, due_s))
        checker_violation(c, "session %s is for no due time of %s", name, i->schedule);
    if (!i->by_cronjob)
        check_time(c, i, name, due_s);
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
