/* backupsession: from a new session to a phase that stays, as data in and plans out. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "controllers/backupsession.h"
#include "controllers/schedule.h"
#include "controllers/sessionspec.h"
#include "controllers/target_lock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "support_world.h"

#define C &backupsession_controller

static int setup(void **state)
{
    int rc = test_world_setup(state);

    test_world_add_file(*state, "xtradb.yaml");
    test_world_patch(*state, KIND_REPOSITORY, "demo", "repo",
                     "{status: {conditions: [{type: StorageSecretVerified, status: \"True\", reason: x}]}}");
    return rc;
}

static void add_session(struct test_world *w, const char *name, const char *status)
{
    test_world_addf(
        w,
        "{apiVersion: stash.appscode.com/v1beta1, kind: BackupSession, metadata: {name: %s, namespace: demo},"
        "spec: {invoker: {apiGroup: stash.appscode.com, kind: BackupConfiguration, name: db}, retryLeft: 1},"
        "status: %s}",
        name, status);
}

/* A pass, carried out; its row's reason. */
static const char *step(struct test_world *w, const char *name)
{
    (void)test_world_step(w, C, "demo", name);
    return w->rule ? w->rule->reason : "";
}

static const char *text(struct test_world *w, const char *name, const char *path)
{
    return json_text(test_world_get(w, KIND_BACKUPSESSION, "demo", name), path);
}

/* "True/Reason" of a condition of the session or of its target. */
static const char *condition(struct test_world *w, const char *name, const char *list, const char *type)
{
    const json_t *it;
    size_t i;

    json_array_foreach (json_at(test_world_get(w, KIND_BACKUPSESSION, "demo", name), list), i, it)
        if (strcmp(json_text(it, "type"), type) == 0)
            return arena_printf(&w->arena, "%s/%s", json_text(it, "status"), json_text(it, "reason"));
    return "";
}

#define SESSION "status.conditions"
#define TARGET "status.targets.0.conditions"

static const char *message(struct test_world *w, const char *name, const char *list, const char *type)
{
    const json_t *it;
    size_t i;

    json_array_foreach (json_at(test_world_get(w, KIND_BACKUPSESSION, "demo", name), list), i, it)
        if (strcmp(json_text(it, "type"), type) == 0)
            return json_text(it, "message");
    return "";
}

/* The worker's report (worker.md 6.2): stats into our target's entry. */
static void report(struct test_world *w, const char *name, const char *stats)
{
    json_t *doc = json_deep_copy(test_world_get(w, KIND_BACKUPSESSION, "demo", name));
    char *dump;

    json_object_set_new(json_at(doc, "status.targets.0"), "stats", test_yaml(stats));
    dump = json_compact(json_at(doc, "status"));
    test_world_patch(w, KIND_BACKUPSESSION, "demo", name, arena_printf(&w->arena, "{\"status\": %s}", dump));
    mem_free(dump);
    json_decref(doc);
}

#define GOOD "[{hostname: host-0, phase: Succeeded, duration: 5s}]"
#define BAD "[{hostname: host-0, phase: Failed, error: no donor}]"

static void start(struct test_world *w, const char *name)
{
    assert_string_equal(step(w, name), "Accepted");
    assert_string_equal(step(w, name), "SuccessfullyEnsuredBackupExecutor");
}

/* ---- the good way ---- */

static void actions_and_hash_are_written_before_the_job(void **state)
{
    struct test_world *w = *state;

    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{spec: {timeOut: 10m}}");
    add_session(w, "s", "{}");
    assert_string_equal(step(w, "s"), "Accepted");
    assert_string_equal(text(w, "s", "status.phase"), "Pending");
    assert_string_equal(text(w, "s", "status.sessionDeadline"), "2026-03-01T02:10:00Z");
    assert_string_equal(text(w, "s", "status.targets.0.preBackupActions.0"), "InitializeBackendRepository");
    assert_string_equal(text(w, "s", "status.targets.0.postBackupActions.2"), "SendRepositoryMetrics");
    assert_string_equal(text(w, "s", "status.targets.0.ref.namespace"), "demo");
    assert_int_equal(strlen(json_meta(test_world_get(w, KIND_BACKUPSESSION, "demo", "s"), "annotations",
                                      "stash.appscode.com/invoker-hash")), 64);
    assert_null(test_world_get(w, KIND_JOB, "demo", "stash-backup-s-0"));
}

/* Owned and with the hash, as sessionspec_make makes it: one write less. */
static void one_that_a_trigger_made_is_accepted_with_one_write(void **state)
{
    struct test_world *w = *state;
    const json_t *invoker = test_world_get(w, KIND_BACKUPCONFIGURATION, "demo", "db");
    json_t *made = sessionspec_make(&w->arena, invoker, "s", -1);
    char *text_of_it;

    json_object_set_new(made, "apiVersion", json_string("stash.appscode.com/v1beta1"));
    json_object_set_new(made, "kind", json_string("BackupSession"));
    json_object_set_new(json_object_get(made, "metadata"), "namespace", json_string("demo"));
    text_of_it = json_dumps(made, 0);
    json_decref(made);
    test_world_add(w, text_of_it);
    mem_free(text_of_it);
    assert_null(strstr(test_world_decide(w, C, "demo", "s"), "patch "));
    assert_string_equal(w->rule->reason, "Accepted");
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{spec: {timeOut: 11m}}"); /* before it was accepted */
    assert_non_null(strstr(test_world_decide(w, C, "demo", "s"), "patch BackupSession demo/s"));
}

static void the_job_is_made_and_then_counted(void **state)
{
    struct test_world *w = *state;
    const json_t *job;

    add_session(w, "s", "{}");
    start(w, "s");
    job = test_world_get(w, KIND_JOB, "demo", "stash-backup-s-0");
    assert_non_null(job);
    assert_string_equal(json_text(job, "spec.template.spec.serviceAccountName"), "stash-backup");
    assert_int_equal(json_int(job, "spec.activeDeadlineSeconds", 0), 86400);
    assert_non_null(test_world_get(w, KIND_SERVICEACCOUNT, "demo", "stash-backup"));
    assert_non_null(test_world_get(w, KIND_ROLEBINDING, "demo", "stash-backup"));
    assert_string_equal(text(w, "s", "status.phase"), "Running");
    assert_string_equal(text(w, "s", "status.targets.0.phase"), "Running");
    assert_int_equal(json_int(test_world_get(w, KIND_BACKUPSESSION, "demo", "s"), "status.targets.0.totalHosts", 0), 1);
    assert_string_equal(condition(w, "s", TARGET, "BackupExecutorEnsured"), "True/SuccessfullyEnsuredBackupExecutor");
    assert_string_equal(step(w, "s"), "JobRuns");
    assert_string_equal(test_world_decide(w, C, "demo", "s"), "wake 15m0s\n"); /* nothing is written twice */
}

static void a_good_report_ends_it(void **state)
{
    struct test_world *w = *state;

    add_session(w, "s", "{}");
    start(w, "s");
    test_world_at(w, "2026-03-01T02:01:29Z");
    report(w, "s", GOOD);
    assert_string_equal(step(w, "s"), "BackupSucceeded");
    assert_string_equal(text(w, "s", "status.phase"), "Succeeded");
    assert_string_equal(text(w, "s", "status.targets.0.phase"), "Succeeded");
    assert_string_equal(text(w, "s", "status.sessionDuration"), "1m29s");
    assert_string_equal(condition(w, "s", SESSION, "BackupHistoryCleaned"), "True/SuccessfullyCleanedBackupHistory");
    assert_string_equal(condition(w, "s", SESSION, "MetricsPushed"), "True/SuccessfullyPushedMetrics");
    assert_string_equal(step(w, "s"), ""); /* at rest */
    report(w, "s", BAD);
    assert_string_equal(step(w, "s"), "");
    assert_string_equal(text(w, "s", "status.phase"), "Succeeded");
}

/* Labels between the name and the value. */
static void pushed(struct test_world *w, const char *name, const char *value)
{
    AUTO_FREE char *start = mem_printf("\n%s{", name);
    const char *line = strstr(w->pushed.data, start), *end = line ? strstr(line, "} ") : NULL;

    if (!value) {
        assert_null(line);
        return;
    }
    assert_non_null(end);
    assert_true(str_starts(str_of(end + 2), str_of(value)) && end[2 + strlen(value)] == '\n');
}

static void one_made_by_hand_goes_with_its_invoker(void **state)
{
    struct test_world *w = *state;

    add_session(w, "s", "{}");
    /* Once accepted it does not come here again, whoever was killed. */
    assert_true(strncmp(test_world_decide(w, C, "demo", "s"), "patch BackupSession demo/s ", 27) == 0);
    assert_string_equal(step(w, "s"), "Accepted");
    assert_string_equal(text(w, "s", "metadata.ownerReferences.0.uid"), "uid-db");
    assert_string_equal(text(w, "s", "metadata.ownerReferences.0.kind"), "BackupConfiguration");
}

static void what_it_started_with_stays_its_target(void **state)
{
    struct test_world *w = *state;

    add_session(w, "s", "{}");
    start(w, "s");
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{spec: {target: {ref: {name: other}}}}");
    report(w, "s", GOOD);
    assert_string_equal(step(w, "s"), "BackupSucceeded");
    assert_int_equal(json_array_size(json_at(test_world_get(w, KIND_BACKUPSESSION, "demo", "s"), "status.targets")), 1);
    assert_string_equal(text(w, "s", "status.targets.0.ref.name"), "db");
}

static void without_its_invoker_it_fails_on_its_own_target(void **state)
{
    struct test_world *w = *state;

    add_session(w, "s", "{}");
    start(w, "s");
    test_world_del(w, KIND_BACKUPCONFIGURATION, "demo", "db");
    test_world_del(w, KIND_JOB, "demo", "stash-backup-s-0");
    assert_string_equal(step(w, "s"), "BackupDisrupted");
    assert_string_equal(text(w, "s", "status.targets.0.ref.name"), "db");
    assert_string_equal(text(w, "s", "status.targets.0.phase"), "Failed");
    assert_string_equal(text(w, "s", "status.targets.1.phase"), "");
}

static void until_it_starts_an_edited_target_counts(void **state)
{
    struct test_world *w = *state;

    add_session(w, "s", "{}");
    assert_string_equal(step(w, "s"), "Accepted");
    test_world_addf(w, "{apiVersion: appcatalog.appscode.com/v1alpha1, kind: AppBinding, metadata: {name: other, "
                       "namespace: demo}, spec: {type: kubedb.com/perconaxtradb, version: 8.0.40, secret: {name: x}, "
                       "clientConfig: {service: {name: other, port: 3306, scheme: mysql}}}}");
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db",
                     "{spec: {task: {name: xtradb-backup}, target: {ref: {name: other}}}}");
    assert_string_equal(step(w, "s"), "SuccessfullyEnsuredBackupExecutor");
    assert_string_equal(text(w, "s", "status.targets.0.ref.name"), "other");
    assert_string_equal(text(w, "s", "status.targets.1.ref.name"), "");
}

