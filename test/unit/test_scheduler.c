/* test_scheduler: each due time once: the schedule controller as data, killed between its effects, and the wheel. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "controllers/ledger.h"
#include "controllers/schedule.h"
#include "controllers/scheduler.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "support_env.h"
#include "support_world.h"

static const struct controller *const sc = &schedule_controller;
static const char count_coalesced[] = "count stash_operator_schedule_missed_total{coalesced}";

/* %s: schedule, last handled time. */
static const char config[] =
    "{apiVersion: stash.appscode.com/v1beta1, kind: BackupConfiguration, metadata: {name: db, namespace: demo,"
    " creationTimestamp: '2026-03-01T00:00:00Z', labels: {team: a},"
    " annotations: {stash.appscode.com/last-schedule-time: '%s'}},"
    " spec: {schedule: '%s', target: {ref: {kind: AppBinding, name: pxc}}, retryConfig: {maxRetry: 3}},"
    " status: {phase: Ready}}";

static const char *run(struct test_world *w, const char *now)
{
    test_world_at(w, now);
    return test_world_without(test_world_without(test_world_step(w, sc, "demo", "db"), LEDGER_ANNOTATION),
                              SCHEDULE_TEXT_ANNOTATION);
}

/* "made coalesced skipped reason" */
static const char *sums(struct test_world *w)
{
    static char out[128];
    json_t *ledger = json_loads(json_meta(test_world_get(w, KIND_BACKUPCONFIGURATION, "demo", "db"), "annotations",
                                          LEDGER_ANNOTATION), 0, NULL);

    (void)snprintf(out, sizeof(out), "%lld %lld %lld %s %s", (long long)json_int(ledger, "made", -1),
                   (long long)json_int(ledger, "coalesced", -1), (long long)json_int(ledger, "skipped", -1),
                   json_text(ledger, "lastMissed"), json_text(ledger, "lastMissedReason"));
    json_decref(ledger);
    return out;
}

static const char *last_time(struct test_world *w)
{
    return json_meta(test_world_get(w, KIND_BACKUPCONFIGURATION, "demo", "db"), "annotations",
                     "stash.appscode.com/last-schedule-time");
}

static const json_t *session(struct test_world *w, const char *due)
{
    int64_t s;
    AUTO_FREE char *name = NULL;

    assert_int_equal(str_parse_time(str_of(due), &s), 0);
    name = mem_printf("db-%lld", (long long)s);
    return test_world_get(w, KIND_BACKUPSESSION, "demo", name);
}

static void a_due_time_makes_a_session_and_then_is_handled(void **state)
{
    struct test_world *w = *state;
    const json_t *s;

    test_world_addf(w, config, "2026-03-01T01:00:00Z", "0 2 * * *");
    assert_string_equal(run(w, "2026-03-01T01:59:59Z"), "");
    assert_string_equal(run(w, "2026-03-01T02:00:00Z"),
                        "create BackupSession demo/db-1772330400\n"
                        "patch BackupConfiguration demo/db annotation:stash.appscode.com/last-schedule-time="
                        "2026-03-01T02:00:00Z\n"
                        "event Normal BackupSession Created: BackupSession db-1772330400 is due\n");
    s = session(w, "2026-03-01T02:00:00Z");
    assert_non_null(s);
    assert_string_equal(json_text(s, "spec.invoker.name"), "db");
    assert_string_equal(json_text(s, "spec.invoker.apiGroup"), "stash.appscode.com");
    assert_int_equal(json_int(s, "spec.retryLeft", -1), 3);
    assert_string_equal(json_meta(s, "labels", "team"), "a");
    assert_string_equal(json_meta(s, "labels", "stash.appscode.com/invoker-type"), "BackupConfiguration");
    assert_string_equal(json_meta(s, "labels", "stash.appscode.com/target-namespace"), "demo");
    assert_string_equal(json_text(s, "metadata.ownerReferences.0.uid"), "uid-db");
    assert_true(json_flag(s, "metadata.ownerReferences.0.controller", false));
    assert_string_equal(run(w, "2026-03-01T02:00:01Z"), "");
}

