/* restoresession: from a new one to a phase that stays, as data in and plans out. */
#include "test.h"

#include <stdio.h>

#include "controllers/restoresession.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "support_world.h"

#define C &restoresession_controller
#define APP "ref: {apiVersion: appcatalog.appscode.com/v1alpha1, kind: AppBinding, name: db}"
#define SINGLE                                                                                                         \
    "{task: {name: xtradb-restore}, repository: {name: repo}, target: {" APP "}, rules: [{snapshots: [latest]}]}"
#define CLUSTER                                                                                                        \
    "{task: {name: xtradb-restore}, repository: {name: repo}, target: {replicas: 3, " APP                              \
    ", volumeMounts: [{name: data-db, mountPath: /var/lib/mysql}], volumeClaimTemplates: [{metadata: {name: "          \
    "\"data-db-${POD_ORDINAL}\"}, spec: {accessModes: [ReadWriteOnce]}}]}, "                                           \
    "rules: [{targetHosts: [], sourceHost: host-0, snapshots: [latest]}]}"

static int setup(void **state)
{
    int rc = test_world_setup(state);

    test_world_add_file(*state, "xtradb.yaml");
    test_world_patch(*state, KIND_REPOSITORY, "demo", "repo",
                     "{status: {conditions: [{type: StorageSecretVerified, status: \"True\", reason: x}]}}");
    return rc;
}

#define RESTORE(name)                                                                                                  \
    "apiVersion: stash.appscode.com/v1beta1, kind: RestoreSession, metadata: {name: " name ", namespace: demo}"
#define HAS_WAITED                                                                                                     \
    "status: {phase: Pending, conditions: [{type: RestoreExecutorEnsured, status: Unknown, reason: "                   \
    "WaitingForOtherSession, lastTransitionTime: \"2026-03-01T01:59:00Z\"}, {type: Admitted, status: Unknown, "      \
    "reason: AboutToStart, lastTransitionTime: \"2026-03-01T01:59:00Z\"}]}"

static void add_new(struct test_world *w, const char *spec)
{
    test_world_addf(w, "{" RESTORE("r") ", spec: %s}", spec);
}

/* One that has stood in line already. */
static void add(struct test_world *w, const char *spec)
{
    test_world_addf(w, "{" RESTORE("r") ", spec: %s, " HAS_WAITED "}", spec);
}

static const char *step(struct test_world *w)
{
    (void)test_world_step(w, C, "demo", "r");
    return w->rule ? w->rule->reason : "";
}

/* Nobody is before it any more: it says that it is about to start, and does two seconds later. */
static void starts_after_all(struct test_world *w, const char *at)
{
    assert_string_equal(step(w), "JoinedLine");
    test_world_at(w, at);
    assert_string_equal(step(w), "SuccessfullyEnsuredRestoreExecutor");
}

static const json_t *doc(struct test_world *w)
{
    return test_world_get(w, KIND_RESTORESESSION, "demo", "r");
}

static const char *phase(struct test_world *w)
{
    return json_text(doc(w), "status.phase");
}

static const json_t *condition(struct test_world *w, const char *type)
{
    const json_t *it;
    size_t i;

    json_array_foreach (json_at(doc(w), "status.conditions"), i, it)
        if (strcmp(json_text(it, "type"), type) == 0)
            return it;
    return NULL;
}

static void is(struct test_world *w, const char *type, const char *status_reason)
{
    const json_t *c = condition(w, type);
    char text[256];

    (void)snprintf(text, sizeof(text), "%s/%s", json_text(c, "status"), json_text(c, "reason"));
    assert_string_equal(text, status_reason);
}

static void says(struct test_world *w, const char *type, const char *message)
{
    assert_string_equal(json_text(condition(w, type), "message"), message);
}

/* ---- other namespaces ---- */

static void a_foreign_appbinding_that_the_account_may_not_read_is_not_looked_at(void **state)
{
    struct test_world *w = *state;

    add(w,
        "{task: {name: xtradb-restore}, repository: {name: repo}, runtimeSettings: {pod: {serviceAccountName: reader}},"
        " target: {ref: {apiVersion: appcatalog.appscode.com/v1alpha1, kind: AppBinding, name: db, namespace: prod}}}");
    assert_string_equal(step(w), "TargetMissing");
    is(w, "RestoreTargetFound", "Unknown/UnableToCheckTargetAvailability");
    says(w, "RestoreTargetFound", "ServiceAccount demo/reader may not get AppBinding prod/db");
    w->accounts_may = true;
    assert_string_equal(step(w), "TargetMissing");
    is(w, "RestoreTargetFound", "False/TargetNotAvailable");
}

/* ---- what we cannot do ---- */

static void a_hook_is_refused_not_passed_over(void **state)
{
    struct test_world *w = *state;

    add(w, "{task: {name: xtradb-restore}, repository: {name: repo}, target: {" APP "},"
           " hooks: {postRestore: {httpGet: {path: /, port: 80}}}}");
    assert_string_equal(step(w), "ValidationFailed");
    says(w, "ValidationPassed", "spec.hooks.postRestore: this operator runs no hooks");
}

/* ---- good ways ---- */

static void a_restore_into_a_database_is_one_job(void **state)
{
    struct test_world *w = *state;
    const json_t *job;

    add(w, SINGLE);
    assert_string_equal(step(w), "SuccessfullyEnsuredRestoreExecutor");
    assert_string_equal(phase(w), "Running");
    assert_int_equal(json_int(doc(w), "status.totalHosts", 0), 1);
    job = test_world_get(w, KIND_JOB, "demo", "stash-restore-r-0");
    assert_non_null(job);
    assert_string_equal(json_text(job, "spec.template.spec.serviceAccountName"), "stash-restore");
    is(w, "RepositoryFound", "True/RepositoryAvailable");
    is(w, "ValidationPassed", "True/ResourceValidationPassed");
    is(w, "RestoreTargetFound", "True/TargetAvailable");
    is(w, "RestoreExecutorEnsured", "True/SuccessfullyEnsuredRestoreExecutor");
    assert_string_equal(step(w), "JobsRun");
    test_world_at(w, "2026-03-01T02:01:00Z");
    test_world_patch(w, KIND_RESTORESESSION, "demo", "r",
                     "{status: {stats: [{hostname: host-0, phase: Succeeded, duration: 9s}]}}");
    assert_string_equal(step(w), "RestoreSucceeded");
    assert_string_equal(phase(w), "Succeeded");
    assert_string_equal(json_text(doc(w), "status.sessionDuration"), "1m0s");
    is(w, "MetricsPushed", "True/SuccessfullyPushedMetrics");
    assert_non_null(strstr(w->pushed.data, "push demo restoresession-demo-r\n"));
    assert_non_null(strstr(w->pushed.data,
                           "stash_appscode_com_restoresession_success{invoker_kind=\"RestoreSession\","
                           "invoker_name=\"r\",namespace=\"demo\",driver=\"Restic\",repository=\"repo\"} 1\n"));
    assert_non_null(strstr(w->pushed.data, "\nstash_restore_target_success{"));
    assert_string_equal(step(w), "");
}

