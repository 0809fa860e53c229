/* podspec, jobspec: the Job that comes out of Task, Functions and settings. */
#include "test.h"

#include "controllers/jobspec.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "support_world.h"

static int setup(void **state)
{
    int rc = test_world_setup(state);

    test_world_add_file(*state, "xtradb.yaml");
    return rc;
}

/* The Job for the files' BackupConfiguration, or for a RestoreSession of the given spec and ordinal. */
static const json_t *make(struct test_world *w, const char *restore, int ordinal, struct error *e)
{
    struct job_input in = {
        .settings = &w->settings,
        .repository = test_world_get(w, KIND_REPOSITORY, "demo", "repo"),
        .app = test_world_get(w, KIND_APPBINDING, "demo", "db"),
        .ordinal = ordinal,
    };
    struct podspec_claim claim = {"data", arena_printf(&w->arena, "data-%d", ordinal)};
    struct jobspec_options o = {.pod.account = "stash-backup", .left_s = 600};
    json_t *job = NULL;

    if (restore) {
        test_world_addf(w, "{apiVersion: stash.appscode.com/v1beta1, kind: RestoreSession, metadata: {name: r, "
                           "namespace: demo}, spec: %s}", restore);
        in.direction = DIRECTION_RESTORE;
        in.invoker = test_world_get(w, KIND_RESTORESESSION, "demo", "r");
    } else {
        test_world_add(w, "{apiVersion: stash.appscode.com/v1beta1, kind: BackupSession, metadata: {name: db.1, "
                          "namespace: demo}}");
        in.invoker = test_world_get(w, KIND_BACKUPCONFIGURATION, "demo", "db");
        in.session = test_world_get(w, KIND_BACKUPSESSION, "demo", "db.1");
    }
    in.unit = json_at(in.invoker, "spec");
    o.task = test_world_get(w, KIND_TASK, NULL, restore ? "xtradb-restore" : "xtradb-backup");
    o.name = jobspec_name(&in, &w->arena);
    o.pod.interim_claim = jobspec_interim_name(&in, &w->arena);
    if (ordinal >= 0) {
        o.pod.claims = &claim;
        o.pod.n_claims = 1;
    }
    for (int i = 0; i < 4; i++) { /* until no document is missing */
        world_rerun(&w->world);
        json_decref(job);
        job = NULL;
        if (jobspec_make(&w->world, &in, &o, &job, e) < 0)
            job = NULL;
        if (!world_waiting(&w->world))
            break;
        for (struct world_doc *d; (d = world_wanted(&w->world)) != NULL;)
            world_give(&w->world, d, json_incref((json_t *)(uintptr_t)test_world_get(w, d->kind->id, d->ns, d->name)));
    }
    return arena_json(&w->arena, job);
}

static const json_t *must_make(struct test_world *w, const char *restore, int ordinal)
{
    struct error e;
    const json_t *job;

    world_init(&w->world, &w->settings, w->cache, &w->arena, w->now_ms, w->now_ms);
    job = make(w, restore, ordinal, &e);
    if (!job)
        fail_msg("no Job: %s", e.msg);
    return job;
}

static void refuses(struct test_world *w, const char *restore, int ordinal, const char *why)
{
    struct error e;

    world_init(&w->world, &w->settings, w->cache, &w->arena, w->now_ms, w->now_ms);
    assert_null(make(w, restore, ordinal, &e));
    assert_string_equal(e.msg, why);
}

static void is(const json_t *root, const char *path, const char *yaml)
{
    json_t *want = test_yaml(yaml);
    const json_t *got = json_at(root, path);

    if (!got || !json_equal((json_t *)(uintptr_t)got, want)) {
        char *text = got ? json_dumps(got, JSON_ENCODE_ANY) : NULL;

        fail_msg("%s is %s", path, text ? text : "absent");
    }
    json_decref(want);
}

/* The item of a list by its name. */
static const json_t *item(const json_t *root, const char *path, const char *name)
{
    const json_t *it;
    size_t i;

    json_array_foreach (json_at(root, path), i, it)
        if (strcmp(json_text(it, "name"), name) == 0)
            return it;
    return NULL;
}

static const char *mount_of(const json_t *container, const char *volume)
{
    return json_text(item(container, "volumeMounts", volume), "mountPath");
}

