/* admission: AdmissionReviews in, verdicts out: each rule refused with its words, and what is always let through. */
#include "test.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "controllers/admission.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"
#include "support_world.h"

static const char app[] =
    "{apiVersion: appcatalog.appscode.com/v1alpha1, kind: AppBinding, metadata: {name: pxc, namespace: demo},"
    " spec: {type: kubedb.com/perconaxtradb}}";
static const char task[] = "{apiVersion: stash.appscode.com/v1beta1, kind: Task, metadata: {name: t}, spec: {}}";
static const char namespaces[] = "{apiVersion: v1, kind: Namespace, metadata: {name: demo, labels: {team: a}}}";
static const char repository[] =
    "{apiVersion: stash.appscode.com/v1alpha1, kind: Repository, metadata: {name: repo, namespace: %s},"
    " spec: {backend: {s3: {endpoint: s3.example.org, bucket: b}, storageSecretName: s}%s}}";

/* Of a BackupConfiguration and a RestoreSession that nothing is wrong with; %s: more of the spec. */
static const char config[] =
    "{metadata: {name: db}, spec: {schedule: '*/5 * * * *', task: {name: t}, repository: {name: repo},"
    " target: {ref: {apiVersion: appcatalog.appscode.com/v1alpha1, kind: AppBinding, name: pxc}},"
    " retentionPolicy: {name: k, keepLast: 5, prune: true}%s}}";
static const char restore[] =
    "{metadata: {name: r}, spec: {task: {name: t}, repository: {name: repo},"
    " target: {ref: {apiVersion: appcatalog.appscode.com/v1alpha1, kind: AppBinding, name: pxc}%s}%s}}";

struct story { /* of one request */
    const char *kind, *operation;
    char object[4096], old[4096];
    struct admission_request request;
    struct admission_verdict verdict;
    bool blind; /* the cache is not complete */
};

static int setup(void **state)
{
    test_world_setup(state);
    test_world_add(*state, app);
    test_world_add(*state, task);
    test_world_add(*state, namespaces);
    test_world_addf(*state, repository, "demo", "");
    return 0;
}

static const char *group_of(const char *kind)
{
    return strcmp(kind, "Deployment") == 0 ? "apps" : "stash.appscode.com";
}

/* The refusal ("" for none), after the text has gone through the parser as the API server sends it. */
static const char *ask(struct test_world *w, struct story *s)
{
    json_t *root = json_pack("{s:s, s:s, s:{s:s, s:{s:s, s:s, s:s}, s:s, s:s}}", "apiVersion", "admission.k8s.io/v1",
                             "kind", "AdmissionReview", "request", "uid", "u-1", "kind", "group", group_of(s->kind),
                             "version", "v1beta1", "kind", s->kind, "operation", s->operation, "namespace", "demo");
    char *text;
    struct error e;

    if (s->object[0])
        json_object_set_new(json_object_get(root, "request"), "object", test_yaml(s->object));
    if (s->old[0])
        json_object_set_new(json_object_get(root, "request"), "oldObject", test_yaml(s->old));
    text = json_compact(root);
    json_decref(root);
    kube_admission_done(&s->request);
    assert_int_equal(kube_admission_parse(str_of(text), &s->request, &e), 0);
    mem_free(text);
    test_world_begin(w);
    do
        admission_decide(&w->world, &s->request, !s->blind, &s->verdict);
    while (test_world_again(w));
    return s->verdict.refusal ? s->verdict.refusal : "";
}

static const char *create(struct test_world *w, struct story *s, const char *kind, const char *object)
{
    s->kind = kind;
    s->operation = "CREATE";
    (void)snprintf(s->object, sizeof(s->object), "%s", object);
    return ask(w, s);
}

static const char *warning(const struct story *s, size_t i)
{
    const char *text = json_string_value(json_array_get(s->verdict.warnings, i));

    return text ? text : "";
}

static void expect_cause(const struct story *s, size_t i, const char *field, const char *message)
{
    const json_t *c = json_array_get(s->verdict.causes, i);

    assert_string_equal(json_text(c, "field"), field);
    assert_string_equal(json_text(c, "message"), message);
    assert_string_equal(json_text(c, "reason"), "FieldValueInvalid");
}