static void paused_not_ready_and_deleted_ones_trigger_nothing(void **state)
{
    struct test_world *w = *state;

    test_world_addf(w, config, "2026-03-01T01:00:00Z", "0 2 * * *");
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{spec: {paused: true}}");
    assert_string_equal(run(w, "2026-03-01T02:00:00Z"), "");
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{spec: {paused: false}, status: {phase: NotReady}}");
    assert_string_equal(run(w, "2026-03-01T02:00:00Z"), "");
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db",
                     "{metadata: {deletionTimestamp: '2026-03-01T01:00:00Z'}, status: {phase: Ready}}");
    assert_string_equal(run(w, "2026-03-01T02:00:00Z"), "");
}

static void after_a_pause_at_most_one_run_and_only_a_fresh_one(void **state)
{
    struct test_world *w = *state;

    test_world_addf(w, config, "2026-03-01T00:00:00Z", "*/5 * * * *");
    /* An hour nobody looked: eleven of twelve are gone into the latest. */
    assert_non_null(
        strstr(run(w, "2026-03-01T01:03:00Z"), "count stash_operator_schedule_missed_total{coalesced} 11\n"));
    assert_non_null(session(w, "2026-03-01T01:00:00Z"));
    assert_int_equal(cache_count(w->cache, kind_get(KIND_BACKUPSESSION)), 1);
    /* A daily one that is an hour late is not made. */
    test_world_addf(w, config, "2026-02-28T02:00:00Z", "0 2 * * *");
    assert_string_equal(run(w, "2026-03-01T03:00:00Z"),
                        "patch BackupConfiguration demo/db annotation:stash.appscode.com/last-schedule-time="
                        "2026-03-01T02:00:00Z\n"
                        "count stash_operator_schedule_missed_total{too_late} 1\n"
                        "event Warning BackupSession Skipped: 1 due times up to 2026-03-01T02:00:00Z passed without a "
                        "backup: too late now\n");
    assert_string_equal(run(w, "2026-03-01T03:00:01Z"), "");
}

static void time_in_the_queue_does_not_make_it_too_late(void **state)
{
    struct test_world *w = *state;

    test_world_addf(w, config, "2026-03-01T01:00:00Z", "0 2 * * *");
    test_world_at(w, "2026-03-01T02:00:00Z");
    w->asked_ms = w->now_ms;
    run(w, "2026-03-01T03:30:00Z");
    assert_non_null(session(w, "2026-03-01T02:00:00Z"));
}

static void with_a_record_that_is_behind_nothing_is_made(void **state)
{
    struct test_world *w = *state;
    json_t *meta;

    test_world_addf(w, config, "2026-03-01T01:00:00Z", "0 2 * * *");
    meta = json_at(test_world_get(w, KIND_BACKUPCONFIGURATION, "demo", "db"), "metadata");
    json_object_set_new(meta, "resourceVersion", json_string("999")); /* the watch has not brought it yet */
    run(w, "2026-03-01T02:00:00Z");
    assert_null(session(w, "2026-03-01T02:00:00Z"));
    assert_string_equal(last_time(w), "2026-03-01T01:00:00Z");
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{metadata: {labels: {team: b}}}");
    run(w, "2026-03-01T02:00:01Z");
    assert_non_null(session(w, "2026-03-01T02:00:00Z"));
}

static void due_again_while_a_session_waits_is_coalesced(void **state)
{
    struct test_world *w = *state;

    test_world_addf(w, config, "2026-03-01T01:55:00Z", "*/5 * * * *");
    run(w, "2026-03-01T02:00:00Z");
    assert_non_null(strstr(run(w, "2026-03-01T02:05:00Z"), count_coalesced));
    assert_null(session(w, "2026-03-01T02:05:00Z"));
    assert_string_equal(last_time(w), "2026-03-01T02:05:00Z");
    /* Running is not waiting: the session controller decides about that one. */
    test_world_patch(w, KIND_BACKUPSESSION, "demo", "db-1772330400", "{status: {phase: Running}}");
    run(w, "2026-03-01T02:10:00Z");
    assert_non_null(session(w, "2026-03-01T02:10:00Z"));
}

