/* test_trigger: CronJobs of invokers, and switches between them and the operator, from objects as data. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "controllers/backupconfiguration.h"
#include "controllers/condition.h"
#include "controllers/cronjob.h"
#include "controllers/cronjobspec.h"
#include "controllers/identity.h"
#include "controllers/schedule.h"
#include "controllers/trigger.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "support_world.h"

static const struct controller *const bc = &backupconfiguration_controller;

static const char around[] =
    "{apiVersion: v1, kind: Namespace, metadata: {name: demo}}\n"
    "---\n"
    "{apiVersion: stash.appscode.com/v1alpha1, kind: Repository, metadata: {name: repo, namespace: demo},"
    " spec: {backend: {s3: {endpoint: s3.example.org, bucket: b}, storageSecretName: storage}},"
    " status: {conditions: [{type: StorageSecretVerified, status: 'True', reason: BackendSecretAvailable,"
    "  message: Secret demo/storage is there, observedGeneration: 1}]}}\n"
    "---\n"
    "{apiVersion: appcatalog.appscode.com/v1alpha1, kind: AppBinding, metadata: {name: pxc, namespace: demo},"
    " spec: {type: kubedb.com/perconaxtradb}}\n"
    "---\n"
    "{apiVersion: stash.appscode.com/v1beta1, kind: Task, metadata: {name: pxc-backup}, spec: {}}";

/* %s: name, labels and annotations, schedule, more of the spec (with a leading comma). */
static const char config[] =
    "{apiVersion: stash.appscode.com/v1beta1, kind: BackupConfiguration, metadata: {name: %s, namespace: demo%s},"
    " spec: {schedule: '%s', task: {name: pxc-backup}, repository: {name: repo},"
    " target: {ref: {apiVersion: appcatalog.appscode.com/v1alpha1, kind: AppBinding, name: pxc}},"
    " retentionPolicy: {name: keep5, keepLast: 5, prune: true}%s}}";

static const char by_cronjob[] = ", labels: {team: a}, annotations: {stash.appscode.com/trigger: cronjob}";
static const char every_5[] = "*/5 * * * *";

static int setup(void **state)
{
    test_world_setup(state);
    test_world_add(*state, around);
    return 0;
}

/* Until it rests; the lines of all passes. */
static const char *settle(struct test_world *w, const char *name)
{
    static char all[4096];
    size_t n = 0;

    all[0] = 0;
    for (int i = 0;; i++) {
        const char *lines = test_world_step(w, bc, "demo", name);

        if (!lines[0])
            return all;
        assert_true(i < 6);
        n += (size_t)snprintf(all + n, sizeof(all) - n, "%s", lines);
        assert_true(n < sizeof(all));
    }
}

static const json_t *status(struct test_world *w)
{
    return json_object_get(test_world_get(w, KIND_BACKUPCONFIGURATION, "demo", "db"), "status");
}

static const char *message(struct test_world *w, const char *type)
{
    return condition_message(json_at(status(w), "conditions"), type);
}

static const json_t *cronjob(struct test_world *w, const char *name)
{
    return test_world_get(w, KIND_CRONJOB, "demo", name);
}

static void set_trigger(struct test_world *w, const char *value)
{
    AUTO_FREE char *patch = mem_printf("{metadata: {annotations: {stash.appscode.com/trigger: %s}}}", value);

    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", patch);
}

static void assert_json(const json_t *got, const json_t *want)
{
    AUTO_FREE char *g = json_dumps(got, JSON_SORT_KEYS | JSON_INDENT(1) | JSON_ENCODE_ANY);
    AUTO_FREE char *x = json_dumps(want, JSON_SORT_KEYS | JSON_INDENT(1) | JSON_ENCODE_ANY);

    assert_string_equal(g ? g : "", x ? x : "");
}

static json_t *golden(const char *name)
{
    AUTO_FREE char *path = mem_printf("%s/trigger/%s", TEST_DATA, name);
    FILE *f = fopen(path, "r");
    char text[8192];
    size_t n;

    assert_non_null(f);
    n = fread(text, 1, sizeof(text) - 1, f);
    (void)fclose(f); /* read only */
    text[n] = 0;
    return test_yaml(text);
}

