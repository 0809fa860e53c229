/* kind: see kind.h. Only rows; what a row keeps is what some controller reads from the cache, no more: each field costs
 * memory for each object of the kind, unless most of them say the same in it. */
#include "k8s/kind.h"

#include <assert.h>
#include <stdio.h>

#include "core/base/http.h"

#define STASH "stash.appscode.com"
#define COUNT(...) (sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))
#define LIST(...) __VA_ARGS__
/* Two lists: fields of the object's own, and those in which many agree. */
#define FIELDS(own, common)                                                                                            \
    (const char *const[]){own, common, NULL}, COUNT(own, common), COUNT(own)
#define COMMON(...) (const char *const[]){__VA_ARGS__, NULL}, COUNT(__VA_ARGS__), 0

#define TARGET_REF "spec.target.ref.apiVersion", "spec.target.ref.kind", "spec.target.ref.namespace"
#define NAMES "spec.target.ref.name", "spec.repository.name"
#define JOB_TARGET "annotation:stash.appscode.com/job-target"
#define JOB_REPOSITORY "annotation:stash.appscode.com/job-repository"
#define MANAGED_BY "label:app.kubernetes.io/managed-by"

/* clang-format off */
static const struct kind kinds[N_KINDS] = {
    {KIND_REPOSITORY, STASH, "v1alpha1", "Repository", "repositories", true,
     FIELDS(LIST("status.lastBackupTime"),
            LIST("spec.backend.storageSecretName", "spec.backend.local.mountPath", "spec.backend.local.hostPath.path",
                 "spec.backend.s3.bucket", "spec.backend.gcs.bucket", "spec.backend.azure.container",
                 "spec.backend.swift.container", "spec.backend.b2.bucket", "spec.backend.rest.url", "spec.wipeOut",
                 "spec.usagePolicy.allowedNamespaces.from", "status.observedGeneration", "status.conditions",
                 "status.integrity"))},
    {KIND_BACKUPCONFIGURATION, STASH, "v1beta1", "BackupConfiguration", "backupconfigurations", true,
     FIELDS(LIST(NAMES, "spec.schedule", "annotation:stash.appscode.com/last-schedule-time",
                 "annotation:stash.appscode.com/last-schedule"),
            LIST("status.phase", "status.observedGeneration", "status.conditions", "spec.paused", "spec.driver",
                 "spec.repository.namespace", TARGET_REF, "spec.task.name", "spec.timeOut", "spec.backupHistoryLimit",
                 "spec.retryConfig.maxRetry", "annotation:stash.appscode.com/schedule-spread",
                 "annotation:stash.appscode.com/trigger"))},
    {KIND_BACKUPSESSION, STASH, "v1beta1", "BackupSession", "backupsessions", true,
     FIELDS(LIST("spec.invoker.name", "status.nextRetry", "status.sessionDeadline",
                 "annotation:stash.appscode.com/retry-of"),
            LIST("status.phase", "status.conditions", "spec.invoker.kind", "spec.retryLeft", "status.retried"))},
    {KIND_RESTORESESSION, STASH, "v1beta1", "RestoreSession", "restoresessions", true,
     FIELDS(LIST(NAMES, "status.sessionDeadline"),
            LIST("status.phase", "status.conditions", "spec.driver", "spec.repository.namespace", TARGET_REF,
                 "spec.task.name", "spec.timeOut"))},
    {KIND_BACKUPBATCH, STASH, "v1beta1", "BackupBatch", "backupbatches", true,
     FIELDS(LIST("spec.repository.name", "spec.schedule", "annotation:stash.appscode.com/last-schedule-time"),
            LIST("status.phase", "status.observedGeneration", "status.conditions", "spec.paused", "spec.driver",
                 "spec.repository.namespace", "spec.timeOut", "spec.backupHistoryLimit",
                 "spec.retryConfig.maxRetry"))},
    {KIND_RESTOREBATCH, STASH, "v1beta1", "RestoreBatch", "restorebatches", true,
     FIELDS(LIST("spec.repository.name", "status.sessionDeadline"),
            LIST("status.phase", "status.conditions", "spec.driver", "spec.repository.namespace", "spec.timeOut"))},
    {KIND_BACKUPBLUEPRINT, STASH, "v1beta1", "BackupBlueprint", "backupblueprints", false,
     COMMON("spec.schedule", "spec.task.name")},
    {KIND_TASK, STASH, "v1beta1", "Task", "tasks", false, NULL, 0, 0},
    {KIND_FUNCTION, STASH, "v1beta1", "Function", "functions", false, NULL, 0, 0},
    {KIND_APPBINDING, "appcatalog.appscode.com", "v1alpha1", "AppBinding", "appbindings", true,
     FIELDS(LIST("spec.secret.name"),
            LIST("spec.type", "spec.parameters.stash.addon.backupTask.name",
                 "spec.parameters.stash.addon.restoreTask.name"))},
    {KIND_NAMESPACE, "", "v1", "Namespace", "namespaces", false, COMMON("status.phase")},
    {KIND_POD, "", "v1", "Pod", "pods", true,
     FIELDS(LIST("label:job-name", "label:batch.kubernetes.io/job-name", "spec.nodeName", JOB_TARGET,
                 JOB_REPOSITORY),
            LIST("status.phase", "status.conditions"))},
    {KIND_PVC, "", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", true,
     FIELDS(LIST("label:stash.appscode.com/restore-session"), LIST("status.phase", MANAGED_BY))},
    {KIND_SERVICEACCOUNT, "", "v1", "ServiceAccount", "serviceaccounts", true, COMMON(MANAGED_BY)},
    {KIND_EVENT, "", "v1", "Event", "events", true, NULL, 0, 0},
    {KIND_JOB, "batch", "v1", "Job", "jobs", true,
     FIELDS(LIST("label:stash.appscode.com/session", "label:stash.appscode.com/repository-job", "status.completionTime",
                 JOB_TARGET, "annotation:batch.kubernetes.io/cronjob-scheduled-timestamp"),
            LIST("status.active", "status.succeeded", "status.failed", "status.conditions", "spec.suspend",
                 "label:stash.appscode.com/delete-job-on-completion"))},
    {KIND_CRONJOB, "batch", "v1", "CronJob", "cronjobs", true,
     FIELDS(LIST("spec.schedule", "status.lastSuccessfulTime", "annotation:stash.appscode.com/made-from"),
            LIST("spec.suspend"))},
    {KIND_ROLE, "rbac.authorization.k8s.io", "v1", "Role", "roles", true, COMMON(MANAGED_BY)},
    {KIND_ROLEBINDING, "rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", true,
     FIELDS(LIST("label:stash.appscode.com/account"), LIST(MANAGED_BY))},
    {KIND_LEASE, "coordination.k8s.io", "v1", "Lease", "leases", true, COMMON("spec.holderIdentity")},
};
/* clang-format on */

