/* jobspec: see jobspec.h. */
#include "controllers/jobspec.h"

#include "controllers/repository.h"
#include "controllers/substitute.h"
#include "controllers/target_lock.h"
#include "core/base/json.h"

#define SESSION_LABEL STASH_GROUP "/session"
#define RESTORE_LABEL STASH_GROUP "/restore-session"

static const char *const component[] = {[DIRECTION_BACKUP] = "stash-backup", [DIRECTION_RESTORE] = "stash-restore"};

/* ---- names ---- */

static const json_t *owner(const struct job_input *in)
{
    return in->direction == DIRECTION_BACKUP ? in->session : in->invoker;
}

static const char *shorten(struct arena *a, const char *full)
{
    char out[256];

    return arena_strdup(a, str_shorten_name(str_of(full), 63, true, out));
}

const char *jobspec_name(const struct job_input *in, struct arena *a)
{
    const char *name = json_text(owner(in), "metadata.name");
    long long index = (long long)in->index;

    if (in->ordinal >= 0)
        return shorten(a, arena_printf(a, "%s-%s-%lld-%d", component[in->direction], name, index, in->ordinal));
    return shorten(a, arena_printf(a, "%s-%s-%lld", component[in->direction], name, index));
}

const char *jobspec_interim_name(const struct job_input *in, struct arena *a)
{
    const json_t *template = json_at(in->unit, "interimVolumeTemplate");
    const char *name = json_text(template, "metadata.name"), *base;

    if (!json_is_object(json_at(template, "spec")))
        return NULL;
    base = arena_printf(a, "%s-%s", json_text(owner(in), "metadata.name"), *name ? name : "interim");
    return shorten(a, in->ordinal >= 0 ? arena_printf(a, "%s-%d", base, in->ordinal) : base);
}

/* ---- labels ---- */

json_t *jobspec_labels(const json_t *invoker, enum direction d)
{
    const json_t *own = json_at(invoker, "metadata.labels");
    json_t *labels = json_is_object(own) ? json_clone(own) : json_object();

    json_object_set_new(labels, "app.kubernetes.io/component", json_string(component[d]));
    json_object_set_new(labels, "app.kubernetes.io/managed-by", json_string(STASH_GROUP));
    return labels;
}

/* Label values end at 63 bytes; a longer name is shortened with a hash. */
static void set_label(json_t *labels, const char *key, const char *value)
{
    char out[256];

    json_object_set_new(labels, key, json_string(str_shorten_name(str_of(value), 63, false, out)));
}

static bool is_reserved(const char *key)
{
    static const char *const offshoot[] = {"app.kubernetes.io/name", "app.kubernetes.io/instance",
                                           "app.kubernetes.io/component", "app.kubernetes.io/managed-by"};

    if (str_starts(str_of(key), STR(STASH_GROUP "/")))
        return true;
    for (size_t i = 0; i < sizeof(offshoot) / sizeof(offshoot[0]); i++)
        if (strcmp(offshoot[i], key) == 0)
            return true;
    return false;
}

/* Pods don't get the invoker's labels: they could match the application's Services. */
static json_t *pod_labels(const struct job_input *in, struct error *e)
{
    json_t *labels = json_object(), *value;
    const char *key;

    json_object_foreach (json_at(in->unit, "runtimeSettings.pod.podLabels"), key, value) {
        if (is_reserved(key)) {
            (void)error_set(e, ERR_INVALID, "spec.runtimeSettings.pod.podLabels: \"%s\" is reserved", key);
            json_decref(labels);
            return NULL;
        }
        json_object_set(labels, key, value);
    }
    json_object_set_new(labels, "app.kubernetes.io/component", json_string(component[in->direction]));
    json_object_set_new(labels, "app.kubernetes.io/managed-by", json_string(STASH_GROUP));
    set_label(labels, STASH_GROUP "/invoker-type", json_text(in->invoker, "kind"));
    set_label(labels, STASH_GROUP "/invoker-name", json_text(in->invoker, "metadata.name"));
    set_label(labels, SESSION_LABEL, json_text(owner(in), "metadata.name"));
    return labels;
}

