/* test_repository: the storage Secret's probe, references, finalizer and wipe of a Repository, as data. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "controllers/condition.h"
#include "controllers/repository_view.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "support_world.h"

static const struct controller *const rc = &repository_controller;

static const char repository[] =
    "{apiVersion: stash.appscode.com/v1alpha1, kind: Repository, metadata: {name: repo, namespace: demo},"
    " spec: {backend: {s3: {endpoint: s3.example.org, bucket: b}, storageSecretName: storage}}}";

static int setup(void **state)
{
    test_world_setup(state);
    test_world_add(*state, "{apiVersion: v1, kind: Namespace, metadata: {name: demo}}");
    test_world_add(*state, repository);
    return 0;
}

static const char *step(struct test_world *w, const char *now)
{
    test_world_at(w, now);
    return test_world_step(w, rc, "demo", "repo");
}

static const json_t *self(struct test_world *w)
{
    return test_world_get(w, KIND_REPOSITORY, "demo", "repo");
}

static void expect(struct test_world *w, const char *type, const char *is, const char *message)
{
    assert_string_equal(condition_status(json_at(self(w), "status.conditions"), type), is);
    assert_string_equal(condition_message(json_at(self(w), "status.conditions"), type), message);
}

static void job_ends(struct test_world *w, const char *name, const char *type, const char *at, int code,
                     const char *message)
{
    AUTO_FREE char *patch = mem_printf("{status: {conditions: [{type: %s, status: 'True', lastTransitionTime: '%s',"
                                       " message: the Job's own words}]}}",
                                       type, at);

    test_world_patch(w, KIND_JOB, "demo", name, patch);
    test_world_addf(w,
                    "{apiVersion: v1, kind: Pod, metadata: {name: %s-x, namespace: demo, ownerReferences: [{kind: Job, "
                    "name: %s, uid: uid-%s, controller: true}]}, status: {containerStatuses: [{state: {terminated: "
                    "{exitCode: %d, message: '%s'}}}]}}",
                    name, name, name, code, message);
}

static void a_new_one_probes_its_secret_and_says_it_does(void **state)
{
    struct test_world *w = *state;
    const json_t *job;
    const char *lines = step(w, "2026-03-01T02:00:00Z");

    assert_non_null(strstr(lines, "conditions=StorageSecretVerified=Unknown/UnableToCheckBackendSecretAvailability"));
    assert_non_null(strstr(lines, "\ncreate Job demo/stash-probe-repo\nwake 2m0s\n"));
    job = test_world_get(w, KIND_JOB, "demo", "stash-probe-repo");
    assert_string_equal(json_text(job, "spec.template.spec.containers.0.args.0"), "probe-storage-secret");
    assert_string_equal(json_text(job, "spec.template.spec.containers.0.args.1"), "--provider=s3");
    assert_string_equal(json_text(job, "spec.template.spec.containers.0.image"), "registry/stashd:0.1");
    assert_string_equal(json_text(job, "spec.template.spec.volumes.0.secret.secretName"), "storage");
    assert_true(json_flag(job, "spec.template.spec.volumes.0.secret.optional", false));
    assert_false(json_flag(job, "spec.template.spec.automountServiceAccountToken", true));
    assert_string_equal(json_meta(job, "labels", "stash.appscode.com/repository-job"), "repo");
    assert_string_equal(json_text(job, "metadata.ownerReferences.0.uid"), "uid-repo");
    /* Waiting costs nothing. */
    assert_string_equal(step(w, "2026-03-01T02:00:10Z"), "wake 1m50s\n");
}

static void a_dot_and_a_dash_in_their_names_are_two_probes(void **state)
{
    static const char *const names[] = {"a.b", "a-b", "a.b", "a-b"};
    struct test_world *w = *state;

    for (size_t i = 0; i < 2; i++)
        test_world_addf(w, "{apiVersion: stash.appscode.com/v1alpha1, kind: Repository, metadata: {name: %s, "
                           "namespace: demo}, spec: {backend: {s3: {endpoint: s3.example.org, bucket: b}, "
                           "storageSecretName: s}}}",
                        names[i]);
    for (size_t i = 0; i < 4; i++) {
        const char *lines = test_world_step(w, rc, "demo", names[i]);

        assert_int_equal(strstr(lines, "\ncreate Job") != NULL, i < 2);
        assert_null(strstr(lines, "delete Job"));
    }
}

static void a_probe_that_succeeds_is_true_and_goes(void **state)
{
    struct test_world *w = *state;

    step(w, "2026-03-01T02:00:00Z");
    job_ends(w, "stash-probe-repo", "Complete", "2026-03-01T02:00:05Z", 0, "");
    step(w, "2026-03-01T02:00:05Z");
    expect(w, "StorageSecretVerified", "True", "Secret demo/storage is there");
    assert_null(test_world_get(w, KIND_JOB, "demo", "stash-probe-repo"));
    assert_string_equal(step(w, "2026-03-01T02:00:06Z"), "");
    assert_string_equal(w->rule->reason, "SecretVerified");
}

static void a_missing_key_is_named_and_probed_again_with_growing_gaps(void **state)
{
    struct test_world *w = *state;

    step(w, "2026-03-01T02:00:00Z");
    job_ends(w, "stash-probe-repo", "Failed", "2026-03-01T02:00:05Z", 4, "Secret demo/storage: no RESTIC_PASSWORD");
    assert_non_null(strstr(step(w, "2026-03-01T02:00:05Z"), "wake 15s"));
    expect(w, "StorageSecretVerified", "False", "Secret demo/storage: no RESTIC_PASSWORD");
    assert_string_equal(step(w, "2026-03-01T02:00:19Z"), "wake 1s\n");
    assert_string_equal(step(w, "2026-03-01T02:00:20Z"), "delete Job demo/stash-probe-repo Background\n");
    assert_string_equal(step(w, "2026-03-01T02:00:21Z"), "create Job demo/stash-probe-repo\n");
    /* Still missing after ten minutes: five minutes until the next one. */
    test_world_del(w, KIND_POD, "demo", "stash-probe-repo-x");
    job_ends(w, "stash-probe-repo", "Failed", "2026-03-01T02:10:05Z", 4, "Secret demo/storage: no RESTIC_PASSWORD");
    assert_string_equal(step(w, "2026-03-01T02:10:05Z"), "wake 5m0s\n");
    /* There at last. */
    job_ends(w, "stash-probe-repo", "Complete", "2026-03-01T02:16:00Z", 0, "");
    step(w, "2026-03-01T02:16:00Z");
    expect(w, "StorageSecretVerified", "True", "Secret demo/storage is there");
}