const struct kind *kind_get(enum kind_id id)
{
    assert(id < N_KINDS && kinds[id].id == id);
    return &kinds[id];
}

static const struct kind *find(struct str group, struct str version, struct str name)
{
    for (size_t i = 0; i < N_KINDS; i++)
        if (str_is(group, kinds[i].group) && str_is(name, kinds[i].name) &&
            (!version.p || str_is(version, kinds[i].version)))
            return &kinds[i];
    return NULL;
}

const struct kind *kind_find(struct str api_version, struct str kind)
{
    const char *slash = api_version.n ? memchr(api_version.p, '/', api_version.n) : NULL;
    struct str group = slash ? (struct str){api_version.p, (size_t)(slash - api_version.p)} : STR("");
    struct str version = slash ? (struct str){slash + 1, api_version.n - group.n - 1} : api_version;

    return version.n ? find(group, version, kind) : NULL;
}

const struct kind *kind_find_name(struct str group, struct str kind)
{
    return find(group, STR_NONE, kind);
}

const char *kind_api_version(const struct kind *k, char out[128])
{
    (void)snprintf(out, 128, "%s%s%s", k->group, *k->group ? "/" : "", k->version);
    return out;
}

static void add_part(struct buf *out, const char *part)
{
    if (!part)
        return;
    buf_putc(out, '/');
    http_escape(out, str_of(part));
}

void kind_path(const struct kind *k, const char *ns, const char *name, const char *subresource, struct buf *out)
{
    if (*k->group)
        buf_printf(out, "/apis/%s/%s", k->group, k->version);
    else
        buf_printf(out, "/api/%s", k->version);
    if (k->namespaced && ns) {
        buf_puts(out, "/namespaces");
        add_part(out, ns);
    }
    add_part(out, k->plural);
    add_part(out, name);
    add_part(out, subresource);
}