static void done(struct story *s)
{
    kube_admission_done(&s->request);
}

/* ---- what is let through ---- */

static void good_objects_pass_without_a_word(void **state)
{
    struct test_world *w = *state;
    struct story s = {0};
    char text[2048];

    (void)snprintf(text, sizeof(text), config, "");
    assert_string_equal(create(w, &s, "BackupConfiguration", text), "");
    assert_int_equal(json_array_size(s.verdict.warnings), 0);
    (void)snprintf(text, sizeof(text), restore, "", ", rules: [{snapshots: [latest]}]");
    assert_string_equal(create(w, &s, "RestoreSession", text), "");
    assert_int_equal(json_array_size(s.verdict.warnings), 0);
    (void)snprintf(text, sizeof(text), repository, "demo", "");
    assert_string_equal(create(w, &s, "Repository", text), "");
    assert_int_equal(json_array_size(s.verdict.warnings), 0);
    assert_string_equal(
        create(w, &s, "BackupSession", "{metadata: {name: s}, spec: {invoker: {kind: BackupConfiguration, name: db}}}"),
        "");
    done(&s);
}

/* By the same words as in the condition (test_trigger). */
/* A user who applies them meets no refusal. */
static void the_examples_are_accepted(void **state)
{
    struct test_world *w = *state;
    glob_t files;

    assert_int_equal(glob(TEST_DATA "/../../../examples/*.yaml", 0, NULL, &files), 0);
    for (size_t f = 0; f < files.gl_pathc; f++) {
        json_t *documents, *d;
        struct buf text;
        struct error e;
        size_t i;

        buf_init(&text, 65536);
        assert_int_equal(env_uv_read_file(files.gl_pathv[f], &text, &e), 0);
        documents = test_yaml_documents(text.data);
        json_array_foreach (documents, i, d) {
            struct story s = {0};
            char *object = json_compact(d);

            assert_string_equal(create(w, &s, json_text(d, "kind"), object), "");
            mem_free(object);
            done(&s);
        }
        json_decref(documents);
        buf_done(&text);
    }
    globfree(&files);
}

static void who_triggers_must_be_known_and_able_to(void **state)
{
    struct test_world *w = *state;
    struct story s = {0};

    assert_non_null(strstr(create(w, &s, "BackupConfiguration",
                                  "{metadata: {name: db, annotations: {stash.appscode.com/trigger: me}}, spec: {}}"),
                           "annotation stash.appscode.com/trigger is \"me\": operator or cronjob is wanted"));
    w->settings.by_cronjobs = true;
    assert_non_null(strstr(create(w, &s, "BackupConfiguration",
                                  "{metadata: {name: db}, spec: {schedule: '0 2 * * 7'}}"),
                           "a CronJob knows Sunday as 0 only"));
    done(&s);
}

/* A dead namespace, a status, a finalizer: nothing of it waits for a spec to be put right. */
static void a_bad_object_may_go_and_change_all_but_its_spec(void **state)
{
    struct test_world *w = *state;
    struct story s = {.kind = "BackupConfiguration", .operation = "UPDATE"};

    (void)snprintf(s.old, sizeof(s.old), config, ", timeOut: nonsense");
    (void)snprintf(s.object, sizeof(s.object), config, ", timeOut: nonsense");
    assert_string_equal(ask(w, &s), "");
    (void)snprintf(s.object, sizeof(s.object), config, ", timeOut: other");
    assert_string_not_equal(ask(w, &s), "");
    (void)snprintf(s.object, sizeof(s.object), "{metadata: {name: db, deletionTimestamp: '2026-03-01T02:00:00Z'},"
                                               " spec: {timeOut: other}}");
    assert_string_equal(ask(w, &s), "");
    s.operation = "DELETE";
    s.object[0] = '\0';
    assert_string_equal(ask(w, &s), "");
    done(&s);
}