static void the_last_step_is_the_container_and_the_others_come_before(void **state)
{
    const json_t *job = must_make(*state, NULL, -1);

    assert_string_equal(json_text(job, "metadata.name"), "stash-backup-db-1-0");
    is(job, "metadata.labels", "{app: shop, app.kubernetes.io/component: stash-backup, "
                               "app.kubernetes.io/managed-by: stash.appscode.com, stash.appscode.com/session: db.1}");
    is(job, "metadata.annotations", "{stash.appscode.com/functions: \"xtradb-backup-8.0@3,update-status@2\","
       " stash.appscode.com/job-target: appcatalog.appscode.com/AppBinding/demo/db}");
    assert_string_equal(json_text(job, "metadata.ownerReferences.0.kind"), "BackupSession");
    assert_string_equal(json_text(job, "metadata.ownerReferences.0.uid"), "uid-db.1");
    is(job, "spec.backoffLimit", "0");
    is(job, "spec.activeDeadlineSeconds", "600");
    is(job, "spec.ttlSecondsAfterFinished", "3600");
    is(job, "spec.template.spec.restartPolicy", "Never");
    is(job, "spec.template.spec.automountServiceAccountToken", "false");
    is(job, "spec.template.spec.serviceAccountName", "stash-backup");
    assert_int_equal(json_array_size(json_at(job, "spec.template.spec.initContainers")), 1);
    assert_int_equal(json_array_size(json_at(job, "spec.template.spec.containers")), 1);
    assert_string_equal(json_text(job, "spec.template.spec.initContainers.0.name"), "xtradb-backup-8-0-0");
    assert_string_equal(json_text(job, "spec.template.spec.containers.0.name"), "update-status-1");
    is(job, "spec.template.spec.containers.0.terminationMessagePolicy", "FallbackToLogsOnError");
}

static void pods_dont_carry_the_invokers_labels(void **state)
{
    struct test_world *w = *state;

    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db",
                     "{spec: {runtimeSettings: {pod: {podLabels: {team: a}, podAnnotations: {x: y}}}}}");
    is(must_make(w, NULL, -1), "spec.template.metadata",
       "{labels: {team: a, app.kubernetes.io/component: stash-backup, app.kubernetes.io/managed-by: stash.appscode.com,"
       " stash.appscode.com/invoker-type: BackupConfiguration, stash.appscode.com/invoker-name: db,"
       " stash.appscode.com/session: db.1}, annotations: {x: y, stash.appscode.com/job-target: "
       "appcatalog.appscode.com/AppBinding/demo/db, stash.appscode.com/job-repository: demo/repo}}");
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db",
                     "{spec: {runtimeSettings: {pod: {podLabels: {stash.appscode.com/session: a}}}}}");
    refuses(w, NULL, -1, "spec.runtimeSettings.pod.podLabels: \"stash.appscode.com/session\" is reserved");
}

static void secrets_are_mounted_where_they_are_used(void **state)
{
    const json_t *job = must_make(*state, NULL, -1);
    const json_t *worker = json_at(job, "spec.template.spec.initContainers.0");
    const json_t *update = json_at(job, "spec.template.spec.containers.0");

    is(item(job, "spec.template.spec.volumes", "stash-storage-secret"), "secret",
       "{secretName: storage, optional: true, defaultMode: 288}");
    is(item(job, "spec.template.spec.volumes", "stash-app-extra-0"), "secret",
       "{secretName: more, optional: true, defaultMode: 288}");
    assert_string_equal(mount_of(worker, "stash-storage-secret"), "/stash-secrets/storage");
    assert_string_equal(mount_of(worker, "stash-app-secret"), "/stash-secrets/app");
    assert_string_equal(mount_of(worker, "stash-app-tls"), "/stash-secrets/app-tls");
    assert_string_equal(mount_of(worker, "stash-app-extra-0"), "/stash-secrets/app-extra-0");
    assert_string_equal(mount_of(update, "stash-storage-secret"), "/stash-secrets/storage");
    assert_string_equal(mount_of(update, "stash-app-secret"), ""); /* it only publishes */
    assert_string_equal(mount_of(worker, "stash-credentials"), "/stash-credentials");
    assert_string_equal(mount_of(worker, "stash-token"), "/var/run/secrets/kubernetes.io/serviceaccount");
    assert_string_equal(mount_of(worker, "stash-tmp-dir"), "/stash-tmp");
    is(item(job, "spec.template.spec.volumes", "stash-credentials"), "emptyDir", "{medium: Memory, sizeLimit: 16Mi}");
    is(item(job, "spec.template.spec.volumes", "stash-token"), "projected.sources",
       "[{serviceAccountToken: {path: token, expirationSeconds: 3600}},"
       " {configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}},"
       " {downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}}]");
    assert_string_equal(json_text(item(worker, "env", "STASH_STORAGE_SECRET_DIR"), "value"), "/stash-secrets/storage");
    assert_string_equal(json_text(item(worker, "env", "POD_IP"), "valueFrom.fieldRef.fieldPath"), "status.podIP");
}

