/* test_backupconfiguration: conditions and phase of an invoker, from objects as data. */
#include "test.h"

#include <string.h>

#include "controllers/backupconfiguration.h"
#include "controllers/condition.h"
#include "controllers/repository.h"
#include "core/base/json.h"
#include "support_world.h"

static const struct controller *const bc = &backupconfiguration_controller;

static const char repository[] =
    "{apiVersion: stash.appscode.com/v1alpha1, kind: Repository, metadata: {name: repo, namespace: demo},"
    " spec: {backend: {s3: {endpoint: s3.example.org, bucket: b}, storageSecretName: storage}},"
    " status: {conditions: [{type: StorageSecretVerified, status: 'True', reason: BackendSecretAvailable,"
    "  message: Secret demo/storage is there, observedGeneration: 1}]}}";
static const char app[] = "{apiVersion: appcatalog.appscode.com/v1alpha1, kind: AppBinding,"
                          " metadata: {name: pxc, namespace: demo}, spec: {type: kubedb.com/perconaxtradb}}";
static const char task[] =
    "{apiVersion: stash.appscode.com/v1beta1, kind: Task, metadata: {name: pxc-backup}, spec: {}}";
static const char namespace[] = "{apiVersion: v1, kind: Namespace, metadata: {name: demo}}";

/* %s: more of the spec, in flow style with a leading comma. */
static const char config[] =
    "{apiVersion: stash.appscode.com/v1beta1, kind: BackupConfiguration, metadata: {name: db, namespace: demo},"
    " spec: {schedule: '*/5 * * * *', task: {name: pxc-backup}, repository: {name: repo},"
    " target: {ref: {apiVersion: appcatalog.appscode.com/v1alpha1, kind: AppBinding, name: pxc}},"
    " retentionPolicy: {name: keep5, keepLast: 5, prune: true}%s}}";

static int setup(void **state)
{
    test_world_setup(state);
    test_world_add(*state, namespace);
    test_world_add(*state, repository);
    test_world_add(*state, app);
    test_world_add(*state, task);
    return 0;
}

static const json_t *status(struct test_world *w)
{
    return json_object_get(test_world_get(w, KIND_BACKUPCONFIGURATION, "demo", "db"), "status");
}

static const char *message(struct test_world *w, const char *type)
{
    return condition_message(json_at(status(w), "conditions"), type);
}

static void expect(struct test_world *w, const char *type, const char *is, const char *reason)
{
    assert_string_equal(condition_status(json_at(status(w), "conditions"), type), is);
    assert_string_equal(condition_reason(json_at(status(w), "conditions"), type), reason);
}

/* A hook that is passed over in silence makes a backup that its user takes for another. */
static void a_hook_is_refused_not_passed_over(void **state)
{
    struct test_world *w = *state;

    test_world_addf(w, config, ", hooks: {preBackup: {exec: {command: [freeze]}},"
                               " postBackup: {executionPolicy: Always}}");
    (void)test_world_step(w, bc, "demo", "db");
    assert_string_equal(json_text(status(w), "phase"), "Invalid");
    assert_string_equal(message(w, "ValidationPassed"), "spec.hooks.preBackup: this operator runs no hooks");
}

/* What a tenant hears of another namespace is what his account could see. */
static void a_foreign_appbinding_is_seen_with_the_accounts_eyes(void **state)
{
    static const char far[] = "{apiVersion: appcatalog.appscode.com/v1alpha1, kind: AppBinding, metadata: {name: pxc,"
                              " namespace: prod}}";
    static const char denied[] = "ServiceAccount demo/reader may not get AppBinding prod/pxc";
    struct test_world *w = *state;

    test_world_addf(w, config, ", runtimeSettings: {pod: {serviceAccountName: reader}}");
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{spec: {target: {ref: {namespace: prod}}}}");
    (void)test_world_step(w, bc, "demo", "db");
    expect(w, "BackupTargetFound", "Unknown", "UnableToCheckTargetAvailability");
    assert_string_equal(message(w, "BackupTargetFound"), denied);
    assert_string_equal(json_text(status(w), "phase"), "NotReady");
    test_world_add(w, far); /* the same words, now that it exists */
    assert_string_equal(test_world_step(w, bc, "demo", "db"), "wake 5m0s\n");
    assert_string_equal(message(w, "BackupTargetFound"), denied);
    w->accounts_may = true;
    (void)test_world_step(w, bc, "demo", "db");
    assert_string_equal(json_text(status(w), "phase"), "Ready");
    test_world_del(w, KIND_APPBINDING, "prod", "pxc");
    (void)test_world_step(w, bc, "demo", "db");
    expect(w, "BackupTargetFound", "False", "TargetNotAvailable");
}