static void a_probe_that_cannot_run_never_stops_backups(void **state)
{
    struct test_world *w = *state;

    step(w, "2026-03-01T02:00:00Z");
    test_world_del(w, KIND_JOB, "demo", "stash-probe-repo");
    test_world_at(w, "2026-03-01T02:00:01Z");
    test_world_refuse(w, KIND_JOB, "demo", "stash-probe-repo", REFUSAL_QUOTA, "exceeded quota: none, pods: 0");
    assert_string_equal(step(w, "2026-03-01T02:00:02Z"), "wake 29s\n");
    step(w, "2026-03-01T02:02:00Z");
    expect(w, "StorageSecretVerified", "True", "not verified: exceeded quota: none, pods: 0");
    assert_string_equal(step(w, "2026-03-01T02:02:01Z"), "");
}

static void a_probe_that_breaks_is_no_verdict(void **state)
{
    struct test_world *w = *state;

    step(w, "2026-03-01T02:00:00Z");
    job_ends(w, "stash-probe-repo", "Failed", "2026-03-01T02:00:05Z", 137, "");
    step(w, "2026-03-01T02:00:05Z");
    expect(w, "StorageSecretVerified", "True", "not verified: the Job's own words");
}

static void a_repository_with_backups_probes_nothing(void **state)
{
    struct test_world *w = *state;

    test_world_patch(w, KIND_REPOSITORY, "demo", "repo", "{status: {lastBackupTime: '2026-02-28T02:00:00Z'}}");
    step(w, "2026-03-01T02:00:00Z");
    expect(w, "StorageSecretVerified", "True", "Secret demo/storage was used by the backup of 2026-02-28T02:00:00Z");
    assert_null(test_world_get(w, KIND_JOB, "demo", "stash-probe-repo"));
}

static const char evil_backups[] =
    "{apiVersion: stash.appscode.com/v1beta1, kind: BackupConfiguration, metadata: {name: db, namespace: evil}, spec: "
    "{repository: {name: repo, namespace: demo}}}";

/* Who writes there may make his session say what he likes. */
static void a_foreign_namespace_says_nothing_of_the_secret(void **state)
{
    struct test_world *w = *state;

    step(w, "2026-03-01T02:00:00Z");
    job_ends(w, "stash-probe-repo", "Complete", "2026-03-01T02:00:05Z", 0, "");
    step(w, "2026-03-01T02:00:05Z");
    w->settings.lend_everywhere = true;
    test_world_patch(w, KIND_REPOSITORY, "demo", "repo", "{spec: {usagePolicy: {allowedNamespaces: {from: All}}}}");
    test_world_patch(w, KIND_REPOSITORY, "demo", "repo", "{metadata: {generation: 1}}");
    test_world_at(w, "2026-03-01T03:00:00Z");
    test_world_add(w, evil_backups);
    test_world_add(w, "{apiVersion: stash.appscode.com/v1beta1, kind: BackupSession, metadata: {name: db-1, namespace: "
                      "evil}, spec: {invoker: {kind: BackupConfiguration, name: db}}, status: {phase: Failed, targets: "
                      "[{stats: [{hostname: host-0, error: 'restic: Secret demo/storage not found'}]}]}}");
    assert_string_equal(step(w, "2026-03-01T03:00:10Z"), "");
    expect(w, "StorageSecretVerified", "True", "Secret demo/storage is there");
}

static void an_edit_probes_anew_without_stopping_anybody(void **state)
{
    struct test_world *w = *state;

    step(w, "2026-03-01T02:00:00Z");
    job_ends(w, "stash-probe-repo", "Complete", "2026-03-01T02:00:05Z", 0, "");
    step(w, "2026-03-01T02:00:05Z");
    test_world_patch(w, KIND_REPOSITORY, "demo", "repo", "{spec: {backend: {storageSecretName: other}}}");
    assert_string_equal(step(w, "2026-03-01T02:01:00Z"),
                        "status observedGeneration=2\ncreate Job demo/stash-probe-repo\n");
    expect(w, "StorageSecretVerified", "True", "Secret demo/storage is there");
    job_ends(w, "stash-probe-repo", "Failed", "2026-03-01T02:01:05Z", 4, "Secret demo/other not found");
    step(w, "2026-03-01T02:01:05Z");
    expect(w, "StorageSecretVerified", "False", "Secret demo/other not found");
}

