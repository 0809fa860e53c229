/* kind: see kind.h. Only rows; what a row keeps is what some controller reads from the cache, no more: each field costs
 * memory for each object of the kind. */
#include "k8s/kind.h"

#include <assert.h>
#include <stdio.h>

#include "core/base/http.h"

#define STASH "stash.appscode.com"
#define FIELDS(...)                                                                                                    \
    (const char *const[]){__VA_ARGS__, NULL}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

#define TARGET_REF                                                                                                     \
    "spec.target.ref.apiVersion", "spec.target.ref.kind", "spec.target.ref.name", "spec.target.ref.namespace"
#define REPOSITORY_REF "spec.repository.name", "spec.repository.namespace"
#define JOB_TARGET "annotation:stash.appscode.com/job-target"
#define JOB_REPOSITORY "annotation:stash.appscode.com/job-repository"
#define MANAGED_BY "label:app.kubernetes.io/managed-by"

/* clang-format off */
static const struct kind kinds[N_KINDS] = {
    {KIND_REPOSITORY, STASH, "v1alpha1", "Repository", "repositories", true,
     FIELDS("spec.backend.storageSecretName", "spec.backend.local.mountPath", "spec.backend.local.hostPath.path",
            "spec.backend.s3.bucket", "spec.backend.gcs.bucket", "spec.backend.azure.container",
            "spec.backend.swift.container", "spec.backend.b2.bucket", "spec.backend.rest.url", "spec.wipeOut",
            "spec.usagePolicy.allowedNamespaces.from", "status.observedGeneration", "status.lastBackupTime",
            "status.conditions")},
    {KIND_BACKUPCONFIGURATION, STASH, "v1beta1", "BackupConfiguration", "backupconfigurations", true,
     FIELDS("spec.schedule", "spec.paused", "spec.driver", REPOSITORY_REF, TARGET_REF, "spec.task.name", "spec.timeOut",
            "spec.backupHistoryLimit", "spec.retryConfig.maxRetry", "status.phase", "status.observedGeneration",
            "status.conditions", "annotation:stash.appscode.com/last-schedule-time",
            "annotation:stash.appscode.com/schedule-spread", "annotation:stash.appscode.com/trigger")},
    {KIND_BACKUPSESSION, STASH, "v1beta1", "BackupSession", "backupsessions", true,
     FIELDS("spec.invoker.kind", "spec.invoker.name", "spec.retryLeft", "status.phase", "status.retried",
            "status.nextRetry", "status.sessionDeadline", "status.conditions",
            "annotation:stash.appscode.com/retry-of")},
    {KIND_RESTORESESSION, STASH, "v1beta1", "RestoreSession", "restoresessions", true,
     FIELDS("spec.driver", REPOSITORY_REF, TARGET_REF, "spec.task.name", "spec.timeOut", "status.phase",
            "status.sessionDeadline", "status.conditions")},
    {KIND_BACKUPBATCH, STASH, "v1beta1", "BackupBatch", "backupbatches", true,
     FIELDS("spec.schedule", "spec.paused", "spec.driver", REPOSITORY_REF, "spec.timeOut", "spec.backupHistoryLimit",
            "spec.retryConfig.maxRetry", "status.phase", "status.observedGeneration", "status.conditions",
            "annotation:stash.appscode.com/last-schedule-time")},
    {KIND_RESTOREBATCH, STASH, "v1beta1", "RestoreBatch", "restorebatches", true,
     FIELDS("spec.driver", REPOSITORY_REF, "spec.timeOut", "status.phase", "status.sessionDeadline",
            "status.conditions")},
    {KIND_BACKUPBLUEPRINT, STASH, "v1beta1", "BackupBlueprint", "backupblueprints", false,
     FIELDS("spec.schedule", "spec.task.name")},
    {KIND_TASK, STASH, "v1beta1", "Task", "tasks", false, NULL, 0},
    {KIND_FUNCTION, STASH, "v1beta1", "Function", "functions", false, NULL, 0},
    {KIND_APPBINDING, "appcatalog.appscode.com", "v1alpha1", "AppBinding", "appbindings", true,
     FIELDS("spec.type", "spec.secret.name", "spec.parameters.stash.addon.backupTask.name",
            "spec.parameters.stash.addon.restoreTask.name")},
    {KIND_NAMESPACE, "", "v1", "Namespace", "namespaces", false, FIELDS("status.phase")},
    {KIND_POD, "", "v1", "Pod", "pods", true,
     FIELDS("status.phase", "label:job-name", "label:batch.kubernetes.io/job-name", "spec.nodeName",
            "status.conditions", JOB_TARGET, JOB_REPOSITORY)},
    {KIND_PVC, "", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", true,
     FIELDS("status.phase", MANAGED_BY, "label:stash.appscode.com/restore-session")},
    {KIND_SERVICEACCOUNT, "", "v1", "ServiceAccount", "serviceaccounts", true, FIELDS(MANAGED_BY)},
    {KIND_EVENT, "", "v1", "Event", "events", true, NULL, 0},
    {KIND_JOB, "batch", "v1", "Job", "jobs", true,
     FIELDS("status.active", "status.succeeded", "status.failed", "status.conditions", "status.completionTime",
            "spec.suspend", JOB_TARGET, "label:stash.appscode.com/session", "label:stash.appscode.com/repository-job",
            "label:stash.appscode.com/delete-job-on-completion",
            "annotation:batch.kubernetes.io/cronjob-scheduled-timestamp")},
    {KIND_CRONJOB, "batch", "v1", "CronJob", "cronjobs", true,
     FIELDS("spec.schedule", "spec.suspend", "status.lastSuccessfulTime", "annotation:stash.appscode.com/made-from")},
    {KIND_ROLE, "rbac.authorization.k8s.io", "v1", "Role", "roles", true, FIELDS(MANAGED_BY)},
    {KIND_ROLEBINDING, "rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", true,
     FIELDS(MANAGED_BY, "label:stash.appscode.com/account")},
    {KIND_LEASE, "coordination.k8s.io", "v1", "Lease", "leases", true, FIELDS("spec.holderIdentity")},
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