static void other_kinds_and_subresources_are_not_ours_to_judge(void **state)
{
    struct test_world *w = *state;
    struct story s = {0};

    assert_string_equal(create(w, &s, "Deployment", "{metadata: {name: x}, spec: {timeOut: nonsense}}"), "");
    assert_string_equal(create(w, &s, "Task", "{metadata: {name: x}, spec: {steps: []}}"), "");
    s.request.subresource = "status";
    s.request.group = "stash.appscode.com";
    s.request.kind = "BackupConfiguration";
    test_world_begin(w);
    admission_decide(&w->world, &s.request, true, &s.verdict);
    assert_null(s.verdict.refusal);
    done(&s);
}

/* ---- BackupConfiguration ---- */

static void all_problems_come_at_once_with_their_fields(void **state)
{
    struct test_world *w = *state;
    struct story s = {0};

    assert_string_equal(
        create(w, &s, "BackupConfiguration",
               "{metadata: {name: db}, spec: {schedule: '61 * * * *', repository: {name: repo}, timeOut: 1d,"
               " task: {name: t, params: [{name: a, value: b}, {name: NAMESPACE, value: x}]},"
               " retryConfig: {maxRetry: -1}, hooks: {preBackup: {exec: {command: [x]}}},"
               " target: {ref: {apiVersion: apps/v1, kind: AppBinding, name: pxc}},"
               " retentionPolicy: {name: k, prune: true}}}"),
        "spec.schedule \"61 * * * *\": minute 61 is over 59; "
        "spec.retentionPolicy keeps nothing: set keepLast or another keep value; "
        "spec.timeOut: duration \"1d\": unknown unit \"d\"; use ns, us, ms, s, m or h; "
        "spec.retryConfig.maxRetry is negative; "
        "spec.hooks.preBackup: this operator runs no hooks; "
        "spec.target.ref: no matches for kind \"AppBinding\" in version \"apps/v1\", use "
        "appcatalog.appscode.com/v1alpha1; task parameter \"NAMESPACE\" is reserved");
    assert_int_equal(json_array_size(s.verdict.causes), 7);
    expect_cause(&s, 0, "spec.schedule", "\"61 * * * *\": minute 61 is over 59");
    expect_cause(&s, 1, "spec.retentionPolicy", "keeps nothing: set keepLast or another keep value");
    expect_cause(&s, 3, "spec.retryConfig.maxRetry", "is negative");
    expect_cause(&s, 4, "spec.hooks.preBackup", "this operator runs no hooks");
    expect_cause(&s, 6, "spec.task.params[1].name", "task parameter \"NAMESPACE\" is reserved");
    done(&s);
}

static void a_target_may_not_change_under_a_ready_configuration(void **state)
{
    static const char other[] = ", target: {ref: {apiVersion: appcatalog.appscode.com/v1alpha1, kind: AppBinding,"
                                " name: other}}";
    struct test_world *w = *state;
    struct story s = {.kind = "BackupConfiguration", .operation = "UPDATE"};
    char *end;

    (void)snprintf(s.old, sizeof(s.old), config, "");
    (void)snprintf(s.object, sizeof(s.object), config, other);
    assert_string_equal(ask(w, &s), "");
    end = strrchr(s.old, '}');
    (void)snprintf(end, sizeof(s.old) - (size_t)(end - s.old), ", status: {phase: Ready}}");
    assert_string_equal(ask(w, &s), "updating target is forbidden when BackupConfiguration is in READY state");
    expect_cause(&s, 0, "spec.target", "updating target is forbidden when BackupConfiguration is in READY state");
    (void)snprintf(s.object, sizeof(s.object), config, ", paused: true");
    assert_string_equal(ask(w, &s), "");
    done(&s);
}