static void a_local_backend_is_mounted(void **state)
{
    struct test_world *w = *state;
    const json_t *job;

    test_world_patch(
        w, KIND_REPOSITORY, "demo", "repo",
        "{spec: {backend: {s3: null, local: {mountPath: /safe, subPath: a, persistentVolumeClaim: {claimName: c}}}}}");
    job = must_make(w, NULL, -1);
    is(item(job, "spec.template.spec.volumes", "stash-local"), "persistentVolumeClaim", "{claimName: c}");
    is(item(json_at(job, "spec.template.spec.containers.0"), "volumeMounts", "stash-local"), "subPath", "a");
    assert_string_equal(mount_of(json_at(job, "spec.template.spec.initContainers.0"), "stash-local"), "/safe");
    test_world_patch(w, KIND_REPOSITORY, "demo", "repo",
                     "{spec: {backend: {local: {persistentVolumeClaim: null, hostPath: {path: /x}}}}}");
    refuses(w, NULL, -1, "Repository demo/repo: a hostPath backend needs --allow-hostpath-backend");
    w->settings.allow_hostpath_backend = true;
    (void)must_make(w, NULL, -1);
    test_world_patch(w, KIND_REPOSITORY, "demo", "repo",
                     "{spec: {backend: {local: {mountPath: /stash-secrets/storage}}}}");
    refuses(w, NULL, -1, "local backend of Repository demo/repo: mountPath \"/stash-secrets/storage\" may not be at or "
                         "under /stash-secrets");
    test_world_patch(w, KIND_REPOSITORY, "demo", "repo",
                     "{spec: {backend: {local: {mountPath: /safe, subPath: ../x}}}}");
    refuses(w, NULL, -1, "local backend of Repository demo/repo: subPath \"../x\" has a \"..\" element");
}

static void the_invokers_settings_reach_every_container(void **state)
{
    struct test_world *w = *state;
    const json_t *job, *worker;

    test_world_patch(
        w, KIND_BACKUPCONFIGURATION, "demo", "db",
        "{spec: {tempDir: {medium: Memory, sizeLimit: 1Gi}, runtimeSettings: {"
        "pod: {nodeSelector: {a: b}, priority: 7, imagePullSecrets: [{name: pull}], enableServiceLinks: true},"
        "container: {resources: {requests: {cpu: 2}}, env: [{name: POD_IP, value: fake}, {name: X, value: y}],"
        "nice: {adjustment: 5}, livenessProbe: {exec: {command: [x]}}}}}}");
    job = must_make(w, NULL, -1);
    worker = json_at(job, "spec.template.spec.initContainers.0");
    is(worker, "resources", "{requests: {cpu: 2, memory: 128Mi}, limits: {memory: 1Gi}}");
    assert_string_equal(json_text(item(worker, "env", "X"), "value"), "y");
    assert_string_equal(json_text(item(worker, "env", "NICE_ADJUSTMENT"), "value"), "5");
    assert_string_equal(json_text(item(worker, "env", "POD_IP"), "value"), ""); /* ours wins */
    assert_null(json_at(worker, "livenessProbe")); /* not on an init container */
    assert_non_null(json_at(job, "spec.template.spec.containers.0.livenessProbe"));
    is(job, "spec.template.spec.nodeSelector", "{a: b}");
    is(job, "spec.template.spec.priority", "7");
    is(job, "spec.template.spec.enableServiceLinks", "true");
    is(job, "spec.template.spec.imagePullSecrets", "[{name: pull}]");
    is(item(job, "spec.template.spec.volumes", "stash-tmp-dir"), "emptyDir", "{medium: Memory, sizeLimit: 1Gi}");
}

