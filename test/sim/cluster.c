/* cluster: see cluster.h. */
#include "cluster.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "sim_env.h"
#include "yaml_text.h"

enum { PER_NAMESPACE = 10 };

/* A busy one, an hourly one with retries, one that is slow to come around, two of one second in one namespace. */
static const struct cluster_config six[] = {
    {"shop", "busy", "*/5 * * * *", false, false},  {"shop", "hourly", "0 * * * *", false, false},
    {"bank", "half", "*/30 * * * *", false, false}, {"bank", "daily", "30 2 * * *", false, false},
    {"blog", "every", "@every 45m", false, false},  {"blog", "odd", "7,21,22 */2 * * *", false, false},
};

#define STASH "/apis/stash.appscode.com/"

/* One of a hundred is busy; of the others most are weekly or monthly, all at night. */
void cluster_schedule(char *out, size_t size, uint64_t dice)
{
    unsigned minute = (unsigned)(dice >> 8) % 60, hour = (unsigned)(dice >> 16) % 6, day = (unsigned)(dice >> 24) % 28;
    unsigned kind = (unsigned)(dice >> 32) % 100;

    if (kind < 1)
        (void)snprintf(out, size, "%u/20 %u-%u * * *", minute % 20, hour, hour + 1);
    else if (kind < 6)
        (void)snprintf(out, size, "%u %u * * *", minute, hour);
    else if (kind < 12)
        (void)snprintf(out, size, "@every %uh%um", 40 + hour, minute);
    else if (kind < 60)
        (void)snprintf(out, size, "%u %u * * %u", minute, hour, day % 7);
    else if (kind < 95)
        (void)snprintf(out, size, "%u %u %u * *", minute, hour, day + 1);
    else
        (void)snprintf(out, size, "%u %u %u * MON", minute, hour, day + 1); /* either */
}

void cluster_schedule_hasty(char *out, size_t size, uint64_t dice)
{
    (void)snprintf(out, size, "*/%u * * * *", 1 + (unsigned)(dice >> 8) % 3);
}

void cluster_init(struct cluster *c, size_t n, uint64_t seed)
{
    c->n = n ? n : sizeof(six) / sizeof(six[0]);
    c->configs = mem_zalloc(c->n * sizeof(*c->configs));
    for (size_t i = 0; i < c->n; i++) {
        struct cluster_config *config = &c->configs[i];

        if (!n) {
            *config = six[i];
            continue;
        }
        (void)snprintf(config->ns, sizeof(config->ns), "team-%zu", i / PER_NAMESPACE);
        (void)snprintf(config->name, sizeof(config->name), "db-%zu", i);
        cluster_schedule(config->schedule, sizeof(config->schedule), sim_random(&seed));
    }
}

void cluster_done(struct cluster *c)
{
    mem_free(c->configs);
}

/* quiet: what can't be now is fine. */
static int post_object(struct model *m, const char *path, const json_t *object, bool quiet)
{
    json_t *answer = NULL;
    int status = object ? model_do(m, "admin", "POST", path, object, &answer) : 0;

    if (status != 201 && !quiet)
        (void)fprintf(stderr, "sim: POST %s: %d %s\n", path, status, json_text(answer, "message"));
    json_decref(answer);
    return status;
}

static bool is_there(struct model *m, const char *path, const char *name)
{
    AUTO_FREE char *one = mem_printf("%s/%s", path, name);

    return model_do(m, "admin", "GET", one, NULL, NULL) == 200;
}

/* True: it is there now. */
static bool ensure(struct model *m, const char *path, const char *name, const char *yaml, bool quiet)
{
    json_t *object;
    int status;

    if (quiet && is_there(m, path, name))
        return true;
    object = yaml_text_read(yaml);
    status = post_object(m, path, object, quiet);
    json_decref(object);
    return status == 201;
}

static bool cluster_apply(struct model *m, const char *path, const char *yaml)
{
    return ensure(m, path, "", yaml, false);
}

static bool add_file(json_t *list, const char *file)
{
    FILE *f = fopen(file, "re");
    char *text = NULL;
    json_t *crd = NULL;
    size_t cap = 0;

    if (f && getdelim(&text, &cap, '\0', f) > 0)
        crd = yaml_text_read(text);
    if (!crd)
        (void)fprintf(stderr, "sim: cannot read %s\n", file);
    else
        json_array_append_new(list, crd);
    if (f)
        (void)fclose(f); /* read only */
    free(text);
    return crd != NULL;
}