static void a_target_of_another_namespace_is_refused_for_claims_and_workloads(void **state)
{
    static const struct {
        const char *target, *refusal;
    } cases[] = {
        {"apiVersion: v1, kind: PersistentVolumeClaim, name: c, namespace: far",
         "cross-namespace target reference is not allowed for \"PersistentVolumeClaim\""},
        {"apiVersion: apps/v1, kind: Deployment, name: c, namespace: far",
         "cross-namespace target reference is not allowed for \"Deployment\""},
        {"apiVersion: v1, kind: PersistentVolumeClaim, name: c, namespace: demo", ""},
    };
    struct test_world *w = *state;
    struct story s = {0};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char more[512], text[2048];

        (void)snprintf(more, sizeof(more), ", target: {ref: {%s}}", cases[i].target);
        (void)snprintf(text, sizeof(text), config, more);
        assert_string_equal(create(w, &s, "BackupConfiguration", text), cases[i].refusal);
        (void)snprintf(text, sizeof(text),
                       "{metadata: {name: r}, spec: {task: {name: t}, repository: {name: repo}, target: {ref: {%s}}}}",
                       cases[i].target);
        assert_string_equal(create(w, &s, "RestoreSession", text), cases[i].refusal);
    }
    done(&s);
}

static void a_driver_or_a_workload_that_is_not_ours_is_refused_with_a_remedy(void **state)
{
    static const struct {
        const char *more, *field, *message;
    } cases[] = {
        {", driver: VolumeSnapshotter", "spec.driver",
         "this operator makes and restores no volume snapshots; set it to Restic, with a Repository in "
         "spec.repository.name"},
        {", driver: Kopia", "spec.driver", "unknown driver \"Kopia\"; use Restic"},
        {", repository: {}", "spec.repository.name", "is missing"},
        {", task: {}, target: {ref: {apiVersion: apps/v1, kind: StatefulSet, name: db}}", "spec.task.name",
         "is missing: this operator puts no sidecar into a StatefulSet; name a Task that reads it, or make the "
         "AppBinding of its database the target"},
    };
    static const char *const kinds[] = {"BackupConfiguration", "RestoreSession"};
    struct test_world *w = *state;
    struct story s = {0};

    for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
        char text[1024];

        (void)snprintf(text, sizeof(text), config, cases[i / 2].more);
        assert_string_not_equal(create(w, &s, kinds[i % 2], text), "");
        assert_int_equal(json_array_size(s.verdict.causes), 1);
        expect_cause(&s, 0, cases[i / 2].field, cases[i / 2].message);
    }
    done(&s);
}

/* ---- others ---- */

static void a_repository_that_does_not_let_us_in_is_refused(void **state)
{
    static const char mine[] = ", repository: {name: shared, namespace: far}";
    static const char refusal[] = "namespace \"demo\" is not allowed to refer Repository \"shared\" of \"far\" "
                                  "namespace, check `usagePolicy`";
    struct test_world *w = *state;
    struct story s = {0};
    char text[2048];

    (void)snprintf(text, sizeof(text), config, mine);
    w->settings.lend_everywhere = true;
    assert_string_equal(create(w, &s, "BackupConfiguration", text), "");
    assert_string_equal(warning(&s, 0), "Repository far/shared does not exist yet");
    test_world_addf(w, repository, "far", "");
    test_world_patch(w, KIND_REPOSITORY, "far", "repo", "{metadata: {name: shared}}");
    assert_string_equal(create(w, &s, "BackupConfiguration", text), refusal);
    expect_cause(&s, 0, "spec.repository", refusal);
    s.blind = true; /* the reconciler will say it */
    assert_string_equal(create(w, &s, "BackupConfiguration", text), "");
    s.blind = false;
    test_world_patch(w, KIND_REPOSITORY, "far", "shared",
                     "{spec: {usagePolicy: {allowedNamespaces: {from: Selector,"
                     " selector: {matchLabels: {team: b}}}}}}");
    assert_string_equal(create(w, &s, "BackupConfiguration", text), refusal);
    test_world_patch(w, KIND_NAMESPACE, NULL, "demo", "{metadata: {labels: {team: b}}}");
    assert_string_equal(create(w, &s, "BackupConfiguration", text), "");
    w->settings.lend_everywhere = false;
    assert_string_equal(create(w, &s, "BackupConfiguration", text),
                        "Repository far/shared: add namespace demo to secrets.lendingNamespaces");
    done(&s);
}

