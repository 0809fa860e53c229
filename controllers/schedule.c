/*
 * schedule: each due time of an invoker ends in exactly one of made, skipped with a reason, coalesced.
 *
 * What is handled lies in the API server, never only in memory: annotation last-schedule-time L of the invoker (all due
 * times up to L are handled), and the BackupSessions, whose names contain the due second. A pass takes the outstanding
 * due times L < d1 < … < dn <= now and does, in this order:
 *
 *     create BackupSession <in>-<dn>         unless dn is too old, or an earlier session has not started yet
 *     patch L := dn                          with the resourceVersion that L was read from
 *     count and tell d1 … dn                 those that have no session as skipped or coalesced
 *
 * The same patch adds d1 … dn to the sums that a user can read (ledger.h).
 *
 * Proof that a kill between any two effects, a leader change, or two leaders at once neither double nor lose one:
 *  - killed before the create: L is unchanged, nothing was made: the next pass sees the same due times (and decides
 *    anew whether dn is too old).
 *  - killed between create and patch: L is unchanged and session <in>-<dn> exists. The next pass has d1 … dm, m >= n.
 *    If m = n, its create finds the name taken by our own object, which is success, and the patch follows. If m > n
 *    (later due times came meanwhile), dn has its session: it is counted as made, not as skipped.
 *  - killed after the patch: dn is handled, L says so. Only counts and the event may be missing, which tell, not
 *    decide.
 *  - two leaders: both creates have one name, so one object; both patches carry the resourceVersion, so one wins and
 *    the other comes back with the newer object, for which nothing is outstanding.
 *  - a stale cache shows an L that is too old: the create meets the existing name, or, if that session was deleted
 *    already, would make it again. So nothing is done while the record is not of the version that the API server sent
 *    last. Who becomes the leader has no document from before and asks: its watches may have heard nothing for as long
 *    as it took to win the Lease.
 *  - the clock steps back: now < L, nothing is outstanding. L more than a day ahead of the clock can only come from a
 *    clock that was wrong: L := now, and names still keep what was made from being made again.
 *  - the clock steps forward, or nobody led for long: the outstanding ones shrink to the latest, and that is made only
 *    if it was due less than 600 s before the pass was asked for. Time in the queue, back-off included, does not count:
 *    what a leader has taken on stays valid.
 */
#include "controllers/schedule_parts.h"

#include <string.h>

#include "controllers/sessionspec.h"
#include "core/base/buf.h"
#include "core/base/json.h"

enum {
    DUE_MAX = 10000, /* a week of each minute; of more, the sums tell less than there was */
    ASKED_MAX = 4,
};

enum phase { TRIGGERS };
static const char *const phases[] = {"", NULL};

struct view {
    const struct kobj *self;
    int64_t last_s, latest_s; /* latest_s INT64_MIN: nothing is outstanding */
    int64_t outstanding;      /* due times in (last_s, latest_s] */
    int64_t made;             /* of them, those that have a session */
    int64_t before_s;         /* the last of them before latest_s; INT64_MIN: there is none */
    int64_t now_s;            /* up to here: the clock less the spreading */
    bool clock_was_ahead, too_late, is_edited;
    const char *waiting; /* name of a session of this invoker that has not started; NULL */
    bool is_behind; /* the record is not of the version that the API server sent last */
};

/* ---- the look ---- */

struct look {
    struct view *v;
    const struct cron *cron;
};

/* The due second that a session's name ends in; INT64_MIN for a name made by hand. */
static int64_t due_of(const struct kobj *session)
{
    const char *dash = strrchr(session->name, '-');
    int64_t s;

    return dash && str_to_i64(str_of(dash + 1), &s) == 0 ? s : INT64_MIN;
}

static bool waits(const char *phase)
{
    return !phase[0] || strcmp(phase, "Pending") == 0;
}

/* Is it a due time of this schedule, and not the second of somebody's own name? Retries of older operators are named
 * like due times, too: their annotation tells. */
static bool is_due_time(const struct look *l, int64_t s)
{
    if (l->cron->every_s)
        return (s - l->v->last_s) % l->cron->every_s == 0;
    return cron_next(l->cron, s - 1) == s;
}

