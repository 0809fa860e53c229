/*
 * devkube_volume: a pod's volumes as folders on this machine, as the kubelet makes them: emptyDir, secret, configMap,
 * projected (account token, configMap, secret, downward API), claims, hostPath; and claims bound to folders.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/base64.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/cmd/devkube_pod.h"
#include "core/loop/env_uv.h"

enum { TOKEN_S = 3600, FILE_MAX = 4 << 20 };

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

bool remove_tree(const char *path)
{
    return nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT;
}

bool make_folder(const char *path, mode_t mode)
{
    AUTO_FREE char *copy = mem_strdup(path);

    for (char *p = copy + 1; *p; p++)
        if (*p == '/') {
            *p = 0;
            if (mkdir(copy, 0711) < 0 && errno != EEXIST)
                return false;
            *p = '/';
        }
    if (mkdir(copy, mode) < 0)
        return errno == EEXIST;
    return chmod(copy, mode) == 0; /* umask does not count here */
}

static int64_t fs_group(const struct pod *p)
{
    return json_int(p->spec, "securityContext.fsGroup", -1);
}

static gid_t walk_gid; /* nftw hands its function no context */

static int give_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)ftw;
    if (flag == FTW_SL || lchown(path, (uid_t)-1, walk_gid) < 0)
        return 0; /* links and what vanished meanwhile stay as they are */
    (void)chmod(path, (st->st_mode & 07777) | (S_ISDIR(st->st_mode) ? 02770 : 0660));
    return 0;
}

/* What the kubelet does with fsGroup: all of the volume belongs to that group, which may read and write it, and new
 * files get it too. */
static void give_to_group(const struct pod *p, const char *path)
{
    int64_t gid = fs_group(p);

    if (gid < 0)
        return;
    walk_gid = (gid_t)gid;
    (void)nftw(path, give_entry, 16, FTW_PHYS);
}

static const json_t *find_volume(const struct pod *p, const char *name)
{
    const json_t *v;
    size_t i;

    json_array_foreach (json_object_get(p->spec, "volumes"), i, v)
        if (strcmp(json_text(v, "name"), name) == 0)
            return v;
    return NULL;
}

static json_t *get_object(const struct pod *p, const char *plural, const char *name)
{
    AUTO_FREE char *path = mem_printf("/api/v1/namespaces/%s/%s/%s", p->ns, plural, name);
    json_t *object = NULL;

    if (model_do(p->k->o.model, "system:node", "GET", path, NULL, &object) == 200)
        return object;
    json_decref(object);
    return NULL;
}

static char *claim_folder(const struct kubelet *k, const json_t *claim)
{
    return mem_printf("%s/volumes/%s_%s_%.8s", k->o.state, json_text(claim, "metadata.namespace"),
                      json_text(claim, "metadata.name"), json_text(claim, "metadata.uid"));
}

/* name "": the account's token folder. */
const char *volume_path(const struct pod *p, const char *volume, struct arena *a)
{
    const json_t *v = find_volume(p, volume);
    const char *path;

    if (!volume[0])
        return arena_printf(a, "%s/account", p->dir);
    if (!v)
        return NULL;
    if (json_object_get(v, "hostPath"))
        return arena_strdup(a, json_text(v, "hostPath.path"));
    if (json_object_get(v, "persistentVolumeClaim")) {
        json_t *claim = get_object(p, "persistentvolumeclaims", json_text(v, "persistentVolumeClaim.claimName"));
        AUTO_FREE char *folder = claim ? claim_folder(p->k, claim) : NULL;

        path = folder ? arena_strdup(a, folder) : NULL;
        json_decref(claim);
        return path;
    }
    if (strcmp(json_text(v, "emptyDir.medium"), "Memory") == 0)
        return arena_printf(a, "%s/%s/%s", p->k->shm, p->uid, volume);
    return arena_printf(a, "%s/volumes/%s", p->dir, volume);
}

/* ---- files of secrets, config maps and projections ---- */

static int write_one(const struct pod *p, const char *folder, const char *name, struct str bytes, int64_t mode,
                     struct error *e)
{
    AUTO_FREE char *path = mem_printf("%s/%s", folder, name);
    int64_t gid = fs_group(p);
    char *slash = strrchr(path, '/');
    int rc;