static void what_may_still_come_is_a_warning(void **state)
{
    struct test_world *w = *state;
    struct story s = {0};
    char text[2048];

    test_world_del(w, KIND_REPOSITORY, "demo", "repo");
    test_world_del(w, KIND_APPBINDING, "demo", "pxc");
    test_world_del(w, KIND_TASK, NULL, "t");
    (void)snprintf(text, sizeof(text), config, "");
    assert_string_equal(create(w, &s, "BackupConfiguration", text), "");
    assert_int_equal(json_array_size(s.verdict.warnings), 3);
    assert_string_equal(warning(&s, 0), "Repository demo/repo does not exist yet");
    assert_string_equal(warning(&s, 1), "AppBinding demo/pxc does not exist yet");
    assert_string_equal(warning(&s, 2), "Task \"t\" does not exist yet");
    assert_string_equal(create(w, &s, "BackupBatch", "{metadata: {name: b}, spec: {members: []}}"), "");
    assert_string_equal(warning(&s, 0), "this version of the operator runs no BackupBatch objects");
    done(&s);
}

/* ---- RestoreSession, BackupSession ---- */

static void sessions_keep_their_spec(void **state)
{
    struct test_world *w = *state;
    struct story s = {.kind = "RestoreSession", .operation = "UPDATE"};

    (void)snprintf(s.old, sizeof(s.old), restore, "", ", rules: [{snapshots: [latest]}]");
    (void)snprintf(s.object, sizeof(s.object), restore, ", rules: [{snapshots: [a1b2c3d4]}]", "");
    assert_string_equal(ask(w, &s), "RestoreSession spec is immutable");
    expect_cause(&s, 0, "spec", "RestoreSession spec is immutable");
    s.kind = "BackupSession";
    (void)snprintf(s.old, sizeof(s.old), "{metadata: {name: s}, spec: {invoker: {name: a}}}");
    (void)snprintf(s.object, sizeof(s.object), "{metadata: {name: s}, spec: {invoker: {name: b}}}");
    assert_string_equal(ask(w, &s), "BackupSession spec is immutable");
    done(&s);
}

static void rules_and_claims_of_a_restore_are_checked_where_they_stand(void **state)
{
    static const char *const cases[][4] = {
        /* of the target, of the spec, field, refusal */
        {", rules: [{}, {targetHosts: []}]", "", "spec.target.rules",
         "rules[0] and rules[1] both have no targetHosts; at most one may"},
        {"", ", rules: [{targetHosts: [a, b]}, {targetHosts: [b]}]", "spec.rules",
         "rules[0] and rules[1] both name the host \"b\""},
        {"", ", rules: [{snapshots: [latest], paths: [/x]}]", "spec.rules",
         "rules[0] has both snapshots and paths: a snapshot holds one directory"},
        {", rules: [{}]", ", rules: [{}]", "spec.target.rules",
         "spec.rules and spec.target.rules are both set; use spec.target.rules"},
        {", replicas: 2, volumeMounts: [{name: d, mountPath: /var/lib/mysql}],"
         " volumeClaimTemplates: [{metadata: {name: d}}]",
         "", "spec.target.volumeClaimTemplates[0].metadata.name",
         "spec.target.volumeClaimTemplates[0].metadata.name \"d\" is the same for all replicas: end it with "
         "-${POD_ORDINAL}"},
        {", replicas: 0, volumeMounts: [{name: d, mountPath: /var/lib/mysql}],"
         " volumeClaimTemplates: [{metadata: {name: d}}]",
         "", "spec.target.replicas", "spec.target.replicas must be 1 or more, one a set of claims"},
        {", volumeClaimTemplates: [{metadata: {name: d}}]", "", "spec.target.volumeMounts",
         "spec.target.volumeMounts is missing: the claims would not be mounted"},
        {"", ", timeOut: 0s", "spec.timeOut", "spec.timeOut must be more than 0s"},
    };
    struct test_world *w = *state;
    struct story s = {0};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[2048];

        (void)snprintf(text, sizeof(text), restore, cases[i][0], cases[i][1]);
        assert_string_equal(create(w, &s, "RestoreSession", text), cases[i][3]);
        assert_string_equal(json_text(json_array_get(s.verdict.causes, 0), "field"), cases[i][2]);
    }
    assert_string_equal(create(w, &s, "RestoreSession", "{metadata: {name: r}, spec: {repository: {name: repo}}}"),
                        "spec.target is missing");
    done(&s);
}