static void a_complete_one_becomes_ready_and_rests(void **state)
{
    struct test_world *w = *state;

    test_world_addf(w, config, "");
    test_world_step(w, bc, "demo", "db");
    assert_string_equal(w->rule->reason, "Ready");
    assert_string_equal(json_text(status(w), "phase"), "Ready");
    assert_int_equal(json_int(status(w), "observedGeneration", 0), 1);
    expect(w, "RepositoryFound", "True", "RepositoryAvailable");
    expect(w, "BackendSecretFound", "True", "BackendSecretAvailable");
    expect(w, "ValidationPassed", "True", "ResourceValidationPassed");
    expect(w, "BackupTargetFound", "True", "TargetAvailable");
    expect(w, "CronJobCreated", "True", "CronJobCreationSucceeded");
    assert_non_null(strstr(message(w, "CronJobCreated"), "the operator itself triggers"));
    /* At rest by its record alone: no document is asked for. */
    assert_string_equal(test_world_decide(w, bc, "demo", "db"), "");
    assert_null(w->rule);
    assert_true(list_empty(&w->world.docs));
}

static void without_repository_it_is_not_ready_until_it_comes(void **state)
{
    struct test_world *w = *state;

    test_world_del(w, KIND_REPOSITORY, "demo", "repo");
    test_world_addf(w, config, "");
    assert_non_null(strstr(test_world_step(w, bc, "demo", "db"),
                           "event Warning Repository Not Found: Repository demo/repo does not exist"));
    assert_string_equal(test_world_decide(w, bc, "demo", "db"), ""); /* said once */
    assert_string_equal(json_text(status(w), "phase"), "NotReady");
    expect(w, "RepositoryFound", "False", "RepositoryNotAvailable");
    assert_string_equal(condition_status(json_at(status(w), "conditions"), "BackendSecretFound"), "");
    test_world_add(w, repository);
    test_world_step(w, bc, "demo", "db");
    assert_string_equal(json_text(status(w), "phase"), "Ready");
}

static void a_repository_on_its_way_out_is_not_found(void **state)
{
    struct test_world *w = *state;

    test_world_addf(w, config, "");
    test_world_step(w, bc, "demo", "db");
    test_world_patch(w, KIND_REPOSITORY, "demo", "repo", "{metadata: {deletionTimestamp: '2026-03-01T02:00:00Z'}}");
    test_world_step(w, bc, "demo", "db");
    assert_string_equal(json_text(status(w), "phase"), "NotReady");
    expect(w, "RepositoryFound", "False", "RepositoryNotAvailable");
}

static void a_missing_secret_and_an_unknown_one_make_it_not_ready(void **state)
{
    struct test_world *w = *state;

    test_world_addf(w, config, "");
    test_world_patch(w, KIND_REPOSITORY, "demo", "repo",
                     "{status: {conditions: [{type: StorageSecretVerified, status: 'False', reason: "
                     "BackendSecretNotAvailable, message: Secret demo/storage not found}]}}");
    assert_non_null(strstr(test_world_step(w, bc, "demo", "db"),
                           "event Warning Storage Secret Not Found: Secret demo/storage not found"));
    expect(w, "BackendSecretFound", "False", "BackendSecretNotAvailable");
    assert_string_equal(message(w, "BackendSecretFound"), "Secret demo/storage not found");
    assert_string_equal(json_text(status(w), "phase"), "NotReady");
    test_world_patch(w, KIND_REPOSITORY, "demo", "repo", "{status: null}");
    test_world_step(w, bc, "demo", "db");
    expect(w, "BackendSecretFound", "Unknown", "UnableToCheckBackendSecretAvailability");
    assert_string_equal(json_text(status(w), "phase"), "NotReady");
}