static bool look_at_session(void *ctx, const struct kobj *o)
{
    struct look *l = ctx;
    struct view *v = l->v;
    const char *phase = kobj_text(o, "status.phase");
    int64_t due_s = due_of(o);

    if (strcmp(kobj_text(o, "spec.invoker.kind"), v->self->kind->name) != 0)
        return true;
    /* A session that still waits, other than the one of the very time at hand (that one was made before a kill). */
    if (waits(phase) && due_s != v->latest_s && !o->deleting)
        v->waiting = o->name;
    if (strcmp(o->owner_uid, v->self->uid) == 0 && due_s > v->last_s && due_s <= v->latest_s &&
        kobj_text(o, "annotation:" SESSIONSPEC_RETRY_OF)[0] == '\0' && is_due_time(l, due_s))
        v->made++;
    return true;
}

/* The session of a due time that the cache has none of: the one who led before may have made it and been killed, and
 * the watch be behind. */
static void ask_for(struct world *w, struct view *v, int64_t due_s)
{
    const struct kind *k = kind_get(KIND_BACKUPSESSION);
    const char *name = sessionspec_name(world_arena(w), v->self->name, due_s);
    const json_t *doc;

    if (cache_find(world_cache(w), k, v->self->ns, name))
        return;
    doc = world_doc(w, k, v->self->ns, name);
    if (!doc || strcmp(kobj_owner_uid_in(doc), v->self->uid) != 0 ||
        *json_meta(doc, "annotations", SESSIONSPEC_RETRY_OF))
        return;
    v->made++;
    if (waits(json_text(doc, "status.phase")) && due_s != v->latest_s && !*json_text(doc, "metadata.deletionTimestamp"))
        v->waiting = name;
}

/* Before due times are told of as missed. Who led before made the first of them, or after an absence the latest that
 * there was: more than a few are never his. */
static void ask_for_unseen(struct world *w, struct look *l)
{
    struct view *v = l->v;
    int64_t t = v->last_s;

    if (v->made >= v->outstanding)
        return;
    for (int i = 0; i < ASKED_MAX && (t = cron_next(l->cron, t)) < v->latest_s; i++)
        ask_for(w, v, t);
    if (v->before_s != INT64_MIN && v->before_s > t)
        ask_for(w, v, v->before_s);
    if (v->too_late || v->waiting)
        ask_for(w, v, v->latest_s); /* else it is made, and the API server says whether it was */
}

static void count_until(struct view *v, const struct cron *cron, int64_t until_s)
{
    int64_t t = cron_next(cron, v->last_s);

    if (cron->every_s && t <= until_s) {
        v->outstanding = (until_s - v->last_s) / cron->every_s;
        v->latest_s = v->last_s + v->outstanding * cron->every_s;
        v->before_s = v->outstanding > 1 ? v->latest_s - cron->every_s : INT64_MIN;
        return;
    }
    while (t <= until_s && v->outstanding < DUE_MAX) {
        v->before_s = v->latest_s;
        v->latest_s = t;
        v->outstanding++;
        t = cron_next(cron, t);
    }
}

/* Due times in (last, now]; after the first thousands only the latest is looked for. */
static void count_outstanding(struct view *v, const struct cron *cron, const struct schedule *s, int64_t now_s,
                              int64_t catch_up_s)
{
    int64_t until_s = now_s - s->offset_s < s->until_s ? now_s - s->offset_s : s->until_s;

    v->now_s = until_s;
    v->last_s = s->since_s;
    v->is_edited = s->is_edited;
    v->latest_s = v->before_s = INT64_MIN;
    count_until(v, cron, until_s);
    if (v->is_edited && v->outstanding > 1) { /* those before the latest may never have been due */
        v->last_s = v->before_s;
        v->before_s = INT64_MIN;
        v->outstanding = 1;
    }
    if (v->outstanding < DUE_MAX || cron->every_s)
        return;
    for (int64_t t = cron_next(cron, until_s - catch_up_s); t <= until_s; t = cron_next(cron, t)) {
        v->before_s = t > v->latest_s ? v->latest_s : v->before_s;
        v->latest_s = t > v->latest_s ? t : v->latest_s;
    }
}