static void a_cluster_gets_a_claim_and_a_job_for_each_ordinal(void **state)
{
    struct test_world *w = *state;

    test_world_del(w, KIND_APPBINDING, "demo", "db"); /* it comes after the volumes */
    add(w, CLUSTER);
    assert_string_equal(test_world_step(w, C, "demo", "r"),
                        "apply ServiceAccount demo/stash-restore\n"
                        "apply RoleBinding demo/stash-restore\n"
                        "create PersistentVolumeClaim demo/data-db-0\n"
                        "create PersistentVolumeClaim demo/data-db-1\n"
                        "create PersistentVolumeClaim demo/data-db-2\n"
                        "create Job demo/stash-restore-r-0-0\n"
                        "create Job demo/stash-restore-r-0-1\n"
                        "create Job demo/stash-restore-r-0-2\n"
                        "status phase=Running "
                        "conditions=RestoreExecutorEnsured=True/SuccessfullyEnsuredRestoreExecutor,"
                        "Admitted=True/Admitted,"
                        "RepositoryFound=True/RepositoryAvailable,"
                        "BackendSecretFound=True/BackendSecretAvailable,ValidationPassed=True/ResourceValidationPassed,"
                        "RestoreTargetFound=True/TargetAvailable "
                        "sessionDeadline=2026-03-02T02:00:00Z totalHosts=3\n"
                        "wake 15m0s\n");
    says(w, "RestoreTargetFound", "AppBinding demo/db is not needed: the data goes into claims of its own");
    assert_string_equal(json_text(test_world_get(w, KIND_JOB, "demo", "stash-restore-r-0-1"),
                                  "spec.template.spec.initContainers.0.args.1"), "--hostname=host-1");
    test_world_patch(w, KIND_RESTORESESSION, "demo", "r",
                     "{status: {stats: [{hostname: host-0, phase: Succeeded}, {hostname: host-2, phase: Succeeded}]}}");
    assert_string_equal(step(w), "JobsRun");
    test_world_patch(w, KIND_RESTORESESSION, "demo", "r",
                     "{status: {stats: [{hostname: host-0, phase: Succeeded}, {hostname: host-2, phase: Succeeded},"
                     "{hostname: host-1, phase: Succeeded}]}}");
    assert_string_equal(step(w), "RestoreSucceeded");
}

static void a_crash_in_the_middle_goes_on_with_what_is_there(void **state)
{
    struct test_world *w = *state;

    add(w, CLUSTER);
    assert_string_equal(step(w), "SuccessfullyEnsuredRestoreExecutor");
    /* The status write was lost, the last Job was not made, the first ordinal has reported. */
    test_world_del(w, KIND_JOB, "demo", "stash-restore-r-0-2");
    test_world_patch(w, KIND_RESTORESESSION, "demo", "r", "{" HAS_WAITED "}");
    test_world_patch(w, KIND_RESTORESESSION, "demo", "r",
                     "{status: {stats: [{hostname: host-0, phase: Succeeded}]}}");
    assert_non_null(strstr(test_world_step(w, C, "demo", "r"), "create Job demo/stash-restore-r-0-2\n"));
    assert_null(test_world_effect(w, EFFECT_CREATE, KIND_JOB, "demo/stash-restore-r-0-0"));
    assert_string_equal(phase(w), "Running");
}

/* ---- what is missing or wrong ---- */

static void a_missing_target_is_waited_for_until_the_deadline(void **state)
{
    struct test_world *w = *state;

    test_world_del(w, KIND_APPBINDING, "demo", "db");
    add(w, "{task: {name: xtradb-restore}, repository: {name: repo}, timeOut: 1h, target: {" APP "}}");
    assert_string_equal(step(w), "TargetMissing");
    assert_string_equal(phase(w), "Pending");
    is(w, "RestoreTargetFound", "False/TargetNotAvailable");
    says(w, "RestoreTargetFound", "AppBinding demo/db does not exist");
    test_world_at(w, "2026-03-01T03:00:00Z");
    assert_string_equal(step(w), "DeadlineExceededUnstarted");
    assert_string_equal(phase(w), "Failed");
}

static void a_missing_repository_is_waited_for(void **state)
{
    struct test_world *w = *state;

    add(w, "{task: {name: xtradb-restore}, repository: {name: later}, target: {" APP "}}");
    assert_non_null(strstr(test_world_decide(w, C, "demo", "r"),
                           "event Warning Repository Not Found: Repository demo/later does not exist"));
    assert_string_equal(step(w), "RepositoryMissing");
    is(w, "RepositoryFound", "False/RepositoryNotAvailable");
    assert_string_equal(phase(w), "Pending");
}

static void a_task_that_does_not_exist_is_invalid_until_it_does(void **state)
{
    struct test_world *w = *state;

    add(w, "{task: {name: x}, repository: {name: repo}, target: {" APP "}}");
    assert_string_equal(step(w), "ValidationFailed");
    assert_string_equal(phase(w), "Invalid");
    says(w, "ValidationPassed", "Task \"x\" not found");
    assert_string_equal(test_world_decide(w, C, "demo", "r"), ""); /* said once */
    test_world_add(w, "{apiVersion: stash.appscode.com/v1beta1, kind: Task, metadata: {name: x}, spec: {steps: "
                      "[{name: update-status, params: [{name: outputDir, value: /o}]}]}}");
    assert_string_equal(step(w), "JoinedLine");
    assert_string_equal(step(w), "NewInLine");
    test_world_at(w, "2026-03-01T02:00:02Z");
    assert_string_equal(step(w), "SuccessfullyEnsuredRestoreExecutor");
}

/* Helm replaces by deleting first. */
static void waits_for_what_is_replaced(struct test_world *w, enum kind_id kind, const char *name)
{
    AUTO_FREE char *text = json_compact(test_world_get(w, kind, NULL, name));

    add(w, SINGLE);
    test_world_del(w, kind, NULL, name);
    w->catalog_s = 60;
    assert_string_equal(step(w), "WaitingForCatalog");
    assert_string_equal(phase(w), "Pending");
    is(w, "RestoreExecutorEnsured", "Unknown/WaitingForCatalog");
    assert_non_null(strstr(json_text(condition(w, "RestoreExecutorEnsured"), "message"), name));
    test_world_add(w, text);
    assert_string_equal(step(w), "JoinedLine");
    test_world_del(w, kind, NULL, name);
    w->catalog_s = 0; /* it never came again */
    assert_string_equal(step(w), kind == KIND_TASK ? "ValidationFailed" : "FailedToEnsureRestoreExecutor");
    test_world_add(w, text);
}