static void the_worker_knows_its_cluster(void **state)
{
    struct test_world *w = *state;
    const json_t *job = must_make(w, NULL, -1);

    assert_null(item(job, "spec.template.spec.containers.0.env", "STASH_CLUSTER"));
    test_world_add(w, "{apiVersion: v1, kind: Namespace, metadata: {name: kube-system, uid: of-the-cluster}}");
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db",
                     "{spec: {runtimeSettings: {container: {env: [{name: STASH_CLUSTER, value: fake}]}}}}");
    job = must_make(w, NULL, -1);
    assert_string_equal(json_text(item(job, "spec.template.spec.containers.0.env", "STASH_CLUSTER"), "value"),
                        "of-the-cluster");
    assert_string_equal(json_text(item(job, "spec.template.spec.initContainers.0.env", "STASH_CLUSTER"), "value"),
                        "of-the-cluster");
    w->settings.cluster_id = "green";
    job = must_make(w, NULL, -1);
    assert_string_equal(json_text(item(job, "spec.template.spec.containers.0.env", "STASH_CLUSTER"), "value"), "green");
}

/* By name and UID: the invoker may get another Repository while the Job runs, and that one be made anew. */
static void the_worker_knows_the_repository_of_its_backend(void **state)
{
    static const char env[] = "spec.template.spec.containers.0.env";
    struct test_world *w = *state;
    const json_t *job = must_make(w, NULL, -1);

    assert_string_equal(json_text(item(job, env, "STASH_REPOSITORY_NAME"), "value"), "repo");
    assert_string_equal(json_text(item(job, env, "STASH_REPOSITORY_NAMESPACE"), "value"), "demo");
    assert_string_equal(json_text(item(job, env, "STASH_REPOSITORY_UID"), "value"), "uid-repo");
}

/* The token is good for the API server: who else gets it may act as the worker. */
static void only_the_operators_own_gateway_is_shown_the_token(void **state)
{
    static const char env[] = "spec.template.spec.containers.0.env";
    struct test_world *w = *state;
    const json_t *job;

    w->settings.push_by_token = true;
    job = must_make(w, NULL, -1);
    assert_string_equal(json_text(item(job, env, "STASH_PUSH_TOKEN_FILE"), "value"), PODSPEC_TOKEN_DIR "/token");
    assert_string_equal(mount_of(json_at(job, "spec.template.spec.containers.0"), "stash-token"), PODSPEC_TOKEN_DIR);
    w->settings.push_by_token = false;
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db",
                     "{spec: {runtimeSettings: {container: {env: [{name: STASH_PUSH_TOKEN_FILE, value: /other}]}}}}");
    job = must_make(w, NULL, -1);
    assert_string_equal(json_text(item(job, env, "STASH_PUSH_TOKEN_FILE"), "value"), "");
}

static void resources_have_defaults_that_contradict_nobody(void **state)
{
    struct test_world *w = *state;
    const char *path = "spec.template.spec.containers.0.resources";

    is(must_make(w, NULL, -1), path, "{requests: {cpu: 50m, memory: 128Mi}, limits: {memory: 1Gi}}");
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db",
                     "{spec: {runtimeSettings: {container: {resources: {limits: {memory: 64Mi}}}}}}");
    is(must_make(w, NULL, -1), path, "{requests: {cpu: 50m}, limits: {memory: 64Mi}}");
    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db",
                     "{spec: {runtimeSettings: {container: {resources: {limits: null, requests: {memory: 8Gi}}}}}}");
    is(must_make(w, NULL, -1), path, "{requests: {cpu: 50m, memory: 8Gi}}");
}