    if (strstr(name, ".."))
        return error_set(e, ERR_INVALID, "file name \"%s\" in a volume must not contain '..'", name);
    *slash = 0;
    if (!make_folder(path, 0755))
        return error_set(e, ERR_DENIED, "folder %s: %s", path, strerror(errno));
    *slash = '/';
    rc = env_uv_write_file(path, bytes, (mode_t)(gid >= 0 ? mode | 0040 : mode), false, e);
    if (rc == 0 && gid >= 0 && chown(path, (uid_t)-1, (gid_t)gid) < 0)
        rc = error_set(e, ERR_DENIED, "%s: %s", path, strerror(errno));
    return rc;
}

static int write_key(const struct pod *p, const char *folder, const char *name, const json_t *value, bool secret,
                     int64_t mode, struct error *e)
{
    struct buf raw;
    int rc;

    if (!secret)
        return write_one(p, folder, name, json_str(value), mode, e);
    buf_init(&raw, FILE_MAX);
    if (!base64_decode(&raw, json_str(value)))
        rc = error_set(e, ERR_INVALID, "secret key \"%s\" is not base64", name);
    else
        rc = write_one(p, folder, name, buf_str(&raw), mode, e);
    if (raw.len)
        mem_wipe(raw.data, raw.len);
    buf_done(&raw);
    return rc;
}

/* source: a SecretVolumeSource, ConfigMapVolumeSource or the same inside a projection. */
static int write_keys(const struct pod *p, const char *folder, const json_t *source, bool secret, int64_t mode,
                      struct error *e)
{
    const char *name = json_text(source, secret && json_object_get(source, "secretName") ? "secretName" : "name"), *key;
    json_t *object = get_object(p, secret ? "secrets" : "configmaps", name), *data = json_object_get(object, "data"),
           *value;
    const json_t *items = json_object_get(source, "items"), *item;
    bool optional = json_flag(source, "optional", false);
    size_t i;
    int rc = 0;

    mode = json_int(source, "defaultMode", mode);
    if (!object)
        return optional ? 0 : error_set(e, ERR_NOTFOUND, "%s \"%s\" not found", secret ? "secret" : "configmap", name);
    if (json_array_size(items)) {
        json_array_foreach (items, i, item) {
            value = json_object_get(data, json_text(item, "key"));
            if (!value && !optional)
                rc = error_set(e, ERR_NOTFOUND, "%s \"%s\" has no key \"%s\"", secret ? "secret" : "configmap", name,
                               json_text(item, "key"));
            else if (value)
                rc = write_key(p, folder, json_text(item, "path"), value, secret, json_int(item, "mode", mode), e);
            if (rc < 0)
                break;
        }
    } else {
        json_object_foreach (data, key, value)
            if ((rc = write_key(p, folder, key, value, secret, mode, e)) < 0)
                break;
    }
    json_decref(object);
    return rc;
}

static int write_token(const struct pod *p, const char *folder, const json_t *source, int64_t mode, struct error *e)
{
    const char *account = json_text(p->spec, "serviceAccountName"), *name = json_text(source, "path");
    char *token = model_account_token(p->k->o.model, p->ns, account[0] ? account : "default",
                                      json_int(source, "expirationSeconds", TOKEN_S));
    int rc;

    if (!token)
        return error_set(e, ERR_NOTFOUND, "serviceaccount \"%s\" not found", account[0] ? account : "default");
    rc = write_one(p, folder, name[0] ? name : "token", str_of(token), mode, e);
    mem_wipe(token, strlen(token));
    mem_free(token);
    return rc;
}

static int write_downward(const struct pod *p, const char *folder, const json_t *source, int64_t mode, struct error *e)
{
    const json_t *item;
    size_t i;
    int rc = 0;

    json_array_foreach (json_object_get(source, "items"), i, item) {
        const char *field = json_text(item, "fieldRef.fieldPath");
        const char *text =
            strncmp(field, "metadata.", 9) == 0 ? json_text(p->meta, field + 9) : json_text(p->spec, field);

        rc = write_one(p, folder, json_text(item, "path"), str_of(text), json_int(item, "mode", mode), e);
        if (rc < 0)
            break;
    }
    return rc;
}