static void a_task_or_function_that_is_replaced_is_waited_for(void **state)
{
    struct test_world *w = *state;

    waits_for_what_is_replaced(w, KIND_TASK, "xtradb-restore");
    test_world_del(w, KIND_RESTORESESSION, "demo", "r");
    waits_for_what_is_replaced(w, KIND_FUNCTION, "update-status");
}

/* ---- the lock of the target ---- */

#define CONFIGURATION                                                                                                  \
    "{apiVersion: stash.appscode.com/v1beta1, kind: BackupConfiguration, metadata: {name: daily, namespace: demo},"   \
    "spec: {target: {" APP "}}}\n---\n"
#define BACKUP(created, phase)                                                                                         \
    "{apiVersion: stash.appscode.com/v1beta1, kind: BackupSession, metadata: {name: b, namespace: demo,"              \
    "creationTimestamp: \"" created "\"}, spec: {invoker: {kind: BackupConfiguration, name: daily}},"                  \
    "status: {phase: " phase "}}"

static void a_restore_waits_for_a_backup_of_its_database_and_says_so(void **state)
{
    struct test_world *w = *state;

    test_world_add(w, CONFIGURATION BACKUP("2026-03-01T03:00:00Z", "Running"));
    add(w, SINGLE);
    assert_string_equal(step(w), "WaitingForOtherSession");
    assert_string_equal(phase(w), "Pending");
    is(w, "RestoreExecutorEnsured", "Unknown/WaitingForOtherSession");
    says(w, "RestoreExecutorEnsured", "BackupSession demo/b has the same target");
    assert_string_equal(test_world_decide(w, C, "demo", "r"), "wake 1m0s\n"); /* said once */
    test_world_at(w, "2026-03-01T02:01:00Z");
    test_world_patch(w, KIND_BACKUPSESSION, "demo", "b", "{status: {phase: Failed}}");
    starts_after_all(w, "2026-03-01T02:01:02Z");
}

static void a_backup_that_waits_longer_goes_first_and_a_younger_one_does_not(void **state)
{
    struct test_world *w = *state;

    test_world_add(w, CONFIGURATION BACKUP("2026-03-01T01:59:00Z", "Pending"));
    add(w, SINGLE);
    assert_string_equal(step(w), "WaitingForOtherSession");
    test_world_add(w, BACKUP("2026-03-01T02:00:30Z", "Pending"));
    test_world_at(w, "2026-03-01T02:01:00Z");
    starts_after_all(w, "2026-03-01T02:01:02Z");
}

static void a_backup_that_the_api_server_refuses_is_in_nobodys_way(void **state)
{
    struct test_world *w = *state;

    test_world_add(w, CONFIGURATION BACKUP("2026-03-01T01:00:00Z", "Pending"));
    add(w, SINGLE);
    assert_string_equal(step(w), "WaitingForOtherSession");
    test_world_patch(w, KIND_BACKUPSESSION, "demo", "b",
                     "{status: {conditions: [{type: Admitted, status: \"False\", reason: NamespaceQuotaExceeded}]}}");
    test_world_at(w, "2026-03-01T02:01:00Z");
    starts_after_all(w, "2026-03-01T02:01:02Z");
}

static void a_backup_that_is_over_or_goes_holds_nothing(void **state)
{
    struct test_world *w = *state;

    test_world_add(w, CONFIGURATION BACKUP("2026-03-01T01:00:00Z", "Unknown"));
    add(w, SINGLE);
    (void)test_world_decide(w, C, "demo", "r");
    assert_string_equal(w->rule->reason, "SuccessfullyEnsuredRestoreExecutor");
    test_world_add(w, BACKUP("2026-03-01T01:00:00Z", "Running"));
    (void)test_world_decide(w, C, "demo", "r");
    assert_string_equal(w->rule->reason, "WaitingForOtherSession");
    test_world_patch(w, KIND_BACKUPSESSION, "demo", "b", "{metadata: {deletionTimestamp: \"2026-03-01T02:00:00Z\"}}");
    assert_string_equal(step(w), "SuccessfullyEnsuredRestoreExecutor");
}

static void two_restores_of_a_database_run_one_after_the_other(void **state)
{
    struct test_world *w = *state;

    test_world_add(w, "{" RESTORE("a") ", spec: " SINGLE ", " HAS_WAITED "}");
    (void)test_world_step(w, C, "demo", "a");
    assert_string_equal(w->rule->reason, "SuccessfullyEnsuredRestoreExecutor");
    add(w, SINGLE);
    assert_string_equal(step(w), "WaitingForOtherSession");
    says(w, "RestoreExecutorEnsured", "RestoreSession demo/a has the same target");
    test_world_at(w, "2026-03-01T02:01:00Z");
    test_world_del(w, KIND_RESTORESESSION, "demo", "a");
    assert_string_equal(step(w), "WaitingForOtherSession"); /* what it runs is still there */
    says(w, "RestoreExecutorEnsured", "Job demo/stash-restore-a-0 has the same target");
    test_world_del(w, KIND_JOB, "demo", "stash-restore-a-0");
    test_world_at(w, "2026-03-01T02:02:00Z");
    starts_after_all(w, "2026-03-01T02:02:02Z");
}

/* A finalizer of somebody keeps it: one that waits in line, one that runs. */
static void a_restore_that_stays_while_it_is_deleted_holds_nothing_by_itself(void **state)
{
    struct test_world *w = *state;

    test_world_add(w, "{" RESTORE("a") ", spec: " SINGLE ", " HAS_WAITED "}");
    add(w, SINGLE);
    assert_string_equal(step(w), "WaitingForOtherSession");
    test_world_at(w, "2026-03-01T02:01:00Z");
    test_world_patch(w, KIND_RESTORESESSION, "demo", "a",
                     "{metadata: {deletionTimestamp: \"2026-03-01T02:01:00Z\"}, status: {phase: Running}}");
    assert_string_equal(step(w), "JoinedLine");
    test_world_patch(w, KIND_RESTORESESSION, "demo", "a", "{status: {phase: Pending}}");
    test_world_at(w, "2026-03-01T02:01:02Z");
    assert_string_equal(step(w), "SuccessfullyEnsuredRestoreExecutor");
}

/* Each names the database by its own way: in its namespace, from another. */
static void a_restore_of_another_namespace_and_one_beside_the_database_are_rivals(void **state)
{
    struct test_world *w = *state;

    test_world_add(w, "{apiVersion: stash.appscode.com/v1beta1, kind: RestoreSession, metadata: {name: far, namespace: "
                      "ops}, spec: {target: {ref: {apiVersion: appcatalog.appscode.com/v1alpha1, kind: AppBinding, "
                      "name: db, namespace: demo}}}, status: {phase: Running, conditions: [{type: RestoreTargetFound, "
                      "status: \"True\", reason: TargetAvailable}]}}");
    add(w, SINGLE);
    assert_string_equal(step(w), "WaitingForOtherSession");
    says(w, "RestoreExecutorEnsured", "RestoreSession ops/far has the same target");
    test_world_patch(w, KIND_RESTORESESSION, "ops", "far", "{spec: {target: {ref: {namespace: ops}}}}");
    test_world_at(w, "2026-03-01T02:01:00Z");
    starts_after_all(w, "2026-03-01T02:01:02Z"); /* its namesake in another namespace */
}