static void a_worker_that_misses_the_secret_is_believed_and_it_is_looked_for_again(void **state)
{
    struct test_world *w = *state;

    step(w, "2026-03-01T02:00:00Z");
    job_ends(w, "stash-probe-repo", "Complete", "2026-03-01T02:00:05Z", 0, "");
    step(w, "2026-03-01T02:00:05Z");
    test_world_del(w, KIND_POD, "demo", "stash-probe-repo-x");
    test_world_at(w, "2026-03-01T03:00:00Z");
    test_world_add(
        w, "{apiVersion: stash.appscode.com/v1beta1, kind: BackupConfiguration, metadata: {name: db, namespace: "
           "demo}, spec: {repository: {name: repo}}}");
    test_world_add(w, "{apiVersion: stash.appscode.com/v1beta1, kind: BackupSession, metadata: {name: db-1, namespace: "
                      "demo}, spec: {invoker: {kind: BackupConfiguration, name: db}}, status: {phase: Failed, targets: "
                      "[{stats: [{hostname: host-0, error: 'restic: Secret demo/storage not found'}]}]}}");
    step(w, "2026-03-01T03:00:10Z");
    expect(w, "StorageSecretVerified", "False", "restic: Secret demo/storage not found");
    assert_string_equal(step(w, "2026-03-01T03:00:11Z"), "create Job demo/stash-probe-repo\n");
    job_ends(w, "stash-probe-repo", "Complete", "2026-03-01T03:00:15Z", 0, "");
    step(w, "2026-03-01T03:00:15Z");
    expect(w, "StorageSecretVerified", "True", "Secret demo/storage is there");
    /* The old failure is no news any more. */
    assert_string_equal(step(w, "2026-03-01T03:00:16Z"), "");
    /* Another failure says nothing about the Secret. */
    test_world_at(w, "2026-03-01T04:00:00Z");
    test_world_add(w, "{apiVersion: stash.appscode.com/v1beta1, kind: BackupSession, metadata: {name: db-2, namespace: "
                      "demo}, spec: {invoker: {kind: BackupConfiguration, name: db}}, status: {phase: Failed, targets: "
                      "[{stats: [{hostname: host-0, error: 'donor gone'}]}]}}");
    assert_string_equal(step(w, "2026-03-01T04:00:10Z"), "");
}

static void references_are_the_permitted_invokers(void **state)
{
    struct test_world *w = *state;
    static const char bc[] = "{apiVersion: stash.appscode.com/v1beta1, kind: BackupConfiguration, metadata: {name: %s, "
                     "namespace: %s}, spec: {repository: {name: repo, namespace: demo}}, status: {conditions: [{type: "
                     "ValidationPassed, status: '%s'}]}}";
    const json_t *list;

    test_world_patch(w, KIND_REPOSITORY, "demo", "repo", "{status: {lastBackupTime: '2026-02-28T02:00:00Z'}}");
    test_world_addf(w, bc, "own", "demo", "False");
    test_world_addf(w, bc, "allowed", "shop", "True");
    test_world_addf(w, bc, "refused", "evil", "False");
    test_world_add(w, "{apiVersion: stash.appscode.com/v1beta1, kind: BackupConfiguration, metadata: {name: other, "
                      "namespace: shop}, spec: {repository: {name: repo}}}");
    step(w, "2026-03-01T02:00:00Z");
    list = json_at(self(w), "status.references");
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(json_text(list, "0.name"), "own");
    assert_string_equal(json_text(list, "1.name"), "allowed");
    assert_string_equal(json_text(list, "1.namespace"), "shop");
    assert_string_equal(step(w, "2026-03-01T02:00:01Z"), "");
    test_world_del(w, KIND_BACKUPCONFIGURATION, "shop", "allowed");
    test_world_del(w, KIND_BACKUPCONFIGURATION, "demo", "own");
    assert_string_equal(step(w, "2026-03-01T02:00:02Z"), "status references=[]\n");
}

static void the_finalizer_is_there_only_with_wipeout(void **state)
{
    struct test_world *w = *state;

    test_world_patch(w, KIND_REPOSITORY, "demo", "repo", "{metadata: {finalizers: [stash]}}");
    assert_string_equal(step(w, "2026-03-01T02:00:00Z"),
                        "patch Repository demo/repo {\"metadata\":{\"finalizers\":[]}}\n");
    test_world_patch(w, KIND_REPOSITORY, "demo", "repo", "{spec: {wipeOut: true}}");
    assert_string_equal(step(w, "2026-03-01T02:00:00Z"),
                        "patch Repository demo/repo {\"metadata\":{\"finalizers\":[\"stash\"]}}\n");
}

static void deletion_without_wipeout_lets_go_at_once(void **state)
{
    struct test_world *w = *state;

    test_world_patch(w, KIND_REPOSITORY, "demo", "repo",
                     "{metadata: {finalizers: [x, stash], deletionTimestamp: '2026-03-01T02:00:00Z'}}");
    assert_string_equal(step(w, "2026-03-01T02:00:00Z"),
                        "patch Repository demo/repo {\"metadata\":{\"finalizers\":[\"x\"]}}\n");
    assert_string_equal(step(w, "2026-03-01T02:00:00Z"), "");
}

static void a_wipe_runs_is_retried_and_then_lets_go(void **state)
{
    struct test_world *w = *state;
    const char *lines;

    test_world_patch(w, KIND_REPOSITORY, "demo", "repo",
                     "{metadata: {finalizers: [stash], deletionTimestamp: '2026-03-01T02:00:00Z'}, spec: {wipeOut: "
                     "true}}");
    lines = step(w, "2026-03-01T02:00:00Z");
    assert_non_null(strstr(lines, "WipedOut=False/WipeOutRunning"));
    assert_non_null(strstr(lines, "create Job demo/stash-wipe-repo"));
    assert_null(json_at(test_world_get(w, KIND_JOB, "demo", "stash-wipe-repo"), "metadata.ownerReferences"));
    assert_string_equal(step(w, "2026-03-01T02:00:05Z"), "");
    job_ends(w, "stash-wipe-repo", "Failed", "2026-03-01T02:00:10Z", 1, "storage is down");
    lines = step(w, "2026-03-01T02:00:10Z");
    assert_non_null(strstr(lines, "event Warning WipeOut Failed: storage is down"));
    expect(w, "WipedOut", "False", "storage is down; set spec.wipeOut to false to delete the object without the data");
    assert_string_equal(step(w, "2026-03-01T02:00:40Z"), "delete Job demo/stash-wipe-repo Background\n");
    step(w, "2026-03-01T02:00:41Z");
    test_world_del(w, KIND_POD, "demo", "stash-wipe-repo-x");
    job_ends(w, "stash-wipe-repo", "Complete", "2026-03-01T02:01:00Z", 0, "");
    assert_string_equal(step(w, "2026-03-01T02:01:00Z"),
                        "patch Repository demo/repo {\"metadata\":{\"finalizers\":[]}}\n");
}