static void a_good_end_is_pushed_with_its_figures(void **state)
{
    struct test_world *w = *state;

    add_session(w, "s", "{}");
    start(w, "s");
    test_world_at(w, "2026-03-01T02:01:29Z");
    report(w, "s", GOOD);
    assert_string_equal(step(w, "s"), "BackupSucceeded");
    pushed(w, "stash_appscode_com_backupsession_success", "1");
    pushed(w, "stash_appscode_com_backupsession_duration_seconds", "89");
    pushed(w, "stash_appscode_com_backupsession_target_count_total", "1");
    pushed(w, "stash_backup_last_success_time_seconds", "1.772330489e+09");
    pushed(w, "stash_appscode_com_backupsession_target_success", "1");
    pushed(w, "stash_backup_target_host_count_total", "1");
    assert_non_null(strstr(w->pushed.data, "push demo backupconfiguration-demo-db\n"));
    assert_non_null(strstr(w->pushed.data, "push demo backupconfiguration-demo-db/appbinding-db\n"));
    assert_non_null(strstr(w->pushed.data,
                           "{invoker_kind=\"BackupConfiguration\",invoker_name=\"db\",namespace=\"demo\","
                           "driver=\"Restic\",repository=\"repo\"} 1\n"));
    assert_non_null(
        strstr(w->pushed.data, "repository=\"repo\",kind=\"perconaxtradb\",group=\"kubedb.com\",name=\"db\"} 1\n"));
}

static void a_bad_end_pushes_only_that_it_was_bad(void **state)
{
    struct test_world *w = *state;

    add_session(w, "s", "{}");
    start(w, "s");
    report(w, "s", BAD);
    assert_string_equal(step(w, "s"), "BackupFailed");
    assert_string_equal(step(w, "s"), "HistoryCleanedAfterFailure");
    pushed(w, "stash_appscode_com_backupsession_success", "0");
    pushed(w, "stash_appscode_com_backupsession_target_success", "0");
    pushed(w, "stash_appscode_com_backupsession_duration_seconds", NULL);
    pushed(w, "stash_appscode_com_backupsession_last_success_time_seconds", NULL);
}

static void a_bad_report_fails_it(void **state)
{
    struct test_world *w = *state;

    add_session(w, "s", "{}");
    start(w, "s");
    report(w, "s", BAD);
    assert_string_equal(step(w, "s"), "BackupFailed");
    assert_string_equal(text(w, "s", "status.phase"), "Failed");
    assert_string_equal(text(w, "s", "status.targets.0.phase"), "Failed");
}

static void failed_retention_fails_it_but_metrics_do_not(void **state)
{
    struct test_world *w = *state;

    add_session(w, "s", "{}");
    start(w, "s");
    report(w, "s", GOOD);
    test_world_patch(w, KIND_BACKUPSESSION, "demo", "s",
                     "{status: {conditions: [{type: RepositoryMetricsPushed, status: \"False\"}]}}");
    (void)test_world_decide(w, C, "demo", "s");
    assert_string_equal(w->rule->reason, "BackupSucceeded");
    test_world_patch(w, KIND_BACKUPSESSION, "demo", "s",
                     "{status: {conditions: [{type: RetentionPolicyApplied, status: \"False\"}]}}");
    (void)test_world_decide(w, C, "demo", "s");
    assert_string_equal(w->rule->reason, "BackupFailed");
}

static void a_job_from_before_a_crash_is_found(void **state)
{
    struct test_world *w = *state;

    add_session(w, "s", "{}");
    assert_string_equal(step(w, "s"), "Accepted");
    (void)test_world_decide(w, C, "demo", "s");
    test_world_add(w, "{apiVersion: batch/v1, kind: Job, metadata: {name: stash-backup-s-0, namespace: demo,"
                      "ownerReferences: [{kind: BackupSession, name: s, uid: uid-s, controller: true}]}}");
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{status: {phase: NotReady}}");
    assert_string_equal(step(w, "s"), "JobFound"); /* and not skipped */
    assert_string_equal(text(w, "s", "status.phase"), "Running");
}

/* Nobody led for longer than a finished Job stays: what it wrote into the session is all that is left of it. */
static void a_session_whose_job_has_reported_and_is_gone_gets_no_second(void **state)
{
    struct test_world *w = *state;

    add_session(w, "s", "{}");
    assert_string_equal(step(w, "s"), "Accepted");
    report(w, "s", GOOD);
    assert_string_equal(step(w, "s"), "JobFound");
    assert_null(test_world_get(w, KIND_JOB, "demo", "stash-backup-s-0"));
    assert_string_equal(step(w, "s"), "BackupSucceeded");
}

/* ---- skipping and waiting ---- */

static void an_invoker_that_is_not_ready_skips_only_before_the_start(void **state)
{
    struct test_world *w = *state;

    add_session(w, "running", "{}");
    start(w, "running");
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{status: {phase: NotReady}}");
    assert_string_equal(step(w, "running"), "JobRuns");
    test_world_at(w, "2026-03-01T02:00:01Z");
    add_session(w, "new", "{}");
    assert_string_equal(step(w, "new"), "SkippedTakingNewBackup");
    assert_string_equal(text(w, "new", "status.phase"), "Skipped");
    assert_string_equal(message(w, "new", SESSION, "BackupSkipped"),
                        "backup skipped because BackupConfiguration demo/db is not ready");
    assert_string_equal(step(w, "new"), "HistoryCleanedAfterSkip");
    assert_string_equal(condition(w, "new", SESSION, "MetricsPushed"), "");
    assert_string_equal(step(w, "new"), "");
}

static void a_session_created_with_its_invoker_waits_for_the_verdict_on_it(void **state)
{
    struct test_world *w = *state;

    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{status: null}");
    add_session(w, "s", "{}");
    assert_string_equal(test_world_decide(w, C, "demo", "s"), "wake 5s\n");
    assert_string_equal(w->rule->reason, "InvokerNotJudged");
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db",
                     "{status: {phase: NotReady, conditions: [{type: BackendSecretFound, status: Unknown}]}}");
    assert_string_equal(step(w, "s"), "InvokerNotJudged");
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{status: {phase: Ready}}");
    assert_string_equal(step(w, "s"), "Accepted");
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db",
                     "{status: {phase: NotReady, conditions: [{type: BackendSecretFound, status: 'False'}]}}");
    add_session(w, "late", "{}");
    assert_string_equal(step(w, "late"), "SkippedTakingNewBackup");
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", /* that it may not look is the verdict */
                     "{status: {phase: NotReady, conditions: [{type: BackendSecretFound, status: 'True'}, {type: "
                     "BackupTargetFound, status: Unknown, reason: UnableToCheckTargetAvailability}]}}");
    add_session(w, "denied", "{}");
    assert_string_equal(step(w, "denied"), "SkippedTakingNewBackup");
}

static void a_running_sibling_skips_a_session_without_labels(void **state)
{
    struct test_world *w = *state;

    add_session(w, "a", "{}");
    start(w, "a");
    test_world_at(w, "2026-03-01T02:00:10Z");
    add_session(w, "b", "{}");
    assert_string_equal(step(w, "b"), "SkippedTakingNewBackup");
    assert_string_equal(message(w, "b", SESSION, "BackupSkipped"),
                        "new backup skipped: previous BackupSession a is Running");
}

static void of_two_of_one_second_one_goes_on(void **state)
{
    struct test_world *w = *state;

    add_session(w, "b", "{}");
    add_session(w, "a", "{}");
    (void)test_world_decide(w, C, "demo", "a");
    assert_string_equal(w->rule->reason, "Accepted");
    (void)test_world_decide(w, C, "demo", "b");
    assert_string_equal(w->rule->reason, "SkippedTakingNewBackup");
}

static void another_invokers_session_holds_the_target(void **state)
{
    struct test_world *w = *state;

    add_session(w, "s", "{}");
    assert_string_equal(step(w, "s"), "Accepted");
    test_world_add(
        w, "{apiVersion: stash.appscode.com/v1beta1, kind: BackupConfiguration, metadata: {name: other,"
           "namespace: ops}, spec: {target: {ref: {apiVersion: appcatalog.appscode.com/v1beta1, kind: AppBinding,"
           "name: db, namespace: demo}}}, status: {conditions: [{type: BackupTargetFound, status: \"True\", reason: "
           "x}]}}\n---\n"
           "{apiVersion: stash.appscode.com/v1beta1, kind: BackupSession, metadata: {name: o, namespace: ops},"
           "spec: {invoker: {kind: BackupConfiguration, name: other}}, status: {phase: Running}}");
    assert_string_equal(step(w, "s"), "WaitingForOtherSession");
    assert_string_equal(text(w, "s", "status.phase"), "Pending");
    assert_string_equal(condition(w, "s", TARGET, "BackupExecutorEnsured"), "Unknown/WaitingForOtherSession");
    assert_string_equal(message(w, "s", TARGET, "BackupExecutorEnsured"), "BackupSession ops/o has the same target");
    test_world_patch(w, KIND_BACKUPSESSION, "ops", "o", "{status: {phase: Succeeded}}");
    assert_string_equal(step(w, "s"), "SuccessfullyEnsuredBackupExecutor");
}

/* Who may not read the AppBinding can name it as target, but not hold it. */
static void a_stranger_of_another_namespace_holds_nothing(void **state)
{
    struct test_world *w = *state;

    add_session(w, "s", "{}");
    assert_string_equal(step(w, "s"), "Accepted");
    test_world_add(
        w, "{apiVersion: stash.appscode.com/v1beta1, kind: BackupConfiguration, metadata: {name: other,"
           "namespace: evil}, spec: {target: {ref: {apiVersion: appcatalog.appscode.com/v1beta1, kind: AppBinding,"
           "name: db, namespace: demo}}}, status: {conditions: [{type: BackupTargetFound, status: Unknown, reason: "
           "x}]}}\n---\n"
           "{apiVersion: stash.appscode.com/v1beta1, kind: BackupSession, metadata: {name: o, namespace: evil},"
           "spec: {invoker: {kind: BackupConfiguration, name: other}}, status: {phase: Running}}");
    assert_string_equal(step(w, "s"), "SuccessfullyEnsuredBackupExecutor");
}

static void a_restore_of_the_database_is_waited_for(void **state)
{
    struct test_world *w = *state;

    test_world_add(w, "{apiVersion: stash.appscode.com/v1beta1, kind: RestoreSession, metadata: {name: r, namespace: "
                      "demo}, spec: {target: {ref: {apiVersion: appcatalog.appscode.com/v1alpha1, kind: AppBinding,"
                      "name: db}}}, status: {phase: Running}}");
    add_session(w, "s", "{}");
    assert_string_equal(step(w, "s"), "Accepted");
    assert_string_equal(step(w, "s"), "WaitingForOtherSession");
    assert_string_equal(message(w, "s", TARGET, "BackupExecutorEnsured"), "RestoreSession demo/r has the same target");
    test_world_patch(w, KIND_RESTORESESSION, "demo", "r", "{status: {phase: Succeeded}}");
    assert_string_equal(step(w, "s"), "SuccessfullyEnsuredBackupExecutor");
}

static void a_restore_that_a_quota_holds_back_is_in_nobodys_way(void **state)
{
    struct test_world *w = *state;

    test_world_add(w, "{apiVersion: stash.appscode.com/v1beta1, kind: RestoreSession, metadata: {name: r, namespace: "
                      "demo, creationTimestamp: \"2026-03-01T01:00:00Z\"}, spec: {target: {ref: {apiVersion: "
                      "appcatalog.appscode.com/v1alpha1, kind: AppBinding, name: db}}}, status: {phase: Pending, "
                      "conditions: [{type: RestoreExecutorEnsured, status: Unknown, reason: "
                      "WaitingForOtherSession}]}}");
    add_session(w, "s", "{}");
    assert_string_equal(step(w, "s"), "Accepted");
    assert_string_equal(step(w, "s"), "WaitingForOtherSession");
    test_world_patch(w, KIND_RESTORESESSION, "demo", "r", "{status: {conditions: [{type: RestoreExecutorEnsured, "
                                                          "status: Unknown, reason: NamespaceQuotaExceeded}]}}");
    assert_string_equal(step(w, "s"), "SuccessfullyEnsuredBackupExecutor");
}

