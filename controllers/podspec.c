/*
 * podspec: see podspec.h. The pod around the containers (podspec_container.c): volumes, identity, security,
 * placement.
 */
#include "controllers/podspec.h"

#include "controllers/substitute.h"
#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/base/mem.h"

enum { SECRET_MODE = 0440, TOKEN_MODE = 0444, TOKEN_SECONDS = 3600, GRACE_S = 60 };

/* uid, gid and group of files of one that writes a database's files; users may override each. */
enum { UID_DATABASE = 1001 };

static void add_secret(json_t *volumes, const char *volume, const char *secret)
{
    /* Optional: the pod starts without it and the worker says which one is missing, in seconds. */
    json_array_append_new(volumes, json_pack("{s:s, s:{s:s, s:b, s:i}}", "name", volume, "secret", "secretName", secret,
                                             "optional", 1, "defaultMode", SECRET_MODE));
}

static void add_app_secrets(json_t *volumes, const struct job_input *in, struct arena *a)
{
    const json_t *it;
    size_t i, n = 0;

    if (!in->app || !str_same(json_text(in->app, "metadata.namespace"), json_text(in->invoker, "metadata.namespace")))
        return;
    if (*json_text(in->app, "spec.secret.name"))
        add_secret(volumes, "stash-app-secret", json_text(in->app, "spec.secret.name"));
    if (*json_text(in->app, "spec.tlsSecret.name"))
        add_secret(volumes, "stash-app-tls", json_text(in->app, "spec.tlsSecret.name"));
    json_array_foreach (json_at(in->app, "spec.secretTransforms"), i, it) {
        const char *name = json_text(it, "addKeysFrom.secretRef.name");

        if (json_at(it, "addKeysFrom") && *name)
            add_secret(volumes, arena_printf(a, "stash-app-extra-%zu", n), name);
        n += json_at(it, "addKeysFrom") != NULL; /* the worker counts them all */
    }
}

json_t *podspec_token_volume(void)
{
    return json_pack("{s:s, s:{s:i, s:[{s:{s:s, s:i}}, {s:{s:s, s:[{s:s, s:s}]}}, {s:{s:[{s:s, s:{s:s}}]}}]}}", "name",
                     "stash-token", "projected", "defaultMode", TOKEN_MODE, "sources", "serviceAccountToken", "path",
                     "token", "expirationSeconds", TOKEN_SECONDS, "configMap", "name", "kube-root-ca.crt", "items",
                     "key", "ca.crt", "path", "ca.crt", "downwardAPI", "items", "path", "namespace", "fieldRef",
                     "fieldPath", "metadata.namespace");
}

static void add_claim(json_t *volumes, const char *volume, const char *claim)
{
    json_array_append_new(volumes, json_pack("{s:s, s:{s:s}}", "name", volume, "persistentVolumeClaim", "claimName",
                                             claim));
}

/* The Task's volumes and the temporary folder, which a Task may bring itself if it is an emptyDir. */
static int add_task_volumes(json_t *volumes, const struct job_input *in, const struct resolved *r, struct error *e)
{
    const json_t *temp = json_at(in->unit, "tempDir");
    json_t *empty = json_object(), *it;
    size_t i;

    json_array_foreach (r->volumes, i, it) {
        if (strcmp(json_text(it, "name"), "stash-tmp-dir") != 0) {
            json_array_append_new(volumes, json_clone(it));
        } else if (!json_is_object(json_at(it, "emptyDir"))) {
            json_decref(empty);
            return error_set(e, ERR_INVALID, "the Task's volume stash-tmp-dir is no emptyDir");
        } else {
            json_object_update(empty, json_at(it, "emptyDir"));
        }
    }
    if (*json_text(temp, "medium"))
        json_object_set_new(empty, "medium", json_string(json_text(temp, "medium")));
    if (json_at(temp, "sizeLimit"))
        json_object_set_new(empty, "sizeLimit", json_clone(json_at(temp, "sizeLimit")));
    json_array_append_new(volumes, json_pack("{s:s, s:o}", "name", "stash-tmp-dir", "emptyDir", empty));
    return 0;
}