/* ---- Repository ---- */

static void a_repository_is_refused_for_its_backend_its_wiping_and_its_policy(void **state)
{
    static const char *const cases[][3] = {
        {"{wipeOut: true, backend: {local: {mountPath: /x, emptyDir: {}}}}", "spec.wipeOut",
         "spec.wipeOut: wiping out is not supported for local backends"},
        {"{wipeOut: true, backend: {b2: {bucket: b}}}", "spec.wipeOut",
         "spec.wipeOut: wiping out is not supported for B2 backends"},
        {"{backend: {local: {mountPath: /stash/x, emptyDir: {}}}}", "spec.backend.local.mountPath",
         "spec.backend.local.mountPath: /stash is the program's own, take another path such as /repository"},
        {"{backend: {local: {mountPath: /x, subPath: a/../b, emptyDir: {}}}}", "spec.backend.local.subPath",
         "spec.backend.local.subPath has a \"..\" element"},
        {"{backend: {local: {mountPath: /x, hostPath: {path: /etc}}}}", "spec.backend.local.hostPath",
         "a hostPath backend is not allowed here (the operator's --allow-hostpath-backend)"},
        {"{}", "spec.backend",
         "spec.backend: no backend configured: it needs one of local, s3, gcs, azure, swift, b2 or rest"},
        {"{backend: {b2: {bucket: a}, gcs: {bucket: b}}}", "spec.backend",
         "spec.backend has several storages (gcs, b2), one is wanted"},
        {"{backend: {s3: {endpoint: x}}}", "spec.backend.s3.bucket", "spec.backend.s3.bucket is missing"},
        {"{backend: {gcs: {bucket: b, prefix: a/../b}}}", "spec.backend.gcs",
         "spec.backend.gcs: the prefix has a \"..\" element"},
        {"{backend: {rest: {url: 'https://u:p@h/'}}}", "spec.backend.rest.url",
         "spec.backend.rest.url carries credentials; they belong into the storage Secret as REST_SERVER_USERNAME and "
         "REST_SERVER_PASSWORD"},
        {"{backend: {gcs: {bucket: b}}, usagePolicy: {allowedNamespaces: {from: Selector}}}",
         "spec.usagePolicy.allowedNamespaces.selector",
         "spec.usagePolicy.allowedNamespaces.selector is missing: from Selector needs one"},
    };
    struct test_world *w = *state;
    struct story s = {0};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[2048];

        (void)snprintf(text, sizeof(text), "{metadata: {name: r}, spec: %s}", cases[i][0]);
        assert_string_equal(create(w, &s, "Repository", text), cases[i][2]);
        assert_int_equal(json_array_size(s.verdict.causes), 1);
        assert_string_equal(json_text(json_array_get(s.verdict.causes, 0), "field"), cases[i][1]);
    }
    assert_string_equal(create(w, &s, "Repository", "{metadata: {name: r}, spec: {backend: {gcs: {bucket: b}}}}"), "");
    assert_string_equal(warning(&s, 0), "spec.backend.storageSecretName is missing: no backup can use the Repository");
    done(&s);
}

/* ---- the wire ---- */

