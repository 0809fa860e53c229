/* devkube_podenv: a container's environment: plain values with $(NAME), fields of its pod, Secrets and ConfigMaps. */
#include <stdlib.h>
#include <string.h>

#include "core/base/base64.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/cmd/devkube_pod.h"

static void put_env(struct words *env, const char *name, const char *value)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < env->n; i++)
        if (strncmp(env->list[i], name, n) == 0 && env->list[i][n] == '=') {
            env->list[i] = arena_printf(env->a, "%s=%s", name, value);
            return;
        }
    words_add(env, arena_printf(env->a, "%s=%s", name, value));
}

static const char *get_env(const struct words *env, struct str name)
{
    for (size_t i = 0; i < env->n; i++)
        if (str_starts(str_of(env->list[i]), name) && env->list[i][name.n] == '=')
            return env->list[i] + name.n + 1;
    return NULL;
}

/* $(NAME) of what is known so far; $$(NAME) stays $(NAME); unknown names stay as they are. */
const char *podenv_expand(const struct words *env, const char *text)
{
    struct buf out;
    const char *result;

    buf_init(&out, 1 << 20);
    for (const char *p = text; *p; p++) {
        const char *end, *value;

        if (p[0] == '$' && p[1] == '$') {
            buf_putc(&out, *++p);
        } else if (p[0] == '$' && p[1] == '(' && (end = strchr(p, ')')) &&
                   (value = get_env(env, (struct str){p + 2, (size_t)(end - p - 2)}))) {
            buf_puts(&out, value);
            p = end;
        } else {
            buf_putc(&out, *p);
        }
    }
    result = arena_str(env->a, buf_str(&out));
    buf_done(&out);
    return result;
}

/* "metadata.labels['x']" */
static const char *field_value(const struct pod *p, const char *path, struct arena *a)
{
    const char *open = strchr(path, '\''), *close = open ? strrchr(path, '\'') : NULL;

    if (open && close > open) {
        const char *key = arena_str(a, (struct str){open + 1, (size_t)(close - open - 1)});
        const char *map = strncmp(path, "metadata.labels", 15) == 0 ? "labels" : "annotations";
        const char *text = json_string_value(json_object_get(json_object_get(p->meta, map), key));

        return text ? text : "";
    }
    if (strcmp(path, "status.podIP") == 0 || strcmp(path, "status.podIPs") == 0)
        return p->ip;
    if (strcmp(path, "status.hostIP") == 0)
        return "127.0.0.1";
    if (strncmp(path, "metadata.", 9) == 0)
        return json_text(p->meta, path + 9);
    if (strncmp(path, "spec.", 5) == 0)
        return json_text(p->spec, path + 5);
    return "";
}

static const char *resource_value(const struct container *c, const json_t *ref, struct arena *a)
{
    const char *resource = json_text(ref, "resource"), *dot = strchr(resource, '.');
    const json_t *map = json_at(c->spec, "resources");
    const char *text = "";
    int64_t milli, divisor = 1000;

    if (dot)
        text = json_text(json_object_get(map, strncmp(resource, "limits", 6) == 0 ? "limits" : "requests"), dot + 1);
    if (!text[0])
        text = strstr(resource, "memory") ? "4Gi" : "2"; /* without a limit: the node's own */
    if (str_parse_quantity_milli(str_of(text), &milli) < 0)
        return "";
    if (json_text(ref, "divisor")[0] && str_parse_quantity_milli(str_of(json_text(ref, "divisor")), &divisor) < 0)
        return "";
    return arena_printf(a, "%lld", (long long)((milli + divisor - 1) / (divisor > 0 ? divisor : 1000)));
}

/* A key of a Secret or ConfigMap, decoded; NULL when absent. */
static const char *key_value(const struct pod *p, const char *plural, const char *name, const char *key,
                             struct arena *a)
{
    AUTO_FREE char *path = mem_printf("/api/v1/namespaces/%s/%s/%s", p->ns, plural, name);
    json_t *object = NULL;
    const json_t *value;
    const char *text = NULL;