static void a_ready_one_whose_target_goes_is_no_longer_ready(void **state)
{
    struct test_world *w = *state;

    test_world_addf(w, config, "");
    test_world_step(w, bc, "demo", "db");
    test_world_del(w, KIND_APPBINDING, "demo", "pxc");
    assert_non_null(
        strstr(test_world_step(w, bc, "demo", "db"), "event Warning Target Not Found: AppBinding demo/pxc"));
    assert_string_equal(json_text(status(w), "phase"), "NotReady");
    expect(w, "BackupTargetFound", "False", "TargetNotAvailable");
    assert_string_equal(message(w, "BackupTargetFound"), "AppBinding demo/pxc does not exist");
}

static void all_problems_of_the_spec_are_said_at_once(void **state)
{
    struct test_world *w = *state;

    test_world_addf(w, config,
                    ", timeOut: 0s, backupHistoryLimit: -1, retryConfig: {delay: 1d, maxRetry: -2},"
                    " hooks: {preBackup: {exec: {command: [a]}, tcpSocket: {port: 1}}}");
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db",
                     "{spec: {schedule: '61 * * * *', retentionPolicy: {keepLast: 0}, task: {name: nix}}}");
    test_world_step(w, bc, "demo", "db");
    assert_string_equal(json_text(status(w), "phase"), "Invalid");
    expect(w, "ValidationPassed", "False", "ResourceValidationFailed");
    assert_non_null(strstr(message(w, "ValidationPassed"), "spec.schedule \"61 * * * *\": "));
    assert_non_null(strstr(message(w, "ValidationPassed"), "; spec.retentionPolicy keeps nothing"));
    assert_non_null(strstr(message(w, "ValidationPassed"), "; spec.timeOut must be more than 0s"));
    assert_non_null(strstr(message(w, "ValidationPassed"), "; spec.retryConfig.delay: "));
    assert_non_null(strstr(message(w, "ValidationPassed"), "; spec.retryConfig.maxRetry is negative"));
    assert_non_null(strstr(message(w, "ValidationPassed"), "; spec.backupHistoryLimit is negative"));
    assert_non_null(strstr(message(w, "ValidationPassed"), "; spec.hooks.preBackup has several handlers"));
    assert_non_null(strstr(message(w, "ValidationPassed"), "; Task \"nix\" not found"));
    /* The event comes once, with the change. */
    assert_string_equal(test_world_decide(w, bc, "demo", "db"), "");
    assert_string_equal(w->rule->reason, "ValidationFailed");
}

static void what_would_make_the_job_impossible_is_said_before(void **state)
{
    struct test_world *w = *state;

    test_world_addf(w, config, ", runtimeSettings: {container: {securityContext: {privileged: true}}}");
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db",
                     "{spec: {task: {params: [{name: REPOSITORY_BUCKET, value: mine}]}}}");
    test_world_step(w, bc, "demo", "db");
    assert_non_null(strstr(message(w, "ValidationPassed"), "task parameter \"REPOSITORY_BUCKET\" is reserved"));
    assert_non_null(
        strstr(message(w, "ValidationPassed"), "spec.runtimeSettings.container.securityContext.privileged"));
}

static void a_task_that_comes_makes_it_valid(void **state)
{
    struct test_world *w = *state;

    test_world_del(w, KIND_TASK, NULL, "pxc-backup");
    test_world_addf(w, config, "");
    test_world_step(w, bc, "demo", "db");
    assert_string_equal(message(w, "ValidationPassed"), "Task \"pxc-backup\" not found");
    test_world_add(w, task);
    test_world_step(w, bc, "demo", "db");
    assert_string_equal(json_text(status(w), "phase"), "Ready");
}

/* Else a session that waits would be skipped. */
static void a_ready_one_stays_so_while_its_task_is_replaced(void **state)
{
    struct test_world *w = *state;

    test_world_addf(w, config, "");
    w->catalog_s = 60;
    test_world_step(w, bc, "demo", "db");
    assert_string_equal(json_text(status(w), "phase"), "Ready");
    test_world_del(w, KIND_TASK, NULL, "pxc-backup");
    assert_string_equal(test_world_decide(w, bc, "demo", "db"), "wake 1m0s\n");
    w->catalog_s = 0; /* it never came */
    test_world_step(w, bc, "demo", "db");
    assert_string_equal(json_text(status(w), "phase"), "Invalid");
    w->catalog_s = 60; /* a new word changes nothing for one that was judged */
    test_world_step(w, bc, "demo", "db");
    assert_string_equal(json_text(status(w), "phase"), "Invalid");
}