json_t *cluster_read_crds(const char *chart)
{
    AUTO_FREE char *folder = mem_printf("%s/templates/crds", chart);
    struct dirent **names;
    int n = scandir(folder, &names, NULL, alphasort); /* in one order, so that runs repeat */
    json_t *list = json_array();
    bool good = n > 0;

    for (int i = 0; i < n; i++) {
        if (names[i]->d_name[0] != '.' && good) {
            AUTO_FREE char *file = mem_printf("%s/%s", folder, names[i]->d_name);

            good = add_file(list, file);
        }
        free(names[i]);
    }
    if (n >= 0)
        free(names);
    if (good)
        return list;
    json_decref(list);
    return NULL;
}

static bool apply_crds(struct model *m, const json_t *crds)
{
    const json_t *crd;
    size_t i;

    json_array_foreach (crds, i, crd)
        if (post_object(m, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd, false) != 201)
            return false;
    return true;
}

static bool apply_catalogue(struct model *m)
{
    return cluster_apply(
               m, STASH "v1beta1/functions",
               "{apiVersion: stash.appscode.com/v1beta1, kind: Function, metadata: {name: dump}, spec: {image: "
               "'worker:1', args: [backup-percona-xtradb, '--target=${TARGET_NAME}']}}") &&
           cluster_apply(m, STASH "v1beta1/functions",
                         "{apiVersion: stash.appscode.com/v1beta1, kind: Function, metadata: {name: update-status}, "
                         "spec: {image: 'stashd:1', args: [update-status, '--invoker-name=${INVOKER_NAME}']}}") &&
           cluster_apply(m, STASH "v1beta1/tasks",
                         "{apiVersion: stash.appscode.com/v1beta1, kind: Task, metadata: {name: pxc-backup}, spec: "
                         "{steps: [{name: dump}, {name: update-status}]}}");
}

static bool apply_namespace(struct model *m, const char *ns, bool quiet)
{
    AUTO_FREE char *namespace = mem_printf("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}", ns);
    AUTO_FREE char *repositories = mem_printf(STASH "v1alpha1/namespaces/%s/repositories", ns);

    return ensure(m, "/api/v1/namespaces", ns, namespace, quiet) &&
           ensure(m, repositories, "repo",
                  "{apiVersion: stash.appscode.com/v1alpha1, kind: Repository, metadata: {name: repo}, spec: {backend: "
                  "{s3: {endpoint: s3.example.org, bucket: b, prefix: /demo}, storageSecretName: storage}}}", quiet);
}

/* Each configuration has a database of its own: sessions of one target wait for each other. */
static bool apply_config(struct model *m, const struct cluster_config *c, bool retries, bool quiet)
{
    AUTO_FREE char *apps = mem_printf("/apis/appcatalog.appscode.com/v1alpha1/namespaces/%s/appbindings", c->ns);
    AUTO_FREE char *configs = mem_printf(STASH "v1beta1/namespaces/%s/backupconfigurations", c->ns);
    AUTO_FREE char *app =
        mem_printf("{apiVersion: appcatalog.appscode.com/v1alpha1, kind: AppBinding, metadata: {name: "
                   "%s}, spec: {type: kubedb.com/perconaxtradb, clientConfig: {service: {scheme: "
                   "mysql, name: %s, port: 3306}}, secret: {name: auth}}}",
                   c->name, c->name);
    AUTO_FREE char *config = mem_printf(
        "{apiVersion: stash.appscode.com/v1beta1, kind: BackupConfiguration, metadata: {name: %s}, spec: {schedule: "
        "'%s', task: {name: pxc-backup}, repository: {name: repo}, target: {ref: {apiVersion: "
        "appcatalog.appscode.com/v1alpha1, kind: AppBinding, name: %s}}, retentionPolicy: {name: keep, keepLast: 5, "
        "prune: true}, backupHistoryLimit: 3%s}}",
        c->name, c->schedule, c->name, retries ? ", retryConfig: {maxRetry: 2, delay: 1m}" : "");

    return ensure(m, apps, c->name, app, quiet) && ensure(m, configs, c->name, config, quiet);
}

static bool apply_all(const struct cluster *c, struct model *m, bool quiet)
{
    bool good = true;

    for (size_t i = 0; i < c->n; i++) {
        if (quiet && !c->configs[i].hurt)
            continue;
        if (i == 0 || strcmp(c->configs[i].ns, c->configs[i - 1].ns) != 0)
            good = apply_namespace(m, c->configs[i].ns, quiet) && good;
        good = apply_config(m, &c->configs[i], i % 3 == 1, quiet) && good;
    }
    return good;
}

bool cluster_fill(const struct cluster *c, struct model *m, const json_t *crds)
{
    return apply_crds(m, crds) && apply_catalogue(m) && apply_all(c, m, false);
}

bool cluster_restore(const struct cluster *c, struct model *m)
{
    return apply_all(c, m, true);
}

void cluster_hurt(struct cluster *c, const char *ns)
{
    for (size_t i = 0; i < c->n; i++)
        c->configs[i].hurt = c->configs[i].hurt || strcmp(c->configs[i].ns, ns) == 0;
}