json_t *jobspec_owner(const struct job_input *in)
{
    const json_t *o = owner(in);

    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:b}", "apiVersion", json_text(o, "apiVersion"), "kind",
                     json_text(o, "kind"), "name", json_text(o, "metadata.name"), "uid", json_text(o, "metadata.uid"),
                     "controller", 1, "blockOwnerDeletion", 1);
}

/* ---- claims ---- */

json_t *jobspec_interim_claim(const struct job_input *in, const char *name)
{
    const json_t *template = json_at(in->unit, "interimVolumeTemplate");
    json_t *labels = jobspec_labels(in->invoker, in->direction), *claim;

    if (json_is_object(json_at(template, "metadata.labels")))
        json_object_update(labels, json_at(template, "metadata.labels"));
    json_object_set_new(labels, "app.kubernetes.io/managed-by", json_string(STASH_GROUP));
    claim = json_pack("{s:{s:s, s:o, s:[o]}, s:o}", "metadata", "name", name, "labels", labels, "ownerReferences",
                      jobspec_owner(in), "spec", json_clone(json_at(template, "spec")));
    if (json_is_object(json_at(template, "metadata.annotations")))
        json_object_set_new(json_object_get(claim, "metadata"), "annotations",
                            json_clone(json_at(template, "metadata.annotations")));
    return claim;
}

const char *jobspec_claim_volume(const char *claim, int ordinal, struct arena *a)
{
    struct str name = str_of(claim), end = str_of(arena_printf(a, "-%d", ordinal));

    if (ordinal >= 0 && name.n > end.n && str_ends(name, end))
        name.n -= end.n;
    return arena_str(a, name);
}

/* Made for the RestoreSession and kept after it: labelled, not owned. */
json_t *jobspec_claim(const struct job_input *in, size_t t, struct arena *a, struct error *e)
{
    const json_t *template = json_array_get(json_at(in->unit, "target.volumeClaimTemplates"), t);
    const char *own = json_text(in->invoker, "metadata.namespace");
    struct variables v;
    json_t *resolved, *meta, *labels, *claim;

    variables_init(&v, a, NULL);
    (void)variables_set(&v, "POD_ORDINAL", arena_printf(a, "%d", in->ordinal), false);
    resolved = substitute_tree(&v, template, TREE_TEMPLATE, e);
    if (!resolved) {
        (void)error_wrap(e, ERR_INVALID, "spec.target.volumeClaimTemplates[%zu]", t);
        return NULL;
    }
    arena_json(a, resolved);
    if (!str_is_dns_name(str_of(json_text(resolved, "metadata.name"))) || !json_is_object(json_at(resolved, "spec"))) {
        (void)error_set(e, ERR_INVALID, "spec.target.volumeClaimTemplates[%zu]: \"%s\" is no name of a claim", t,
                        json_text(resolved, "metadata.name"));
        return NULL;
    }
    if (*json_text(resolved, "metadata.namespace") && !str_same(json_text(resolved, "metadata.namespace"), own)) {
        (void)error_set(e, ERR_INVALID, "spec.target.volumeClaimTemplates[%zu]: the namespace must be %s", t, own);
        return NULL;
    }
    labels = json_is_object(json_at(resolved, "metadata.labels")) ? json_clone(json_at(resolved, "metadata.labels"))
                                                                  : json_object();
    json_object_set_new(labels, "app.kubernetes.io/managed-by", json_string(STASH_GROUP));
    /* The UID: this one, not its namesake. */
    json_object_set_new(labels, RESTORE_LABEL, json_string(json_text(in->invoker, "metadata.uid")));
    meta = json_pack("{s:s, s:o}", "name", json_text(resolved, "metadata.name"), "labels", labels);
    if (json_is_object(json_at(resolved, "metadata.annotations")))
        json_object_set(meta, "annotations", json_at(resolved, "metadata.annotations"));
    claim = json_pack("{s:o, s:O}", "metadata", meta, "spec", json_at(resolved, "spec"));
    return claim;
}

/* ---- the Job ---- */

static const json_t *function_of(void *ctx, const char *name)
{
    return world_doc(ctx, kind_get(KIND_FUNCTION), NULL, name);
}

