/*
 * repository_jobs: see repository_jobs.h. The Jobs run in the tenant's namespace with no account of their own (they
 * call no API), in the restricted shape, with the Secret as an optional volume: the pod starts without it, so that the
 * program can say what is missing.
 */
#include "controllers/repository_jobs.h"

#include "controllers/podspec.h"
#include "controllers/repository_view.h"
#include "controllers/substitute.h"
#include "core/base/json.h"
#include "core/base/mem.h"

enum { UNLOCK_TTL_S = 300 }; /* it is deleted once it was read, which is at once */
enum { INDEX_BASE_MIB = 512, INDEX_MIB_PER_GIB = 1 };

#define UID_ANNOTATION STASH_GROUP "/repository-uid"

static const char secret_dir[] = "/stash-secrets/storage";

const char *repository_job_name(struct arena *a, const char *what, const char *repository)
{
    const char *full = arena_printf(a, "stash-%s-%s", what, repository);
    char name[256], hex[65];

    if (strchr(repository, '.')) { /* it becomes a dash: "a.b" and "a-b" are two */
        str_sha256_hex(str_of(repository), hex);
        full = arena_printf(a, "%s-%.8s", full, hex);
    }
    return arena_strdup(a, str_shorten_name(str_of(full), 63, true, name));
}

/* ---- looking ---- */

struct find_pod {
    const struct kobj *newest;
};

static bool take_newest(void *ctx, const struct kobj *o)
{
    struct find_pod *f = ctx;

    if (!f->newest || o->created_s >= f->newest->created_s)
        f->newest = o;
    return true;
}

/* How its container ended; NULL: nobody knows. */
static const json_t *end_of(struct world *w, const struct kobj *job)
{
    struct find_pod f = {NULL};
    const json_t *pod;

    cache_each_owned(world_cache(w), kind_get(KIND_POD), job->uid, take_newest, &f);
    if (!f.newest)
        return NULL;
    pod = world_doc(w, f.newest->kind, f.newest->ns, f.newest->name);
    return json_at(pod, "status.containerStatuses.0.state.terminated");
}

static void read_failure(struct world *w, struct repository_job *ret)
{
    const json_t *state = end_of(w, ret->record);

    ret->exit_code = (int)json_int(state, "exitCode", -1);
    if (json_text(state, "message")[0])
        ret->message = json_text(state, "message");
}

const char *repository_job_words(struct world *w, const struct kobj *job)
{
    return json_text(end_of(w, job), "message");
}

void repository_job_look(struct world *w, const struct kobj *repository, const char *name, struct repository_job *ret)
{
    const struct kobj *job = cache_find(world_cache(w), kind_get(KIND_JOB), repository->ns, name);
    const json_t *doc, *c;
    size_t i;

    *ret = (struct repository_job){.record = job, .message = "", .exit_code = -1};
    if (!job)
        return;
    doc = world_doc(w, job->kind, job->ns, name);
    ret->of_another = doc && strcmp(json_meta(doc, "annotations", UID_ANNOTATION), repository->uid) != 0;
    if (ret->of_another) {
        ret->generation = -1;
        return;
    }
    if (str_to_i64(str_of(json_meta(doc, "annotations", STASH_GROUP "/generation")), &ret->generation) < 0)
        ret->generation = 0; /* not made by us: of no generation */
    json_array_foreach (json_at(doc, "status.conditions"), i, c) {
        bool is_true = strcmp(json_text(c, "status"), "True") == 0;

        ret->succeeded |= is_true && strcmp(json_text(c, "type"), "Complete") == 0;
        if (is_true && strcmp(json_text(c, "type"), "Failed") == 0) {
            ret->failed = true;
            ret->message = json_text(c, "message");
            if (str_parse_time(str_of(json_text(c, "lastTransitionTime")), &ret->finished_s) < 0)
                ret->finished_s = world_now_s(w);
        }
    }
    ret->finished = ret->succeeded || ret->failed;
    if (ret->failed)
        read_failure(w, ret);
}

/* ---- making ---- */

static json_t *restricted(void)
{
    return json_pack("{s:b, s:b, s:b, s:{s:[s]}, s:{s:s}}", "runAsNonRoot", 1, "allowPrivilegeEscalation", 0,
                     "readOnlyRootFilesystem", 1, "capabilities", "drop", "ALL", "seccompProfile", "type",
                     "RuntimeDefault");
}