static void note_woken(void *ctx, const char *ns, const char *name)
{
    (void)snprintf(ctx, 64, "%s/%s", ns, name);
}

static void the_end_of_a_job_wakes_a_restore_in_line(void **state)
{
    struct test_world *w = *state;
    char woken[64] = "";

    add(w, SINGLE);
    test_world_add(w, "{apiVersion: batch/v1, kind: Job, metadata: {name: j, namespace: demo, annotations: "
                      "{stash.appscode.com/job-target: appcatalog.appscode.com/AppBinding/demo/db}}}");
    restoresession_wake_by_job(w->cache, cache_find(w->cache, kind_get(KIND_JOB), "demo", "j"), note_woken, woken);
    assert_string_equal(woken, "");
    assert_string_equal(step(w), "WaitingForOtherSession");
    test_world_patch(w, KIND_JOB, "demo", "j", "{status: {conditions: [{type: Failed, status: \"True\"}]}}");
    restoresession_wake_by_job(w->cache, cache_find(w->cache, kind_get(KIND_JOB), "demo", "j"), note_woken, woken);
    assert_string_equal(woken, "demo/r");
}

/* Each may be decided on before the other, or its Job, is in the cache. */
static void of_two_of_one_second_the_first_by_name_goes_on(void **state)
{
    struct test_world *w = *state;

    add_new(w, SINGLE);
    assert_string_equal(step(w), "JoinedLine");
    is(w, "RestoreExecutorEnsured", "Unknown/WaitingForOtherSession");
    assert_string_equal(step(w), "NewInLine");
    test_world_add(w, "{" RESTORE("a") ", spec: " SINGLE "}");
    (void)test_world_step(w, C, "demo", "a");
    assert_string_equal(w->rule->reason, "JoinedLine");
    test_world_at(w, "2026-03-01T02:00:02Z");
    assert_string_equal(step(w), "WaitingForOtherSession");
    (void)test_world_step(w, C, "demo", "a");
    assert_string_equal(w->rule->reason, "SuccessfullyEnsuredRestoreExecutor");
}

/* The operator was killed between making the Job and writing the status. */
static void a_restore_with_a_job_holds_its_target_whatever_its_status_says(void **state)
{
    struct test_world *w = *state;

    add(w, SINGLE);
    assert_string_equal(step(w), "SuccessfullyEnsuredRestoreExecutor");
    test_world_patch(w, KIND_RESTORESESSION, "demo", "r", "{status: null}");
    test_world_add(w, "{apiVersion: stash.appscode.com/v1beta1, kind: RestoreSession, metadata: {name: a, namespace: "
                      "demo, creationTimestamp: \"2026-03-01T01:00:00Z\"}, spec: " SINGLE "}");
    (void)test_world_step(w, C, "demo", "a");
    assert_string_equal(w->rule->reason, "WaitingForOtherSession");
    assert_string_equal(step(w), "JobsFound"); /* it does not wait for "a" in turn */
}

static void one_that_waits_for_its_repository_is_in_nobodys_way(void **state)
{
    struct test_world *w = *state;

    test_world_add(w, "{apiVersion: stash.appscode.com/v1beta1, kind: RestoreSession, metadata: {name: a, namespace: "
                      "demo, creationTimestamp: \"2026-03-01T01:00:00Z\"}, spec: {task: {name: xtradb-restore},"
                      "repository: {name: later}, target: {" APP "}}}");
    (void)test_world_step(w, C, "demo", "a");
    assert_string_equal(w->rule->reason, "RepositoryMissing");
    add(w, SINGLE);
    assert_string_equal(step(w), "SuccessfullyEnsuredRestoreExecutor");
}

static void one_that_loses_what_it_needs_leaves_the_line(void **state)
{
    struct test_world *w = *state;

    test_world_add(w, CONFIGURATION BACKUP("2026-03-01T01:00:00Z", "Running"));
    add(w, SINGLE);
    assert_string_equal(step(w), "WaitingForOtherSession");
    test_world_patch(w, KIND_RESTORESESSION, "demo", "r", "{spec: {repository: {name: later}}}");
    assert_string_equal(step(w), "RepositoryMissing");
    assert_null(condition(w, "RestoreExecutorEnsured"));
    test_world_patch(w, KIND_RESTORESESSION, "demo", "r", "{spec: {repository: {name: repo}, task: {name: x}}}");
    assert_string_equal(step(w), "ValidationFailed");
    assert_null(condition(w, "RestoreExecutorEnsured"));
}

static void all_that_is_wrong_is_said_at_once(void **state)
{
    struct test_world *w = *state;

    add(w, "{task: {name: xtradb-restore, params: [{name: HOSTNAME, value: x}]}, timeOut: 1d,"
           "runtimeSettings: {container: {securityContext: {privileged: true}}}, rules: [{}, {}],"
           "target: {volumeClaimTemplates: [{metadata: {name: x}}]}}");
    assert_string_equal(step(w), "ValidationFailed");
    says(w, "ValidationPassed",
         "spec.repository.name is missing; spec.timeOut is not a duration such as 30m; spec.target.volumeMounts is "
         "missing: "
         "the claims would not be mounted; rules[0] and rules[1] both have no targetHosts; at most one may; not "
         "allowed by "
         "the pod floor \"baseline\": spec.runtimeSettings.container.securityContext.privileged; task parameter "
         "\"HOSTNAME\" is reserved");
}

static void replicas_do_not_share_a_claim(void **state)
{
    struct test_world *w = *state;

    add(w, "{task: {name: xtradb-restore}, repository: {name: repo}, target: {replicas: 2, " APP ", volumeMounts: "
           "[{name: x, mountPath: /var/lib/mysql}], volumeClaimTemplates: [{metadata: {name: x}, spec: {}}]}}");
    assert_string_equal(step(w), "ValidationFailed");
    says(w, "ValidationPassed",
         "spec.target.volumeClaimTemplates[0].metadata.name \"x\" is the same for all replicas: end it with "
         "-${POD_ORDINAL}");
}

static void a_refused_namespace_restores_nothing(void **state)
{
    struct test_world *w = *state;

    test_world_add(w,
                   "{apiVersion: stash.appscode.com/v1alpha1, kind: Repository, metadata: {name: far, namespace: ops},"
                   "spec: {backend: {gcs: {bucket: secret-bucket}}}}");
    add(w, "{task: {name: xtradb-restore}, repository: {name: far, namespace: ops}, target: {" APP "}}");
    assert_string_equal(step(w), "ValidationFailed");
    assert_string_equal(phase(w), "Invalid");
    assert_non_null(strstr(json_text(condition(w, "ValidationPassed"), "message"), "not allowed to refer Repository"));
    assert_null(strstr(w->out.data, "secret-bucket"));
    assert_null(test_world_get(w, KIND_JOB, "demo", "stash-restore-r-0"));
}