static void security_is_restricted_unless_said_otherwise(void **state)
{
    struct test_world *w = *state;
    const json_t *job = must_make(w, NULL, -1);

    is(job, "spec.template.spec.securityContext", "{runAsUser: 65535, runAsGroup: 65535, fsGroup: 65535, "
                                                  "runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}");
    is(job, "spec.template.spec.containers.0.securityContext",
       "{allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, readOnlyRootFilesystem: true}");
    test_world_patch(
        w, KIND_BACKUPCONFIGURATION, "demo", "db",
        "{spec: {runtimeSettings: {pod: {securityContext: {fsGroup: 7, seccompProfile: {localhostProfile: p}}},"
        "container: {securityContext: {runAsUser: 1001, runAsGroup: 1001}}}}}");
    job = must_make(w, NULL, -1);
    is(job, "spec.template.spec.securityContext",
       "{runAsUser: 65535, runAsGroup: 65535, fsGroup: 7, runAsNonRoot: true,"
       " seccompProfile: {type: RuntimeDefault, localhostProfile: p}}");
    is(job, "spec.template.spec.containers.0.securityContext",
       "{runAsUser: 1001, runAsGroup: 1001, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]},"
       " readOnlyRootFilesystem: true}");
}

static void the_floor_names_what_it_refuses(void **state)
{
    struct test_world *w = *state;

    test_world_patch(
        w, KIND_BACKUPCONFIGURATION, "demo", "db",
        "{spec: {runtimeSettings: {container: {securityContext: {privileged: true, procMount: Unmasked,"
        "capabilities: {add: [CHOWN, SYS_ADMIN]}}}, pod: {securityContext: {sysctls: [{name: kernel.msgmax}]}}}}}");
    refuses(w, NULL, -1,
            "not allowed by the pod floor \"baseline\": spec.runtimeSettings.pod.securityContext.sysctls, "
            "spec.runtimeSettings.container.securityContext.privileged, "
            "spec.runtimeSettings.container.securityContext.procMount, "
            "spec.runtimeSettings.container.securityContext.capabilities.add");
}

static void a_tasks_host_path_is_refused(void **state)
{
    struct test_world *w = *state;

    test_world_patch(w, KIND_TASK, NULL, "xtradb-backup", "{spec: {volumes: [{name: v, hostPath: {path: /}}]}}");
    refuses(w, NULL, -1, "not allowed by the pod floor \"baseline\": the Task's volumes.hostPath");
}

#define RESTORE                                                                                                        \
    "{repository: {name: repo}, target: {replicas: 3, ref: {apiVersion: appcatalog.appscode.com/v1alpha1, "            \
    "kind: AppBinding, name: db}, volumeMounts: [{name: data, mountPath: /var/lib/mysql}], "                           \
    "volumeClaimTemplates: [{metadata: {name: \"data-${POD_ORDINAL}\"}, spec: {accessModes: [ReadWriteOnce]}}]},"      \
    "rules: [{sourceHost: host-0, snapshots: [latest]}]}"

static void an_ordinal_gets_its_claim_and_its_number(void **state)
{
    const json_t *job = must_make(*state, RESTORE, 2);
    const json_t *worker = json_at(job, "spec.template.spec.initContainers.0");

    assert_string_equal(json_text(job, "metadata.name"), "stash-restore-r-0-2");
    assert_string_equal(json_text(job, "metadata.ownerReferences.0.kind"), "RestoreSession");
    is(item(job, "spec.template.spec.volumes", "data"), "persistentVolumeClaim", "{claimName: data-2}");
    assert_string_equal(mount_of(worker, "data"), "/var/lib/mysql");
    assert_string_equal(json_text(item(worker, "env", "POD_ORDINAL"), "value"), "2");
    assert_string_equal(json_text(worker, "args.1"), "--hostname=host-2");
    assert_string_equal(json_text(worker, "args.2"), "--source-hostname=host-0");
    is(job, "spec.template.spec.securityContext.runAsUser", "1001");
    is(job, "spec.template.spec.securityContext.fsGroup", "1001");
}

static void a_mount_names_a_volume_that_is_there(void **state)
{
    refuses(*state, "{target: {volumeMounts: [{name: other, mountPath: /var/lib/mysql}], volumeClaimTemplates: "
                    "[{metadata: {name: 'data-${POD_ORDINAL}'}, spec: {}}]}}",
            0, "spec.target.volumeMounts[0]: there is no volume \"other\", there is \"data\"");
}