/* ---- the lock is held by what runs ---- */

#define CONFIGURATION(name, ns)                                                                                        \
    "{apiVersion: stash.appscode.com/v1beta1, kind: BackupConfiguration, metadata: {name: " name ", namespace: " ns    \
    "}, spec: {task: {name: xtradb-backup}, repository: {name: repo}, target: {ref: {apiVersion: "                    \
    "appcatalog.appscode.com/v1alpha1, kind: AppBinding, name: db, namespace: demo}}, retentionPolicy: {name: keep, "  \
    "keepLast: 5}}, status: {phase: Ready, conditions: [{type: BackupTargetFound, status: \"True\", reason: x}]}}"
#define SESSION_OF(invoker, name, ns)                                                                                  \
    "{apiVersion: stash.appscode.com/v1beta1, kind: BackupSession, metadata: {name: " name ", namespace: " ns          \
    "}, spec: {invoker: {kind: BackupConfiguration, name: " invoker "}}}"
#define HOLDS "annotations: {stash.appscode.com/job-target: appcatalog.appscode.com/AppBinding/demo/db}"
#define JOB_ENDS "{status: {conditions: [{type: Complete, status: \"True\", reason: x}]}}"

static void add_pod(struct test_world *w, const char *phase)
{
    test_world_addf(w, "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: demo, labels: {job-name: "
                       "stash-backup-a-0}, " HOLDS ", ownerReferences: [{kind: Job, name: "
                       "stash-backup-a-0, uid: uid-stash-backup-a-0, controller: true}]}, status: {phase: %s}}", phase);
}

static void waits_for(struct test_world *w, const char *name, const char *who)
{
    assert_string_equal(step(w, name), "WaitingForOtherSession");
    assert_string_equal(message(w, name, TARGET, "BackupExecutorEnsured"), who);
}

static void what_runs_says_which_target_and_repository_it_has(void **state)
{
    struct test_world *w = *state;
    const json_t *job, *template;

    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db",
                     "{spec: {runtimeSettings: {pod: {podAnnotations: {a: b, stash.appscode.com/job-target: c, "
                     "stash.appscode.com/job-repository: d}}}}}");
    add_session(w, "a", "{}");
    start(w, "a");
    job = test_world_get(w, KIND_JOB, "demo", "stash-backup-a-0");
    template = json_at(job, "spec.template");
    assert_string_equal(json_meta(job, "annotations", "stash.appscode.com/job-target"),
                        "appcatalog.appscode.com/AppBinding/demo/db");
    assert_string_equal(json_meta(template, "annotations", "stash.appscode.com/job-target"),
                        "appcatalog.appscode.com/AppBinding/demo/db");
    assert_string_equal(json_meta(template, "annotations", "stash.appscode.com/job-repository"), "demo/repo");
    assert_string_equal(json_meta(template, "annotations", "a"), "b");
}

static void a_deleted_session_holds_its_target_until_its_pod_has_ended(void **state)
{
    struct test_world *w = *state;

    add_session(w, "a", "{}");
    start(w, "a");
    test_world_del(w, KIND_BACKUPSESSION, "demo", "a");
    test_world_at(w, "2026-03-01T02:00:01Z");
    add_session(w, "b", "{}");
    assert_string_equal(step(w, "b"), "Accepted");
    waits_for(w, "b", "Job demo/stash-backup-a-0 has the same target");
    add_pod(w, "Running");
    waits_for(w, "b", "Pod demo/p has the same target");
    test_world_del(w, KIND_JOB, "demo", "stash-backup-a-0"); /* by the garbage collector: its pods go after it */
    waits_for(w, "b", "Pod demo/p has the same target");
    test_world_patch(w, KIND_POD, "demo", "p", "{status: {phase: Succeeded}}");
    assert_string_equal(step(w, "b"), "SuccessfullyEnsuredBackupExecutor");
}

/* kubectl delete job --cascade=orphan, or the garbage collector, while the watch of pods is behind. */
static void a_pod_that_the_cache_never_had_holds_the_target_of_a_job_that_is_gone(void **state)
{
    struct test_world *w = *state;

    add_session(w, "a", "{}");
    start(w, "a");
    add_pod(w, "Running");
    test_world_patch(w, KIND_POD, "demo", "p", "{metadata: {ownerReferences: null}}");
    test_world_unseen(w, KIND_POD, "demo", "p");
    test_world_patch(w, KIND_JOB, "demo", "stash-backup-a-0",
                     "{metadata: {deletionTimestamp: \"2026-03-01T02:00:00Z\"}}");
    test_world_del(w, KIND_JOB, "demo", "stash-backup-a-0");
    assert_string_equal(step(w, "a"), "BackupDisrupted");
    add_session(w, "b", "{}");
    assert_string_equal(step(w, "b"), "Accepted");
    waits_for(w, "b", "Pod demo/p has the same target");
    test_world_patch(w, KIND_POD, "demo", "p", "{metadata: {deletionTimestamp: \"2026-03-01T02:01:00Z\"}}");
    test_world_unseen(w, KIND_POD, "demo", "p");
    waits_for(w, "b", "Pod demo/p has the same target");
    test_world_at(w, "2026-03-01T02:01:30Z"); /* its node does not answer */
    assert_string_equal(step(w, "b"), "SuccessfullyEnsuredBackupExecutor");
}

static uint64_t now_ns(const struct test_world *w)
{
    return (uint64_t)w->now_ms * 1000000;
}

/* Its session may be gone by then: nothing else tells. */
static void what_is_sent_for_holds_the_target_before_the_cache_has_it(void **state)
{
    struct test_world *w = *state;
    json_t *job;

    add_session(w, "a", "{}");
    start(w, "a");
    job = json_deep_copy(test_world_get(w, KIND_JOB, "demo", "stash-backup-a-0"));
    test_world_del(w, KIND_JOB, "demo", "stash-backup-a-0");
    unseen_jobs_clear(&w->unseen);
    unseen_jobs_sent(&w->unseen, w->cache, "demo", job, now_ns(w));
    test_world_del(w, KIND_BACKUPSESSION, "demo", "a");
    add_session(w, "b", "{}");
    assert_string_equal(step(w, "b"), "Accepted");
    waits_for(w, "b", "Job demo/stash-backup-a-0 has the same target"); /* the request is under way */
    unseen_jobs_answered(&w->unseen, "demo", job, UNSEEN_UNKNOWN, now_ns(w));
    test_world_at(w, "2026-03-01T02:00:59Z");
    waits_for(w, "b", "Job demo/stash-backup-a-0 has the same target"); /* it may still be carried out */
    unseen_jobs_sent(&w->unseen, w->cache, "demo", job, now_ns(w));
    unseen_jobs_answered(&w->unseen, "demo", job, UNSEEN_REFUSED, now_ns(w));
    waits_for(w, "b", "Job demo/stash-backup-a-0 has the same target"); /* the first of the two requests */
    unseen_jobs_sent(&w->unseen, w->cache, "demo", job, now_ns(w));
    unseen_jobs_answered(&w->unseen, "demo", job, UNSEEN_MADE, now_ns(w));
    add_pod(w, "Running");
    test_world_unseen(w, KIND_POD, "demo", "p");
    waits_for(w, "b", "Pod demo/p has the same target");
    test_world_unheard(w, KIND_POD, "demo", "p");
    assert_string_equal(step(w, "b"), "SuccessfullyEnsuredBackupExecutor");
    json_decref(job);
}

static void what_was_sent_for_is_forgotten_once_seen_or_refused(void **state)
{
    struct test_world *w = *state;
    json_t *job = test_yaml("{metadata: {name: j, namespace: demo, " HOLDS ", ownerReferences: [{uid: u, controller: "
                            "true}]}}");

    unseen_jobs_sent(&w->unseen, w->cache, "demo", job, 0);
    unseen_jobs_answered(&w->unseen, "demo", job, UNSEEN_REFUSED, 0);
    assert_true(list_empty(&w->unseen.jobs));
    unseen_jobs_sent(&w->unseen, w->cache, "demo", job, 0);
    test_world_add(w, "{apiVersion: batch/v1, kind: Job, metadata: {name: j, namespace: demo, " HOLDS
                      ", ownerReferences: [{uid: other, controller: true}]}}");
    assert_false(list_empty(&w->unseen.jobs)); /* of a session of the same name, which is no more */
    test_world_unseen(w, KIND_JOB, "demo", "j");
    assert_int_equal(w->unseen.n_went, 1);
    test_world_add(w, "{apiVersion: batch/v1, kind: Job, metadata: {name: j, namespace: demo, " HOLDS
                      ", ownerReferences: [{uid: u, controller: true}]}}");
    assert_int_equal(w->unseen.n_went, 1); /* that one's pods may still be there */
    unseen_jobs_sent(&w->unseen, w->cache, "demo", job, 0); /* the cache has it */
    assert_ptr_equal(w->unseen.jobs.next, w->unseen.jobs.prev);
    unseen_jobs_expire(&w->unseen, now_ns(w) + 900 * 1000000000ull);
    assert_true(list_empty(&w->unseen.jobs));
    json_decref(job);
}

/* The Job controller may be behind, too. */
static void a_job_that_goes_at_once_may_make_a_pod_for_some_seconds(void **state)
{
    struct test_world *w = *state;

    add_session(w, "a", "{}");
    start(w, "a");
    test_world_del(w, KIND_JOB, "demo", "stash-backup-a-0");
    assert_string_equal(step(w, "a"), "BackupDisrupted");
    add_session(w, "b", "{}");
    assert_string_equal(step(w, "b"), "Accepted");
    waits_for(w, "b", "Job demo/stash-backup-a-0 has the same target");
    test_world_at(w, "2026-03-01T02:00:11Z");
    assert_string_equal(step(w, "b"), "SuccessfullyEnsuredBackupExecutor");
}

static void a_job_that_has_failed_before_its_pod_ends_holds_its_target_by_an_unseen_pod(void **state)
{
    struct test_world *w = *state;

    add_session(w, "a", "{}");
    start(w, "a");
    test_world_patch(w, KIND_JOB, "demo", "stash-backup-a-0",
                     "{status: {conditions: [{type: Failed, status: \"True\", reason: DeadlineExceeded}]}}");
    add_pod(w, "Running");
    test_world_unseen(w, KIND_POD, "demo", "p");
    assert_string_equal(step(w, "a"), "BackupDisrupted");
    add_session(w, "b", "{}");
    assert_string_equal(step(w, "b"), "Accepted");
    waits_for(w, "b", "Pod demo/p has the same target");
    test_world_del(w, KIND_JOB, "demo", "stash-backup-a-0");
    test_world_at(w, "2026-03-01T02:00:11Z");
    waits_for(w, "b", "Pod demo/p has the same target");
    add_pod(w, "Failed");
    assert_string_equal(step(w, "b"), "SuccessfullyEnsuredBackupExecutor");
}