/* What holds the target, for as long as it is there. */
static void put_target(const struct job_input *in, struct arena *a, json_t *annotations)
{
    struct target_ref ref;
    const char *value;

    target_ref_of(json_at(in->unit, "target"), json_text(in->invoker, "metadata.namespace"), &ref);
    value = target_lock_value(a, &ref);
    if (value)
        json_object_set_new(annotations, TARGET_LOCK_ANNOTATION, json_string(value));
    else
        json_object_del(annotations, TARGET_LOCK_ANNOTATION);
}

/* Ours come last: what users add to a pod takes nothing away. */
static json_t *template_of(const struct job_input *in, struct arena *a, json_t *labels, json_t *pod)
{
    const json_t *own = json_at(in->unit, "runtimeSettings.pod.podAnnotations");
    json_t *annotations = json_is_object(own) ? json_clone(own) : json_object();

    put_target(in, a, annotations);
    json_object_del(annotations, REPOSITORY_JOB_ANNOTATION);
    if (in->repository)
        json_object_set_new(annotations, REPOSITORY_JOB_ANNOTATION,
                            json_sprintf("%s/%s", json_text(in->repository, "metadata.namespace"),
                                         json_text(in->repository, "metadata.name")));
    return json_pack("{s:{s:o, s:o}, s:o}", "metadata", "labels", labels, "annotations", annotations, "spec", pod);
}

static json_t *job_of(const struct job_input *in, struct arena *a, const struct jobspec_options *o,
                      const char *functions, json_t *template)
{
    json_t *labels = jobspec_labels(in->invoker, in->direction);
    json_t *annotations = json_pack("{s:s}", STASH_GROUP "/functions", functions);
    json_t *spec = json_pack("{s:i, s:i, s:i, s:I, s:o}", "backoffLimit", 0, "completions", 1, "parallelism", 1,
                             "ttlSecondsAfterFinished", (json_int_t)in->settings->job_ttl_s, "template", template);

    set_label(labels, SESSION_LABEL, json_text(owner(in), "metadata.name"));
    if (o->left_s > 0)
        json_object_set_new(spec, "activeDeadlineSeconds", json_integer(o->left_s));
    put_target(in, a, annotations);
    return json_pack("{s:{s:s, s:o, s:o, s:[o]}, s:o}", "metadata", "name", o->name, "labels", labels, "annotations",
                     annotations, "ownerReferences", jobspec_owner(in), "spec", spec);
}

/* Asks for all of a Task's Functions at once: one by one each would cost the pass another run. */
static bool has_functions(struct world *w, const json_t *task)
{
    const json_t *step;
    size_t i;

    json_array_foreach (json_at(task, "spec.steps"), i, step) {
        const char *name = json_text(step, "name");

        if (!strchr(name, '$')) /* else what it means is known later */
            (void)function_of(w, name);
    }
    return !world_waiting(w);
}

int jobspec_make(struct world *w, const struct job_input *in, const struct jobspec_options *o, json_t **ret,
                 struct error *e)
{
    struct arena *a = world_arena(w);
    struct podspec_options pod_options = o->pod;
    struct effective_task task;
    struct variables v;
    struct resolved r;
    json_t *pod, *labels;
    int rc = resolve_effective_task(in->direction, in->unit, in->app, a, &task, e);

    if (rc < 0)
        return rc;
    if (!has_functions(w, o->task))
        return error_set(e, ERR_INVALID, "not all documents are there yet");
    variables_init(&v, a, NULL);
    rc = variables_fill(&v, in, task.params, e);
    if (rc == 0)
        rc = resolve_task(o->task, &v, function_of, w, &r, e);
    pod_options.cluster = world_cluster(w);
    if (rc == 0)
        rc = podspec_make(in, &r, &pod_options, a, &pod, e);
    if (rc < 0)
        return rc;
    labels = pod_labels(in, e);
    if (!labels) {
        json_decref(pod);
        return ERR_INVALID;
    }
    *ret = job_of(in, a, o, r.functions, template_of(in, a, labels, pod));
    return 0;
}