/* ---- the object ---- */

static void each_field_of_the_cronjob_is_as_specified(void **state)
{
    struct test_world *w = *state;
    json_t *want = golden("cronjob.yaml"), *got;
    const char *made_from;

    test_world_addf(w, config, "db", by_cronjob, every_5, "");
    test_world_decide(w, bc, "demo", "db");
    got = json_deep_copy(test_world_effect(w, EFFECT_APPLY, KIND_CRONJOB, "demo/stash-trigger-db"));
    made_from = json_meta(got, "annotations", CRONJOBSPEC_MADE_FROM);
    assert_int_equal(strncmp(made_from, "1-", 2), 0); /* the generation; then a hash of the operator's settings */
    assert_int_equal(strlen(made_from), 10);
    json_object_set_new(json_at(got, "metadata.annotations"), CRONJOBSPEC_MADE_FROM, json_string("1-@"));
    assert_json(got, want);
    json_decref(got);
    json_decref(want);
}

static void runtime_settings_reach_its_pod(void **state)
{
    struct test_world *w = *state;
    json_t *rows = golden("settings.yaml"), *more = json_pack("{s:O}", "runtimeSettings", json_at(rows, "given"));
    AUTO_FREE char *text = json_dumps(more, JSON_COMPACT);
    const json_t *template, *c;
    const char *key;
    json_t *want;

    text[strlen(text) - 1] = 0; /* "{…}" to ", …" */
    text[0] = ',';
    test_world_addf(w, config, "db", by_cronjob, every_5, text);
    test_world_decide(w, bc, "demo", "db");
    template = json_at(test_world_effect(w, EFFECT_APPLY, KIND_CRONJOB, "demo/stash-trigger-db"),
                       "spec.jobTemplate.spec.template");
    assert_non_null(template);
    c = json_at(template, "spec.containers.0");
    json_object_foreach (json_at(rows, "container"), key, want)
        assert_json(json_object_get(c, key), want);
    json_object_foreach (json_at(rows, "pod"), key, want)
        assert_json(json_at(template, "spec") ? json_object_get(json_at(template, "spec"), key) : NULL, want);
    assert_json(json_at(template, "metadata.labels"), json_at(rows, "labels"));
    assert_null(json_at(template, "metadata.annotations"));
    assert_null(json_object_get(c, "livenessProbe"));
    assert_int_equal(json_array_size(json_object_get(c, "env")), 3);
    /* The user's account is only bound. */
    assert_null(test_world_effect(w, EFFECT_APPLY, KIND_SERVICEACCOUNT, "demo/stash-trigger"));
    assert_string_equal(json_text(test_world_effect(w, EFFECT_APPLY, KIND_ROLEBINDING, "demo/stash-trigger-db"),
                                  "subjects.0.name"),
                        "mine");
    json_decref(more);
    json_decref(rows);
}

static void its_name_is_short_enough_and_says_where_the_target_is(void **state)
{
    static const char cut[] = "stash-trigger-a-very-long-name-of-a-backup-";
    struct test_world *w = *state;
    const char *names[] = {"db", "my.db", "a-very-long-name-of-a-backup-configuration"};
    const struct kobj *o;
    const char *name;

    for (size_t i = 0; i < 3; i++)
        test_world_addf(w, config, names[i], "", every_5, "");
    arena_reset(&w->arena);
    o = cache_find(w->cache, kind_get(KIND_BACKUPCONFIGURATION), "demo", "my.db");
    assert_string_equal(cronjobspec_name(&w->arena, o), "stash-trigger-my-db");
    o = cache_find(w->cache, kind_get(KIND_BACKUPCONFIGURATION), "demo", names[2]);
    name = cronjobspec_name(&w->arena, o);
    assert_in_range(strlen(name), 50, 52);
    assert_int_equal(strncmp(name, cut, sizeof(cut) - 1), 0);
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{spec: {target: {ref: {namespace: prod}}}}");
    o = cache_find(w->cache, kind_get(KIND_BACKUPCONFIGURATION), "demo", "db");
    assert_string_equal(cronjobspec_name(&w->arena, o), "stash-trigger-demo-db");
}