/* He makes Jobs with our target and deletes them: some are looked at, together; and they push nobody else's out. */
static void jobs_of_a_stranger_that_went_cost_few_looks(void **state)
{
    struct test_world *w = *state;

    add_session(w, "a", "{}");
    start(w, "a");
    add_pod(w, "Running");
    test_world_patch(w, KIND_POD, "demo", "p", "{metadata: {ownerReferences: null}}");
    test_world_unseen(w, KIND_POD, "demo", "p");
    test_world_del(w, KIND_JOB, "demo", "stash-backup-a-0");
    assert_string_equal(step(w, "a"), "BackupDisrupted");
    for (int i = 0; i < 100; i++) {
        bool is_long = i % 10 == 0; /* no label: its pods could not be asked for */
        AUTO_FREE char *name =
            mem_printf("j-%d%s", i, is_long ? "-456789012345678901234567890123456789012345678901234567890123" : "");

        test_world_addf(w, "{apiVersion: batch/v1, kind: Job, metadata: {name: %s, namespace: ops, " HOLDS "}}", name);
        test_world_del(w, KIND_JOB, "ops", name);
    }
    assert_int_equal(w->unseen.n_went, 65);
    test_world_at(w, "2026-03-01T02:00:20Z");
    add_session(w, "b", "{}");
    assert_string_equal(step(w, "b"), "Accepted");
    waits_for(w, "b", "Pod demo/p has the same target");
    assert_true(w->runs <= 6); /* four for what a session reads anyway */
    test_world_unheard(w, KIND_POD, "demo", "p");
    assert_string_equal(step(w, "b"), "SuccessfullyEnsuredBackupExecutor");
}

/* What was deleted after its end has left nothing behind: nobody is asked. */
static void what_is_deleted_after_its_end_holds_nothing(void **state)
{
    struct test_world *w = *state;

    add_session(w, "a", "{}");
    start(w, "a");
    test_world_patch(w, KIND_JOB, "demo", "stash-backup-a-0", JOB_ENDS);
    test_world_del(w, KIND_JOB, "demo", "stash-backup-a-0");
    assert_true(list_empty(&w->unseen.jobs));
}

/* By a finalizer of somebody, or a deletion in the foreground whose pod is on a node that is gone. */
static void a_session_that_stays_while_it_is_deleted_holds_nothing_by_itself(void **state)
{
    struct test_world *w = *state;

    add_session(w, "a", "{}");
    start(w, "a");
    add_pod(w, "Running");
    test_world_patch(w, KIND_BACKUPSESSION, "demo", "a", "{metadata: {deletionTimestamp: \"2026-03-01T02:00:00Z\"}}");
    test_world_patch(w, KIND_POD, "demo", "p", "{metadata: {deletionTimestamp: \"2026-03-01T02:01:00Z\"}}");
    add_session(w, "b", "{}");
    assert_string_equal(step(w, "b"), "Accepted");
    waits_for(w, "b", "Pod demo/p has the same target");
    test_world_add(w, CONFIGURATION("two", "demo") "\n---\n" SESSION_OF("two", "c", "demo"));
    assert_string_equal(step(w, "c"), "Accepted");
    test_world_at(w, "2026-03-01T02:01:30Z");
    assert_string_equal(step(w, "b"), "SuccessfullyEnsuredBackupExecutor");
    test_world_del(w, KIND_BACKUPSESSION, "demo", "b");
    test_world_patch(w, KIND_JOB, "demo", "stash-backup-b-0", JOB_ENDS);
    assert_string_equal(step(w, "c"), "SuccessfullyEnsuredBackupExecutor");
}

static void a_restore_that_stays_while_it_is_deleted_holds_nothing_by_itself(void **state)
{
    struct test_world *w = *state;

    test_world_add(w, "{apiVersion: stash.appscode.com/v1beta1, kind: RestoreSession, metadata: {name: r, namespace: "
                      "demo, deletionTimestamp: \"2026-03-01T02:00:00Z\"}, spec: {target: {ref: {apiVersion: "
                      "appcatalog.appscode.com/v1alpha1, kind: AppBinding, name: db}}}, status: {phase: Running}}");
    add_session(w, "s", "{}");
    assert_string_equal(step(w, "s"), "Accepted");
    assert_string_equal(step(w, "s"), "SuccessfullyEnsuredBackupExecutor");
}

static void an_edited_configuration_gives_nothing_back(void **state)
{
    struct test_world *w = *state;

    add_session(w, "a", "{}");
    start(w, "a");
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{spec: {target: {ref: {name: other}}}}");
    test_world_add(w, CONFIGURATION("two", "demo") "\n---\n" SESSION_OF("two", "b", "demo"));
    assert_string_equal(step(w, "b"), "Accepted");
    waits_for(w, "b", "Job demo/stash-backup-a-0 has the same target");
    test_world_patch(w, KIND_JOB, "demo", "stash-backup-a-0", JOB_ENDS);
    assert_string_equal(step(w, "b"), "SuccessfullyEnsuredBackupExecutor");
}

static void a_session_that_is_over_holds_its_target_while_its_pod_ends(void **state)
{
    struct test_world *w = *state;

    add_session(w, "a", "{}");
    start(w, "a");
    report(w, "a", BAD);
    assert_string_equal(step(w, "a"), "BackupFailed");
    test_world_at(w, "2026-03-01T02:00:01Z");
    add_session(w, "b", "{}");
    assert_string_equal(step(w, "b"), "Accepted");
    waits_for(w, "b", "Job demo/stash-backup-a-0 has the same target");
    test_world_patch(w, KIND_JOB, "demo", "stash-backup-a-0", JOB_ENDS);
    assert_string_equal(step(w, "b"), "SuccessfullyEnsuredBackupExecutor");
}

static void a_pod_of_a_node_that_is_gone_holds_nothing_once_it_is_given_up(void **state)
{
    struct test_world *w = *state;

    add_pod(w, "Running");
    test_world_patch(w, KIND_POD, "demo", "p", "{metadata: {deletionTimestamp: \"2026-03-01T02:01:00Z\"}}");
    add_session(w, "b", "{}");
    assert_string_equal(step(w, "b"), "Accepted");
    test_world_at(w, "2026-03-01T02:01:29Z");
    waits_for(w, "b", "Pod demo/p has the same target");
    test_world_at(w, "2026-03-01T02:01:30Z");
    assert_string_equal(step(w, "b"), "SuccessfullyEnsuredBackupExecutor");
}

/* A proxy that a mesh has put into the pod runs on for ever. */
static void a_pod_whose_own_containers_have_ended_holds_nothing(void **state)
{
    struct test_world *w = *state;

    add_session(w, "a", "{}");
    start(w, "a");
    report(w, "a", GOOD);
    assert_string_equal(step(w, "a"), "BackupSucceeded");
    add_pod(w, "Running");
    test_world_patch(w, KIND_POD, "demo", "p",
                     "{status: {containerStatuses: [{name: proxy, state: {terminated: {exitCode: 1}}}, {name: "
                     "update-status-1, state: {running: {}}}]}}");
    add_session(w, "b", "{}");
    assert_string_equal(step(w, "b"), "Accepted");
    waits_for(w, "b", "Pod demo/p has the same target");
    test_world_patch(w, KIND_POD, "demo", "p",
                     "{status: {containerStatuses: [{name: proxy, state: {running: {}}}, {name: update-status-1, "
                     "state: {terminated: {exitCode: 0}}}]}}");
    assert_string_equal(step(w, "b"), "SuccessfullyEnsuredBackupExecutor");
}

/* Anybody can write such an annotation on a Job of his namespace: it counts if its account may read the AppBinding. */
static void a_job_of_another_namespace_holds_what_its_account_may_read(void **state)
{
    struct test_world *w = *state;

    test_world_add(w, "{apiVersion: batch/v1, kind: Job, metadata: {name: j, namespace: ops, " HOLDS "}, spec: "
                      "{template: {spec: {serviceAccountName: backup}}}}");
    add_session(w, "b", "{}");
    assert_string_equal(step(w, "b"), "Accepted");
    w->accounts_may = true;
    waits_for(w, "b", "Job ops/j has the same target");
    w->accounts_may = false;
    assert_string_equal(step(w, "b"), "SuccessfullyEnsuredBackupExecutor");
}

static void a_restore_of_another_namespace_is_waited_for(void **state)
{
    struct test_world *w = *state;

    test_world_add(w, "{apiVersion: stash.appscode.com/v1beta1, kind: RestoreSession, metadata: {name: r, namespace: "
                      "ops}, spec: {target: {ref: {apiVersion: appcatalog.appscode.com/v1alpha1, kind: AppBinding,"
                      "name: db, namespace: demo}}}, status: {phase: Running, conditions: [{type: RestoreTargetFound, "
                      "status: \"True\", reason: x}]}}");
    add_session(w, "s", "{}");
    assert_string_equal(step(w, "s"), "Accepted");
    waits_for(w, "s", "RestoreSession ops/r has the same target");
    test_world_patch(w, KIND_RESTORESESSION, "ops", "r", /* it may not read it: else anybody could hold it up */
                     "{status: {conditions: [{type: RestoreTargetFound, status: Unknown, reason: x}]}}");
    assert_string_equal(step(w, "s"), "SuccessfullyEnsuredBackupExecutor");
}

/* The operator decides on one before the other is there; the second comes in the same second, with a smaller name. */
static void of_two_of_one_second_the_one_that_came_first_goes_on(void **state)
{
    struct test_world *w = *state;

    cache_set_complete(w->cache, kind_get(KIND_BACKUPSESSION));
    add_session(w, "manual", "{}");
    assert_string_equal(step(w, "manual"), "Accepted");
    add_session(w, "db-1", "{}");
    (void)test_world_decide(w, C, "demo", "db-1");
    assert_string_equal(w->rule->reason, "SkippedTakingNewBackup");
    (void)test_world_decide(w, C, "demo", "manual");
    assert_string_equal(w->rule->reason, "SuccessfullyEnsuredBackupExecutor");
}

static void of_two_invokers_of_one_second_the_one_that_came_first_goes_on(void **state)
{
    struct test_world *w = *state;

    cache_set_complete(w->cache, kind_get(KIND_BACKUPSESSION));
    add_session(w, "z", "{}");
    assert_string_equal(step(w, "z"), "Accepted");
    test_world_add(w, CONFIGURATION("two", "demo") "\n---\n" SESSION_OF("two", "b", "demo"));
    assert_string_equal(step(w, "b"), "Accepted");
    waits_for(w, "b", "BackupSession demo/z has the same target");
    assert_string_equal(step(w, "z"), "SuccessfullyEnsuredBackupExecutor");
}

/* Its namespace may stay full for a day; what it has in common with others is the database alone. */
static void a_backup_that_the_api_server_refuses_is_passed_by_those_of_other_invokers(void **state)
{
    struct test_world *w = *state;

    cache_set_complete(w->cache, kind_get(KIND_BACKUPSESSION));
    add_session(w, "z", "{}");
    assert_string_equal(step(w, "z"), "Accepted");
    test_world_refuse(w, KIND_JOB, "demo", "stash-backup-z-0", REFUSAL_QUOTA, "exceeded quota: jobs");
    assert_string_equal(step(w, "z"), "JobRefusedForNow");
    add_session(w, "y", "{}");
    assert_string_equal(step(w, "y"), "SkippedTakingNewBackup"); /* of its own invoker */
    test_world_add(w, CONFIGURATION("two", "demo") "\n---\n" SESSION_OF("two", "b", "demo"));
    assert_string_equal(step(w, "b"), "Accepted");
    test_world_at(w, "2026-03-01T02:10:00Z");
    assert_string_equal(step(w, "z"), "JoinedLine"); /* it is about to be tried again */
    waits_for(w, "b", "BackupSession demo/z has the same target");
    test_world_refuse(w, KIND_JOB, "demo", "stash-backup-z-0", REFUSAL_QUOTA, "exceeded quota: jobs");
    assert_string_equal(step(w, "z"), "JobRefusedForNow");
    assert_string_equal(step(w, "b"), "SuccessfullyEnsuredBackupExecutor");
    test_world_at(w, "2026-03-01T02:30:00Z");
    waits_for(w, "z", "BackupSession demo/b has the same target");
}