static void a_session_made_before_a_kill_is_not_counted_as_missed(void **state)
{
    static const char *const schedules[] = {"@every 45m", "45 * * * *"};
    struct test_world *w = *state;

    for (size_t i = 0; i < 2; i++) {
        test_world_addf(w, config, "2026-03-01T01:00:00Z", schedules[i]);
        test_world_at(w, "2026-03-01T01:45:00Z");
        test_world_decide(w, sc, "demo", "db");
        list_del(w->plan.effects.next->next); /* the patch: killed before it */
        test_world_carry_out(w);
        assert_string_equal(run(w, "2026-03-01T01:45:01Z"),
                            "create BackupSession demo/db-1772329500\n"
                            "patch BackupConfiguration demo/db annotation:stash.appscode.com/last-schedule-time="
                            "2026-03-01T01:45:00Z\n"
                            "event Normal BackupSession Created: BackupSession db-1772329500 is due\n");
        assert_int_equal(cache_count(w->cache, kind_get(KIND_BACKUPSESSION)), 1);
    }
}

/* A new leader, whose watch of sessions is behind, is awake some due times later. */
static void what_another_leader_made_is_known_though_unseen(void **state)
{
    struct test_world *w = *state;

    for (int is_too_late = 0; is_too_late < 2; is_too_late++) {
        w->settings.catch_up_s = is_too_late ? 60 : 600;
        test_world_addf(w, config, "2026-03-01T01:00:00Z", "*/5 * * * *");
        test_world_at(w, "2026-03-01T01:05:00Z");
        test_world_decide(w, sc, "demo", "db");
        list_del(w->plan.effects.next->next); /* the patch: killed before it */
        test_world_carry_out(w);
        test_world_patch(w, KIND_BACKUPSESSION, "demo", "db-1772327100", "{status: {phase: Succeeded}}");
        test_world_unseen(w, KIND_BACKUPSESSION, "demo", "db-1772327100");
        run(w, "2026-03-01T01:16:30Z");
        assert_string_equal(sums(w), is_too_late ? "1 0 2 2026-03-01T01:15:00Z TooLate"
                                                 : "2 1 0 2026-03-01T01:10:00Z Coalesced");
        test_world_del(w, KIND_BACKUPSESSION, "demo", "db-1772327100");
        test_world_del(w, KIND_BACKUPSESSION, "demo", "db-1772327700");
    }
}

/* It waits, and the next one is due: that one is coalesced into it, as if it were seen. */
static void an_unseen_session_that_waits_is_seen(void **state)
{
    struct test_world *w = *state;

    test_world_addf(w, config, "2026-03-01T01:00:00Z", "*/5 * * * *");
    test_world_at(w, "2026-03-01T01:05:00Z");
    test_world_decide(w, sc, "demo", "db");
    list_del(w->plan.effects.next->next);
    test_world_carry_out(w);
    test_world_unseen(w, KIND_BACKUPSESSION, "demo", "db-1772327100");
    run(w, "2026-03-01T01:10:30Z");
    assert_string_equal(sums(w), "1 1 0 2026-03-01T01:10:00Z Coalesced");
    assert_null(session(w, "2026-03-01T01:10:00Z"));
}