static int write_projection(const struct pod *p, const char *folder, const json_t *projected, struct error *e)
{
    int64_t mode = json_int(projected, "defaultMode", 0644);
    const json_t *source, *part;
    size_t i;
    int rc = 0;

    json_array_foreach (json_object_get(projected, "sources"), i, source) {
        if ((part = json_object_get(source, "serviceAccountToken")))
            rc = write_token(p, folder, part, mode, e);
        else if ((part = json_object_get(source, "secret")))
            rc = write_keys(p, folder, part, true, mode, e);
        else if ((part = json_object_get(source, "configMap")))
            rc = write_keys(p, folder, part, false, mode, e);
        else if ((part = json_object_get(source, "downwardAPI")))
            rc = write_downward(p, folder, part, mode, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int prepare_claim(const struct pod *p, const json_t *v, struct error *e)
{
    const char *name = json_text(v, "persistentVolumeClaim.claimName");
    json_t *claim = get_object(p, "persistentvolumeclaims", name);
    AUTO_FREE char *folder = claim ? claim_folder(p->k, claim) : NULL;
    bool bound = strcmp(json_text(claim, "status.phase"), "Bound") == 0;

    json_decref(claim);
    if (!folder)
        return error_set(e, ERR_NOTFOUND, "persistentvolumeclaim \"%s\" not found", name);
    if (!bound)
        return error_set(e, ERR_NOTFOUND, "persistentvolumeclaim \"%s\" is not bound yet", name);
    give_to_group(p, folder);
    return 0;
}

static int prepare_host(const json_t *v, struct error *e)
{
    const char *path = json_text(v, "hostPath.path"), *type = json_text(v, "hostPath.type");
    struct stat st;

    if (strcmp(type, "DirectoryOrCreate") == 0 && !make_folder(path, 0755))
        return error_set(e, ERR_DENIED, "hostPath %s: %s", path, strerror(errno));
    if (stat(path, &st) < 0)
        return error_set(e, ERR_NOTFOUND, "hostPath %s: %s", path, strerror(errno));
    if (strcmp(type, "Directory") == 0 && !S_ISDIR(st.st_mode))
        return error_set(e, ERR_INVALID, "hostPath type check failed: %s is not a directory", path);
    return 0;
}

static int prepare_one(const struct pod *p, const json_t *v, struct error *e)
{
    struct arena a;
    const char *folder;
    const json_t *source;
    int rc = 0;

    if (json_object_get(v, "persistentVolumeClaim"))
        return prepare_claim(p, v, e);
    if (json_object_get(v, "hostPath"))
        return prepare_host(v, e);
    arena_init(&a);
    folder = volume_path(p, json_text(v, "name"), &a);
    if (!make_folder(folder, json_object_get(v, "emptyDir") ? 0777 : 0755))
        rc = error_set(e, ERR_DENIED, "folder %s: %s", folder, strerror(errno));
    else if ((source = json_object_get(v, "secret")))
        rc = write_keys(p, folder, source, true, 0644, e);
    else if ((source = json_object_get(v, "configMap")))
        rc = write_keys(p, folder, source, false, 0644, e);
    else if ((source = json_object_get(v, "projected")))
        rc = write_projection(p, folder, source, e);
    else if ((source = json_object_get(v, "downwardAPI")))
        rc = write_downward(p, folder, source, 0644, e);
    else if (json_object_get(v, "emptyDir"))
        give_to_group(p, folder);
    else
        rc = error_set(e, ERR_INVALID, "volume \"%s\": its kind is not one that devkube has", json_text(v, "name"));
    arena_done(&a);
    return rc;
}

/* Names of Services: no DNS here, so a pod gets them in /etc/hosts, each with the address of its first endpoint. */
static void put_services(const struct pod *p, struct buf *hosts)
{
    json_t *list = NULL, *endpoints;
    size_t i;

    if (model_do(p->k->o.model, "system:node", "GET", "/api/v1/endpoints", NULL, &list) == 200)
        json_array_foreach (json_object_get(list, "items"), i, endpoints) {
            const char *ip = json_text(endpoints, "subsets.0.addresses.0.ip"),
                       *name = json_text(endpoints, "metadata.name");
            const char *ns = json_text(endpoints, "metadata.namespace");

            if (ip[0])
                buf_printf(hosts, "%s %s.%s.svc %s.%s.svc.cluster.local %s.%s\n", ip, name, ns, name, ns, name, ns);
            if (ip[0] && strcmp(ns, p->ns) == 0)
                buf_printf(hosts, "%s %s\n", ip, name);
        }
    json_decref(list);
}

static int write_hosts(const struct pod *p, struct error *e)
{
    struct buf hosts;
    int rc;

    buf_init(&hosts, FILE_MAX);
    buf_printf(&hosts, "127.0.0.1 localhost\n::1 localhost\n%s %s\n", p->ip, p->name);
    buf_printf(&hosts, "%s kubernetes.default.svc kubernetes.default kubernetes\n", p->k->o.api_host);
    put_services(p, &hosts);
    rc = write_one(p, p->dir, "hosts", buf_str(&hosts), 0644, e);
    buf_done(&hosts);
    return rc;
}

/* The folder behind automountServiceAccountToken. */
static int write_account(const struct pod *p, struct error *e)
{
    AUTO_FREE char *folder = mem_printf("%s/account", p->dir);
    json_t *none = json_object();
    int rc = write_token(p, folder, none, 0644, e);

    json_decref(none);
    if (rc == 0)
        rc = write_one(p, folder, "ca.crt", p->k->o.ca_pem, 0644, e);
    if (rc == 0)
        rc = write_one(p, folder, "namespace", str_of(p->ns), 0644, e);
    return rc;
}

int volumes_prepare(struct pod *p, struct error *e)
{
    const json_t *v;
    size_t i;
    int rc;

    if (!make_folder(p->dir, 0711))
        return error_set(e, ERR_DENIED, "folder %s: %s", p->dir, strerror(errno));
    rc = write_hosts(p, e);
    if (rc == 0 && json_flag(p->spec, "automountServiceAccountToken", true))
        rc = write_account(p, e);
    json_array_foreach (json_object_get(p->spec, "volumes"), i, v) {
        if (rc < 0)
            return rc;
        rc = prepare_one(p, v, e);
        if (rc < 0)
            return error_wrap(e, rc, "MountVolume.SetUp failed for volume \"%s\"", json_text(v, "name"));
    }
    return rc;
}

/* Tokens are written anew each time they are looked at: each minute, of tokens that live for ten at least. */
void volumes_refresh_tokens(struct pod *p)
{
    const json_t *v;
    struct error e;
    size_t i;

    if (p->state != POD_INIT && p->state != POD_RUNNING)
        return;
    if (json_flag(p->spec, "automountServiceAccountToken", true))
        (void)!write_account(p, &e); /* tried again in a minute */
    json_array_foreach (json_object_get(p->spec, "volumes"), i, v)
        if (json_object_get(v, "projected"))
            (void)!prepare_one(p, v, &e);
}

void volumes_remove(struct pod *p)
{
    AUTO_FREE char *shm = mem_printf("%s/%s", p->k->shm, p->uid);

    if (!p->k->stopping) /* a stopped devkube takes its pods up again */
        (void)remove_tree(p->dir);
    (void)remove_tree(shm);
}

/* ---- claims ---- */

static void bind_claim(struct kubelet *k, const json_t *claim)
{
    const char *ns = json_text(claim, "metadata.namespace"), *name = json_text(claim, "metadata.name");
    AUTO_FREE char *path = mem_printf("/api/v1/namespaces/%s/persistentvolumeclaims/%s", ns, name);
    AUTO_FREE char *status_path = mem_printf("%s/status", path);
    AUTO_FREE char *volume = mem_printf("pvc-%s", json_text(claim, "metadata.uid"));
    json_t *spec = json_pack("{s:{s:s}}", "spec", "volumeName", volume), *status;
    json_t *modes = json_at(claim, "spec.accessModes"), *requests = json_at(claim, "spec.resources.requests");

    (void)model_do(k->o.model, "system:node", "PATCH", path, spec, NULL);
    status = json_pack("{s:{s:s, s:O*, s:O*}}", "status", "phase", "Bound", "accessModes", modes, "capacity", requests);
    (void)model_do(k->o.model, "system:node", "PATCH", status_path, status, NULL);
    json_decref(spec);
    json_decref(status);
}

void claim_sync(struct kubelet *k, const json_t *claim, bool deleted)
{
    AUTO_FREE char *folder = claim_folder(k, claim);

    if (deleted) {
        if (!remove_tree(folder))
            log_warn(k->o.log, "folder of a claim not removed", F_STR("folder", folder),
                     F_STR("error", strerror(errno)));
        return;
    }
    if (strcmp(json_text(claim, "status.phase"), "Bound") == 0 || json_at(claim, "metadata.deletionTimestamp"))
        return;
    if (make_folder(folder, 0777))
        bind_claim(k, claim);
    else
        log_error(k->o.log, "folder of a claim not made", F_STR("folder", folder), F_STR("error", strerror(errno)));
}