static void a_claim_of_somebody_else_is_not_touched(void **state)
{
    struct test_world *w = *state;

    add(w, CLUSTER);
    test_world_add(w, "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data-db-1, namespace: demo}}");
    assert_string_equal(step(w), "ClaimExists");
    is(w, "RestoreExecutorEnsured", "False/NameConflict");
    says(w, "RestoreExecutorEnsured",
         "PersistentVolumeClaim \"data-db-1\" exists and was not created by this RestoreSession");
    assert_null(test_world_get(w, KIND_JOB, "demo", "stash-restore-r-0-0"));
}

static void a_claim_that_is_not_watched_is_met_by_its_refusal(void **state)
{
    struct test_world *w = *state;

    add(w, CLUSTER);
    test_world_refuse(w, KIND_PVC, "demo", "data-db-2", REFUSAL_NAME, "exists");
    assert_string_equal(step(w), "ClaimExists");
    says(w, "RestoreExecutorEnsured",
         "PersistentVolumeClaim \"data-db-2\" exists and was not created by this RestoreSession");
}

/* kubectl replace --force: the Job of the session before goes with that session, but not at once. */
static void the_job_of_a_session_that_was_replaced_is_waited_for(void **state)
{
    struct test_world *w = *state;

    add(w, SINGLE);
    test_world_add(w, "{apiVersion: batch/v1, kind: Job, metadata: {name: stash-restore-r-0, namespace: demo, "
                      "ownerReferences: [{kind: RestoreSession, name: r, uid: uid-before, controller: true}]}, status: "
                      "{conditions: [{type: Complete, status: \"True\"}]}}");
    test_world_refuse(w, KIND_JOB, "demo", "stash-restore-r-0", REFUSAL_NAME, "exists and is not ours");
    assert_string_equal(step(w), "JobRefusedForNow");
    test_world_del(w, KIND_JOB, "demo", "stash-restore-r-0");
    starts_after_all(w, "2026-03-01T02:00:02Z");
}

static void a_full_quota_is_waited_for(void **state)
{
    struct test_world *w = *state;

    add(w, CLUSTER);
    test_world_refuse(w, KIND_PVC, "demo", "data-db-0", REFUSAL_QUOTA, "exceeded quota: storage");
    assert_string_equal(step(w), "JobRefusedForNow");
    is(w, "RestoreExecutorEnsured", "Unknown/NamespaceQuotaExceeded");
    assert_string_equal(phase(w), "Pending");
    test_world_at(w, "2026-03-01T02:10:00Z");
    assert_string_equal(step(w), "JoinedLine");
    test_world_at(w, "2026-03-01T02:10:02Z");
    assert_string_equal(step(w), "SuccessfullyEnsuredRestoreExecutor");
}

/* ---- of several Jobs only the first could be made ---- */

static void make_the_first_only(struct test_world *w)
{
    add(w, CLUSTER);
    assert_string_equal(step(w), "SuccessfullyEnsuredRestoreExecutor");
    test_world_del(w, KIND_JOB, "demo", "stash-restore-r-0-1");
    test_world_del(w, KIND_JOB, "demo", "stash-restore-r-0-2");
    test_world_patch(w, KIND_RESTORESESSION, "demo", "r", "{status: {totalHosts: null}}");
    test_world_patch(w, KIND_RESTORESESSION, "demo", "r", "{" HAS_WAITED "}");
}

static void makes_the_others(struct test_world *w, const char *at)
{
    assert_string_equal(step(w), "JoinedLine");
    test_world_at(w, at);
    assert_string_equal(step(w), "SuccessfullyEnsuredRestoreExecutor");
    assert_null(test_world_effect(w, EFFECT_CREATE, KIND_JOB, "demo/stash-restore-r-0-0"));
    assert_non_null(test_world_effect(w, EFFECT_CREATE, KIND_JOB, "demo/stash-restore-r-0-1"));
    assert_non_null(test_world_effect(w, EFFECT_CREATE, KIND_JOB, "demo/stash-restore-r-0-2"));
    assert_string_equal(phase(w), "Running");
}

/* The second may be made when the first is forgotten, an hour after its end. */
static void a_quota_of_one_job_is_waited_for_by_the_others_for_hours(void **state)
{
    struct test_world *w = *state;

    make_the_first_only(w);
    test_world_refuse(w, KIND_JOB, "demo", "stash-restore-r-0-1", REFUSAL_QUOTA, "exceeded quota: count/jobs.batch");
    assert_string_equal(step(w), "JobRefusedForNow");
    assert_string_equal(json_text(doc(w), "status.stats.0.phase"), "Running");
    assert_null(json_at(doc(w), "status.stats.0.error"));
    assert_null(json_at(doc(w), "status.stats.1"));
    test_world_patch(w, KIND_RESTORESESSION, "demo", "r",
                     "{status: {stats: [{hostname: host-0, phase: Succeeded}]}}");
    test_world_del(w, KIND_JOB, "demo", "stash-restore-r-0-0");
    test_world_at(w, "2026-03-01T03:40:00Z");
    makes_the_others(w, "2026-03-01T03:40:02Z");
}

/* It has not reported, and has gone: the others are made, it is not. */
static void a_host_that_was_begun_is_not_begun_again_when_the_others_are(void **state)
{
    struct test_world *w = *state;

    make_the_first_only(w);
    test_world_del(w, KIND_REPOSITORY, "demo", "repo");
    test_world_unseen(w, KIND_JOB, "demo", "stash-restore-r-0-0");
    assert_string_equal(step(w), "RepositoryMissing");
    test_world_del(w, KIND_JOB, "demo", "stash-restore-r-0-0");
    test_world_at(w, "2026-03-01T09:00:00Z");
    assert_string_equal(step(w), "RepositoryMissing");
    test_world_add_file(w, "xtradb.yaml");
    test_world_patch(w, KIND_REPOSITORY, "demo", "repo",
                     "{status: {conditions: [{type: StorageSecretVerified, status: \"True\", reason: x}]}}");
    makes_the_others(w, "2026-03-01T09:00:02Z");
    assert_string_equal(step(w), "JobLost");
    assert_string_equal(json_text(doc(w), "status.stats.0.hostname"), "host-0");
    assert_string_equal(json_text(doc(w), "status.stats.0.phase"), "Unknown");
}

/* More are not begun on what was said an hour ago. */
static void the_others_are_begun_only_after_the_status_says_so(void **state)
{
    struct test_world *w = *state;

    make_the_first_only(w);
    test_world_at(w, "2026-03-01T02:30:00Z");
    makes_the_others(w, "2026-03-01T02:30:02Z");
}