static json_t *container(struct world *w, const char *name, json_t *args_take)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:[{s:s, s:s}], s:[{s:s, s:s, s:b}], s:{s:{s:s, s:s}, s:{s:s}}, s:o, s:s}",
                     "name", name, "image", world_settings(w)->image, "imagePullPolicy",
                     world_settings(w)->pull_policy, "args", args_take, "env", "name", "STASH_STORAGE_SECRET_DIR",
                     "value", secret_dir, "volumeMounts", "name", "stash-storage-secret", "mountPath", secret_dir,
                     "readOnly", 1, "resources", "requests", "cpu", "50m", "memory", "32Mi", "limits", "memory",
                     "256Mi", "securityContext", restricted(), "terminationMessagePolicy", "FallbackToLogsOnError");
}

static json_t *labels_of(const struct kobj *repository)
{
    char name[256];

    return json_pack("{s:s, s:s, s:s}", "app.kubernetes.io/component", "stash-repository",
                     "app.kubernetes.io/managed-by", "stash.appscode.com", STASH_GROUP "/repository-job",
                     str_shorten_name(str_of(repository->name), 63, false, name));
}

static json_t *job_of(struct world *w, const struct kobj *repository, const json_t *doc, const char *what,
                      int deadline_s, json_t *container_take)
{
    const char *secret = json_text(doc, "spec.backend.storageSecretName");
    const char *generation = arena_printf(world_arena(w), "%lld", (long long)repository->generation);
    json_t *spec = json_pack("{s:s, s:b, s:b, s:{s:i, s:i}, s:[{s:s, s:{s:s, s:b, s:i}}], s:[o]}", "restartPolicy",
                             "Never", "automountServiceAccountToken", 0, "enableServiceLinks", 0, "securityContext",
                             "runAsUser", 65535, "fsGroup", 65535, "volumes", "name", "stash-storage-secret", "secret",
                             "secretName", secret, "optional", 1, "defaultMode", 0440, "containers", container_take);

    return json_pack("{s:{s:s, s:o, s:{s:s, s:s}}, s:{s:i, s:i, s:I, s:{s:{s:o}, s:o}}}", "metadata", "name",
                     repository_job_name(world_arena(w), what, repository->name), "labels", labels_of(repository),
                     "annotations", STASH_GROUP "/generation", generation, UID_ANNOTATION, repository->uid, "spec",
                     "backoffLimit", 0, "activeDeadlineSeconds", deadline_s, "ttlSecondsAfterFinished",
                     (json_int_t)world_settings(w)->job_ttl_s, "template", "metadata", "labels", labels_of(repository),
                     "spec", spec);
}

static const char *provider_of(const json_t *doc)
{
    static const char *const names[] = {"local", "s3", "gcs", "azure", "swift", "b2", "rest"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (json_is_object(json_object_get(json_at(doc, "spec.backend"), names[i])))
            return names[i];
    }
    return "";
}

/* It goes with the Repository. */
static json_t *owned_by(json_t *job_take, const struct kobj *repository)
{
    char version[128];

    json_object_set_new(json_object_get(job_take, "metadata"), "ownerReferences",
                        json_pack("[{s:s, s:s, s:s, s:s, s:b, s:b}]", "apiVersion",
                                  kind_api_version(repository->kind, version), "kind", repository->kind->name, "name",
                                  repository->name, "uid", repository->uid, "controller", 1, "blockOwnerDeletion", 1));
    return job_take;
}

json_t *repository_probe_job(struct world *w, const struct kobj *repository, const json_t *doc)
{
    const char *secret = json_text(doc, "spec.backend.storageSecretName");
    json_t *args = json_array();

    json_array_append_new(args, json_string("probe-storage-secret"));
    json_array_append_new(args, json_sprintf("--provider=%s", provider_of(doc)));
    json_array_append_new(args, json_sprintf("--storage-secret-name=%s", secret));
    json_array_append_new(args, json_sprintf("--storage-secret-namespace=%s", repository->ns));
    return owned_by(job_of(w, repository, doc, "probe", 600, container(w, "probe", args)), repository);
}