static void what_became_of_each_due_time_stands_in_the_ledger(void **state)
{
    struct test_world *w = *state;

    test_world_addf(w, config, "2026-03-01T00:00:00Z", "*/5 * * * *");
    run(w, "2026-03-01T00:05:00Z");
    assert_string_equal(sums(w), "1 0 0  ");
    run(w, "2026-03-01T00:10:00Z"); /* that one still waits */
    assert_string_equal(sums(w), "1 1 0 2026-03-01T00:10:00Z Coalesced");
    test_world_patch(w, KIND_BACKUPSESSION, "demo", "db-1772323500", "{status: {phase: Running}}");
    run(w, "2026-03-01T01:00:00Z");
    assert_string_equal(sums(w), "2 10 0 2026-03-01T00:55:00Z Coalesced");
    test_world_patch(w, KIND_BACKUPSESSION, "demo", "db-1772326800", "{status: {phase: Succeeded}}");
    w->settings.catch_up_s = 60; /* an hour without a leader, and the last due time is too old */
    run(w, "2026-03-01T02:02:00Z");
    assert_string_equal(sums(w), "2 10 12 2026-03-01T02:00:00Z TooLate");
    assert_int_equal(2 + 10 + 12, 2 * 60 / 5);
    /* Somebody's own text there: from here on. */
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db",
                     "{metadata: {annotations: {stash.appscode.com/schedule-ledger: 'x'}}}");
    run(w, "2026-03-01T02:05:00Z");
    assert_string_equal(sums(w), "1 0 0  ");
}

static void edit(struct test_world *w, const char *schedule)
{
    AUTO_FREE char *patch = mem_printf("{spec: {schedule: '%s'}}", schedule);

    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", patch);
}

/* Daily at two, then somebody edits it at 10:03. */
static void what_came_before_an_edit_was_never_due(void **state)
{
    struct test_world *w = *state;
    const struct schedule_context context = {w->cache, &w->settings};
    const struct kobj *o;

    test_world_addf(w, config, "2026-03-01T01:00:00Z", "0 2 * * *");
    run(w, "2026-03-01T02:00:00Z");
    assert_string_equal(sums(w), "1 0 0  ");
    test_world_patch(w, KIND_BACKUPSESSION, "demo", "db-1772330400", "{status: {phase: Succeeded}}");
    edit(w, "0 9 * * *"); /* an hour ago: neither made nor missed */
    test_world_at(w, "2026-03-01T10:03:00Z");
    o = cache_find(w->cache, kind_get(KIND_BACKUPCONFIGURATION), "demo", "db");
    assert_int_equal(schedule_next(&context, o, w->now_ms / 1000, INT64_MIN), w->now_ms / 1000); /* noted at once */
    assert_string_equal(run(w, "2026-03-01T10:03:00Z"),
                        "patch BackupConfiguration demo/db annotation:stash.appscode.com/last-schedule-time="
                        "2026-03-01T10:03:00Z\n");
    assert_string_equal(sums(w), "1 0 0  ");
    assert_string_equal(run(w, "2026-03-01T10:03:01Z"), "");
    edit(w, "*/1 * * * *"); /* ten of its times may have been due: only the latest is */
    run(w, "2026-03-01T10:20:30Z");
    assert_string_equal(sums(w), "2 0 0  ");
    assert_non_null(session(w, "2026-03-01T10:20:00Z"));
    test_world_patch(w, KIND_BACKUPSESSION, "demo", "db-1772360400", "{status: {phase: Succeeded}}");
    edit(w, "@every 5m"); /* from the edit on */
    run(w, "2026-03-01T10:30:30Z");
    run(w, "2026-03-01T10:35:29Z");
    assert_string_equal(sums(w), "2 0 0  ");
    run(w, "2026-03-01T10:35:30Z");
    assert_string_equal(sums(w), "3 0 0  ");
    edit(w, "30 10 * * *");
    edit(w, "@every 5m"); /* set back before anybody looked */
    run(w, "2026-03-01T10:45:30Z");
    assert_string_equal(sums(w), "3 2 0 2026-03-01T10:45:30Z Coalesced"); /* that session still waits */
}