struct woken {
    char text[256];
};

static void note(void *ctx, const char *ns, const char *name)
{
    struct woken *k = ctx;
    size_t n = strlen(k->text);

    (void)snprintf(k->text + n, sizeof(k->text) - n, "%s/%s ", ns, name);
}

static void the_end_of_a_session_wakes_its_rivals(void **state)
{
    struct test_world *w = *state;
    struct woken k = {""};

    add_session(w, "s", "{}");
    test_world_add(
        w, "{apiVersion: stash.appscode.com/v1beta1, kind: BackupConfiguration, metadata: {name: other,"
           "namespace: ops}, spec: {target: {ref: {apiVersion: appcatalog.appscode.com/v1beta1, kind: AppBinding,"
           "name: db, namespace: demo}}}, status: {conditions: [{type: BackupTargetFound, status: \"True\", reason: "
           "x}]}}\n---\n"
           "{apiVersion: stash.appscode.com/v1beta1, kind: BackupSession, metadata: {name: o, namespace: ops},"
           "spec: {invoker: {kind: BackupConfiguration, name: other}}, status: {phase: Succeeded}}");
    backupsession_wake_rivals(w->cache, cache_find(w->cache, kind_get(KIND_BACKUPSESSION), "ops", "o"), note, &k);
    assert_string_equal(k.text, "demo/s ");
}

static const char *woken_by(struct test_world *w, enum kind_id kind, const char *name, struct woken *k)
{
    k->text[0] = 0;
    backupsession_wake_by_job(w->cache, cache_find(w->cache, kind_get(kind), "demo", name), note, k);
    return k->text;
}

static void the_end_of_a_job_and_of_its_pod_wakes_who_waits_for_the_target(void **state)
{
    struct test_world *w = *state;
    const struct kobj *before, *after;
    struct woken k;

    add_session(w, "a", "{}");
    start(w, "a");
    add_pod(w, "Running");
    add_session(w, "b", "{phase: Pending}");
    assert_string_equal(woken_by(w, KIND_JOB, "stash-backup-a-0", &k), "");
    assert_string_equal(woken_by(w, KIND_POD, "p", &k), "");
    before = kobj_ref(cache_find(w->cache, kind_get(KIND_JOB), "demo", "stash-backup-a-0"));
    test_world_patch(w, KIND_JOB, "demo", "stash-backup-a-0", JOB_ENDS);
    after = cache_find(w->cache, kind_get(KIND_JOB), "demo", "stash-backup-a-0");
    assert_true(target_lock_ends(before, after));
    assert_false(target_lock_ends(after, after)); /* what else becomes of it is of no interest */
    kobj_unref(before);
    test_world_patch(w, KIND_POD, "demo", "p", "{status: {phase: Failed}}");
    assert_string_equal(woken_by(w, KIND_JOB, "stash-backup-a-0", &k), "demo/b ");
    assert_string_equal(woken_by(w, KIND_POD, "p", &k), "demo/b ");
}

/* ---- what can't be made ---- */

static void a_missing_task_fails_at_once_and_says_so(void **state)
{
    struct test_world *w = *state;

    add_session(w, "s", "{}");
    assert_string_equal(step(w, "s"), "Accepted");
    test_world_del(w, KIND_TASK, NULL, "xtradb-backup");
    assert_string_equal(step(w, "s"), "FailedToEnsureBackupExecutor");
    assert_string_equal(text(w, "s", "status.phase"), "Failed");
    assert_string_equal(condition(w, "s", TARGET, "BackupExecutorEnsured"), "False/FailedToEnsureBackupExecutor");
    assert_string_equal(
        message(w, "s", TARGET, "BackupExecutorEnsured"),
        "failed to make the backup Job demo/stash-backup-s-0. Reason: Task \"xtradb-backup\" not found");
}

/* Helm replaces by deleting first. */
static void waits_for_what_is_replaced(struct test_world *w, const char *session, enum kind_id kind, const char *name)
{
    AUTO_FREE char *text_of_it = json_compact(test_world_get(w, kind, NULL, name));

    add_session(w, session, "{}");
    assert_string_equal(step(w, session), "Accepted");
    test_world_del(w, kind, NULL, name);
    w->catalog_s = 60;
    assert_string_equal(step(w, session), "WaitingForCatalog");
    assert_string_equal(text(w, session, "status.phase"), "Pending");
    assert_string_equal(condition(w, session, TARGET, "BackupExecutorEnsured"), "Unknown/WaitingForCatalog");
    assert_non_null(strstr(message(w, session, TARGET, "BackupExecutorEnsured"), name));
    w->catalog_s = 0; /* it never came */
    (void)test_world_decide(w, C, "demo", session);
    assert_string_equal(w->rule->reason, "FailedToEnsureBackupExecutor");
    test_world_add(w, text_of_it);
    assert_string_equal(step(w, session), "SuccessfullyEnsuredBackupExecutor");
}

static void a_task_or_function_that_is_replaced_is_waited_for(void **state)
{
    struct test_world *w = *state;

    waits_for_what_is_replaced(w, "s", KIND_TASK, "xtradb-backup");
    test_world_del(w, KIND_BACKUPSESSION, "demo", "s");
    test_world_patch(w, KIND_JOB, "demo", "stash-backup-s-0", JOB_ENDS);
    waits_for_what_is_replaced(w, "t", KIND_FUNCTION, "update-status");
}

/* Also of what is made for a user's own account: without a word the session would only wait. */
static void a_refused_binding_is_told(void **state)
{
    struct test_world *w = *state;

    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db",
                     "{spec: {runtimeSettings: {pod: {serviceAccountName: mine}}}}");
    add_session(w, "s", "{}");
    assert_string_equal(step(w, "s"), "Accepted");
    test_world_refuse(w, KIND_ROLEBINDING, "demo", "backupconfiguration-db-0", REFUSAL_FORBIDDEN, "cannot bind");
    assert_string_equal(step(w, "s"), "JobRefusedForNow");
    assert_string_equal(condition(w, "s", TARGET, "BackupExecutorEnsured"), "Unknown/OperatorForbidden");
}

static void a_full_quota_is_waited_for(void **state)
{
    struct test_world *w = *state;

    add_session(w, "s", "{}");
    assert_string_equal(step(w, "s"), "Accepted");
    test_world_refuse(w, KIND_JOB, "demo", "stash-backup-s-0", REFUSAL_QUOTA, "exceeded quota: jobs");
    assert_string_equal(step(w, "s"), "JobRefusedForNow");
    assert_string_equal(text(w, "s", "status.phase"), "Pending");
    assert_string_equal(condition(w, "s", TARGET, "BackupExecutorEnsured"), "Unknown/NamespaceQuotaExceeded");
    assert_string_equal(condition(w, "s", SESSION, "Admitted"), "False/NamespaceQuotaExceeded");
    test_world_at(w, "2026-03-01T02:10:00Z");
    assert_string_equal(step(w, "s"), "JoinedLine"); /* a restore may have gone past it just now */
    assert_string_equal(step(w, "s"), "NewInLine");
    test_world_at(w, "2026-03-01T02:10:02Z");
    assert_string_equal(step(w, "s"), "SuccessfullyEnsuredBackupExecutor");
    assert_string_equal(condition(w, "s", SESSION, "Admitted"), "True/Admitted");
}

static void an_invalid_job_fails_for_good(void **state)
{
    struct test_world *w = *state;

    add_session(w, "s", "{}");
    assert_string_equal(step(w, "s"), "Accepted");
    test_world_refuse(w, KIND_JOB, "demo", "stash-backup-s-0", REFUSAL_INVALID, "spec.x: bad");
    assert_string_equal(step(w, "s"), "JobRefused");
    assert_string_equal(text(w, "s", "status.phase"), "Failed");
}

#define JOB_OF(uid)                                                                                                    \
    "{apiVersion: batch/v1, kind: Job, metadata: {name: stash-backup-s-0, namespace: demo, ownerReferences: [{kind: "  \
    "BackupSession, name: s, uid: " uid ", controller: true}]}, status: {conditions: [{type: Complete, status: "       \
    "\"True\"}]}}"

/* kubectl replace --force: the Job of the session before goes with that session, but not at once. */
static void the_job_of_a_session_that_was_replaced_is_waited_for(void **state)
{
    struct test_world *w = *state;

    test_world_add(w, JOB_OF("uid-before"));
    add_session(w, "s", "{}");
    assert_string_equal(step(w, "s"), "Accepted");
    test_world_refuse(w, KIND_JOB, "demo", "stash-backup-s-0", REFUSAL_NAME, "exists and is not ours");
    assert_string_equal(step(w, "s"), "JobRefusedForNow");
    test_world_del(w, KIND_JOB, "demo", "stash-backup-s-0");
    assert_string_equal(step(w, "s"), "JoinedLine");
    test_world_at(w, "2026-03-01T02:00:02Z");
    assert_string_equal(step(w, "s"), "SuccessfullyEnsuredBackupExecutor");
}

/* One without our label is not watched: only who asks for it knows of it. */
static void a_job_of_somebody_else_fails_for_good(void **state)
{
    struct test_world *w = *state;

    test_world_add(w, "{apiVersion: batch/v1, kind: Job, metadata: {name: stash-backup-s-0, namespace: demo}}");
    test_world_unseen(w, KIND_JOB, "demo", "stash-backup-s-0");
    add_session(w, "s", "{}");
    assert_string_equal(step(w, "s"), "Accepted");
    test_world_refuse(w, KIND_JOB, "demo", "stash-backup-s-0", REFUSAL_NAME, "exists and is not ours");
    assert_string_equal(step(w, "s"), "JobRefused");
    assert_string_equal(condition(w, "s", TARGET, "BackupExecutorEnsured"), "False/NameConflict");
}

static void a_withdrawn_repository_skips(void **state)
{
    struct test_world *w = *state;

    add_session(w, "s", "{}");
    assert_string_equal(step(w, "s"), "Accepted");
    test_world_add(w,
                   "{apiVersion: stash.appscode.com/v1alpha1, kind: Repository, metadata: {name: far, namespace: ops},"
                   "spec: {backend: {gcs: {bucket: b}}}}");
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{spec: {repository: {name: far, namespace: ops}}}");
    assert_string_equal(step(w, "s"), "SkippedWhilePending");
    assert_null(test_world_get(w, KIND_JOB, "demo", "stash-backup-s-0"));
}

static void nothing_is_made_for_a_repository_that_has_just_gone(void **state)
{
    struct test_world *w = *state;

    add_session(w, "s", "{}");
    assert_string_equal(step(w, "s"), "Accepted");
    test_world_unheard(w, KIND_REPOSITORY, "demo", "repo");
    assert_null(strstr(test_world_decide(w, C, "demo", "s"), "create"));
    assert_int_equal(w->plan.wake_at_s, w->now_ms / 1000 + 1);
    test_world_unseen(w, KIND_REPOSITORY, "demo", "repo");
    assert_string_equal(step(w, "s"), "SkippedWhilePending");
    assert_non_null(strstr(message(w, "s", SESSION, "BackupSkipped"), "Repository demo/repo is not there"));
}

/* The original product has batches; here nobody would ever run one. */
static void a_session_of_a_batch_is_told_that_there_are_none_here(void **state)
{
    struct test_world *w = *state;

    add_session(w, "s", "{}");
    test_world_patch(w, KIND_BACKUPSESSION, "demo", "s", "{spec: {invoker: {kind: BackupBatch, name: all}}}");
    assert_string_equal(step(w, "s"), "SkippedTakingNewBackup");
    assert_non_null(strstr(message(w, "s", SESSION, "BackupSkipped"), "this operator runs BackupConfigurations only"));
}