static void a_prune_at_work_goes_before_the_wipe_starts(void **state)
{
    struct test_world *w = *state;
    const char *lines, *drop, *make;

    test_world_add(w, "{apiVersion: batch/v1, kind: Job, metadata: {name: stash-prune-repo, namespace: demo, labels: "
                      "{stash.appscode.com/repository-job: prune}}}");
    test_world_patch(w, KIND_REPOSITORY, "demo", "repo",
                     "{metadata: {finalizers: [stash], deletionTimestamp: '2026-03-01T02:00:00Z'}, spec: {wipeOut: "
                     "true}}");
    lines = step(w, "2026-03-01T02:00:00Z");
    drop = strstr(lines, "delete Job demo/stash-prune-repo Background");
    make = strstr(lines, "create Job demo/stash-wipe-repo");
    assert_non_null(drop);
    assert_non_null(make);
    assert_true(drop < make);
}

/* A wipe Job stays for an hour: it must not count for the next Repository of that name. */
static void the_wipe_of_a_namesake_says_nothing(void **state)
{
    struct test_world *w = *state;

    test_world_patch(w, KIND_REPOSITORY, "demo", "repo",
                     "{metadata: {finalizers: [stash], deletionTimestamp: '2026-03-01T02:00:00Z'}, spec: {wipeOut: "
                     "true}}");
    step(w, "2026-03-01T02:00:00Z");
    job_ends(w, "stash-wipe-repo", "Complete", "2026-03-01T02:00:10Z", 0, "");
    test_world_patch(w, KIND_REPOSITORY, "demo", "repo", "{metadata: {uid: uid-second}}");
    assert_string_equal(step(w, "2026-03-01T02:01:00Z"), "delete Job demo/stash-wipe-repo Background\n");
    assert_non_null(strstr(step(w, "2026-03-01T02:01:01Z"), "create Job demo/stash-wipe-repo"));
}

static void a_wipe_has_what_restic_needs(void **state)
{
    struct test_world *w = *state;
    const json_t *job;

    test_world_patch(
        w, KIND_REPOSITORY, "demo", "repo",
        "{metadata: {finalizers: [stash], deletionTimestamp: '2026-03-01T02:00:00Z'}, spec: {wipeOut: true, "
        "backend: {s3: null, local: {mountPath: /repo, subPath: a, persistentVolumeClaim: {claimName: c}}}}}");
    step(w, "2026-03-01T02:00:00Z");
    job = test_world_get(w, KIND_JOB, "demo", "stash-wipe-repo");
    assert_string_equal(json_text(job, "spec.template.spec.containers.0.args.0"), "wipe-repository");
    assert_string_equal(json_text(job, "spec.template.spec.containers.0.args.2"), "--storage-secret-name=storage");
    assert_string_equal(json_text(job, "spec.template.spec.volumes.3.persistentVolumeClaim.claimName"), "c");
    assert_string_equal(json_text(job, "spec.template.spec.containers.0.volumeMounts.3.subPath"), "a");
    test_world_del(w, KIND_JOB, "demo", "stash-wipe-repo"); /* the node's files only where the platform allows it */
    test_world_patch(w, KIND_REPOSITORY, "demo", "repo",
                     "{spec: {backend: {local: {persistentVolumeClaim: null, hostPath: "
                     "{path: /etc}}}}}");
    step(w, "2026-03-01T02:00:01Z");
    job = test_world_get(w, KIND_JOB, "demo", "stash-wipe-repo");
    assert_int_equal(json_array_size(json_at(job, "spec.template.spec.volumes")), 3);
}

static void a_namespace_that_goes_is_not_held_up(void **state)
{
    struct test_world *w = *state;

    test_world_patch(w, KIND_NAMESPACE, NULL, "demo", "{metadata: {deletionTimestamp: '2026-03-01T02:00:00Z'}}");
    test_world_patch(w, KIND_REPOSITORY, "demo", "repo",
                     "{metadata: {finalizers: [stash], deletionTimestamp: '2026-03-01T02:00:00Z'}, spec: {wipeOut: "
                     "true}}");
    assert_string_equal(step(w, "2026-03-01T02:00:00Z"),
                        "patch Repository demo/repo {\"metadata\":{\"finalizers\":[]}}\n");
}

/* ---- what it needs besides its backups ---- */

static void is_verified(struct test_world *w)
{
    test_world_patch(w, KIND_REPOSITORY, "demo", "repo",
                     "{status: {observedGeneration: 1, conditions: [{type: StorageSecretVerified, status: 'True', "
                     "reason: BackendSecretAvailable, message: x, observedGeneration: 1}]}}");
}

static void add_worker(struct test_world *w, const char *ns, const char *name, const char *uid, const char *phase,
                       const char *state)
{
    test_world_addf(w,
                    "{apiVersion: v1, kind: Pod, metadata: {name: %s, uid: %s, namespace: %s, annotations: "
                    "{stash.appscode.com/job-repository: demo/repo}}, status: {phase: %s, initContainerStatuses: "
                    "[{state: {%s: {}}}]}}",
                    name, uid, ns, phase, state);
}

#define UNLOCK "stash-unlock-repo"

static const char *unlocks(struct test_world *w)
{
    return json_text(test_world_get(w, KIND_JOB, "demo", UNLOCK), "spec.template.spec.hostname");
}

static const char *looked_after(struct test_world *w)
{
    return json_meta(self(w), "annotations", "stash.appscode.com/unlocked-pods");
}