/* Nothing is written down for it yet: one that was edited may have had another schedule, a new one had not. */
static void an_edit_before_the_first_due_time_is_known_by_the_generation(void **state)
{
    static const struct {
        int generation;
        const char *sums;
    } rows[] = {{1, "1 59 0 2026-03-01T00:59:00Z Coalesced"}, {2, "1 0 0  "}};
    struct test_world *w = *state;

    for (size_t i = 0; i < 2; i++) {
        AUTO_FREE char *patch = mem_printf("{metadata: {generation: %d, annotations: null}}", rows[i].generation);

        test_world_addf(w, config, "2026-03-01T00:00:00Z", "*/1 * * * *");
        test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", patch);
        run(w, "2026-03-01T01:00:00Z");
        assert_string_equal(sums(w), rows[i].sums);
        test_world_del(w, KIND_BACKUPSESSION, "demo", "db-1772326800");
    }
}

/* @every is counted, not walked: a second's schedule after a year. */
static void an_endless_absence_is_counted_at_once(void **state)
{
    struct test_world *w = *state;

    test_world_addf(w, config, "2025-03-01T00:00:00Z", "@every 1s");
    run(w, "2026-03-01T00:00:00Z");
    assert_string_equal(sums(w), "1 31535999 0 2026-02-28T23:59:59Z Coalesced");
}

static void clock_steps_neither_double_nor_lose(void **state)
{
    struct test_world *w = *state;

    test_world_addf(w, config, "2026-03-01T01:00:00Z", "0 * * * *");
    run(w, "2026-03-01T02:00:00Z");
    test_world_patch(w, KIND_BACKUPSESSION, "demo", "db-1772330400", "{status: {phase: Succeeded}}");
    assert_string_equal(run(w, "2026-03-01T01:00:00Z"), ""); /* an hour back */
    assert_string_equal(run(w, "2026-03-01T01:59:59Z"), "");
    assert_string_equal(run(w, "2026-03-01T02:00:00Z"), "");
    run(w, "2026-03-01T05:04:00Z"); /* three hours on: one catch-up */
    assert_int_equal(cache_count(w->cache, kind_get(KIND_BACKUPSESSION)), 2);
    assert_non_null(session(w, "2026-03-01T05:00:00Z"));
}

static void a_last_time_far_in_the_future_is_not_believed(void **state)
{
    struct test_world *w = *state;

    test_world_addf(w, config, "2027-03-01T01:00:00Z", "0 2 * * *");
    assert_non_null(strstr(run(w, "2026-03-01T01:30:00Z"), "the clock was wrong"));
    assert_string_equal(last_time(w), "2026-03-01T01:30:00Z");
    run(w, "2026-03-01T02:00:00Z");
    assert_non_null(session(w, "2026-03-01T02:00:00Z"));
}

static void spreading_is_by_uid_and_at_most_half_a_gap(void **state)
{
    struct test_world *w = *state;
    const struct schedule_context context = {w->cache, &w->settings};
    bool differ = false;
    struct schedule first = {0}, s;

    for (int i = 0; i < 20; i++) {
        AUTO_FREE char *patch = mem_printf(
            "{metadata: {uid: u%d, annotations: {stash.appscode.com/schedule-spread: 12h}}}", i);
        const struct kobj *o;

        test_world_addf(w, config, "2026-03-01T01:00:00Z", "0 * * * *");
        test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", patch);
        o = cache_find(w->cache, kind_get(KIND_BACKUPCONFIGURATION), "demo", "db");
        assert_true(schedule_of(&context, o, w->now_ms / 1000, &s));
        assert_in_range(s.offset_s, 0, 1799);
        if (i == 0)
            first = s;
        differ |= s.offset_s != first.offset_s;
        assert_int_equal(schedule_next(&context, o, w->now_ms / 1000, INT64_MIN), 1772330400 + s.offset_s);
    }
    assert_true(differ);
}

/* ---- killed between effects ---- */

struct ledger {
    int made, missed;
};