/* ---- Jobs that die ---- */

static void a_failed_container_is_named_with_its_last_words(void **state)
{
    struct test_world *w = *state;

    add_session(w, "s", "{}");
    start(w, "s");
    test_world_patch(
        w, KIND_JOB, "demo", "stash-backup-s-0",
        "{status: {failed: 1, conditions: [{type: Failed, status: \"True\", reason: BackoffLimitExceeded}]}}");
    test_world_add(
        w, "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: demo, ownerReferences: [{kind: Job, name:"
           "stash-backup-s-0, uid: uid-stash-backup-s-0, controller: true}]}, status: {phase: Failed,"
           "initContainerStatuses: [{name: xtradb-backup-8-0-0, state: {terminated: {exitCode: 137, reason: "
           "OOMKilled, message: \"killed\\n\"}}}]}}");
    assert_string_equal(step(w, "s"), "BackupDisrupted");
    assert_string_equal(condition(w, "s", TARGET, "BackupDisrupted"), "True/FailedToCompleteDueToDisruption");
    assert_string_equal(message(w, "s", TARGET, "BackupDisrupted"),
                        "container \"xtradb-backup-8-0-0\" ended with exit code 137 (OOMKilled): killed");
    assert_string_equal(text(w, "s", "status.phase"), "Failed");
    assert_string_equal(text(w, "s", "status.targets.0.phase"), "Failed");
}

static void a_log_line_is_read_for_what_it_says(void **state)
{
    struct test_world *w = *state;

    add_session(w, "s", "{}");
    start(w, "s");
    test_world_patch(w, KIND_JOB, "demo", "stash-backup-s-0",
                     "{status: {failed: 1, conditions: [{type: Failed, status: 'True', reason: x}]}}");
    test_world_add(w, "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: demo, ownerReferences: [{kind: Job, "
                      "name: stash-backup-s-0, uid: uid-stash-backup-s-0, controller: true}]}, status: {phase: Failed,"
                      "containerStatuses: [{name: update-status-1, state: {terminated: {exitCode: 1, message: "
                      "'{\"level\":\"info\",\"msg\":\"starts\"}\n\n"
                      "{\"level\":\"error\",\"msg\":\"not published\",\"error\":\"get x: Unauthorized\"}\n'}}}]}}");
    assert_string_equal(step(w, "s"), "BackupDisrupted");
    assert_string_equal(message(w, "s", TARGET, "BackupDisrupted"),
                        "container \"update-status-1\" ended with exit code 1: not published: get x: Unauthorized");
}

static void the_last_container_and_a_lost_pod_speak_too(void **state)
{
    struct test_world *w = *state;

    add_session(w, "s", "{}");
    start(w, "s");
    test_world_patch(
        w, KIND_JOB, "demo", "stash-backup-s-0",
        "{status: {failed: 1, conditions: [{type: Failed, status: \"True\", reason: BackoffLimitExceeded}]}}");
    test_world_add(
        w, "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: demo, ownerReferences: [{kind: Job, name:"
           "stash-backup-s-0, uid: uid-stash-backup-s-0, controller: true}]}, status: {phase: Failed,"
           "initContainerStatuses: [{name: x, state: {terminated: {exitCode: 0}}}],"
           "containerStatuses: [{name: update-status-1, state: {terminated: {exitCode: 1}}}]}}");
    (void)test_world_decide(w, C, "demo", "s");
    assert_non_null(strstr(w->out.data, "container \\\"update-status-1\\\" ended with exit code 1\""));
    test_world_patch(w, KIND_POD, "demo", "p",
                     "{status: {reason: Evicted, message: node is full, containerStatuses: null}}");
    (void)test_world_decide(w, C, "demo", "s");
    assert_non_null(strstr(w->out.data, "pod Evicted: node is full"));
}

static void a_job_that_is_gone_ends_the_session(void **state)
{
    struct test_world *w = *state;

    add_session(w, "s", "{}");
    start(w, "s");
    test_world_del(w, KIND_JOB, "demo", "stash-backup-s-0");
    assert_string_equal(step(w, "s"), "BackupDisrupted");
    assert_string_equal(message(w, "s", TARGET, "BackupDisrupted"),
                        "Job stash-backup-s-0 is gone and has reported nothing");
}

static void a_report_wins_over_a_job_that_is_gone(void **state)
{
    struct test_world *w = *state;

    add_session(w, "s", "{}");
    start(w, "s");
    report(w, "s", GOOD);
    test_world_del(w, KIND_JOB, "demo", "stash-backup-s-0");
    assert_string_equal(step(w, "s"), "BackupSucceeded");
}

static void an_image_that_can_not_be_pulled_is_told_and_then_given_up(void **state)
{
    struct test_world *w = *state;

    add_session(w, "s", "{}");
    start(w, "s");
    test_world_add(
        w, "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: demo, ownerReferences: [{kind: Job, name:"
           "stash-backup-s-0, uid: uid-stash-backup-s-0, controller: true}]}, status: {phase: Pending,"
           "initContainerStatuses: [{name: x, state: {waiting: {reason: ImagePullBackOff, message: no such image"
           "}}}]}}");
    assert_string_equal(test_world_decide(w, C, "demo", "s"),
                        "event Warning Backup Job Failed: Job stash-backup-s-0 does not start: container \"x\": "
                        "ImagePullBackOff: no such image\nwake 15m0s\n");
    test_world_at(w, "2026-03-01T02:15:00Z");
    assert_string_equal(step(w, "s"), "PodNotStarted");
    assert_string_equal(message(w, "s", TARGET, "BackupDisrupted"),
                        "no container of Job stash-backup-s-0 has started within 15m0s: container \"x\": "
                        "ImagePullBackOff: no such image");
    assert_null(test_world_get(w, KIND_JOB, "demo", "stash-backup-s-0"));
}

static void a_long_backup_in_an_init_container_has_started(void **state)
{
    struct test_world *w = *state;

    add_session(w, "s", "{}");
    start(w, "s");
    test_world_add(
        w, "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: demo, ownerReferences: [{kind: Job, name:"
           "stash-backup-s-0, uid: uid-stash-backup-s-0, controller: true}]}, status: {phase: Pending,"
           "initContainerStatuses: [{name: x, state: {running: {}}}]}}");
    test_world_at(w, "2026-03-01T05:00:00Z");
    assert_string_equal(step(w, "s"), "JobRuns");
}

/* Seen on Kubernetes 1.36 with cgroup v1: restic is killed, the worker reports it and ends with 0, and the kubelet
 * starts no other container of the pod. */
/* The watch of pods may be broken for as long as a backup takes. */
static void a_pod_that_only_the_job_knows_of_has_not_failed_to_start(void **state)
{
    struct test_world *w = *state;

    add_session(w, "s", "{}");
    start(w, "s");
    test_world_patch(w, KIND_JOB, "demo", "stash-backup-s-0", "{status: {active: 1}}");
    test_world_at(w, "2026-03-01T02:15:00Z");
    assert_string_equal(step(w, "s"), "JobRuns");
    assert_string_equal(text(w, "s", "status.phase"), "Running");
    test_world_patch(w, KIND_JOB, "demo", "stash-backup-s-0", "{status: {active: null}}"); /* a quota has no room */
    assert_string_equal(step(w, "s"), "PodNotStarted");
}

static void a_pod_that_hangs_after_its_memory_ran_out_has_failed(void **state)
{
    struct test_world *w = *state;

    add_session(w, "s", "{}");
    start(w, "s");
    test_world_add(
        w, "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: demo, ownerReferences: [{kind: Job, name:"
           "stash-backup-s-0, uid: uid-stash-backup-s-0, controller: true}]}, status: {phase: Pending,"
           "initContainerStatuses: [{name: x, resources: {limits: {memory: 20Mi}}, state: {terminated: {exitCode: 0,"
           "reason: OOMKilled}}}]}}");
    assert_string_equal(step(w, "s"), "BackupDisrupted");
    assert_string_equal(message(w, "s", TARGET, "BackupDisrupted"),
                        "container \"x\" ran out of memory (OOMKilled, limit 20Mi): its resources.limits.memory is too "
                        "small");
    assert_null(test_world_get(w, KIND_JOB, "demo", "stash-backup-s-0"));
}

/* ---- the deadline ---- */

static void the_deadline_stops_the_job_first(void **state)
{
    struct test_world *w = *state;
    const char *lines;

    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{spec: {timeOut: 10m}}");
    add_session(w, "s", "{}");
    start(w, "s");
    test_world_at(w, "2026-03-01T02:10:00Z");
    lines = test_world_step(w, C, "demo", "s");
    assert_non_null(strstr(lines, "delete Job demo/stash-backup-s-0 Foreground\n"));
    assert_non_null(strstr(lines, "event Warning Deadline Exceeded"));
    assert_string_equal(text(w, "s", "status.phase"), "Running"); /* until its pods are gone */
    assert_string_equal(condition(w, "s", SESSION, "DeadlineExceeded"), "True/FailedToCompleteWithinDeadline");
    report(w, "s", GOOD); /* too late */
    assert_string_equal(step(w, "s"), "DeadlineExceededStopped");
    assert_string_equal(text(w, "s", "status.phase"), "Failed");
}

/* A pod that was told to end at 02:00:00, of a node that is gone. */
#define LOST_POD                                                                                                       \
    "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: demo, deletionTimestamp: \"2026-03-01T02:01:00Z\","   \
    "deletionGracePeriodSeconds: 60, ownerReferences: [{kind: Job, name: stash-backup-s-0, uid: "                      \
    "uid-stash-backup-s-0, controller: true}]}, spec: {nodeName: n2}, status: {phase: %s, conditions: [{type: "        \
    "DisruptionTarget, status: \"True\", reason: DeletionByTaintManager, message: a taint}], initContainerStatuses: "  \
    "[{name: x, state: {running: {}}}]}}"

static void a_pod_whose_node_is_gone_is_given_up_after_its_grace(void **state)
{
    struct test_world *w = *state;

    add_session(w, "s", "{}");
    start(w, "s");
    test_world_addf(w, LOST_POD, "Pending");
    assert_string_equal(test_world_decide(w, C, "demo", "s"), "wake 1m30s\n"); /* no event will tell */
    test_world_at(w, "2026-03-01T02:01:30Z");
    assert_string_equal(step(w, "s"), "BackupDisrupted");
    assert_string_equal(message(w, "s", TARGET, "BackupDisrupted"),
                        "pod p was to end and has not: its node n2 does not answer: a taint");
    assert_null(test_world_get(w, KIND_JOB, "demo", "stash-backup-s-0"));
    assert_string_equal(text(w, "s", "status.phase"), "Failed");
}

static void a_pod_that_has_ended_in_time_is_not_lost(void **state)
{
    struct test_world *w = *state;

    add_session(w, "s", "{}");
    start(w, "s");
    test_world_addf(w, LOST_POD, "Failed"); /* only the Job's finalizer holds it */
    test_world_at(w, "2026-03-01T02:05:00Z");
    assert_string_equal(step(w, "s"), "JobRuns");
}

