/*
 * podspec_container: one Function as a container. The Function says what runs; the invoker's runtimeSettings.container
 * is laid over it by the rules of jobs.md 7; what the worker needs from us comes last, so that nobody can take it away.
 */
#include "controllers/podspec.h"

#include "core/base/json.h"

/* Pod security: who a Function of ours runs as when nobody says otherwise (jobs.md 8). */
static const struct {
    const char *command, *capability[3];
    bool read_only;
} rootly[] = {
    {"backup-pvc", {"DAC_OVERRIDE"}, true},
    {"restore-pvc", {"CHOWN", "DAC_OVERRIDE", "FOWNER"}, false},
};

static void copy_key(json_t *to, const json_t *from, const char *key)
{
    json_t *value = json_object_get(from, key);

    if (value && !json_is_null(value))
        json_object_set_new(to, key, json_clone(value));
}

/* Replaces the item of the same name, or appends. Steals item. */
static void upsert(json_t *list, json_t *item)
{
    const json_t *it;
    size_t i;

    json_array_foreach (list, i, it) {
        if (strcmp(json_text(it, "name"), json_text(item, "name")) == 0) {
            json_array_set_new(list, i, item);
            return;
        }
    }
    json_array_append_new(list, item);
}

static void set_env(json_t *env, const char *name, const char *value)
{
    upsert(env, json_pack("{s:s, s:s}", "name", name, "value", value));
}

static void set_env_field(json_t *env, const char *name, const char *path)
{
    upsert(env, json_pack("{s:s, s:{s:{s:s}}}", "name", name, "valueFrom", "fieldRef", "fieldPath", path));
}

static void set_env_number(json_t *env, const char *name, const json_t *settings, const char *path, struct arena *a)
{
    if (json_is_integer(json_at(settings, path)))
        set_env(env, name, arena_printf(a, "%lld", (long long)json_int(settings, path, 0)));
}

static bool has_storage_mount(const struct job_input *in)
{
    return in->repository && *json_text(in->repository, "spec.backend.storageSecretName") &&
           str_same(json_text(in->repository, "metadata.namespace"), json_text(in->invoker, "metadata.namespace"));
}

static json_t *environment(const struct job_input *in, const json_t *function, const json_t *settings,
                           const struct podspec_options *o, struct arena *a)
{
    const json_t *own = json_at(function, "env"), *it;
    json_t *env = json_is_array(own) ? json_clone(own) : json_array();
    size_t i;

    json_array_foreach (json_at(settings, "env"), i, it)
        upsert(env, json_clone(it));
    set_env_number(env, "NICE_ADJUSTMENT", settings, "nice.adjustment", a);
    set_env_number(env, "IONICE_CLASS", settings, "ionice.class", a);
    set_env_number(env, "IONICE_CLASS_DATA", settings, "ionice.classData", a);
    if (in->ordinal >= 0)
        set_env(env, "POD_ORDINAL", arena_printf(a, "%d", in->ordinal));
    if (in->direction == DIRECTION_RESTORE) { /* a repetition goes on, another restore of this name does not */
        set_env(env, "STASH_RESTORE_NAME", json_text(in->invoker, "metadata.name"));
        set_env(env, "STASH_RESTORE_UID", json_text(in->invoker, "metadata.uid"));
    }
    if (in->repository) { /* whose backend is in the flags: the invoker may name another one before the Job ends */
        set_env(env, "STASH_REPOSITORY_NAME", json_text(in->repository, "metadata.name"));
        set_env(env, "STASH_REPOSITORY_NAMESPACE", json_text(in->repository, "metadata.namespace"));
        set_env(env, "STASH_REPOSITORY_UID", json_text(in->repository, "metadata.uid"));
    }
    if (o->cluster && *o->cluster) /* whose snapshots are ours, where several clusters share a repository */
        set_env(env, "STASH_CLUSTER", o->cluster);
    /* A gateway of somebody else's is shown no token, whatever the Function or the invoker says. */
    set_env(env, "STASH_PUSH_TOKEN_FILE", in->settings->push_by_token ? PODSPEC_TOKEN_DIR "/token" : "");
    set_env_field(env, "POD_NAME", "metadata.name");
    set_env_field(env, "POD_NAMESPACE", "metadata.namespace");
    set_env_field(env, "POD_IP", "status.podIP"); /* the state transfer comes to it */
    set_env(env, "STASH_CREDENTIALS_DIR", PODSPEC_CREDENTIALS_DIR);
    if (has_storage_mount(in))
        set_env(env, "STASH_STORAGE_SECRET_DIR", PODSPEC_STORAGE_DIR);
    return env;
}