static void schedules_that_a_cronjob_cannot_serve_are_refused_with_the_remedy(void **state)
{
    static const struct {
        const char *schedule, *says;
    } rows[] = {
        {"@every 30s", "spec.schedule \"@every 30s\" is under a minute, and a CronJob starts at most one run a minute; "
                       "change it or set annotation stash.appscode.com/trigger to operator"},
        {"0 2 * * 7", "spec.schedule \"0 2 * * 7\": a CronJob knows Sunday as 0 only, not as 7; change it or set "
                      "annotation stash.appscode.com/trigger to operator"},
        {"0 2 * * 1,5-7", "a CronJob knows Sunday as 0 only"},
        {"TZ=UTC 0 2 * * *", "TZ= is not allowed"},
        {"61 * * * *", "minute 61 is over 59"},
    };
    static const char *const good[] = {"7 7 7 7 *", "*/7 * * * */7", "@every 1m", "@hourly", "0 2 * * MON-FRI"};
    struct test_world *w = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        test_world_addf(w, config, "db", by_cronjob, rows[i].schedule, "");
        settle(w, "db");
        assert_string_equal(json_text(status(w), "phase"), "Invalid");
        if (!strstr(message(w, "ValidationPassed"), rows[i].says))
            fail_msg("%s: %s", rows[i].schedule, message(w, "ValidationPassed"));
        assert_null(cronjob(w, "stash-trigger-db"));
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        test_world_addf(w, config, "db", by_cronjob, good[i], "");
        settle(w, "db");
        assert_string_equal(json_text(status(w), "phase"), "Ready");
        assert_string_equal(json_text(cronjob(w, "stash-trigger-db"), "spec.schedule"), good[i]);
        /* Kubernetes counts @every from no earlier than the deadline: with one it would never be due. */
        assert_int_equal(json_int(cronjob(w, "stash-trigger-db"), "spec.startingDeadlineSeconds", -1),
                         good[i][1] == 'e' ? -1 : 600);
        test_world_del(w, KIND_CRONJOB, "demo", "stash-trigger-db");
    }
    /* The operator itself serves them. */
    test_world_addf(w, config, "db", "", "0 2 * * 7", "");
    settle(w, "db");
    assert_string_equal(json_text(status(w), "phase"), "Ready");
}

/* ---- which way ---- */

static void setting_and_annotation_say_who_triggers(void **state)
{
    static const struct {
        bool setting;
        const char *annotations;
        enum trigger is;
    } rows[] = {
        {false, "", TRIGGER_OPERATOR},
        {true, "", TRIGGER_CRONJOB},
        {true, ", annotations: {stash.appscode.com/trigger: operator}", TRIGGER_OPERATOR},
        {false, ", annotations: {stash.appscode.com/trigger: cronjob}", TRIGGER_CRONJOB},
        {false, ", annotations: {stash.appscode.com/trigger: CronJob}", TRIGGER_UNKNOWN},
        {true, ", annotations: {stash.appscode.com/trigger: ''}", TRIGGER_UNKNOWN},
    };
    struct test_world *w = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        w->settings.by_cronjobs = rows[i].setting;
        test_world_addf(w, config, "db", rows[i].annotations, every_5, "");
        assert_int_equal(
            trigger_of(&w->settings, cache_find(w->cache, kind_get(KIND_BACKUPCONFIGURATION), "demo", "db")),
            rows[i].is);
    }
}