static void the_deadline_does_not_wait_for_a_node_that_is_gone(void **state)
{
    struct test_world *w = *state;

    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{spec: {timeOut: 10s}}");
    add_session(w, "s", "{}");
    start(w, "s");
    test_world_at(w, "2026-03-01T02:00:10Z");
    (void)test_world_decide(w, C, "demo", "s"); /* the Job stays as long as its pod does: nothing is carried out */
    test_world_patch(w, KIND_BACKUPSESSION, "demo", "s",
                     "{status: {conditions: [{type: DeadlineExceeded, status: \"True\"}]}}");
    test_world_addf(w, LOST_POD, "Pending");
    test_world_patch(w, KIND_JOB, "demo", "stash-backup-s-0",
                     "{metadata: {deletionTimestamp: \"2026-03-01T02:00:10Z\"}}");
    assert_non_null(strstr(test_world_step(w, C, "demo", "s"), "wake 1m20s\n"));
    assert_string_equal(text(w, "s", "status.phase"), "Running");
    test_world_at(w, "2026-03-01T02:01:30Z");
    assert_string_equal(step(w, "s"), "DeadlineExceededStopped");
    assert_string_equal(text(w, "s", "status.phase"), "Failed");
    assert_non_null(strstr(message(w, "s", TARGET, "BackupDisrupted"), "its node n2 does not answer"));
}

/* Kubernetes before 1.31 calls a Job Failed while its pod has yet to end. */
static void nor_when_the_job_has_failed_before_its_pod_has_ended(void **state)
{
    struct test_world *w = *state;

    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{spec: {timeOut: 10s}}");
    add_session(w, "s", "{}");
    start(w, "s");
    test_world_addf(w, LOST_POD, "Pending");
    test_world_patch(w, KIND_JOB, "demo", "stash-backup-s-0",
                     "{metadata: {deletionTimestamp: \"2026-03-01T02:00:10Z\"}, status: {conditions: [{type: Failed, "
                     "status: \"True\", reason: DeadlineExceeded}]}}");
    test_world_at(w, "2026-03-01T02:00:10Z");
    assert_non_null(strstr(test_world_step(w, C, "demo", "s"), "wake 1m20s\n")); /* no event will tell */
    assert_string_equal(text(w, "s", "status.phase"), "Running");
    test_world_at(w, "2026-03-01T02:01:30Z");
    assert_string_equal(step(w, "s"), "DeadlineExceededStopped");
    assert_string_equal(text(w, "s", "status.phase"), "Failed");
    assert_non_null(strstr(message(w, "s", TARGET, "BackupDisrupted"), "its node n2 does not answer"));
}

static void the_deadline_ends_a_session_that_waits(void **state)
{
    struct test_world *w = *state;

    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{spec: {timeOut: 10m}}");
    add_session(w, "s", "{}");
    assert_string_equal(step(w, "s"), "Accepted");
    test_world_refuse(w, KIND_JOB, "demo", "stash-backup-s-0", REFUSAL_QUOTA, "exceeded quota: jobs");
    assert_string_equal(step(w, "s"), "JobRefusedForNow");
    test_world_at(w, "2026-03-01T02:10:00Z");
    assert_string_equal(step(w, "s"), "DeadlineExceededUnstarted");
    assert_string_equal(message(w, "s", SESSION, "DeadlineExceeded"),
                        "did not complete until 2026-03-01T02:10:00Z: never started: exceeded quota: jobs");
}

/* ---- history and retries ---- */

static void old_sessions_go_but_the_last_results_stay(void **state)
{
    struct test_world *w = *state;

    add_session(w, "a", "{phase: Succeeded}");
    test_world_at(w, "2026-03-01T02:00:01Z");
    add_session(w, "b", "{phase: Succeeded}");
    test_world_at(w, "2026-03-01T02:00:02Z");
    add_session(w, "c", "{phase: Failed, retried: true}");
    test_world_at(w, "2026-03-01T02:00:03Z");
    add_session(w, "d", "{phase: Skipped}");
    test_world_at(w, "2026-03-01T02:00:04Z");
    add_session(w, "e", "{phase: Skipped}");
    assert_string_equal(step(w, "e"), "HistoryCleanedAfterSkip");
    assert_null(test_world_get(w, KIND_BACKUPSESSION, "demo", "a"));
    assert_non_null(test_world_get(w, KIND_BACKUPSESSION, "demo", "b"));
    assert_non_null(test_world_get(w, KIND_BACKUPSESSION, "demo", "c"));
    assert_null(test_world_get(w, KIND_BACKUPSESSION, "demo", "d"));
    assert_non_null(test_world_get(w, KIND_BACKUPSESSION, "demo", "e"));
}

static void two_successes(struct test_world *w)
{
    add_session(w, "a", "{phase: Succeeded}");
    test_world_at(w, "2026-03-01T02:00:01Z");
    add_session(w, "b", "{}");
    start(w, "b");
    report(w, "b", GOOD);
}

static void a_success_and_the_end_of_the_one_before_are_one_step(void **state)
{
    struct test_world *w = *state;

    two_successes(w);
    assert_string_equal(step(w, "b"), "BackupSucceeded");
    assert_null(test_world_get(w, KIND_BACKUPSESSION, "demo", "a"));
    assert_string_equal(condition(w, "b", SESSION, "BackupHistoryCleaned"), "True/SuccessfullyCleanedBackupHistory");
    assert_string_equal(step(w, "b"), "");
}

/* The watch may be behind, and whoever is left be gone. */
static void a_success_goes_only_beside_the_one_that_is_left(void **state)
{
    struct test_world *w = *state;

    two_successes(w);
    assert_non_null(strstr(test_world_decide(w, C, "demo", "b"), "delete BackupSession demo/a Background beside b\n"));
    assert_string_equal(step(w, "b"), "BackupSucceeded");
    test_world_at(w, "2026-03-01T02:00:02Z");
    add_session(w, "c", "{phase: Skipped}");
    test_world_at(w, "2026-03-01T02:00:03Z");
    add_session(w, "d", "{phase: Skipped}");
    assert_non_null(strstr(test_world_decide(w, C, "demo", "d"), "delete BackupSession demo/c Background\n"));
    test_world_at(w, "2026-03-01T02:00:00Z");
    add_session(w, "late", "{phase: Succeeded}"); /* its own history: it is beyond it */
    assert_non_null(
        strstr(test_world_decide(w, C, "demo", "late"), "delete BackupSession demo/late Background beside b\n"));
}

/* A watch may be behind by more than one: of those that stay by the cache, all may be gone. */
static void where_several_successes_stay_the_newest_is_looked_at(void **state)
{
    struct test_world *w = *state;

    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{spec: {backupHistoryLimit: 2}}");
    add_session(w, "a", "{phase: Succeeded}");
    test_world_at(w, "2026-03-01T02:00:01Z");
    add_session(w, "b", "{phase: Succeeded}");
    test_world_at(w, "2026-03-01T02:00:02Z");
    add_session(w, "c", "{phase: Succeeded}");
    assert_non_null(strstr(test_world_decide(w, C, "demo", "c"), "delete BackupSession demo/a Background beside c\n"));
}

static void one_that_may_not_be_deleted_keeps_no_success_back(void **state)
{
    struct test_world *w = *state;

    two_successes(w);
    test_world_refuse(w, KIND_BACKUPSESSION, "demo", "a", REFUSAL_FORBIDDEN, "no");
    assert_string_equal(step(w, "b"), "BackupSucceeded");
    assert_string_equal(text(w, "b", "status.phase"), "Succeeded");
    assert_non_null(test_world_get(w, KIND_BACKUPSESSION, "demo", "a"));
    assert_string_equal(condition(w, "b", SESSION, "BackupHistoryCleaned"), "");
    assert_string_equal(step(w, "b"), "HistoryCleanedAfterSuccess"); /* tried by itself, again and again */
}

static void a_pass_that_failed_tells_the_success_before_it_deletes(void **state)
{
    struct test_world *w = *state;

    two_successes(w);
    w->failures = 1;
    assert_string_equal(step(w, "b"), "BackupSucceeded");
    assert_string_equal(text(w, "b", "status.phase"), "Succeeded");
    assert_non_null(test_world_get(w, KIND_BACKUPSESSION, "demo", "a"));
    w->failures = 0;
    assert_string_equal(step(w, "b"), "HistoryCleanedAfterSuccess");
    assert_null(test_world_get(w, KIND_BACKUPSESSION, "demo", "a"));
    assert_string_equal(condition(w, "b", SESSION, "MetricsPushed"), "True/SuccessfullyPushedMetrics");
}

static void job_is_over(struct test_world *w, const char *job)
{
    test_world_patch(w, KIND_JOB, "demo", job, JOB_ENDS);
}

static void fail_once(struct test_world *w, const char *name)
{
    start(w, name);
    report(w, name, BAD);
    assert_string_equal(step(w, name), "BackupFailed");
}

static void a_failed_session_is_retried_once_by_name(void **state)
{
    struct test_world *w = *state;
    const json_t *next;

    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{spec: {retryConfig: {maxRetry: 1, delay: 5m}}}");
    add_session(w, "s", "{}");
    fail_once(w, "s");
    assert_string_equal(step(w, "s"), "RetryScheduled");
    assert_string_equal(step(w, "s"), "HistoryCleanedAfterFailure");
    assert_string_equal(text(w, "s", "status.nextRetry"), "2026-03-01T02:05:00Z");
    assert_string_equal(test_world_decide(w, C, "demo", "s"), "wake 5m0s\n");
    test_world_at(w, "2026-03-01T02:05:00Z");
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{spec: {paused: true}}");
    assert_string_equal(step(w, "s"), "");
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{spec: {paused: false}}");
    assert_string_equal(step(w, "s"), "Retried");
    next = test_world_get(w, KIND_BACKUPSESSION, "demo", "db-1772330700-retry");
    assert_non_null(next);
    assert_int_equal(json_int(next, "spec.retryLeft", -1), 0);
    assert_string_equal(json_meta(next, "annotations", "stash.appscode.com/retry-of"), "s");
    assert_string_equal(step(w, "s"), "");
    job_is_over(w, "stash-backup-s-0");
    fail_once(w, "db-1772330700-retry");
    assert_string_equal(step(w, "db-1772330700-retry"), "HistoryCleanedAfterFailure");
    assert_string_equal(step(w, "db-1772330700-retry"), ""); /* none left */
}

static void an_old_session_that_may_not_be_deleted_keeps_no_retry_back(void **state)
{
    struct test_world *w = *state;

    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{spec: {retryConfig: {maxRetry: 1, delay: 5m}}}");
    add_session(w, "old", "{phase: Failed, retried: true}");
    test_world_at(w, "2026-03-01T02:00:01Z");
    add_session(w, "s", "{}");
    fail_once(w, "s");
    assert_string_equal(step(w, "s"), "RetryScheduled");
    assert_non_null(strstr(test_world_decide(w, C, "demo", "s"), "delete BackupSession demo/old"));
    w->failures = 1; /* it could not be */
    assert_string_equal(test_world_decide(w, C, "demo", "s"), "wake 5m0s\n");
    w->failures = 0;
    test_world_refuse(w, KIND_BACKUPSESSION, "demo", "old", REFUSAL_FORBIDDEN, "no");
    assert_string_equal(test_world_decide(w, C, "demo", "s"), "wake 5m0s\n");
    test_world_at(w, "2026-03-01T02:05:01Z");
    assert_string_equal(step(w, "s"), "Retried");
    assert_non_null(test_world_get(w, KIND_BACKUPSESSION, "demo", "db-1772330701-retry"));
    assert_string_equal(step(w, "s"), "HistoryCleanedAfterFailure"); /* gone on with */
}