static void the_appbinding_may_name_the_task(void **state)
{
    struct test_world *w = *state;

    test_world_addf(w, config, "");
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{spec: {task: null}}");
    test_world_step(w, bc, "demo", "db");
    assert_string_equal(message(w, "ValidationPassed"), "no Task given and the AppBinding names none");
    test_world_patch(w, KIND_APPBINDING, "demo", "pxc",
                     "{spec: {parameters: {stash: {addon: {backupTask: {name: pxc-backup}}}}}}");
    test_world_step(w, bc, "demo", "db");
    assert_string_equal(json_text(status(w), "phase"), "Ready");
    assert_string_equal(test_world_decide(w, bc, "demo", "db"), "");
    assert_true(list_empty(&w->world.docs));
}

static void a_foreign_repository_needs_policy_and_lending(void **state)
{
    struct test_world *w = *state;
    const char *lend[] = {"demo"};

    test_world_add(w, "{apiVersion: stash.appscode.com/v1alpha1, kind: Repository, metadata: {name: repo, namespace: "
                      "central}, spec: {backend: {s3: {bucket: b}, storageSecretName: storage}}, status: "
                      "{conditions: [{type: StorageSecretVerified, status: 'True'}]}}");
    test_world_addf(w, config, "");
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db", "{spec: {repository: {namespace: central}}}");
    test_world_step(w, bc, "demo", "db");
    assert_string_equal(
        message(w, "ValidationPassed"),
        "namespace \"demo\" is not allowed to refer Repository \"repo\" of \"central\" namespace, check "
        "`usagePolicy`");
    assert_string_equal(json_text(status(w), "phase"), "Invalid");
    /* Nothing about the Secret is told to one that is refused. */
    assert_string_equal(condition_status(json_at(status(w), "conditions"), "BackendSecretFound"), "");

    test_world_patch(w, KIND_REPOSITORY, "central", "repo",
                     "{spec: {usagePolicy: {allowedNamespaces: {from: Selector, selector: {matchLabels: {a: b}}}}}}");
    test_world_step(w, bc, "demo", "db");
    assert_string_equal(json_text(status(w), "phase"), "Invalid");
    test_world_patch(w, KIND_NAMESPACE, NULL, "demo", "{metadata: {labels: {a: b}}}");
    test_world_step(w, bc, "demo", "db");
    assert_string_equal(message(w, "ValidationPassed"),
                        "Repository central/repo: add namespace demo to secrets.lendingNamespaces");
    w->settings.lend_to = (struct config_list){lend, 1};
    test_world_step(w, bc, "demo", "db");
    assert_string_equal(json_text(status(w), "phase"), "Ready");
    /* Withdrawn. */
    test_world_patch(w, KIND_NAMESPACE, NULL, "demo", "{metadata: {labels: null}}");
    test_world_step(w, bc, "demo", "db");
    assert_string_equal(json_text(status(w), "phase"), "Invalid");
}