static void the_locks_of_a_killed_pod_are_removed_by_its_name_once(void **state)
{
    struct test_world *w = *state;
    const json_t *job;

    is_verified(w);
    add_worker(w, "demo", "j-abcde", "12345678-9", "Failed", "terminated");
    assert_non_null(strstr(step(w, "2026-03-01T02:00:00Z"), "create Job demo/" UNLOCK "\n"));
    job = test_world_get(w, KIND_JOB, "demo", UNLOCK);
    assert_string_equal(unlocks(w), "j-abcde");
    assert_string_equal(json_text(job, "spec.template.spec.containers.0.args.0"), "unlock-repository");
    assert_string_equal(json_text(job, "metadata.ownerReferences.0.name"), "repo");
    assert_int_equal(json_int(job, "spec.ttlSecondsAfterFinished", 0), 300);
    assert_null(strstr(step(w, "2026-03-01T02:00:10Z"), "create"));
    job_ends(w, UNLOCK, "Complete", "2026-03-01T02:00:20Z", 0, "");
    assert_non_null(strstr(step(w, "2026-03-01T02:00:20Z"), "delete Job demo/" UNLOCK " Background\n"));
    assert_string_equal(looked_after(w), "12345678");
    assert_null(strstr(step(w, "2026-03-01T02:00:30Z"), "create"));
    test_world_del(w, KIND_POD, "demo", "j-abcde");
    add_worker(w, "demo", "j-fghij", "22222222-9", "Failed", "terminated");
    (void)step(w, "2026-03-01T02:00:40Z");
    job_ends(w, UNLOCK, "Complete", "2026-03-01T02:00:50Z", 0, "");
    (void)step(w, "2026-03-01T02:00:50Z");
    assert_string_equal(looked_after(w), "22222222"); /* the list does not grow for ever */
}

/* Many that left no lock cost one Job; who has left one too gets his own, after the first has ended. */
static void however_many_pods_fail_there_is_one_unlock_job_at_a_time(void **state)
{
    struct test_world *w = *state;

    is_verified(w);
    add_worker(w, "demo", "a", "aaaaaaaa-1", "Failed", "terminated");
    test_world_at(w, "2026-03-01T02:00:01Z");
    add_worker(w, "demo", "b", "bbbbbbbb-1", "Failed", "terminated");
    test_world_at(w, "2026-03-01T02:00:02Z");
    add_worker(w, "demo", "c", "cccccccc-1", "Failed", "terminated");
    assert_non_null(strstr(step(w, "2026-03-01T02:00:03Z"), "create Job demo/" UNLOCK "\n"));
    assert_string_equal(unlocks(w), "a"); /* the oldest */
    add_worker(w, "demo", "d", "dddddddd-1", "Failed", "terminated");
    assert_null(strstr(step(w, "2026-03-01T02:00:04Z"), "create"));
    job_ends(w, UNLOCK, "Complete", "2026-03-01T02:00:05Z", 0, "elsewhere b");
    (void)step(w, "2026-03-01T02:00:05Z");
    assert_string_equal(looked_after(w), "cccccccc,aaaaaaaa");
    test_world_del(w, KIND_POD, "demo", UNLOCK "-x");
    assert_non_null(strstr(step(w, "2026-03-01T02:00:06Z"), "create Job demo/" UNLOCK "\n"));
    assert_string_equal(unlocks(w), "b");
    job_ends(w, UNLOCK, "Complete", "2026-03-01T02:00:07Z", 0, "elsewhere");
    (void)step(w, "2026-03-01T02:00:07Z");
    assert_string_equal(looked_after(w), "dddddddd,cccccccc,bbbbbbbb,aaaaaaaa");
    assert_null(strstr(step(w, "2026-03-01T02:00:08Z"), "create"));
}

static void an_unlock_that_failed_is_told_and_not_tried_for_ever(void **state)
{
    struct test_world *w = *state;

    is_verified(w);
    add_worker(w, "demo", "a", "aaaaaaaa-1", "Failed", "terminated");
    (void)step(w, "2026-03-01T02:00:00Z");
    job_ends(w, UNLOCK, "Failed", "2026-03-01T02:00:05Z", 1, "no such bucket");
    assert_non_null(strstr(step(w, "2026-03-01T02:00:05Z"), "event Warning Unlock Failed: locks of ended pods stay "
                                                            "until restic calls them stale: no such bucket\n"));
    assert_null(strstr(step(w, "2026-03-01T02:00:06Z"), "create"));
}

static void retention_is_said(struct test_world *w);

static void a_refused_unlock_holds_no_prune_back(void **state)
{
    struct test_world *w = *state;

    retention_is_said(w);
    add_worker(w, "demo", "a", "aaaaaaaa-1", "Failed", "terminated");
    test_world_at(w, "2026-03-01T02:10:00Z");
    test_world_refuse(w, KIND_JOB, "demo", UNLOCK, REFUSAL_QUOTA, "exceeded quota: jobs");
    assert_non_null(strstr(step(w, "2026-03-01T02:10:00Z"), "create Job demo/stash-prune-repo\n"));
    assert_string_equal(step(w, "2026-03-01T02:10:01Z"), "wake 29s\n"); /* and is tried again by itself */
    assert_non_null(strstr(step(w, "2026-03-01T02:10:30Z"), "create Job demo/" UNLOCK "\n"));
}

static void an_unlock_at_work_holds_no_prune_back(void **state)
{
    struct test_world *w = *state;

    retention_is_said(w);
    add_worker(w, "demo", "a", "aaaaaaaa-1", "Failed", "terminated");
    assert_non_null(strstr(step(w, "2026-03-01T02:10:00Z"), "create Job demo/" UNLOCK "\n"));
    assert_non_null(strstr(step(w, "2026-03-01T02:10:01Z"), "create Job demo/stash-prune-repo\n"));
}