static void a_crash_between_retry_and_its_note_makes_no_second(void **state)
{
    struct test_world *w = *state;

    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{spec: {retryConfig: {maxRetry: 1}}}");
    add_session(w, "s", "{}");
    fail_once(w, "s");
    assert_string_equal(step(w, "s"), "RetryScheduled");
    assert_string_equal(step(w, "s"), "HistoryCleanedAfterFailure");
    test_world_at(w, "2026-03-01T02:00:01Z");
    assert_string_equal(step(w, "s"), "Retried");
    test_world_patch(w, KIND_BACKUPSESSION, "demo", "s", "{status: {retried: null}}");
    assert_string_equal(step(w, "s"), "RetryFound");
}

/* Due again in the second of the retry: that time gets a session of its own, and the ledger tells the truth. */
static void a_retry_never_takes_the_name_of_a_due_time(void **state)
{
    struct test_world *w = *state;
    const json_t *due;

    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db",
                     "{metadata: {annotations: {stash.appscode.com/last-schedule-time: '2026-03-01T02:00:00Z'}},"
                     " spec: {schedule: '*/5 * * * *', retryConfig: {maxRetry: 1, delay: 5m}},"
                     " status: {phase: Ready}}");
    add_session(w, "s", "{}");
    fail_once(w, "s");
    assert_string_equal(step(w, "s"), "RetryScheduled");
    assert_string_equal(step(w, "s"), "HistoryCleanedAfterFailure");
    test_world_at(w, "2026-03-01T02:05:00Z");
    assert_string_equal(step(w, "s"), "Retried");
    job_is_over(w, "stash-backup-s-0");
    start(w, "db-1772330700-retry"); /* it waits no more, so that what is due is not coalesced into it */
    (void)test_world_step(w, &schedule_controller, "demo", "db");
    assert_string_equal(w->rule->reason, "SessionMade");
    due = test_world_get(w, KIND_BACKUPSESSION, "demo", "db-1772330700");
    assert_non_null(due);
    assert_string_equal(json_meta(due, "annotations", "stash.appscode.com/retry-of"), "");
}

static void a_newer_session_makes_the_retry_needless(void **state)
{
    struct test_world *w = *state;

    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{spec: {retryConfig: {maxRetry: 1, delay: 5m}}}");
    add_session(w, "s", "{}");
    fail_once(w, "s");
    assert_string_equal(step(w, "s"), "RetryScheduled");
    assert_string_equal(step(w, "s"), "HistoryCleanedAfterFailure");
    test_world_at(w, "2026-03-01T02:05:00Z");
    add_session(w, "t", "{}");
    assert_string_equal(step(w, "s"), "RetryFound");
    test_world_at(w, "2026-03-04T02:05:00Z");
    test_world_del(w, KIND_BACKUPSESSION, "demo", "t"); /* that it is the newest again wakes no old wish */
    assert_string_equal(step(w, "s"), "");
}

/* ---- kills ---- */

/* A pass of which only the first *left effects happen; false at rest. */
static bool step_cut(struct test_world *w, const char *name, int *left)
{
    (void)test_world_decide(w, C, "demo", name);
    LIST_EACH_SAFE (it, &w->plan.effects)
        if ((*left)-- <= 0)
            list_del(it);
    if (*left < 0)
        *left = 1 << 20; /* killed once; the next life goes through */
    test_world_carry_out(w);
    return w->rule && strcmp(w->rule->reason, "AtRest") != 0;
}

static bool count_session(void *ctx, const struct kobj *o)
{
    (void)o;
    ++*(int *)ctx;
    return true;
}

/* A failing backup with one retry, which succeeds; the operator is killed after `kill` effects. Effects in all. */
static int story(struct test_world *w, int kill)
{
    const char *retry = "db-1772330520-retry"; /* 02:02:00 */
    int left = kill, n = 0;

    test_world_at(w, "2026-03-01T02:00:00Z");
    test_world_add_file(w, "xtradb.yaml");
    test_world_patch(w, KIND_REPOSITORY, "demo", "repo",
                     "{status: {conditions: [{type: StorageSecretVerified, status: \"True\", reason: x}]}}");
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db",
                     "{spec: {retryConfig: {maxRetry: 1, delay: 2m}, backupHistoryLimit: 5}}");
    add_session(w, "s", "{}");
    for (int pass = 0; pass < 40; pass++) {
        const char *name = test_world_get(w, KIND_BACKUPSESSION, "demo", retry) ? retry : "s";

        (void)step_cut(w, "s", &left);
        if (name == retry)
            (void)step_cut(w, name, &left);
        if (strcmp(text(w, name, "status.phase"), "Running") == 0)
            report(w, name, name == retry ? GOOD : BAD);
        if (*text(w, "s", "status.nextRetry")) {
            job_is_over(w, "stash-backup-s-0");
            test_world_at(w, "2026-03-01T02:02:00Z");
        }
    }
    assert_string_equal(text(w, "s", "status.phase"), "Failed");
    assert_string_equal(text(w, retry, "status.phase"), "Succeeded");
    assert_string_equal(condition(w, retry, SESSION, "MetricsPushed"), "True/SuccessfullyPushedMetrics");
    assert_true(json_flag(test_world_get(w, KIND_BACKUPSESSION, "demo", "s"), "status.retried", false));
    assert_string_equal(text(w, "s", "status.targets.0.preBackupActions.0"), "InitializeBackendRepository");
    cache_each(w->cache, kind_get(KIND_BACKUPSESSION), count_session, &n);
    assert_int_equal(n, 2);
    n = 0;
    cache_each(w->cache, kind_get(KIND_JOB), count_session, &n);
    assert_int_equal(n, 2);
    return kill - left;
}

static void a_kill_after_any_effect_changes_nothing_in_the_end(void **state)
{
    struct test_world *w = *state;
    int n = story(w, 1 << 19);

    assert_in_range(n, 15, 60);
    for (int kill = 0; kill < n; kill++) {
        test_world_del(w, KIND_BACKUPSESSION, "demo", "s");
        test_world_del(w, KIND_BACKUPSESSION, "demo", "db-1772330520-retry");
        test_world_del(w, KIND_JOB, "demo", "stash-backup-s-0");
        test_world_del(w, KIND_JOB, "demo", "stash-backup-db-1772330520-retry-0");
        test_world_del(w, KIND_SERVICEACCOUNT, "demo", "stash-backup");
        test_world_del(w, KIND_ROLEBINDING, "demo", "stash-backup");
        unseen_jobs_clear(&w->unseen); /* the next is a life of its own */
        (void)story(w, kill);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, test_world_teardown)
    const struct CMUnitTest tests[] = {
        T(actions_and_hash_are_written_before_the_job),
        T(one_that_a_trigger_made_is_accepted_with_one_write),
        T(the_job_is_made_and_then_counted),
        T(a_good_report_ends_it),
        T(a_good_end_is_pushed_with_its_figures),
        T(one_made_by_hand_goes_with_its_invoker),
        T(what_it_started_with_stays_its_target),
        T(without_its_invoker_it_fails_on_its_own_target),
        T(until_it_starts_an_edited_target_counts),
        T(a_log_line_is_read_for_what_it_says),
        T(a_bad_end_pushes_only_that_it_was_bad),
        T(a_bad_report_fails_it),
        T(failed_retention_fails_it_but_metrics_do_not),
        T(a_job_from_before_a_crash_is_found),
        T(a_session_whose_job_has_reported_and_is_gone_gets_no_second),
        T(an_invoker_that_is_not_ready_skips_only_before_the_start),
        T(a_session_created_with_its_invoker_waits_for_the_verdict_on_it),
        T(a_running_sibling_skips_a_session_without_labels),
        T(of_two_of_one_second_one_goes_on),
        T(another_invokers_session_holds_the_target),
        T(a_stranger_of_another_namespace_holds_nothing),
        T(a_restore_of_the_database_is_waited_for),
        T(a_restore_that_a_quota_holds_back_is_in_nobodys_way),
        T(what_runs_says_which_target_and_repository_it_has),
        T(a_deleted_session_holds_its_target_until_its_pod_has_ended),
        T(a_pod_that_the_cache_never_had_holds_the_target_of_a_job_that_is_gone),
        T(what_is_sent_for_holds_the_target_before_the_cache_has_it),
        T(a_job_that_has_failed_before_its_pod_ends_holds_its_target_by_an_unseen_pod),
        T(jobs_of_a_stranger_that_went_cost_few_looks),
        T(what_was_sent_for_is_forgotten_once_seen_or_refused),
        T(a_job_that_goes_at_once_may_make_a_pod_for_some_seconds),
        T(what_is_deleted_after_its_end_holds_nothing),
        T(a_session_that_stays_while_it_is_deleted_holds_nothing_by_itself),
        T(a_restore_that_stays_while_it_is_deleted_holds_nothing_by_itself),
        T(an_edited_configuration_gives_nothing_back),
        T(a_session_that_is_over_holds_its_target_while_its_pod_ends),
        T(a_pod_of_a_node_that_is_gone_holds_nothing_once_it_is_given_up),
        T(a_pod_whose_own_containers_have_ended_holds_nothing),
        T(a_job_of_another_namespace_holds_what_its_account_may_read),
        T(a_restore_of_another_namespace_is_waited_for),
        T(of_two_of_one_second_the_one_that_came_first_goes_on),
        T(of_two_invokers_of_one_second_the_one_that_came_first_goes_on),
        T(a_backup_that_the_api_server_refuses_is_passed_by_those_of_other_invokers),
        T(the_end_of_a_session_wakes_its_rivals),
        T(the_end_of_a_job_and_of_its_pod_wakes_who_waits_for_the_target),
        T(a_session_of_a_batch_is_told_that_there_are_none_here),
        T(a_missing_task_fails_at_once_and_says_so),
        T(a_task_or_function_that_is_replaced_is_waited_for),
        T(a_refused_binding_is_told),
        T(a_full_quota_is_waited_for),
        T(an_invalid_job_fails_for_good),
        T(the_job_of_a_session_that_was_replaced_is_waited_for),
        T(a_job_of_somebody_else_fails_for_good),
        T(a_withdrawn_repository_skips),
        T(nothing_is_made_for_a_repository_that_has_just_gone),
        T(a_failed_container_is_named_with_its_last_words),
        T(the_last_container_and_a_lost_pod_speak_too),
        T(a_job_that_is_gone_ends_the_session),
        T(a_report_wins_over_a_job_that_is_gone),
        T(an_image_that_can_not_be_pulled_is_told_and_then_given_up),
        T(a_pod_that_only_the_job_knows_of_has_not_failed_to_start),
        T(a_pod_that_hangs_after_its_memory_ran_out_has_failed),
        T(a_long_backup_in_an_init_container_has_started),
        T(the_deadline_stops_the_job_first),
        T(a_pod_whose_node_is_gone_is_given_up_after_its_grace),
        T(a_pod_that_has_ended_in_time_is_not_lost),
        T(the_deadline_does_not_wait_for_a_node_that_is_gone),
        T(nor_when_the_job_has_failed_before_its_pod_has_ended),
        T(the_deadline_ends_a_session_that_waits),
        T(old_sessions_go_but_the_last_results_stay),
        T(a_success_and_the_end_of_the_one_before_are_one_step),
        T(one_that_may_not_be_deleted_keeps_no_success_back),
        T(a_success_goes_only_beside_the_one_that_is_left),
        T(where_several_successes_stay_the_newest_is_looked_at),
        T(a_pass_that_failed_tells_the_success_before_it_deletes),
        T(a_failed_session_is_retried_once_by_name),
        T(an_old_session_that_may_not_be_deleted_keeps_no_retry_back),
        T(a_crash_between_retry_and_its_note_makes_no_second),
        T(a_retry_never_takes_the_name_of_a_due_time),
        T(a_newer_session_makes_the_retry_needless),
        T(a_kill_after_any_effect_changes_nothing_in_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