/* restic wants a folder to write to, and a local backend its volume; the Job of a whole prune some memory. */
static void give_room(struct world *w, json_t *job, const json_t *local)
{
    json_t *pod = json_at(job, "spec.template.spec"), *container = json_at(pod, "containers.0");
    json_t *volumes = json_object_get(pod, "volumes"), *mounts = json_object_get(container, "volumeMounts"), *volume;

    json_object_set_new(json_at(container, "resources.limits"), "memory", json_string("1Gi"));
    json_array_append_new(volumes, json_pack("{s:s, s:{}}", "name", "stash-tmp-dir", "emptyDir"));
    json_array_append_new(mounts, json_pack("{s:s, s:s}", "name", "stash-tmp-dir", "mountPath", PODSPEC_TMP_DIR));
    json_array_append_new(volumes, json_pack("{s:s, s:{s:s, s:s}}", "name", "stash-credentials", "emptyDir", "medium",
                                             "Memory", "sizeLimit", "16Mi"));
    json_array_append_new(mounts, json_pack("{s:s, s:s}", "name", "stash-credentials", "mountPath",
                                            PODSPEC_CREDENTIALS_DIR));
    json_array_append_new(json_object_get(container, "env"), json_pack("{s:s, s:s}", "name", "STASH_CREDENTIALS_DIR",
                                                                       "value", PODSPEC_CREDENTIALS_DIR));
    if (!json_is_object(local) || (json_at(local, "hostPath") && !world_settings(w)->allow_hostpath_backend) ||
        substitute_check_mount(json_text(local, "mountPath"), NULL) < 0 ||
        substitute_check_subpath(json_text(local, "subPath"), NULL) < 0)
        return; /* the program says that nothing is mounted there */
    volume = json_clone(local);
    json_object_del(volume, "mountPath");
    json_object_del(volume, "subPath");
    json_object_set_new(volume, "name", json_string("stash-local"));
    json_array_append_new(volumes, volume);
    volume = json_pack("{s:s, s:s}", "name", "stash-local", "mountPath", json_text(local, "mountPath"));
    if (*json_text(local, "subPath"))
        json_object_set_new(volume, "subPath", json_string(json_text(local, "subPath")));
    json_array_append_new(mounts, volume);
}

static json_t *data_job(struct world *w, const struct kobj *repository, const json_t *doc, const char *what,
                        int deadline_s)
{
    AUTO_FREE char *backend = json_compact(json_at(doc, "spec.backend"));
    const char *secret = json_text(doc, "spec.backend.storageSecretName");
    json_t *args = json_array(), *job;

    json_array_append_new(args, json_sprintf("%s-repository", what));
    json_array_append_new(args, json_sprintf("--backend=%s", backend ? backend : "{}"));
    json_array_append_new(args, json_sprintf("--storage-secret-name=%s", secret));
    json_array_append_new(args, json_sprintf("--storage-secret-namespace=%s", repository->ns));
    job = job_of(w, repository, doc, what, deadline_s, container(w, what, args));
    give_room(w, job, json_at(doc, "spec.backend.local"));
    return job;
}

/* Without an owner: foreground deletion of the Repository would remove the Job that its finalizer waits for. */
json_t *repository_wipe_job(struct world *w, const struct kobj *repository, const json_t *doc)
{
    return data_job(w, repository, doc, "wipe", 86400);
}

/* restic holds the index in memory, which grows with the number of blobs: for streams about one a MiB. */
uint64_t repository_forecast_mib(const json_t *doc)
{
    uint64_t bytes = 0;

    if (str_parse_size(str_of(json_text(doc, "status.totalSize")), &bytes) < 0)
        bytes = 0; /* no backup has told it yet */
    return INDEX_BASE_MIB + bytes / ((uint64_t)1 << 30) * INDEX_MIB_PER_GIB;
}

static json_t *index_job(struct world *w, const struct kobj *repository, const json_t *doc, const char *what)
{
    json_t *job = data_job(w, repository, doc, what, 86400);
    uint64_t mib = repository_forecast_mib(doc);

    mib = mib < REPOSITORY_FORECAST_MAX_MIB ? mib : REPOSITORY_FORECAST_MAX_MIB;
    json_object_set_new(json_at(job, "spec.template.spec.containers.0.resources.limits"), "memory",
                        json_sprintf("%lluMi", (unsigned long long)mib));
    /* Killed, it leaves a lock that keeps everybody out. */
    json_object_set_new(json_at(job, "spec.template.metadata"), "annotations",
                        json_pack("{s:o}", REPOSITORY_JOB_ANNOTATION,
                                  json_sprintf("%s/%s", repository->ns, repository->name)));
    return owned_by(job, repository);
}

json_t *repository_prune_job(struct world *w, const struct kobj *repository, const json_t *doc)
{
    return index_job(w, repository, doc, "prune");
}

json_t *repository_check_job(struct world *w, const struct kobj *repository, const json_t *doc)
{
    return index_job(w, repository, doc, "check");
}

json_t *repository_unlock_job(struct world *w, const struct kobj *repository, const json_t *doc,
                              const struct kobj *ended)
{
    json_t *job = data_job(w, repository, doc, "unlock", 900);

    if (world_settings(w)->job_ttl_s > UNLOCK_TTL_S)
        json_object_set_new(json_object_get(job, "spec"), "ttlSecondsAfterFinished", json_integer(UNLOCK_TTL_S));
    json_object_set_new(json_at(job, "spec.template.spec"), "hostname", json_string(ended->name));
    return owned_by(job, repository);
}