static void an_unlock_job_that_may_not_be_deleted_holds_no_prune_back(void **state)
{
    struct test_world *w = *state;

    retention_is_said(w);
    add_worker(w, "demo", "a", "aaaaaaaa-1", "Failed", "terminated");
    (void)step(w, "2026-03-01T02:10:00Z");
    job_ends(w, UNLOCK, "Complete", "2026-03-01T02:10:05Z", 0, "");
    test_world_at(w, "2026-03-01T02:10:05Z");
    test_world_refuse(w, KIND_JOB, "demo", UNLOCK, REFUSAL_FORBIDDEN, "no");
    assert_non_null(strstr(step(w, "2026-03-01T02:10:05Z"), "create Job demo/stash-prune-repo\n"));
    assert_non_null(strstr(step(w, "2026-03-01T02:15:05Z"), "delete Job demo/" UNLOCK " Background\n"));
}

static void a_pod_that_may_still_run_keeps_its_locks(void **state)
{
    struct test_world *w = *state;

    is_verified(w);
    add_worker(w, "demo", "j", "12345678-9", "Failed", "running"); /* its node is out of reach: others wrote Failed */
    assert_null(strstr(step(w, "2026-03-01T02:00:00Z"), "create"));
}

/* A lock carries a pod's name and no namespace. */
static void the_lock_of_a_living_namesake_is_left_alone(void **state)
{
    struct test_world *w = *state;

    is_verified(w);
    w->settings.lend_everywhere = true;
    test_world_patch(w, KIND_REPOSITORY, "demo", "repo", "{spec: {usagePolicy: {allowedNamespaces: {from: All}}}}");
    test_world_patch(w, KIND_REPOSITORY, "demo", "repo", "{metadata: {generation: 1}}");
    add_worker(w, "ops", "j", "12345678-9", "Failed", "terminated");
    add_worker(w, "demo", "j", "22345678-9", "Running", "running");
    assert_null(strstr(step(w, "2026-03-01T02:00:00Z"), "create"));
    test_world_patch(w, KIND_POD, "demo", "j", "{status: {phase: Succeeded}}");
    assert_non_null(strstr(step(w, "2026-03-01T02:00:01Z"), "create Job demo/" UNLOCK "\n"));
}

static void pods_of_a_namespace_that_may_not_use_the_repository_say_nothing(void **state)
{
    struct test_world *w = *state;

    is_verified(w);
    add_worker(w, "evil", "j", "12345678-9", "Failed", "terminated");
    assert_null(strstr(step(w, "2026-03-01T02:00:00Z"), "create"));
}

static void of_very_many_failed_pods_the_newest_thousand_count(void **state)
{
    struct test_world *w = *state;

    is_verified(w);
    for (int i = 0; i < 1001; i++) {
        AUTO_FREE char *name = mem_printf("p%d", i), *uid = mem_printf("%08d-1", i);

        add_worker(w, "demo", name, uid, "Failed", "terminated");
        if (i == 0)
            test_world_at(w, "2026-03-01T02:00:01Z");
    }
    (void)step(w, "2026-03-01T02:00:02Z");
    assert_string_not_equal(unlocks(w), "p0");
    job_ends(w, UNLOCK, "Complete", "2026-03-01T02:00:05Z", 0, "p0");
    (void)step(w, "2026-03-01T02:00:05Z");
    assert_int_equal(strlen(looked_after(w)), 1000 * 9 - 1);
    assert_null(strstr(step(w, "2026-03-01T02:00:06Z"), "create"));
}

static void note_woken(void *ctx, const char *ns, const char *name)
{
    (void)snprintf(ctx, 64, "%s/%s", ns, name);
}

static void the_end_of_a_pod_wakes_its_repository(void **state)
{
    struct test_world *w = *state;
    char woken[64] = "";
    const struct kobj *pod;

    add_worker(w, "demo", "j", "12345678-9", "Running", "running");
    pod = cache_find(w->cache, kind_get(KIND_POD), "demo", "j");
    repository_unlock_wake_by_pod(w->cache, pod, note_woken, woken);
    assert_string_equal(woken, "");
    test_world_patch(w, KIND_POD, "demo", "j", "{status: {phase: Failed}}");
    pod = cache_find(w->cache, kind_get(KIND_POD), "demo", "j");
    repository_unlock_wake_by_pod(w->cache, pod, note_woken, woken);
    assert_string_equal(woken, "demo/repo");
}

static void retention_is_said(struct test_world *w)
{
    test_world_patch(w, KIND_REPOSITORY, "demo", "repo",
                     "{status: {observedGeneration: 1, totalSize: 100.000 GiB, conditions: [{type: "
                     "StorageSecretVerified, status: 'True', reason: BackendSecretAvailable, message: x, "
                     "observedGeneration: 1}, {type: Pruned, status: 'False', reason: PruneNeeded, message: x, "
                     "lastTransitionTime: '2026-03-01T02:00:00Z'}]}}");
}

static void data_is_freed_in_a_job_once_for_all_retentions_of_some_minutes(void **state)
{
    struct test_world *w = *state;
    const json_t *job;

    w->settings.prune_delay_s = 600;
    retention_is_said(w);
    assert_string_equal(step(w, "2026-03-01T02:01:00Z"), "wake 9m0s\n");
    assert_non_null(strstr(step(w, "2026-03-01T02:10:00Z"), "create Job demo/stash-prune-repo\n"));
    expect(w, "Pruned", "False", "data that no snapshot needs is being freed");
    job = test_world_get(w, KIND_JOB, "demo", "stash-prune-repo");
    assert_string_equal(json_text(job, "spec.template.spec.containers.0.args.0"), "prune-repository");
    assert_string_equal(json_text(job, "spec.template.spec.containers.0.resources.limits.memory"), "612Mi");
    job_ends(w, "stash-prune-repo", "Complete", "2026-03-01T02:20:00Z", 0, "");
    (void)step(w, "2026-03-01T02:20:01Z");
    expect(w, "Pruned", "True", "data that no snapshot needs was freed");
    assert_null(test_world_get(w, KIND_JOB, "demo", "stash-prune-repo"));
    assert_null(strstr(step(w, "2026-03-01T02:20:02Z"), "create"));
}