static void append_all(json_t *list, const json_t *more)
{
    if (json_is_array(more)) {
        json_t *copy = json_clone(more);

        json_array_extend(list, copy);
        json_decref(copy);
    }
}

/* ---- resources ---- */

static json_t *child(json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);

    if (!json_is_object(value)) {
        value = json_object();
        json_object_set_new(object, key, value);
    }
    return value;
}

static void set_default(json_t *resources, const char *part, const char *resource, const char *value)
{
    bool is_said = json_object_get(json_object_get(resources, "limits"), resource) ||
                   json_object_get(json_object_get(resources, "requests"), resource);

    if (!is_said)
        json_object_set_new(child(resources, part), resource, json_string(value));
}

/* Who says either of request and limit has spoken for both; else a default could contradict him. */
static json_t *resources(const json_t *function, const json_t *settings)
{
    json_t *out = json_at(function, "resources") ? json_clone(json_at(function, "resources")) : json_object();
    const char *const parts[] = {"limits", "requests"};
    json_t *defaults;

    for (size_t i = 0; i < 2; i++)
        if (json_object_size(json_at(json_at(settings, "resources"), parts[i])))
            copy_key(out, json_at(settings, "resources"), parts[i]);
    copy_key(out, json_at(settings, "resources"), "claims");
    defaults = json_clone(out);
    set_default(defaults, "requests", "cpu", "50m");
    set_default(defaults, "requests", "memory", "128Mi");
    if (!json_at(out, "limits.memory") && !json_at(out, "requests.memory"))
        json_object_set_new(child(defaults, "limits"), "memory", json_string("1Gi"));
    json_decref(out);
    return defaults;
}

/* ---- security ---- */

static int rootly_row(const struct resolved_step *s)
{
    for (size_t i = 0; s->is_own && i < sizeof(rootly) / sizeof(rootly[0]); i++)
        if (strcmp(rootly[i].command, json_text(s->spec, "args.0")) == 0)
            return (int)i;
    return -1;
}

static json_t *drop_all(void)
{
    return json_pack("{s:[s]}", "drop", "ALL");
}

static json_t *default_security(const struct resolved_step *s)
{
    int row = rootly_row(s);
    json_t *out = json_object(), *add;

    if (row < 0)
        return out;
    add = json_array();
    for (size_t i = 0; i < 3 && rootly[row].capability[i]; i++)
        json_array_append_new(add, json_string(rootly[row].capability[i]));
    json_object_set_new(out, "runAsUser", json_integer(0));
    json_object_set_new(out, "capabilities", json_pack("{s:[s], s:o}", "drop", "ALL", "add", add));
    return out;
}

static void set_missing(json_t *object, const char *key, json_t *value_take)
{
    if (json_object_get(object, key))
        json_decref(value_take);
    else
        json_object_set_new(object, key, value_take);
}

/* A context that was given replaces ours as a whole; only what the floor needs is filled in. */
static json_t *security(const struct resolved_step *s, const json_t *settings)
{
    const json_t *given = json_at(settings, "securityContext");
    json_t *out;

    if (!json_is_object(given))
        given = json_at(s->spec, "runtimeSettings.securityContext");
    out = json_is_object(given) ? json_clone(given) : default_security(s);
    set_missing(out, "allowPrivilegeEscalation", json_false());
    if (s->is_own || !json_is_object(given)) {
        set_missing(out, "capabilities", drop_all());
        set_missing(out, "readOnlyRootFilesystem", json_true());
    }
    if (json_is_integer(json_at(out, "runAsUser")) && json_int(out, "runAsUser", 1) == 0)
        set_missing(out, "runAsNonRoot", json_false()); /* else the kubelet refuses what was asked for */
    return out;
}

/* ---- mounts ---- */

static void mount(json_t *mounts, const char *volume, const char *path, bool read_only)
{
    json_t *m = json_pack("{s:s, s:s}", "name", volume, "mountPath", path);

    if (read_only)
        json_object_set_new(m, "readOnly", json_true());
    json_array_append_new(mounts, m);
}