/* Carries out the first n effects only; the counts of what was reached go to the ledger. */
static void step_killed_after(struct test_world *w, size_t n, struct ledger *l)
{
    struct list all;
    size_t i = 0;

    test_world_decide(w, sc, "demo", "db");
    list_init(&all);
    list_move_all(&all, &w->plan.effects);
    LIST_EACH_SAFE (it, &all) {
        struct effect *e = LIST_ENTRY(it, struct effect, link);

        list_del(it);
        if (i++ >= n)
            continue;
        list_add_tail(&w->plan.effects, it);
        if (e->type == EFFECT_COUNT)
            l->missed += (int)e->by;
    }
    test_world_carry_out(w);
}

/* Sessions that wait are started at once, so that nothing is coalesced for that reason. */
static void start_sessions(struct test_world *w, int64_t from_s, int64_t until_s)
{
    for (int64_t t = from_s; t <= until_s; t += 300) {
        AUTO_FREE char *name = mem_printf("db-%lld", (long long)t);

        if (test_world_get(w, KIND_BACKUPSESSION, "demo", name))
            test_world_patch(w, KIND_BACKUPSESSION, "demo", name, "{status: {phase: Succeeded}}");
    }
}

static void killed_between_any_two_effects_no_due_time_is_doubled_or_lost(void **state)
{
    struct test_world *w = *state;
    const int64_t start_s = 1772330400; /* 02:00 */

    /* Which effect is the last before the kill (0: none), and how long nobody leads afterwards. */
    for (size_t kill = 0; kill <= 4; kill++) {
        for (int64_t away_s = 0; away_s <= 900; away_s += 60) {
            struct ledger l = {0, 0};
            int64_t now_s = start_s;

            for (int64_t t = start_s - 3600; t < start_s + 7200; t += 300) {
                AUTO_FREE char *name = mem_printf("db-%lld", (long long)t);

                test_world_del(w, KIND_BACKUPSESSION, "demo", name);
            }
            test_world_addf(w, config, "2026-03-01T01:55:00Z", "*/5 * * * *");
            w->now_ms = now_s * 1000;
            step_killed_after(w, kill, &l);
            start_sessions(w, start_s, start_s);
            for (now_s += away_s; now_s <= start_s + 3600; now_s += 60) {
                w->now_ms = now_s * 1000;
                step_killed_after(w, 100, &l);
                start_sessions(w, start_s, start_s + 3600);
            }
            for (int64_t t = start_s; t <= start_s + 3600; t += 300) {
                AUTO_FREE char *name = mem_printf("db-%lld", (long long)t);

                l.made += test_world_get(w, KIND_BACKUPSESSION, "demo", name) != NULL;
            }
            /* 13 due times from 02:00 to 03:00: each has a session or was counted as missed, none both. */
            if (l.made + l.missed != 13)
                fail_msg("killed after %zu, away %lld s: %d made, %d missed", kill, (long long)away_s, l.made,
                         l.missed);
        }
    }
}

/* ---- the wheel ---- */

struct fired {
    int n;
    int64_t late_ms;
};

static void count_fire(void *ctx, const struct kobj *invoker, int64_t late_ms)
{
    struct fired *f = ctx;

    assert_string_equal(invoker->name, "db");
    f->n++;
    f->late_ms = late_ms > f->late_ms ? late_ms : f->late_ms;
}

static void the_wheel_fires_at_each_due_second(void **state)
{
    struct test_world *w = *state;
    struct test_env env;
    struct scheduler *s;
    struct fired f = {0, 0};

    test_env_init(&env); /* 02:00 */
    s = scheduler_new(&env.env, &(struct schedule_context){w->cache, &w->settings}, count_fire, &f);
    test_world_addf(w, config, "2026-03-01T02:00:00Z", "*/5 * * * *");
    scheduler_set_active(s, true);
    assert_int_equal(scheduler_count(s), 1);
    test_env_advance(&env, 299000);
    assert_int_equal(f.n, 0);
    test_env_advance(&env, 1000);
    assert_int_equal(f.n, 1);
    test_env_advance(&env, 3600000);
    assert_int_equal(f.n, 13);
    assert_int_equal(f.late_ms, 0);
    scheduler_set_active(s, false);
    assert_int_equal(scheduler_count(s), 0);
    scheduler_free(s);
    test_env_done(&env);
}