/* A probe that could not run is not made again: the first backup tells what it would have told. */
static void after_a_probe_that_could_not_run_a_backup_lets_data_be_freed(void **state)
{
    struct test_world *w = *state;

    step(w, "2026-03-01T02:00:00Z");
    job_ends(w, "stash-probe-repo", "Failed", "2026-03-01T02:00:05Z", 137, "");
    step(w, "2026-03-01T02:00:05Z");
    expect(w, "StorageSecretVerified", "True", "not verified: the Job's own words");
    (void)step(w, "2026-03-01T02:00:06Z");
    /* What its update-status writes. The session had to wait for the verdict, and its time is that of its creation. */
    test_world_patch(w, KIND_REPOSITORY, "demo", "repo",
                     "{status: {lastBackupTime: '2026-03-01T02:00:01Z', conditions: [{type: StorageSecretVerified, "
                     "status: 'True', reason: BackendSecretAvailable, message: \"not verified: the Job's own words\", "
                     "observedGeneration: 1, lastTransitionTime: '2026-03-01T02:00:05Z'}, {type: Pruned, status: "
                     "'False', reason: PruneNeeded, message: x, lastTransitionTime: '2026-03-01T02:30:00Z'}]}}");
    step(w, "2026-03-01T03:00:00Z");
    expect(w, "StorageSecretVerified", "True", "Secret demo/storage was used by the backup of 2026-03-01T02:00:01Z");
    assert_non_null(strstr(step(w, "2026-03-01T03:00:01Z"), "create Job demo/stash-prune-repo\n"));
    /* Said once. */
    test_world_patch(w, KIND_REPOSITORY, "demo", "repo", "{status: {lastBackupTime: '2026-03-01T04:00:00Z'}}");
    assert_string_equal(step(w, "2026-03-01T04:00:00Z"), "");
}

static void a_prune_that_failed_says_why_and_waits_for_the_next_backup(void **state)
{
    struct test_world *w = *state;

    retention_is_said(w);
    (void)step(w, "2026-03-01T02:10:00Z");
    job_ends(w, "stash-prune-repo", "Failed", "2026-03-01T02:20:00Z", 1, "the repository was locked by x");
    assert_non_null(strstr(step(w, "2026-03-01T02:20:01Z"), "event Warning Prune Failed"));
    expect(w, "Pruned", "False", "the repository was locked by x; it is tried again after the next backup");
    assert_null(strstr(step(w, "2026-03-01T02:30:02Z"), "create"));
    retention_is_said(w);
    assert_non_null(strstr(step(w, "2026-03-01T02:40:00Z"), "create Job demo/stash-prune-repo\n"));
}

static void a_retention_during_a_prune_asks_for_another_one(void **state)
{
    struct test_world *w = *state;

    retention_is_said(w);
    assert_non_null(strstr(step(w, "2026-03-01T02:10:00Z"), "create Job demo/stash-prune-repo\n"));
    retention_is_said(w);
    assert_null(strstr(step(w, "2026-03-01T02:11:00Z"), "Job"));
    job_ends(w, "stash-prune-repo", "Complete", "2026-03-01T02:20:00Z", 0, "");
    assert_non_null(strstr(step(w, "2026-03-01T02:20:01Z"), "delete Job demo/stash-prune-repo"));
    assert_non_null(strstr(step(w, "2026-03-01T02:20:02Z"), "create Job demo/stash-prune-repo\n"));
}

/* ---- checks at their own times ---- */

static void has_backups(struct test_world *w)
{
    w->settings.check_every_s = 86400;
    test_world_patch(w, KIND_REPOSITORY, "demo", "repo",
                     "{status: {observedGeneration: 1, totalSize: 100.000 GiB, firstBackupTime: "
                     "'2026-03-01T02:00:00Z', conditions: [{type: StorageSecretVerified, status: 'True', reason: "
                     "BackendSecretAvailable, "
                     "message: x, observedGeneration: 1}]}}");
}

static void a_check_begins(struct test_world *w, const char *when)
{
    const char *plan = step(w, when);

    if (!strstr(plan, "create Job demo/stash-check-repo\n"))
        fail_msg("%s: %s", when, plan);
    expect(w, "IntegrityVerified", "Unknown", "it is being looked at");
}

static void a_repository_is_checked_once_an_interval(void **state)
{
    struct test_world *w = *state;
    const json_t *job, *o;
    const char *plan;

    has_backups(w);
    plan = step(w, "2026-03-01T02:00:10Z");
    assert_non_null(strstr(plan, "wake ")); /* its turn, within a day */
    assert_null(strstr(plan, "create"));
    a_check_begins(w, "2026-03-02T02:00:10Z");
    job = test_world_get(w, KIND_JOB, "demo", "stash-check-repo");
    assert_string_equal(json_text(job, "spec.template.spec.containers.0.args.0"), "check-repository");
    assert_string_equal(json_text(job, "spec.template.spec.containers.0.resources.limits.memory"), "612Mi");
    assert_null(strstr(step(w, "2026-03-02T02:01:00Z"), "create"));
    job_ends(w, "stash-check-repo", "Complete", "2026-03-02T02:10:00Z", 0, "1048576 bytes");
    assert_non_null(strstr(step(w, "2026-03-02T02:10:01Z"), "count stash_operator_repository_checks_total{whole} 1"));
    expect(w, "IntegrityVerified", "True", "a check found no fault");
    o = test_world_get(w, KIND_REPOSITORY, "demo", "repo");
    assert_true(json_flag(o, "status.integrity", false));
    assert_string_equal(json_text(o, "status.totalSize"), "1024.000 KiB");
    assert_null(test_world_get(w, KIND_JOB, "demo", "stash-check-repo"));
    assert_null(strstr(step(w, "2026-03-02T02:11:00Z"), "create"));
    a_check_begins(w, "2026-03-03T02:11:00Z");
}