static void mount_app(json_t *mounts, const struct job_input *in, struct arena *a)
{
    const json_t *it;
    size_t i, n = 0;

    if (!in->app || !str_same(json_text(in->app, "metadata.namespace"), json_text(in->invoker, "metadata.namespace")))
        return;
    if (*json_text(in->app, "spec.secret.name"))
        mount(mounts, "stash-app-secret", PODSPEC_APP_DIR, true);
    if (*json_text(in->app, "spec.tlsSecret.name"))
        mount(mounts, "stash-app-tls", PODSPEC_APP_TLS_DIR, true);
    json_array_foreach (json_at(in->app, "spec.secretTransforms"), i, it) {
        if (*json_text(it, "addKeysFrom.secretRef.name"))
            mount(mounts, arena_printf(a, "stash-app-extra-%zu", n), arena_printf(a, PODSPEC_APP_EXTRA_DIR, n), true);
        n += json_at(it, "addKeysFrom") != NULL;
    }
}

/* The Function's own mounts, without one at the temporary folder. */
static json_t *function_mounts(const struct resolved_step *s)
{
    json_t *mounts = json_array(), *it;
    int row = rootly_row(s);
    size_t i;

    json_array_foreach (json_at(s->spec, "volumeMounts"), i, it) {
        if (strcmp(json_text(it, "mountPath"), PODSPEC_TMP_DIR) == 0)
            continue;
        it = json_clone(it);
        if (row >= 0 && rootly[row].read_only)
            json_object_set_new(it, "readOnly", json_true());
        json_array_append_new(mounts, it);
    }
    return mounts;
}

static void mount_local(json_t *mounts, const struct job_input *in)
{
    const json_t *local = json_at(in->repository, "spec.backend.local");

    if (!json_is_object(local))
        return;
    mount(mounts, "stash-local", json_text(local, "mountPath"), false);
    if (*json_text(local, "subPath"))
        json_object_set_new(json_array_get(mounts, json_array_size(mounts) - 1), "subPath",
                            json_string(json_text(local, "subPath")));
}

static json_t *volume_mounts(const struct job_input *in, const struct resolved_step *s,
                             const struct podspec_options *o, struct arena *a)
{
    json_t *mounts = function_mounts(s);

    mount(mounts, "stash-tmp-dir", PODSPEC_TMP_DIR, false);
    if (o->interim_claim)
        mount(mounts, "stash-interim-volume", PODSPEC_INTERIM_DIR, false);
    if (o->n_claims)
        append_all(mounts, json_at(in->unit, "target.volumeMounts"));
    mount_local(mounts, in);
    if (has_storage_mount(in))
        mount(mounts, "stash-storage-secret", PODSPEC_STORAGE_DIR, true);
    if (!s->publishes)
        mount_app(mounts, in, a);
    mount(mounts, "stash-credentials", PODSPEC_CREDENTIALS_DIR, false);
    mount(mounts, "stash-token", PODSPEC_TOKEN_DIR, true);
    return mounts;
}

json_t *podspec_container(const struct job_input *in, const struct resolved *r, size_t i,
                          const struct podspec_options *o, struct arena *a)
{
    static const char *const plain[] = {"image", "command", "args", "workingDir", "ports", "volumeDevices"};
    static const char *const last_only[] = {"livenessProbe", "readinessProbe", "lifecycle"};
    const struct resolved_step *s = &r->steps[i];
    const json_t *function = json_at(s->spec, "runtimeSettings");
    const json_t *settings = json_at(in->unit, "runtimeSettings.container");
    const char *policy = in->settings->pull_policy;
    json_t *c = json_object(), *from = json_array();

    json_object_set_new(c, "name", json_string(s->name));
    for (size_t k = 0; k < sizeof(plain) / sizeof(plain[0]); k++)
        copy_key(c, s->spec, plain[k]);
    json_object_set_new(c, "imagePullPolicy", json_string(policy && *policy ? policy : "IfNotPresent"));
    append_all(from, json_at(function, "envFrom"));
    append_all(from, json_at(settings, "envFrom"));
    if (json_array_size(from))
        json_object_set(c, "envFrom", from);
    json_decref(from);
    json_object_set_new(c, "env", environment(in, function, settings, o, a));
    json_object_set_new(c, "resources", resources(function, settings));
    for (size_t k = 0; i + 1 == r->n_steps && k < sizeof(last_only) / sizeof(last_only[0]); k++) {
        copy_key(c, function, last_only[k]); /* Kubernetes refuses them on init containers */
        copy_key(c, settings, last_only[k]);
    }
    json_object_set_new(c, "securityContext", security(s, settings));
    json_object_set_new(c, "volumeMounts", volume_mounts(in, s, o, a));
    json_object_set_new(c, "terminationMessagePolicy", json_string("FallbackToLogsOnError"));
    return c;
}