static void look_at_sessions(const struct world *w, struct look *l)
{
    const struct kobj *self = l->v->self;
    struct buf key;

    buf_init(&key, 1024);
    buf_printf(&key, "%s/%s", self->ns, self->name);
    cache_each_by(world_cache(w), kind_get(KIND_BACKUPSESSION), "spec.invoker.name", key.data, look_at_session, l);
    buf_done(&key);
}

static int observe(struct world *w, const struct kobj *self, void *view)
{
    struct view *v = view;
    struct schedule s;
    struct cron cron;
    struct look l = {v, &cron};
    const struct schedule_context context = {world_cache(w), world_settings(w)};
    int64_t now_s = world_now_s(w), last_s;
    const json_t *doc;

    v->self = self;
    if (!schedule_read(&context, self, now_s, &cron, &s))
        return PHASE_REST;
    v->clock_was_ahead = str_parse_time(str_of(kobj_get(self, "annotation:" SCHEDULE_ANNOTATION)), &last_s) == 0 &&
                         last_s > now_s + SCHEDULE_AHEAD_MAX_S;
    count_outstanding(v, &cron, &s, now_s, world_settings(w)->catch_up_s);
    v->too_late = v->latest_s + s.offset_s <= world_asked_s(w) - world_settings(w)->catch_up_s;
    look_at_sessions(w, &l);
    doc = v->latest_s == INT64_MIN && !v->is_edited ? NULL : world_doc(w, self->kind, self->ns, self->name);
    v->is_behind = doc && strcmp(json_text(doc, "metadata.resourceVersion"), self->rv) != 0;
    if (doc && !v->is_behind)
        ask_for_unseen(w, &l);
    return TRIGGERS;
}

void schedule_record_made(struct world *w, const struct kobj *invoker, int64_t until_s, struct plan *p)
{
    struct view v = {.self = invoker};
    struct schedule s = {.until_s = until_s};
    const struct schedule_context context = {world_cache(w), world_settings(w)};
    struct cron cron;
    struct look l = {&v, &cron};
    int64_t n;

    schedule_last(invoker, world_now_s(w), &s);
    if (cron_parse(&cron, str_of(kobj_text(invoker, "spec.schedule")), NULL) < 0) {
        schedule_record(w, invoker, until_s, &(struct ledger_entry){.from_s = s.last_s, .made = 1}, p);
        return;
    }
    schedule_since(&context, invoker, &cron, until_s, &s);
    count_outstanding(&v, &cron, &s, until_s, world_settings(w)->catch_up_s);
    look_at_sessions(w, &l);
    ask_for_unseen(w, &l);
    v.made += v.made == 0; /* the last one was made, and its session may be gone */
    n = v.outstanding > v.made ? v.outstanding - v.made : 0;
    schedule_record(w, invoker, until_s,
                    &(struct ledger_entry){.from_s = s.last_s, .made = v.made, .skipped = n, .missed_s = v.before_s,
                                           .reason = "NotMade"}, p);
}

/* ---- rows ---- */

static bool clock_was_ahead(const void *view)
{
    const struct view *v = view;

    return v->clock_was_ahead;
}

static bool nothing_due(const void *view)
{
    const struct view *v = view;

    return v->latest_s == INT64_MIN && !v->is_edited;
}

/* Nothing is due, but the schedule is another one. */
static bool is_edited(const void *view)
{
    const struct view *v = view;

    return v->latest_s == INT64_MIN;
}

static void note_edit(const void *view, struct world *w, struct plan *p)
{
    const struct view *v = view;
    int64_t last_s = v->last_s > v->now_s ? v->last_s : v->now_s;

    schedule_record(w, v->self, last_s, &(struct ledger_entry){.from_s = last_s}, p);
}

static bool is_behind(const void *view)
{
    const struct view *v = view;

    return v->is_behind;
}

/* The newer record wakes us; should it be one in which nothing has changed for the scheduler, the clock does. */
static void wait_for_record(const void *view, struct world *w, struct plan *p)
{
    (void)view;
    plan_wake_at(p, world_now_s(w) + 1);
}

static bool too_late(const void *view)
{
    const struct view *v = view;

    return v->too_late;
}

static bool still_waiting(const void *view)
{
    const struct view *v = view;

    return v->waiting != NULL;
}