static void damage_that_a_check_finds_is_said(void **state)
{
    struct test_world *w = *state;
    const char *plan;

    has_backups(w);
    a_check_begins(w, "2026-03-02T02:00:10Z");
    job_ends(w, "stash-check-repo", "Failed", "2026-03-02T02:10:00Z", 5, "restic check: Fatal: pack is missing");
    plan = step(w, "2026-03-02T02:10:01Z");
    assert_non_null(strstr(plan, "event Warning Repository Damaged: restic check: Fatal: pack is missing"));
    assert_non_null(strstr(plan, "count stash_operator_repository_checks_total{damaged} 1"));
    expect(w, "IntegrityVerified", "False", "restic check: Fatal: pack is missing");
    assert_false(json_flag(test_world_get(w, KIND_REPOSITORY, "demo", "repo"), "status.integrity", true));
}

static void a_check_that_could_not_run_says_nothing_of_integrity(void **state)
{
    struct test_world *w = *state;

    has_backups(w);
    test_world_patch(w, KIND_REPOSITORY, "demo", "repo", "{status: {integrity: true, totalSize: 20.000 TiB}}");
    a_check_begins(w, "2026-03-02T02:00:10Z");
    assert_string_equal(json_text(test_world_get(w, KIND_JOB, "demo", "stash-check-repo"),
                                  "spec.template.spec.containers.0.resources.limits.memory"), "16384Mi");
    job_ends(w, "stash-check-repo", "Failed", "2026-03-02T02:10:00Z", 137, "restic check was killed by signal 9");
    assert_non_null(strstr(step(w, "2026-03-02T02:10:01Z"), "event Warning Check Failed"));
    expect(w, "IntegrityVerified", "Unknown", "restic check was killed by signal 9; by its size it may need 20992 MiB "
                                              "of memory, and gets 16384");
    assert_true(json_flag(test_world_get(w, KIND_REPOSITORY, "demo", "repo"), "status.integrity", false));
    test_world_del(w, KIND_JOB, "demo", "stash-check-repo");
    a_check_begins(w, "2026-03-03T02:11:00Z");
    test_world_del(w, KIND_JOB, "demo", "stash-check-repo"); /* by somebody: it is made again */
    assert_non_null(strstr(step(w, "2026-03-03T02:12:00Z"), "create Job demo/stash-check-repo\n"));
}

static void without_an_interval_or_a_backup_there_is_no_check(void **state)
{
    struct test_world *w = *state;

    has_backups(w);
    w->settings.check_every_s = 0;
    assert_null(strstr(step(w, "2026-03-09T02:00:10Z"), "Job"));
    w->settings.check_every_s = 86400;
    test_world_patch(w, KIND_REPOSITORY, "demo", "repo", "{status: {firstBackupTime: null}}");
    assert_null(strstr(step(w, "2026-03-09T02:00:20Z"), "Job"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, test_world_teardown)
    const struct CMUnitTest tests[] = {
        T(a_new_one_probes_its_secret_and_says_it_does),
        T(a_dot_and_a_dash_in_their_names_are_two_probes),
        T(a_probe_that_succeeds_is_true_and_goes),
        T(a_missing_key_is_named_and_probed_again_with_growing_gaps),
        T(a_probe_that_cannot_run_never_stops_backups),
        T(a_probe_that_breaks_is_no_verdict),
        T(a_repository_with_backups_probes_nothing),
        T(an_edit_probes_anew_without_stopping_anybody),
        T(a_worker_that_misses_the_secret_is_believed_and_it_is_looked_for_again),
        T(a_foreign_namespace_says_nothing_of_the_secret),
        T(references_are_the_permitted_invokers),
        T(the_finalizer_is_there_only_with_wipeout),
        T(deletion_without_wipeout_lets_go_at_once),
        T(a_wipe_runs_is_retried_and_then_lets_go),
        T(a_prune_at_work_goes_before_the_wipe_starts),
        T(the_wipe_of_a_namesake_says_nothing),
        T(a_wipe_has_what_restic_needs),
        T(a_namespace_that_goes_is_not_held_up),
        T(the_locks_of_a_killed_pod_are_removed_by_its_name_once),
        T(however_many_pods_fail_there_is_one_unlock_job_at_a_time),
        T(an_unlock_that_failed_is_told_and_not_tried_for_ever),
        T(a_refused_unlock_holds_no_prune_back),
        T(an_unlock_at_work_holds_no_prune_back),
        T(an_unlock_job_that_may_not_be_deleted_holds_no_prune_back),
        T(a_pod_that_may_still_run_keeps_its_locks),
        T(the_lock_of_a_living_namesake_is_left_alone),
        T(pods_of_a_namespace_that_may_not_use_the_repository_say_nothing),
        T(of_very_many_failed_pods_the_newest_thousand_count),
        T(the_end_of_a_pod_wakes_its_repository),
        T(data_is_freed_in_a_job_once_for_all_retentions_of_some_minutes),
        T(after_a_probe_that_could_not_run_a_backup_lets_data_be_freed),
        T(a_prune_that_failed_says_why_and_waits_for_the_next_backup),
        T(a_retention_during_a_prune_asks_for_another_one),
        T(a_repository_is_checked_once_an_interval),
        T(damage_that_a_check_finds_is_said),
        T(a_check_that_could_not_run_says_nothing_of_integrity),
        T(without_an_interval_or_a_backup_there_is_no_check),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