static void a_backend_that_cannot_be_used_is_said(void **state)
{
    static const char *const cases[][2] = {
        {"{s3: {bucket: b}, gcs: {bucket: b}}", "spec.backend has several storages (s3, gcs), one is wanted"},
        {"{}", "spec.backend: no backend configured: it needs one of local, s3, gcs, azure, swift, b2 or rest"},
        {"{gcs: {prefix: x}}", "spec.backend.gcs.bucket is missing"},
        {"{gcs: {bucket: b, prefix: a/../b}}", "spec.backend.gcs: the prefix has a \"..\" element"},
        {"{local: {mountPath: //stash/x, emptyDir: {}}}",
         "spec.backend.local.mountPath: /stash is the program's own, take another path such as /repository"},
        {"{local: {mountPath: /x, hostPath: {path: /etc}}}",
         "a hostPath backend is not allowed here (the operator's --allow-hostpath-backend)"},
    };
    struct test_world *w = *state;

    test_world_addf(w, config, "");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        test_world_patch(w, KIND_REPOSITORY, "demo", "repo", "{spec: {backend: null}}");
        test_world_patch(w, KIND_REPOSITORY, "demo", "repo",
                         arena_printf(&w->arena, "{spec: {backend: %s}}", cases[i][0]));
        test_world_step(w, bc, "demo", "db");
        assert_true(str_starts(str_of(message(w, "ValidationPassed")), STR("Repository demo/repo: ")));
        assert_string_equal(message(w, "ValidationPassed") + strlen("Repository demo/repo: "), cases[i][1]);
        assert_string_equal(json_text(status(w), "phase"), "Invalid");
    }
    test_world_patch(w, KIND_REPOSITORY, "demo", "repo",
                     "{spec: {backend: {local: {mountPath: /stashed, hostPath: null, emptyDir: {}}}}}");
    test_world_step(w, bc, "demo", "db");
    assert_string_equal(json_text(status(w), "phase"), "Ready");
    assert_string_equal(test_world_decide(w, bc, "demo", "db"), "");
    /* Edited while all is well. */
    test_world_patch(w, KIND_REPOSITORY, "demo", "repo", "{spec: {backend: {s3: {bucket: b}}}}");
    test_world_step(w, bc, "demo", "db");
    assert_string_equal(json_text(status(w), "phase"), "Invalid");
}

static void an_empty_usage_policy_means_the_own_namespace(void **state)
{
    struct test_world *w = *state;

    test_world_patch(w, KIND_REPOSITORY, "demo", "repo", "{spec: {usagePolicy: {}}}");
    test_world_addf(w, config, "");
    test_world_step(w, bc, "demo", "db");
    assert_string_equal(json_text(status(w), "phase"), "Ready");
}

static void upstreams_finalizer_goes_on_sight(void **state)
{
    struct test_world *w = *state;

    test_world_addf(w, config, "");
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db",
                     "{metadata: {finalizers: [other, stash.appscode.com]}}");
    assert_string_equal(test_world_step(w, bc, "demo", "db"),
                        "patch BackupConfiguration demo/db {\"metadata\":{\"finalizers\":[\"other\"]}}\n"
                        "wake 0s\n"); /* the rest of the pass: no record shows that a finalizer went */
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db",
                     "{metadata: {finalizers: [stash.appscode.com], deletionTimestamp: '2026-03-01T02:00:00Z'}}");
    assert_string_equal(test_world_step(w, bc, "demo", "db"),
                        "patch BackupConfiguration demo/db {\"metadata\":{\"finalizers\":[]}}\n");
    assert_string_equal(test_world_step(w, bc, "demo", "db"), "");
}

static void a_claim_that_is_not_there_is_looked_for_again(void **state)
{
    struct test_world *w = *state;

    test_world_addf(w, config, "");
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db",
                     "{spec: {target: {ref: {apiVersion: v1, kind: PersistentVolumeClaim, name: data}}}}");
    assert_non_null(strstr(test_world_step(w, bc, "demo", "db"), "wake 30s"));
    assert_string_equal(json_text(status(w), "phase"), "NotReady");
    test_world_add(w, "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data, namespace: demo}}");
    test_world_step(w, bc, "demo", "db");
    assert_string_equal(json_text(status(w), "phase"), "Ready");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, test_world_teardown)
    const struct CMUnitTest tests[] = {
        T(a_hook_is_refused_not_passed_over),
        T(a_foreign_appbinding_is_seen_with_the_accounts_eyes),
        T(a_complete_one_becomes_ready_and_rests),
        T(without_repository_it_is_not_ready_until_it_comes),
        T(a_repository_on_its_way_out_is_not_found),
        T(a_missing_secret_and_an_unknown_one_make_it_not_ready),
        T(a_ready_one_whose_target_goes_is_no_longer_ready),
        T(all_problems_of_the_spec_are_said_at_once),
        T(what_would_make_the_job_impossible_is_said_before),
        T(a_task_that_comes_makes_it_valid),
        T(a_ready_one_stays_so_while_its_task_is_replaced),
        T(the_appbinding_may_name_the_task),
        T(a_foreign_repository_needs_policy_and_lending),
        T(a_backend_that_cannot_be_used_is_said),
        T(an_empty_usage_policy_means_the_own_namespace),
        T(upstreams_finalizer_goes_on_sight),
        T(a_claim_that_is_not_there_is_looked_for_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