static int add_repository(json_t *volumes, const struct job_input *in, struct error *e)
{
    const json_t *repo = in->repository, *local = json_at(repo, "spec.backend.local");
    const char *ns = json_text(repo, "metadata.namespace"), *own = json_text(in->invoker, "metadata.namespace");
    json_t *volume;

    if (json_is_object(local)) {
        if (!str_same(ns, own))
            return error_set(e, ERR_INVALID, "local backend of Repository %s/%s cannot be mounted in namespace %s", ns,
                             json_text(repo, "metadata.name"), own);
        if (substitute_check_mount(json_text(local, "mountPath"), e) < 0 ||
            substitute_check_subpath(json_text(local, "subPath"), e) < 0)
            return error_wrap(e, ERR_INVALID, "local backend of Repository %s/%s", ns,
                              json_text(repo, "metadata.name"));
        if (json_at(local, "hostPath") && !in->settings->allow_hostpath_backend)
            return error_set(e, ERR_INVALID, "Repository %s/%s: a hostPath backend needs --allow-hostpath-backend", ns,
                             json_text(repo, "metadata.name"));
        volume = json_clone(local);
        json_object_del(volume, "mountPath");
        json_object_del(volume, "subPath");
        json_object_set_new(volume, "name", json_string("stash-local"));
        json_array_append_new(volumes, volume);
    }
    if (repo && str_same(ns, own) && *json_text(repo, "spec.backend.storageSecretName"))
        add_secret(volumes, "stash-storage-secret", json_text(repo, "spec.backend.storageSecretName"));
    return 0;
}

static int make_volumes(json_t *volumes, const struct job_input *in, const struct resolved *r,
                        const struct podspec_options *o, struct arena *a, struct error *e)
{
    int rc = add_task_volumes(volumes, in, r, e);

    if (rc < 0)
        return rc;
    if (o->interim_claim)
        add_claim(volumes, "stash-interim-volume", o->interim_claim);
    for (size_t i = 0; i < o->n_claims; i++)
        add_claim(volumes, o->claims[i].volume, o->claims[i].claim);
    rc = add_repository(volumes, in, e);
    if (rc < 0)
        return rc;
    add_app_secrets(volumes, in, a);
    json_array_append_new(volumes, json_pack("{s:s, s:{s:s, s:s}}", "name", "stash-credentials", "emptyDir", "medium",
                                             "Memory", "sizeLimit", "16Mi"));
    json_array_append_new(volumes, podspec_token_volume());
    return 0;
}

/* ---- the pod's own fields ---- */

static void merge_deep(json_t *into, const json_t *more)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)more, key, value) {
        json_t *old = json_object_get(into, key);

        if (json_is_object(old) && json_is_object(value))
            merge_deep(old, value);
        else
            json_object_set_new(into, key, json_clone(value));
    }
}

json_t *podspec_security(int id, const json_t *user)
{
    json_t *out = json_pack("{s:i, s:i, s:i, s:b, s:{s:s}}", "runAsUser", id, "runAsGroup", id, "fsGroup", id,
                            "runAsNonRoot", 1, "seccompProfile", "type", "RuntimeDefault");

    merge_deep(out, user);
    if (json_is_integer(json_at(user, "runAsUser")) && json_int(user, "runAsUser", 1) == 0 &&
        !json_at(user, "runAsNonRoot"))
        json_object_set_new(out, "runAsNonRoot", json_false());
    return out;
}

static bool is_empty(const json_t *value)
{
    return !value || json_is_null(value) || (json_is_string(value) && !json_string_length(value)) ||
           (json_is_array(value) && !json_array_size(value)) || (json_is_object(value) && !json_object_size(value));
}

void podspec_place(json_t *pod, const json_t *settings)
{
    static const char *const keys[] = {
        "nodeSelector", "nodeName", "affinity", "schedulerName", "tolerations", "priorityClassName", "priority",
        "readinessGates", "runtimeClassName", "enableServiceLinks", "topologySpreadConstraints", "imagePullSecrets",
    };

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        json_t *value = json_object_get(settings, keys[i]);

        if (!is_empty(value))
            json_object_set_new(pod, keys[i], json_clone(value));
    }
}

static json_t *pod_security(const struct job_input *in)
{
    bool is_physical = in->direction == DIRECTION_RESTORE && target_has_templates(json_at(in->unit, "target"));

    return podspec_security(is_physical ? UID_DATABASE : PODSPEC_UID_WORKER,
                            json_at(in->unit, "runtimeSettings.pod.securityContext"));
}

/* Mounts that the invoker brings along are a tenant's. */
static int check_target_mounts(const struct job_input *in, const struct podspec_options *o, struct error *e)
{
    const json_t *mounts = json_at(in->unit, "target.volumeMounts"), *it;
    size_t i;

    if (o->n_claims && !json_array_size(mounts))
        return error_set(e, ERR_INVALID, "spec.target.volumeMounts is missing: the claims would not be mounted");
    json_array_foreach (mounts, i, it) {
        int rc = substitute_check_mount(json_text(it, "mountPath"), e);

        if (rc == 0)
            rc = substitute_check_subpath(json_text(it, "subPath"), e);
        if (rc < 0)
            return error_wrap(e, rc, "spec.target.volumeMounts[%zu]", i);
    }
    return 0;
}