static void a_bad_annotation_is_said_and_nobody_triggers(void **state)
{
    static const char says[] = "annotation stash.appscode.com/trigger is \"cron\": operator or cronjob is wanted";
    struct test_world *w = *state;

    test_world_addf(w, config, "db", by_cronjob, every_5, "");
    settle(w, "db");
    set_trigger(w, "cron");
    assert_non_null(strstr(settle(w, "db"), "event Warning Validation Failed: annotation stash.appscode.com/trigger"));
    assert_string_equal(message(w, "ValidationPassed"), says);
    assert_string_equal(json_text(status(w), "phase"), "Invalid");
    assert_true(json_flag(cronjob(w, "stash-trigger-db"), "spec.suspend", false));
    test_world_at(w, "2026-03-01T02:05:00Z");
    assert_string_equal(test_world_decide(w, &schedule_controller, "demo", "db"), "");
    set_trigger(w, "cronjob");
    settle(w, "db");
    assert_false(json_flag(cronjob(w, "stash-trigger-db"), "spec.suspend", true));
    assert_string_equal(json_text(status(w), "phase"), "Ready");
}

/* ---- life of a CronJob ---- */

static void account_and_cronjob_are_there_before_the_status_says_so(void **state)
{
    struct test_world *w = *state;

    w->settings.by_cronjobs = true;
    test_world_addf(w, config, "db", "", every_5, "");
    assert_string_equal(
        settle(w, "db"),
        "apply ServiceAccount demo/stash-trigger\n"
        "apply RoleBinding demo/stash-trigger\n"
        "apply CronJob demo/stash-trigger-db\n"
        "status observedGeneration=1 conditions=RepositoryFound=True/RepositoryAvailable,"
        "BackendSecretFound=True/BackendSecretAvailable,ValidationPassed=True/ResourceValidationPassed,"
        "BackupTargetFound=True/TargetAvailable,CronJobCreated=True/CronJobCreationSucceeded phase=Ready\n");
    assert_string_equal(message(w, "CronJobCreated"), "CronJob demo/stash-trigger-db triggers the sessions");
    assert_string_equal(json_text(test_world_get(w, KIND_ROLEBINDING, "demo", "stash-trigger"), "roleRef.name"),
                        "stashd-cron-job");
    /* At rest by records alone. */
    assert_string_equal(test_world_decide(w, bc, "demo", "db"), "");
    assert_null(w->rule);
    assert_true(list_empty(&w->world.docs));
}

static void what_is_lost_or_changed_by_others_comes_back(void **state)
{
    static const char apply[] = "apply CronJob demo/stash-trigger-db\n";
    struct test_world *w = *state;

    test_world_addf(w, config, "db", by_cronjob, every_5, "");
    settle(w, "db");
    test_world_del(w, KIND_CRONJOB, "demo", "stash-trigger-db");
    assert_string_equal(settle(w, "db"), apply);
    test_world_patch(w, KIND_CRONJOB, "demo", "stash-trigger-db", "{spec: {schedule: '0 0 * * *'}}");
    assert_string_equal(settle(w, "db"), apply);
    test_world_patch(w, KIND_CRONJOB, "demo", "stash-trigger-db", "{spec: {suspend: true}}");
    assert_string_equal(settle(w, "db"), apply);
    test_world_del(w, KIND_SERVICEACCOUNT, "demo", "stash-trigger");
    assert_string_equal(settle(w, "db"), "apply ServiceAccount demo/stash-trigger\n");
    w->settings.image = "registry/stashd:0.2"; /* a new release of the operator */
    assert_string_equal(settle(w, "db"), apply);
    assert_string_equal(json_text(cronjob(w, "stash-trigger-db"),
                                  "spec.jobTemplate.spec.template.spec.containers.0.image"),
                        "registry/stashd:0.2");
}