static void what_is_refused_for_good_is_given_up_when_its_jobs_have_stopped(void **state)
{
    struct test_world *w = *state;

    make_the_first_only(w);
    test_world_unseen(w, KIND_JOB, "demo", "stash-restore-r-0-0"); /* it was made a moment ago */
    test_world_refuse(w, KIND_JOB, "demo", "stash-restore-r-0-1", REFUSAL_INVALID, "no");
    assert_non_null(strstr(test_world_step(w, C, "demo", "r"), "delete Job demo/stash-restore-r-0-0 Foreground\n"));
    assert_string_equal(phase(w), "Pending");
    is(w, "RestoreExecutorEnsured", "Unknown/StoppingJobs");
    assert_string_equal(step(w), "JobRefused");
    assert_string_equal(phase(w), "Failed");
    says(w, "RestoreExecutorEnsured", "Job \"stash-restore-r-0-1\" was refused. Reason: no");
    assert_string_equal(json_text(doc(w), "status.stats.0.phase"), "Failed");
}

static void what_became_impossible_is_given_up_when_its_jobs_have_stopped(void **state)
{
    struct test_world *w = *state;

    make_the_first_only(w);
    test_world_patch(w, KIND_FUNCTION, NULL, "update-status", "{spec: {args: [\"${NOBODY}\"]}}");
    assert_string_equal(step(w), "JobsStopped");
    assert_null(test_world_get(w, KIND_JOB, "demo", "stash-restore-r-0-0"));
    assert_string_equal(phase(w), "Pending");
    assert_string_equal(step(w), "FailedToEnsureRestoreExecutor");
    assert_string_equal(phase(w), "Failed");
}

static void the_deadline_stops_a_job_though_not_all_were_made(void **state)
{
    struct test_world *w = *state;

    make_the_first_only(w);
    test_world_unseen(w, KIND_JOB, "demo", "stash-restore-r-0-0");
    test_world_patch(w, KIND_RESTORESESSION, "demo", "r", "{spec: {timeOut: 10m}, status: {sessionDeadline: null}}");
    test_world_at(w, "2026-03-01T02:10:00Z");
    assert_non_null(strstr(test_world_step(w, C, "demo", "r"), "delete Job demo/stash-restore-r-0-0 Foreground\n"));
    assert_string_equal(phase(w), "Running");
    assert_string_equal(step(w), "DeadlineExceededStopped");
    assert_string_equal(phase(w), "Failed");
    assert_int_equal(json_int(doc(w), "status.totalHosts", 0), 3);
}

/* ---- what is not made again ---- */

/* The worker was killed before its report, no status could be written, and the Job's time to stay is over. */
static void lose_all_of(struct test_world *w, const char *at, const char *job)
{
    test_world_patch(w, KIND_RESTORESESSION, "demo", "r", "{" HAS_WAITED "}");
    test_world_del(w, KIND_JOB, "demo", job);
    test_world_at(w, at);
}

static void a_restore_whose_job_may_have_come_and_gone_is_not_run_again(void **state)
{
    struct test_world *w = *state;

    add(w, SINGLE);
    assert_string_equal(step(w), "SuccessfullyEnsuredRestoreExecutor");
    lose_all_of(w, "2026-03-01T03:10:00Z", "stash-restore-r-0");
    assert_string_equal(step(w), "JobsMayHaveRun");
    assert_string_equal(phase(w), "Running");
    is(w, "RestoreExecutorEnsured", "Unknown/JobsMayHaveRun");
    says(w, "RestoreExecutorEnsured",
         "its Jobs may have been made since 2026-03-01T01:59:00Z, and have gone by now: none is made again");
    assert_string_equal(step(w), "JobLost");
    assert_string_equal(step(w), "RestoreUnknown");
    assert_string_equal(json_text(doc(w), "status.stats.0.error"),
                        "Job stash-restore-r-0 is gone and has reported nothing");
    assert_null(test_world_get(w, KIND_JOB, "demo", "stash-restore-r-0"));
}

static void nor_is_a_host_of_several(void **state)
{
    struct test_world *w = *state;

    add(w, CLUSTER);
    assert_string_equal(step(w), "SuccessfullyEnsuredRestoreExecutor");
    lose_all_of(w, "2026-03-01T03:10:00Z", "stash-restore-r-0-1");
    assert_string_equal(step(w), "JobsMayHaveRun");
    assert_string_equal(step(w), "JobLost");
    assert_string_equal(json_text(doc(w), "status.stats.0.phase"), "Failed"); /* its Job is there, without a pod */
    assert_string_equal(json_text(doc(w), "status.stats.1.hostname"), "host-1");
    assert_string_equal(json_text(doc(w), "status.stats.1.phase"), "Unknown");
    assert_null(test_world_get(w, KIND_JOB, "demo", "stash-restore-r-0-1"));
}

/* The operator was away, or the API server took no Job, for a time in which none is forgotten. */
static void a_restore_about_to_start_says_so_again_before_its_jobs_would_be_forgotten(void **state)
{
    struct test_world *w = *state;

    add(w, SINGLE);
    test_world_at(w, "2026-03-01T02:20:00Z");
    (void)test_world_decide(w, C, "demo", "r");
    assert_string_equal(w->rule->reason, "SuccessfullyEnsuredRestoreExecutor");
    test_world_at(w, "2026-03-01T02:30:00Z");
    assert_string_equal(step(w), "JoinedLine");
    assert_string_equal(json_text(condition(w, "Admitted"), "lastTransitionTime"), "2026-03-01T02:30:00Z");
    test_world_at(w, "2026-03-01T02:50:00Z");
    assert_string_equal(step(w), "SuccessfullyEnsuredRestoreExecutor");
}

static void one_that_waits_in_line_for_hours_is_about_nothing(void **state)
{
    struct test_world *w = *state;

    test_world_add(w, CONFIGURATION BACKUP("2026-03-01T01:00:00Z", "Running"));
    add(w, SINGLE);
    assert_string_equal(step(w), "WaitingForOtherSession");
    assert_null(condition(w, "Admitted"));
    test_world_at(w, "2026-03-01T09:00:00Z");
    assert_string_equal(test_world_decide(w, C, "demo", "r"), "wake 1m0s\n");
    test_world_patch(w, KIND_BACKUPSESSION, "demo", "b", "{status: {phase: Failed}}");
    starts_after_all(w, "2026-03-01T09:00:02Z");
}

static void a_job_that_is_there_is_only_noted(void **state)
{
    struct test_world *w = *state;

    add(w, SINGLE);
    assert_string_equal(step(w), "SuccessfullyEnsuredRestoreExecutor");
    test_world_patch(w, KIND_RESTORESESSION, "demo", "r", "{" HAS_WAITED "}");
    test_world_del(w, KIND_REPOSITORY, "demo", "repo"); /* what it would need to make one is of no matter */
    test_world_at(w, "2026-03-01T05:00:00Z");
    (void)test_world_step(w, C, "demo", "r");
    assert_string_equal(w->rule->reason, "JobsFound");
    assert_null(test_world_effect(w, EFFECT_CREATE, KIND_JOB, "demo/stash-restore-r-0"));
    assert_string_equal(phase(w), "Running");
}