static void claims_without_mounts_are_an_error(void **state)
{
    refuses(*state, "{target: {volumeClaimTemplates: [{metadata: {name: x}, spec: {}}]}}", 0,
            "spec.target.volumeMounts is missing: the claims would not be mounted");
}

static void a_mount_over_our_secrets_is_refused(void **state)
{
    refuses(*state, "{target: {volumeMounts: [{name: data, mountPath: /stash-secrets}], volumeClaimTemplates: "
                    "[{metadata: {name: x}, spec: {}}]}}", 0,
            "spec.target.volumeMounts[0]: mountPath \"/stash-secrets\" may not be at or under /stash-secrets");
}

static void claims_are_made_from_templates(void **state)
{
    struct test_world *w = *state;
    struct job_input in = {.direction = DIRECTION_RESTORE, .settings = &w->settings, .ordinal = 1};
    json_t *claim;
    struct error e;

    test_world_add(
        w, "{apiVersion: stash.appscode.com/v1beta1, kind: RestoreSession, metadata: {name: r, namespace: demo},"
           "spec: {target: {volumeClaimTemplates: [{metadata: {name: \"data-db-${POD_ORDINAL}\", labels: {a: b},"
           "annotations: {n: \"${POD_ORDINAL}\"}}, spec: {storageClassName: \"${X:=std}\"}},"
           "{metadata: {name: \"x-${Y}\"}, spec: {}}, {metadata: {name: c, namespace: other}, spec: {}}]}}}");
    in.invoker = test_world_get(w, KIND_RESTORESESSION, "demo", "r");
    in.unit = json_at(in.invoker, "spec");
    claim = jobspec_claim(&in, 0, &w->arena, &e);
    is(claim, "metadata", "{name: data-db-1, labels: {a: b, app.kubernetes.io/managed-by: stash.appscode.com,"
                          "stash.appscode.com/restore-session: uid-r}, annotations: {n: \"1\"}}");
    is(claim, "spec", "{storageClassName: std}");
    json_decref(claim);
    assert_string_equal(jobspec_claim_volume("data-db-1", 1, &w->arena), "data-db");
    assert_null(jobspec_claim(&in, 1, &w->arena, &e));
    assert_string_equal(e.msg,
                        "spec.target.volumeClaimTemplates[1]: metadata.name: input/default value not found for key Y");
    assert_null(jobspec_claim(&in, 2, &w->arena, &e));
    assert_string_equal(e.msg, "spec.target.volumeClaimTemplates[2]: the namespace must be demo");
}

static void an_interim_volume_is_a_claim_of_the_sessions(void **state)
{
    struct test_world *w = *state;
    const json_t *job;

    test_world_patch(w, KIND_BACKUPCONFIGURATION, "demo", "db",
                     "{spec: {interimVolumeTemplate: {metadata: {name: tmp}, spec: {accessModes: [ReadWriteOnce]}}}}");
    job = must_make(w, NULL, -1);
    is(item(job, "spec.template.spec.volumes", "stash-interim-volume"), "persistentVolumeClaim",
       "{claimName: db-1-tmp}");
    assert_string_equal(mount_of(json_at(job, "spec.template.spec.containers.0"), "stash-interim-volume"),
                        "/stash-interim-volume");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, test_world_teardown)
    const struct CMUnitTest tests[] = {
        T(the_last_step_is_the_container_and_the_others_come_before),
        T(pods_dont_carry_the_invokers_labels),
        T(secrets_are_mounted_where_they_are_used),
        T(a_local_backend_is_mounted),
        T(the_invokers_settings_reach_every_container),
        T(the_worker_knows_its_cluster),
        T(the_worker_knows_the_repository_of_its_backend),
        T(only_the_operators_own_gateway_is_shown_the_token),
        T(resources_have_defaults_that_contradict_nobody),
        T(security_is_restricted_unless_said_otherwise),
        T(the_floor_names_what_it_refuses),
        T(a_tasks_host_path_is_refused),
        T(an_ordinal_gets_its_claim_and_its_number),
        T(a_mount_names_a_volume_that_is_there),
        T(claims_without_mounts_are_an_error),
        T(a_mount_over_our_secrets_is_refused),
        T(claims_are_made_from_templates),
        T(an_interim_volume_is_a_claim_of_the_sessions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