static void it_is_suspended_while_paused_or_invalid(void **state)
{
    struct test_world *w = *state;

    test_world_addf(w, config, "db", by_cronjob, every_5, "");
    settle(w, "db");
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{spec: {paused: true}}");
    settle(w, "db");
    assert_true(json_flag(cronjob(w, "stash-trigger-db"), "spec.suspend", false));
    assert_string_equal(json_text(status(w), "phase"), "Ready");
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{spec: {paused: false}}");
    settle(w, "db");
    assert_false(json_flag(cronjob(w, "stash-trigger-db"), "spec.suspend", true));
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{spec: {schedule: '61 * * * *'}}");
    assert_non_null(strstr(settle(w, "db"), "patch CronJob demo/stash-trigger-db {\"spec\":{\"suspend\":true}}\n"));
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{spec: {schedule: '1 * * * *'}}");
    settle(w, "db");
    assert_false(json_flag(cronjob(w, "stash-trigger-db"), "spec.suspend", true));
    assert_string_equal(json_text(cronjob(w, "stash-trigger-db"), "spec.schedule"), "1 * * * *");
    /* No schedule: by hand only, and no CronJob. */
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{spec: {schedule: ''}}");
    settle(w, "db");
    assert_null(cronjob(w, "stash-trigger-db"));
    assert_string_equal(message(w, "CronJobCreated"), "no schedule: sessions are made by hand only");
}

static void a_refused_cronjob_is_said_and_tried_again(void **state)
{
    struct test_world *w = *state;

    test_world_addf(w, config, "db", by_cronjob, every_5, "");
    test_world_decide(w, bc, "demo", "db");
    test_world_refuse(w, KIND_CRONJOB, "demo", "stash-trigger-db", REFUSAL_QUOTA, "exceeded quota: few");
    assert_non_null(strstr(test_world_step(w, bc, "demo", "db"),
                           "event Warning CronJob Creation Failed: CronJob demo/stash-trigger-db could not be made. "
                           "Reason: exceeded quota: few\nwake 30s\n"));
    assert_string_equal(w->rule->reason, "CronJobMissing");
    assert_string_equal(json_text(status(w), "phase"), "NotReady");
    assert_string_equal(condition_reason(json_at(status(w), "conditions"), "CronJobCreated"), "NamespaceQuotaExceeded");
    assert_null(cronjob(w, "stash-trigger-db"));
    test_world_at(w, "2026-03-01T02:00:31Z");
    settle(w, "db");
    assert_string_equal(json_text(status(w), "phase"), "Ready");
    assert_non_null(cronjob(w, "stash-trigger-db"));
}

static void a_name_that_somebody_else_has_is_left_to_him(void **state)
{
    static const char other[] = "{apiVersion: batch/v1, kind: CronJob, metadata: {name: stash-trigger-db,"
                                " namespace: demo}, spec: {schedule: '@daily'}}";
    struct test_world *w = *state;

    test_world_add(w, other);
    test_world_addf(w, config, "db", by_cronjob, every_5, "");
    assert_non_null(strstr(test_world_step(w, bc, "demo", "db"),
                           "event Warning CronJob Creation Failed: CronJob demo/stash-trigger-db exists and does not "
                           "belong to BackupConfiguration demo/db\nwake 10m0s\n"));
    assert_string_equal(condition_reason(json_at(status(w), "conditions"), "CronJobCreated"), "NameConflict");
    assert_string_equal(json_text(cronjob(w, "stash-trigger-db"), "spec.schedule"), "@daily");
    test_world_del(w, KIND_CRONJOB, "demo", "stash-trigger-db");
    settle(w, "db");
    assert_string_equal(json_text(status(w), "phase"), "Ready");
}

/* ---- its Jobs ---- */

static void add_job(struct test_world *w, const char *name, const char *scheduled, const char *condition)
{
    test_world_addf(w,
                    "{apiVersion: batch/v1, kind: Job, metadata: {name: %s, namespace: demo,"
                    " labels: {stash.appscode.com/delete-job-on-completion: 'true'},"
                    " annotations: {batch.kubernetes.io/cronjob-scheduled-timestamp: '%s'},"
                    " ownerReferences: [{apiVersion: batch/v1, kind: CronJob, name: stash-trigger-db,"
                    " uid: uid-stash-trigger-db, controller: true}]}, spec: {},"
                    " status: {completionTime: '2026-03-01T02:05:07Z', conditions: [%s]}}",
                    name, scheduled, condition);
}