/* ---- how it fails ---- */

static void an_unresolved_variable_fails_it(void **state)
{
    struct test_world *w = *state;

    test_world_patch(w, KIND_FUNCTION, NULL, "update-status", "{spec: {args: [\"${NOBODY}\"]}}");
    add(w, SINGLE);
    assert_string_equal(step(w), "FailedToEnsureRestoreExecutor");
    assert_string_equal(phase(w), "Failed");
}

/* ---- Jobs that die ---- */

static void a_failed_job_speaks_for_its_host(void **state)
{
    struct test_world *w = *state;

    add(w, SINGLE);
    assert_string_equal(step(w), "SuccessfullyEnsuredRestoreExecutor");
    test_world_patch(
        w, KIND_JOB, "demo", "stash-restore-r-0",
        "{status: {failed: 1, conditions: [{type: Failed, status: \"True\", reason: BackoffLimitExceeded}]}}");
    assert_string_equal(step(w), "JobLost");
    assert_string_equal(json_text(doc(w), "status.stats.0.phase"), "Failed");
    assert_string_equal(json_text(doc(w), "status.stats.0.error"),
                        "Job stash-restore-r-0 failed: BackoffLimitExceeded, and its pod is gone");
    assert_string_equal(step(w), "RestoreFailed");
    assert_string_equal(phase(w), "Failed");
}

static void a_job_that_vanished_leaves_it_unknown(void **state)
{
    struct test_world *w = *state;

    add(w, CLUSTER);
    assert_string_equal(step(w), "SuccessfullyEnsuredRestoreExecutor");
    test_world_patch(w, KIND_RESTORESESSION, "demo", "r",
                     "{status: {stats: [{hostname: host-0, phase: Succeeded}, {hostname: host-1, phase: Failed}]}}");
    test_world_del(w, KIND_JOB, "demo", "stash-restore-r-0-2");
    assert_string_equal(step(w), "JobLost");
    assert_string_equal(json_text(doc(w), "status.stats.2.hostname"), "host-2");
    assert_string_equal(json_text(doc(w), "status.stats.2.phase"), "Unknown");
    assert_string_equal(step(w), "RestoreUnknown");
    assert_string_equal(phase(w), "Unknown");
}

static void a_pod_that_does_not_start_is_given_up(void **state)
{
    struct test_world *w = *state;

    add(w, SINGLE);
    assert_string_equal(step(w), "SuccessfullyEnsuredRestoreExecutor");
    test_world_at(w, "2026-03-01T02:15:00Z");
    assert_string_equal(step(w), "JobLost");
    assert_null(test_world_get(w, KIND_JOB, "demo", "stash-restore-r-0"));
    assert_string_equal(json_text(doc(w), "status.stats.0.phase"), "Failed");
}

/* The watch of pods may be broken for as long as a restore takes. */
static void a_pod_that_only_the_job_knows_of_has_not_failed_to_start(void **state)
{
    struct test_world *w = *state;

    add(w, SINGLE);
    assert_string_equal(step(w), "SuccessfullyEnsuredRestoreExecutor");
    test_world_patch(w, KIND_JOB, "demo", "stash-restore-r-0", "{status: {active: 1}}");
    test_world_at(w, "2026-03-01T02:15:00Z");
    assert_string_equal(step(w), "JobsRun");
    assert_non_null(test_world_get(w, KIND_JOB, "demo", "stash-restore-r-0"));
}

static void the_deadline_stops_all_jobs_first(void **state)
{
    struct test_world *w = *state;
    const char *lines;

    add(w, CLUSTER);
    test_world_patch(w, KIND_RESTORESESSION, "demo", "r", "{spec: {timeOut: 10m}}");
    assert_string_equal(step(w), "SuccessfullyEnsuredRestoreExecutor");
    test_world_at(w, "2026-03-01T02:10:00Z");
    lines = test_world_step(w, C, "demo", "r");
    assert_non_null(strstr(lines, "delete Job demo/stash-restore-r-0-0 Foreground\n"));
    assert_non_null(strstr(lines, "delete Job demo/stash-restore-r-0-2 Foreground\n"));
    assert_string_equal(phase(w), "Running");
    assert_string_equal(step(w), "DeadlineExceededStopped");
    assert_string_equal(phase(w), "Failed");
    assert_string_equal(json_text(doc(w), "status.stats.2.error"), "stopped at the session's deadline");
    assert_non_null(test_world_get(w, KIND_PVC, "demo", "data-db-0")); /* claims stay */
}

/* A pod of the first host that was told to end at 02:00:00 and has a minute for it, of a node that is gone. */
#define LOST_POD                                                                                                       \
    "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: demo, deletionTimestamp: \"2026-03-01T02:01:00Z\","   \
    "ownerReferences: [{kind: Job, name: stash-restore-r-0-0, uid: uid-stash-restore-r-0-0, controller: true}]},"      \
    "spec: {nodeName: n2}, status: {phase: Running}}"

static void a_pod_whose_node_is_gone_is_given_up_after_its_grace(void **state)
{
    struct test_world *w = *state;

    add(w, CLUSTER);
    assert_string_equal(step(w), "SuccessfullyEnsuredRestoreExecutor");
    test_world_add(w, LOST_POD);
    assert_non_null(strstr(test_world_step(w, C, "demo", "r"), "wake 1m30s\n")); /* no event will tell */
    test_world_at(w, "2026-03-01T02:01:30Z");
    assert_string_equal(step(w), "JobLost");
    assert_string_equal(json_text(doc(w), "status.stats.0.hostname"), "host-0");
    assert_string_equal(json_text(doc(w), "status.stats.0.error"),
                        "pod p was to end and has not: its node n2 does not answer");
    assert_null(test_world_get(w, KIND_JOB, "demo", "stash-restore-r-0-0"));
    assert_non_null(test_world_get(w, KIND_JOB, "demo", "stash-restore-r-0-1")); /* the others go on */
}