static bool has_volume(const json_t *volumes, const char *name)
{
    const json_t *it;
    size_t i;

    json_array_foreach ((json_t *)volumes, i, it)
        if (str_same(json_text(it, "name"), name))
            return true;
    return false;
}

/* Mounts of volumes that are not there: the API server would refuse the Job, and say so less plainly, when the claims
 * are already made. The user's own volumes are named, as a help. */
static int check_names(const json_t *volumes, const json_t *mounts, const char *where, struct error *e)
{
    const json_t *it, *v;
    struct buf have;
    int rc = 0;
    size_t i, k;

    json_array_foreach ((json_t *)mounts, i, it) {
        if (has_volume(volumes, json_text(it, "name")))
            continue;
        buf_init(&have, LIMIT_MESSAGE);
        json_array_foreach ((json_t *)volumes, k, v)
            if (!str_starts(str_of(json_text(v, "name")), STR("stash-")))
                buf_printf(&have, "%s\"%s\"", have.len ? ", " : "", json_text(v, "name"));
        rc = error_set(e, ERR_INVALID, "%s.volumeMounts[%zu]: there is no volume \"%.63s\"%s%s", where, i,
                       json_text(it, "name"), have.len ? ", there is " : "", have.data);
        buf_done(&have);
        break;
    }
    return rc;
}

static int check_steps(const json_t *volumes, const json_t *containers, struct error *e)
{
    const json_t *it;
    size_t i;
    int rc = 0;

    json_array_foreach ((json_t *)containers, i, it) {
        char where[96];

        (void)snprintf(where, sizeof(where), "container %.63s", json_text(it, "name"));
        if ((rc = check_names(volumes, json_at(it, "volumeMounts"), where, e)) < 0)
            break;
    }
    return rc;
}

static int check_floor(const struct job_input *in, const struct resolved *r, struct error *e)
{
    struct buf b;
    int rc = 0;

    buf_init(&b, LIMIT_MESSAGE);
    podspec_floor_settings(json_at(in->unit, "runtimeSettings"), "spec.runtimeSettings", &b);
    podspec_floor_volumes(r->volumes, "the Task's volumes", &b);
    if (b.len)
        rc = error_set(e, ERR_INVALID, "not allowed by the pod floor \"baseline\": %s", b.data);
    buf_done(&b);
    return rc;
}

int podspec_make(const struct job_input *in, const struct resolved *r, const struct podspec_options *o,
                 struct arena *a, json_t **ret, struct error *e)
{
    json_t *pod = json_object(), *init = json_array(), *main = json_array(), *volumes = json_array();
    char *text;
    int rc;

    json_object_set_new(pod, "restartPolicy", json_string("Never"));
    json_object_set_new(pod, "initContainers", init);
    json_object_set_new(pod, "containers", main);
    json_object_set_new(pod, "volumes", volumes);
    rc = check_target_mounts(in, o, e);
    if (rc == 0)
        rc = check_floor(in, r, e);
    if (rc == 0)
        rc = make_volumes(volumes, in, r, o, a, e);
    if (rc == 0)
        rc = check_names(volumes, json_at(in->unit, "target.volumeMounts"), "spec.target", e);
    if (rc < 0) {
        json_decref(pod);
        return rc;
    }
    for (size_t i = 0; i < r->n_steps; i++)
        json_array_append_new(i + 1 < r->n_steps ? init : main, podspec_container(in, r, i, o, a));
    rc = check_steps(volumes, init, e);
    if (rc == 0)
        rc = check_steps(volumes, main, e);
    if (!json_array_size(init))
        json_object_del(pod, "initContainers");
    json_object_set_new(pod, "serviceAccountName", json_string(o->account));
    json_object_set_new(pod, "automountServiceAccountToken", json_false());
    json_object_set_new(pod, "enableServiceLinks", json_false());
    json_object_set_new(pod, "terminationGracePeriodSeconds", json_integer(GRACE_S));
    json_object_set_new(pod, "securityContext", pod_security(in));
    podspec_place(pod, json_at(in->unit, "runtimeSettings.pod"));
    text = json_compact(pod);
    if (rc == 0 && strlen(text) > LIMIT_POD)
        rc = error_set(e, ERR_INVALID, "the pod is over %d bytes", LIMIT_POD);
    mem_free(text);
    if (rc < 0)
        json_decref(pod);
    else
        *ret = pod;
    return rc;
}