static const char complete[] = "{type: Complete, status: 'True', reason: CompletionsReached}";
static const char failed[] = "{type: Failed, status: 'True', reason: BackoffLimitExceeded}";

static const char *last_time(struct test_world *w)
{
    return json_meta(test_world_get(w, KIND_BACKUPCONFIGURATION, "demo", "db"), "annotations",
                     "stash.appscode.com/last-schedule-time");
}

static void a_job_that_succeeded_is_written_down_and_deleted(void **state)
{
    struct test_world *w = *state;

    test_world_addf(w, config, "db", by_cronjob, every_5, "");
    settle(w, "db");
    test_world_at(w, "2026-03-01T02:10:00Z");
    add_job(w, "stash-trigger-db-1", "2026-03-01T02:05:00Z", "");
    add_job(w, "stash-trigger-db-2", "2026-03-01T02:10:00Z", failed);
    assert_string_equal(test_world_step(w, &cronjob_controller, "demo", "stash-trigger-db"), "");
    add_job(w, "stash-trigger-db-1", "2026-03-01T02:05:00Z", complete);
    /* Kubernetes has not seen its end yet. */
    assert_string_equal(test_world_without(test_world_step(w, &cronjob_controller, "demo", "stash-trigger-db"),
                                           SCHEDULE_TEXT_ANNOTATION),
                        "patch BackupConfiguration demo/db annotation:stash.appscode.com/last-schedule-time="
                        "2026-03-01T02:05:00Z\n");
    assert_string_equal(test_world_step(w, &cronjob_controller, "demo", "stash-trigger-db"), "");
    test_world_patch(w, KIND_CRONJOB, "demo", "stash-trigger-db",
                     "{status: {lastSuccessfulTime: '2026-03-01T02:05:07Z'}}");
    assert_string_equal(test_world_step(w, &cronjob_controller, "demo", "stash-trigger-db"),
                        "delete Job demo/stash-trigger-db-1 Background\n");
    assert_non_null(test_world_get(w, KIND_JOB, "demo", "stash-trigger-db-2"));
    assert_string_equal(last_time(w), "2026-03-01T02:05:00Z");
}

/* Without the label it is somebody else's business; a time to come is not believed. */
static void jobs_that_are_not_for_it_stay(void **state)
{
    struct test_world *w = *state;

    test_world_addf(w, config, "db", by_cronjob, every_5, "");
    settle(w, "db");
    test_world_patch(w, KIND_CRONJOB, "demo", "stash-trigger-db",
                     "{status: {lastSuccessfulTime: '2026-03-01T03:00:00Z'}}");
    add_job(w, "j", "2027-03-01T02:05:00Z", complete);
    test_world_patch(w, KIND_JOB, "demo", "j",
                     "{metadata: {labels: {stash.appscode.com/delete-job-on-completion: null}}}");
    assert_string_equal(test_world_step(w, &cronjob_controller, "demo", "stash-trigger-db"), "");
    set_trigger(w, "operator");
    settle(w, "db");
    assert_null(cronjob(w, "stash-trigger-db"));
    assert_string_equal(last_time(w), "");
}

/* ---- switches ---- */

static const char *due(struct test_world *w, const char *now)
{
    test_world_at(w, now);
    return test_world_without(test_world_step(w, &schedule_controller, "demo", "db"), SCHEDULE_TEXT_ANNOTATION);
}