static void the_deadline_does_not_wait_for_a_node_that_is_gone(void **state)
{
    struct test_world *w = *state;

    add(w, CLUSTER);
    test_world_patch(w, KIND_RESTORESESSION, "demo", "r", "{spec: {timeOut: 10s}}");
    assert_string_equal(step(w), "SuccessfullyEnsuredRestoreExecutor");
    test_world_add(w, LOST_POD);
    test_world_at(w, "2026-03-01T02:00:10Z");
    (void)test_world_decide(w, C, "demo", "r");
    LIST_EACH_SAFE (it, &w->plan.effects) /* this Job stays as long as its pod does */
        if (LIST_ENTRY(it, struct effect, link)->type == EFFECT_DELETE &&
            strcmp(LIST_ENTRY(it, struct effect, link)->name, "stash-restore-r-0-0") == 0)
            list_del(it);
    test_world_carry_out(w);
    test_world_patch(w, KIND_JOB, "demo", "stash-restore-r-0-0",
                     "{metadata: {deletionTimestamp: \"2026-03-01T02:00:10Z\"}}");
    assert_non_null(strstr(test_world_step(w, C, "demo", "r"), "wake 1m20s\n"));
    assert_string_equal(phase(w), "Running");
    test_world_at(w, "2026-03-01T02:01:30Z");
    assert_string_equal(step(w), "DeadlineExceededStopped");
    assert_string_equal(phase(w), "Failed");
    assert_non_null(strstr(json_text(doc(w), "status.stats.0.error"), "its node n2 does not answer"));
    assert_string_equal(json_text(doc(w), "status.stats.1.error"), "stopped at the session's deadline");
}

static void the_older_operators_finalizer_goes(void **state)
{
    struct test_world *w = *state;

    add(w, SINGLE);
    test_world_patch(w, KIND_RESTORESESSION, "demo", "r", "{metadata: {finalizers: [stash.appscode.com, other]}}");
    assert_string_equal(step(w), "FinalizerDropped");
    assert_int_equal(json_array_size(json_at(doc(w), "metadata.finalizers")), 1);
    assert_string_equal(json_text(doc(w), "metadata.finalizers.0"), "other");
}

/* ---- kills ---- */

/* The cluster's restore, killed after `kill` effects. Effects in all. */
static int story(struct test_world *w, int kill)
{
    int left = kill;

    add_new(w, CLUSTER);
    for (int pass = 0; pass < 12; pass++) {
        w->now_ms += 2000;
        (void)test_world_decide(w, C, "demo", "r");
        LIST_EACH_SAFE (it, &w->plan.effects)
            if (left-- <= 0)
                list_del(it);
        if (left < 0)
            left = 1 << 20; /* killed once; the next life goes through */
        test_world_carry_out(w);
        if (test_world_get(w, KIND_JOB, "demo", "stash-restore-r-0-0") && pass > 1)
            test_world_patch(
                w, KIND_RESTORESESSION, "demo", "r",
                "{status: {stats: [{hostname: host-0, phase: Succeeded}, {hostname: host-1, phase: Succeeded},"
                "{hostname: host-2, phase: Succeeded}]}}");
    }
    assert_string_equal(phase(w), "Succeeded");
    assert_int_equal(json_int(doc(w), "status.totalHosts", 0), 3);
    return kill - left;
}

static void a_kill_after_any_effect_changes_nothing_in_the_end(void **state)
{
    struct test_world *w = *state;
    int n = story(w, 1 << 19);

    assert_in_range(n, 10, 20);
    for (int kill = 0; kill < n; kill++) {
        test_world_del(w, KIND_RESTORESESSION, "demo", "r");
        for (int i = 0; i < 3; i++) {
            char name[64];

            (void)snprintf(name, sizeof(name), "data-db-%d", i);
            test_world_del(w, KIND_PVC, "demo", name);
            (void)snprintf(name, sizeof(name), "stash-restore-r-0-%d", i);
            test_world_del(w, KIND_JOB, "demo", name);
        }
        test_world_del(w, KIND_SERVICEACCOUNT, "demo", "stash-restore");
        test_world_del(w, KIND_ROLEBINDING, "demo", "stash-restore");
        (void)story(w, kill);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, test_world_teardown)
    const struct CMUnitTest tests[] = {
        T(a_hook_is_refused_not_passed_over),
        T(a_foreign_appbinding_that_the_account_may_not_read_is_not_looked_at),
        T(a_restore_into_a_database_is_one_job),
        T(a_cluster_gets_a_claim_and_a_job_for_each_ordinal),
        T(a_crash_in_the_middle_goes_on_with_what_is_there),
        T(a_restore_whose_job_may_have_come_and_gone_is_not_run_again),
        T(nor_is_a_host_of_several),
        T(a_quota_of_one_job_is_waited_for_by_the_others_for_hours),
        T(a_host_that_was_begun_is_not_begun_again_when_the_others_are),
        T(the_others_are_begun_only_after_the_status_says_so),
        T(what_is_refused_for_good_is_given_up_when_its_jobs_have_stopped),
        T(what_became_impossible_is_given_up_when_its_jobs_have_stopped),
        T(the_deadline_stops_a_job_though_not_all_were_made),
        T(a_restore_about_to_start_says_so_again_before_its_jobs_would_be_forgotten),
        T(one_that_waits_in_line_for_hours_is_about_nothing),
        T(a_job_that_is_there_is_only_noted),
        T(a_missing_target_is_waited_for_until_the_deadline),
        T(a_missing_repository_is_waited_for),
        T(a_task_that_does_not_exist_is_invalid_until_it_does),
        T(a_task_or_function_that_is_replaced_is_waited_for),
        T(a_restore_waits_for_a_backup_of_its_database_and_says_so),
        T(a_backup_that_waits_longer_goes_first_and_a_younger_one_does_not),
        T(a_backup_that_the_api_server_refuses_is_in_nobodys_way),
        T(a_backup_that_is_over_or_goes_holds_nothing),
        T(two_restores_of_a_database_run_one_after_the_other),
        T(a_restore_that_stays_while_it_is_deleted_holds_nothing_by_itself),
        T(a_restore_of_another_namespace_and_one_beside_the_database_are_rivals),
        T(the_end_of_a_job_wakes_a_restore_in_line),
        T(of_two_of_one_second_the_first_by_name_goes_on),
        T(a_restore_with_a_job_holds_its_target_whatever_its_status_says),
        T(one_that_waits_for_its_repository_is_in_nobodys_way),
        T(one_that_loses_what_it_needs_leaves_the_line),
        T(all_that_is_wrong_is_said_at_once),
        T(replicas_do_not_share_a_claim),
        T(a_refused_namespace_restores_nothing),
        T(a_claim_of_somebody_else_is_not_touched),
        T(a_claim_that_is_not_watched_is_met_by_its_refusal),
        T(the_job_of_a_session_that_was_replaced_is_waited_for),
        T(a_full_quota_is_waited_for),
        T(an_unresolved_variable_fails_it),
        T(a_failed_job_speaks_for_its_host),
        T(a_job_that_vanished_leaves_it_unknown),
        T(a_pod_that_does_not_start_is_given_up),
        T(a_pod_that_only_the_job_knows_of_has_not_failed_to_start),
        T(the_deadline_stops_all_jobs_first),
        T(a_pod_whose_node_is_gone_is_given_up_after_its_grace),
        T(the_deadline_does_not_wait_for_a_node_that_is_gone),
        T(the_older_operators_finalizer_goes),
        T(a_kill_after_any_effect_changes_nothing_in_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