    if (model_do(p->k->o.model, "system:node", "GET", path, NULL, &object) == 200) {
        value = json_object_get(json_object_get(object, "data"), key);
        if (json_is_string(value) && strcmp(plural, "secrets") == 0) {
            struct buf raw;

            buf_init(&raw, 1 << 20);
            if (base64_decode(&raw, json_str(value)))
                text = arena_str(a, buf_str(&raw));
            buf_done(&raw);
        } else if (json_is_string(value)) {
            text = arena_strdup(a, json_string_value(value));
        }
    }
    json_decref(object);
    return text;
}

static int env_from_ref(struct words *env, const struct container *c, const char *name, const json_t *from,
                        struct error *e)
{
    const struct pod *p = c->pod;
    const json_t *ref;
    const char *value = NULL, *kind = "Secret";

    if ((ref = json_object_get(from, "fieldRef")))
        value = field_value(p, json_text(ref, "fieldPath"), env->a);
    else if ((ref = json_object_get(from, "resourceFieldRef")))
        value = resource_value(c, ref, env->a);
    else if ((ref = json_object_get(from, "secretKeyRef")))
        value = key_value(p, "secrets", json_text(ref, "name"), json_text(ref, "key"), env->a);
    else if ((ref = json_object_get(from, "configMapKeyRef"))) {
        kind = "ConfigMap";
        value = key_value(p, "configmaps", json_text(ref, "name"), json_text(ref, "key"), env->a);
    }
    if (value)
        put_env(env, name, value);
    else if (!json_flag(ref, "optional", false))
        return error_set(e, ERR_NOTFOUND, "couldn't find key %s in %s %s/%s", json_text(ref, "key"), kind, p->ns,
                         json_text(ref, "name"));
    return 0;
}

static int env_from_all(struct words *env, const struct container *c, const json_t *from, struct error *e)
{
    const json_t *secret = json_object_get(from, "secretRef"),
                 *ref = secret ? secret : json_object_get(from, "configMapRef");
    const char *plural = secret ? "secrets" : "configmaps", *prefix = json_text(from, "prefix"), *key;
    AUTO_FREE char *path = mem_printf("/api/v1/namespaces/%s/%s/%s", c->pod->ns, plural, json_text(ref, "name"));
    json_t *object = NULL, *value;
    int rc = 0;

    if (model_do(c->pod->k->o.model, "system:node", "GET", path, NULL, &object) == 200) {
        json_object_foreach (json_object_get(object, "data"), key, value)
            put_env(env, arena_printf(env->a, "%s%s", prefix, key),
                    key_value(c->pod, plural, json_text(ref, "name"), key, env->a));
    } else if (!json_flag(ref, "optional", false)) {
        rc = error_set(e, ERR_NOTFOUND, "%s \"%s\" not found", secret ? "secret" : "configmap", json_text(ref, "name"));
    }
    json_decref(object);
    return rc;
}

int podenv_build(struct words *env, const struct container *c, struct error *e)
{
    const struct kubelet *k = c->pod->k;
    const json_t *item;
    size_t i;
    int rc = 0;

    put_env(env, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/image");
    put_env(env, "HOME", "/");
    put_env(env, "HOSTNAME", *json_text(c->pod->spec, "hostname") ? json_text(c->pod->spec, "hostname") : c->pod->name);
    put_env(env, "KUBERNETES_SERVICE_HOST", k->o.api_host);
    put_env(env, "KUBERNETES_SERVICE_PORT", arena_printf(env->a, "%u", k->o.api_port));
    json_array_foreach (json_object_get(c->spec, "envFrom"), i, item)
        if ((rc = env_from_all(env, c, item, e)) < 0)
            return rc;
    json_array_foreach (json_object_get(c->spec, "env"), i, item) {
        const json_t *from = json_object_get(item, "valueFrom");

        if (from)
            rc = env_from_ref(env, c, json_text(item, "name"), from, e);
        else
            put_env(env, json_text(item, "name"), podenv_expand(env, json_text(item, "value")));
        if (rc < 0)
            return rc;
    }
    return 0;
}