static void to_a_cronjob_the_operator_goes_on_up_to_its_creation(void **state)
{
    struct test_world *w = *state;

    test_world_addf(w, config, "db", "", every_5, "");
    settle(w, "db");
    assert_non_null(strstr(due(w, "2026-03-01T02:05:00Z"), "create BackupSession demo/db-1772330700"));
    test_world_patch(w, KIND_BACKUPSESSION, "demo", "db-1772330700", "{status: {phase: Succeeded}}");
    set_trigger(w, "cronjob");
    /* No CronJob yet: it may be long in coming, and what falls due is made here. */
    assert_non_null(strstr(due(w, "2026-03-01T02:10:00Z"), "create BackupSession demo/db-1772331000"));
    test_world_patch(w, KIND_BACKUPSESSION, "demo", "db-1772331000", "{status: {phase: Succeeded}}");
    /* It is made in the second of a due time, before this is made here: Kubernetes gives it later ones only. */
    test_world_at(w, "2026-03-01T02:15:00Z");
    assert_non_null(strstr(settle(w, "db"), "apply CronJob demo/stash-trigger-db\n"));
    assert_non_null(strstr(due(w, "2026-03-01T02:15:01Z"), "create BackupSession demo/db-1772331300"));
    assert_string_equal(due(w, "2026-03-01T02:20:00Z"), "");
    assert_string_equal(last_time(w), "2026-03-01T02:15:00Z");
}

static void a_deleted_cronjob_loses_nothing(void **state)
{
    struct test_world *w = *state;

    test_world_addf(w, config, "db", by_cronjob, every_5, "");
    settle(w, "db");
    add_job(w, "stash-trigger-db-1", "2026-03-01T02:05:00Z", complete);
    test_world_at(w, "2026-03-01T02:06:00Z");
    test_world_step(w, &cronjob_controller, "demo", "stash-trigger-db");
    assert_string_equal(due(w, "2026-03-01T02:09:59Z"), "");
    test_world_del(w, KIND_CRONJOB, "demo", "stash-trigger-db");
    test_world_at(w, "2026-03-01T02:11:00Z");
    settle(w, "db");
    assert_non_null(cronjob(w, "stash-trigger-db"));
    assert_non_null(strstr(due(w, "2026-03-01T02:11:01Z"), "create BackupSession demo/db-1772331000"));
    assert_string_equal(due(w, "2026-03-01T02:15:00Z"), "");
}

/* What succeeded is handled, what is under way is the operator's, under the same name. */
static void to_the_operator_what_succeeded_is_recorded_before_the_cronjob_goes(void **state)
{
    struct test_world *w = *state;

    test_world_addf(w, config, "db", by_cronjob, every_5, "");
    settle(w, "db");
    test_world_at(w, "2026-03-01T02:10:01Z");
    add_job(w, "stash-trigger-db-1", "2026-03-01T02:05:00Z", complete);
    add_job(w, "stash-trigger-db-2", "2026-03-01T02:10:00Z", "");
    set_trigger(w, "operator");
    assert_string_equal(test_world_without(test_world_step(w, bc, "demo", "db"), SCHEDULE_TEXT_ANNOTATION),
                        "patch BackupConfiguration demo/db annotation:stash.appscode.com/last-schedule-time="
                        "2026-03-01T02:05:00Z\n");
    assert_string_equal(w->rule->reason, "RunsRecorded");
    /* The status first: killed after it, the CronJob is still there and the rest is done then. */
    assert_string_equal(test_world_decide(w, bc, "demo", "db"),
                        "status conditions=RepositoryFound=True/RepositoryAvailable,"
                        "BackendSecretFound=True/BackendSecretAvailable,ValidationPassed=True/ResourceValidationPassed,"
                        "BackupTargetFound=True/TargetAvailable,CronJobCreated=True/CronJobCreationSucceeded\n"
                        "delete CronJob demo/stash-trigger-db Background\n");
    list_del(w->plan.effects.next->next);
    test_world_carry_out(w);
    assert_string_equal(test_world_step(w, bc, "demo", "db"), "delete CronJob demo/stash-trigger-db Background\n");
    assert_string_equal(message(w, "CronJobCreated"), "the operator itself triggers the sessions, there is no CronJob");
    assert_string_equal(due(w, "2026-03-01T02:10:02Z"),
                        "create BackupSession demo/db-1772331000\n"
                        "patch BackupConfiguration demo/db annotation:stash.appscode.com/last-schedule-time="
                        "2026-03-01T02:10:00Z\n"
                        "event Normal BackupSession Created: BackupSession db-1772331000 is due\n");
    assert_string_equal(settle(w, "db"), "");
}