static void an_answer_repeats_uid_and_version_and_says_why(void **state)
{
    static const char review[] = "{\"apiVersion\": \"admission.k8s.io/%s\", \"kind\": \"AdmissionReview\", \"request\":"
                                 " {\"uid\": \"u-7\","
                                 " \"kind\": {\"group\": \"g\", \"version\": \"v\", \"kind\": \"K\"},"
                                 " \"operation\": \"CREATE\", \"name\": \"n\", \"object\": {}}}";
    static const char *const versions[] = {"v1", "v1beta1"};
    struct admission_request r;
    struct error e;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        json_t *causes = json_pack("[{s:s}]", "field", "spec.x"), *warnings = json_pack("[s]", "mind");
        struct admission_verdict v = {.refusal = "no", .causes = causes, .warnings = warnings};
        char text[512];
        struct buf out;
        json_t *answer;

        (void)snprintf(text, sizeof(text), review, versions[i]);
        assert_int_equal(kube_admission_parse(str_of(text), &r, &e), 0);
        buf_init(&out, 4096);
        kube_admission_answer(&r, &v, &out);
        answer = json_loads(out.data, 0, NULL);
        assert_true(str_ends(str_of(json_text(answer, "apiVersion")), str_of(versions[i])));
        assert_string_equal(json_text(answer, "kind"), "AdmissionReview");
        assert_string_equal(json_text(answer, "response.uid"), "u-7");
        assert_false(json_flag(answer, "response.allowed", true));
        assert_int_equal(json_int(answer, "response.status.code", 0), 403);
        assert_string_equal(json_text(answer, "response.status.message"), "no");
        assert_string_equal(json_text(answer, "response.status.details.causes.0.field"), "spec.x");
        assert_string_equal(json_text(answer, "response.warnings.0"), "mind");
        json_decref(answer);
        buf_clear(&out);
        kube_admission_answer(&r, &(struct admission_verdict){0}, &out);
        answer = json_loads(out.data, 0, NULL);
        assert_true(json_flag(answer, "response.allowed", false));
        assert_null(json_at(answer, "response.status"));
        json_decref(answer);
        buf_done(&out);
        json_decref(causes);
        json_decref(warnings);
        kube_admission_done(&r);
    }
}

static void what_is_no_review_is_said_to_be_none(void **state)
{
    static const char *const texts[] = {
        "", "null", "[]", "{", "{\"kind\": \"AdmissionReview\"}",
        "{\"apiVersion\": \"admission.k8s.io/v1\", \"kind\": \"AdmissionReview\", \"request\": {}}",
        "{\"apiVersion\": \"admission.k8s.io/v2\", \"kind\": \"AdmissionReview\", \"request\": {\"uid\": \"x\"}}",
        "{\"apiVersion\": \"admission.k8s.io/v1\", \"kind\": \"Other\", \"request\": {\"uid\": \"x\"}}",
    };
    struct admission_request r;
    struct error e;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(kube_admission_parse(str_of(texts[i]), &r, &e), ERR_INVALID);
}

/* A text that is cut inside of a character would make the whole answer no JSON. */
static void a_cut_character_does_not_break_the_answer(void **state)
{
    struct test_world *w = *state;
    struct story s = {0};
    char text[2048], schedule[128] = "x";

    for (size_t i = 1; i + 2 < sizeof(schedule); i += 2)
        (void)snprintf(schedule + i, sizeof(schedule) - i, "\xc3\xa4");
    (void)snprintf(text, sizeof(text), "{metadata: {name: db}, spec: {schedule: '%s', repository: {name: repo},"
                                       " retentionPolicy: {keepLast: 1}}}", schedule);
    assert_non_null(strstr(create(w, &s, "BackupConfiguration", text), "?"));
    assert_int_equal(json_array_size(s.verdict.causes), 1);
    done(&s);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, test_world_teardown)
    const struct CMUnitTest tests[] = {
        T(good_objects_pass_without_a_word),
        T(the_examples_are_accepted),
        T(who_triggers_must_be_known_and_able_to),
        T(a_bad_object_may_go_and_change_all_but_its_spec),
        T(other_kinds_and_subresources_are_not_ours_to_judge),
        T(all_problems_come_at_once_with_their_fields),
        T(a_target_may_not_change_under_a_ready_configuration),
        T(a_target_of_another_namespace_is_refused_for_claims_and_workloads),
        T(a_driver_or_a_workload_that_is_not_ours_is_refused_with_a_remedy),
        T(a_repository_that_does_not_let_us_in_is_refused),
        T(what_may_still_come_is_a_warning),
        T(sessions_keep_their_spec),
        T(rules_and_claims_of_a_restore_are_checked_where_they_stand),
        T(a_repository_is_refused_for_its_backend_its_wiping_and_its_policy),
        T(an_answer_repeats_uid_and_version_and_says_why),
        T(what_is_no_review_is_said_to_be_none),
        T(a_cut_character_does_not_break_the_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