static void a_step_of_the_clock_is_noticed_within_half_a_minute(void **state)
{
    struct test_world *w = *state;
    struct test_env env;
    struct scheduler *s;
    struct fired f = {0, 0};

    test_env_init(&env);
    s = scheduler_new(&env.env, &(struct schedule_context){w->cache, &w->settings}, count_fire, &f);
    test_world_addf(w, config, "2026-03-01T02:00:00Z", "0 * * * *");
    scheduler_set_active(s, true);
    env.wall_ms += 3600000;
    test_env_advance(&env, 30000);
    assert_int_equal(f.n, 1);
    env.wall_ms -= 7200000;
    test_env_advance(&env, 3500000);
    assert_int_equal(f.n, 1);
    scheduler_free(s);
    test_env_done(&env);
}

static void what_is_outstanding_at_the_start_fires_at_once(void **state)
{
    struct test_world *w = *state;
    struct test_env env;
    struct scheduler *s;
    struct fired f = {0, 0};
    const struct kobj *o;

    test_env_init(&env);
    s = scheduler_new(&env.env, &(struct schedule_context){w->cache, &w->settings}, count_fire, &f);
    test_world_addf(w, config, "2026-03-01T00:00:00Z", "0 1 * * *");
    scheduler_set_active(s, true);
    test_env_settle(&env);
    assert_int_equal(f.n, 1);
    assert_int_equal(scheduler_overdue(s, 60), 1); /* nobody has dealt with it */
    assert_int_equal(scheduler_overdue(s, 86400), 0);
    /* A label changes nothing of it, whatever record is dropped; it goes on with the new one. */
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{metadata: {labels: {team: b}}}");
    o = cache_find(w->cache, kind_get(KIND_BACKUPCONFIGURATION), "demo", "db");
    scheduler_changed(s, o->kind, NULL, o);
    test_env_settle(&env);
    assert_int_equal(f.n, 1);
    assert_int_equal(scheduler_overdue(s, 60), 1);
    test_env_advance(&env, 86400000);
    assert_int_equal(f.n, 2);
    /* Paused and resumed: forgotten, then armed again for what is still outstanding. */
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{spec: {paused: true}}");
    o = cache_find(w->cache, kind_get(KIND_BACKUPCONFIGURATION), "demo", "db");
    scheduler_changed(s, o->kind, NULL, o);
    assert_int_equal(scheduler_count(s), 0);
    scheduler_free(s);
    test_env_done(&env);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, test_world_setup, test_world_teardown)
    const struct CMUnitTest tests[] = {
        T(a_due_time_makes_a_session_and_then_is_handled),
        T(paused_not_ready_and_deleted_ones_trigger_nothing),
        T(after_a_pause_at_most_one_run_and_only_a_fresh_one),
        T(time_in_the_queue_does_not_make_it_too_late),
        T(with_a_record_that_is_behind_nothing_is_made),
        T(due_again_while_a_session_waits_is_coalesced),
        T(a_session_made_before_a_kill_is_not_counted_as_missed),
        T(what_another_leader_made_is_known_though_unseen),
        T(an_unseen_session_that_waits_is_seen),
        T(what_became_of_each_due_time_stands_in_the_ledger),
        T(what_came_before_an_edit_was_never_due),
        T(an_edit_before_the_first_due_time_is_known_by_the_generation),
        T(an_endless_absence_is_counted_at_once),
        T(clock_steps_neither_double_nor_lose),
        T(a_last_time_far_in_the_future_is_not_believed),
        T(spreading_is_by_uid_and_at_most_half_a_gap),
        T(killed_between_any_two_effects_no_due_time_is_doubled_or_lost),
        T(the_wheel_fires_at_each_due_second),
        T(a_step_of_the_clock_is_noticed_within_half_a_minute),
        T(what_is_outstanding_at_the_start_fires_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