static const char missed[] = "stash_operator_schedule_missed_total";

static void forget_wrong_clock(const void *view, struct world *w, struct plan *p)
{
    const struct view *v = view;

    schedule_record(w, v->self, world_now_s(w), &(struct ledger_entry){.from_s = world_now_s(w)}, p);
    plan_event(p, "Warning", "BackupSession Skipped",
               "the last handled time lay more than a day in the future: the clock was wrong");
}

/* All outstanding ones passed without a session. */
static void skip(const void *view, struct world *w, struct plan *p)
{
    const struct view *v = view;
    int64_t n = v->outstanding - v->made;
    char text[32];

    schedule_record(w, v->self, v->latest_s,
                    &(struct ledger_entry){.from_s = v->last_s, .made = v->made, .skipped = n, .missed_s = v->latest_s,
                                           .reason = "TooLate"}, p);
    if (n <= 0)
        return;
    plan_count(p, missed, "too_late", (double)n);
    plan_event(p, "Warning", "BackupSession Skipped", "%lld due times up to %s passed without a backup: too late now",
               (long long)n, str_format_time(v->latest_s, text));
}

static void coalesce(const void *view, struct world *w, struct plan *p)
{
    const struct view *v = view;
    int64_t n = v->outstanding - v->made;

    schedule_record(w, v->self, v->latest_s,
                    &(struct ledger_entry){.from_s = v->last_s, .made = v->made, .coalesced = n,
                                           .missed_s = v->latest_s, .reason = "Coalesced"}, p);
    if (n <= 0)
        return;
    plan_count(p, missed, "coalesced", (double)n);
    plan_event(p, "Normal", "BackupSession Skipped", "due again while BackupSession %s still waits", v->waiting);
}

static void make(const void *view, struct world *w, struct plan *p)
{
    const struct view *v = view;
    const json_t *doc = world_doc(w, v->self->kind, v->self->ns, v->self->name);
    const char *name = sessionspec_name(world_arena(w), v->self->name, v->latest_s);
    bool have = cache_find(world_cache(w), kind_get(KIND_BACKUPSESSION), v->self->ns, name) != NULL;
    int64_t n = v->outstanding - v->made - !have;
    char text[32];

    if (!doc)
        return;
    plan_create(p, kind_get(KIND_BACKUPSESSION), v->self->ns, sessionspec_make(world_arena(w), doc, name, -1));
    n = n > 0 ? n : 0; /* those before it are coalesced into the one that is made */
    schedule_record(w, v->self, v->latest_s,
                    &(struct ledger_entry){.from_s = v->last_s, .made = v->outstanding - n, .coalesced = n,
                                           .missed_s = v->before_s, .reason = "Coalesced"}, p);
    plan_event(p, "Normal", "BackupSession Created", "BackupSession %s is due", name);
    if (!n)
        return;
    plan_count(p, missed, "coalesced", (double)n);
    plan_event(p, "Normal", "BackupSession Skipped", "%lld due times up to %s passed without a backup of their own",
               (long long)n, str_format_time(v->before_s, text));
}

static const struct rule rules[] = {
    {TRIGGERS, clock_was_ahead, forget_wrong_clock, TRIGGERS, "ClockWasAhead"},
    {TRIGGERS, nothing_due,     NULL,               TRIGGERS, "NothingDue"   },
    {TRIGGERS, is_behind,       wait_for_record,    TRIGGERS, "RecordIsOld"  },
    {TRIGGERS, is_edited,       note_edit,          TRIGGERS, "ScheduleEdited"},
    {TRIGGERS, too_late,        skip,               TRIGGERS, "TooLate"      },
    {TRIGGERS, still_waiting,   coalesce,           TRIGGERS, "Coalesced"    },
    {TRIGGERS, NULL,            make,               TRIGGERS, "SessionMade"  },
};

const struct controller schedule_controller = {
    .name = "schedule",
    .kind = KIND_BACKUPCONFIGURATION,
    .component = "BackupConfiguration Controller",
    .phases = phases,
    .rules = rules,
    .n_rules = sizeof(rules) / sizeof(rules[0]),
    .view_size = sizeof(struct view),
    .observe = observe,
    .by_wake_only = true,
};