static void a_switch_to_a_cronjob_killed_at_any_step_ends_alike(void **state)
{
    struct test_world *w = *state;

    for (int done = 0; done < 5; done++) {
        struct list *cut;
        int n = 0;

        test_world_addf(w, config, "db", "", every_5, "");
        settle(w, "db");
        set_trigger(w, "cronjob");
        test_world_decide(w, bc, "demo", "db");
        LIST_EACH_SAFE (it, &w->plan.effects) {
            cut = it;
            if (n++ >= done)
                list_del(cut);
        }
        test_world_carry_out(w);
        settle(w, "db");
        assert_non_null(cronjob(w, "stash-trigger-db"));
        assert_string_equal(message(w, "CronJobCreated"), "CronJob demo/stash-trigger-db triggers the sessions");
        assert_string_equal(json_text(status(w), "phase"), "Ready");
        test_world_del(w, KIND_CRONJOB, "demo", "stash-trigger-db");
        test_world_del(w, KIND_SERVICEACCOUNT, "demo", "stash-trigger");
        test_world_del(w, KIND_ROLEBINDING, "demo", "stash-trigger");
        test_world_del(w, KIND_BACKUPCONFIGURATION, "demo", "db");
    }
}

/* The target moved to another namespace, so the CronJob has another name. */
static void a_cronjob_of_an_old_name_goes(void **state)
{
    struct test_world *w = *state;

    w->accounts_may = true;
    test_world_add(w, "{apiVersion: appcatalog.appscode.com/v1alpha1, kind: AppBinding, metadata: {name: pxc,"
                      " namespace: prod}}");
    test_world_addf(w, config, "db", by_cronjob, every_5, ", runtimeSettings: {pod: {serviceAccountName: mine}}");
    settle(w, "db");
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{spec: {target: {ref: {namespace: prod}}}}");
    test_world_step(w, bc, "demo", "db");
    assert_non_null(cronjob(w, "stash-trigger-demo-db"));
    assert_null(cronjob(w, "stash-trigger-db"));
}

static void the_account_goes_with_the_last_cronjob(void **state)
{
    struct test_world *w = *state;

    test_world_addf(w, config, "db", by_cronjob, every_5, "");
    settle(w, "db");
    (void)test_world_step(w, &identity_controller, NULL, "demo");
    assert_non_null(test_world_get(w, KIND_SERVICEACCOUNT, "demo", "stash-trigger"));
    set_trigger(w, "operator");
    settle(w, "db");
    assert_string_equal(test_world_step(w, &identity_controller, NULL, "demo"),
                        "delete RoleBinding demo/stash-trigger Background\n"
                        "delete ServiceAccount demo/stash-trigger Background\n");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, test_world_teardown)
    const struct CMUnitTest tests[] = {
        T(each_field_of_the_cronjob_is_as_specified),
        T(runtime_settings_reach_its_pod),
        T(its_name_is_short_enough_and_says_where_the_target_is),
        T(schedules_that_a_cronjob_cannot_serve_are_refused_with_the_remedy),
        T(setting_and_annotation_say_who_triggers),
        T(a_bad_annotation_is_said_and_nobody_triggers),
        T(account_and_cronjob_are_there_before_the_status_says_so),
        T(what_is_lost_or_changed_by_others_comes_back),
        T(it_is_suspended_while_paused_or_invalid),
        T(a_refused_cronjob_is_said_and_tried_again),
        T(a_name_that_somebody_else_has_is_left_to_him),
        T(a_job_that_succeeded_is_written_down_and_deleted),
        T(jobs_that_are_not_for_it_stay),
        T(to_a_cronjob_the_operator_goes_on_up_to_its_creation),
        T(a_deleted_cronjob_loses_nothing),
        T(to_the_operator_what_succeeded_is_recorded_before_the_cronjob_goes),
        T(a_switch_to_a_cronjob_killed_at_any_step_ends_alike),
        T(a_cronjob_of_an_old_name_goes),
        T(the_account_goes_with_the_last_cronjob),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
