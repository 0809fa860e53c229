/* cluster: see cluster.h. */
#include "cluster.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "yaml_text.h"

/* A busy one, an hourly one with retries, one that is slow to come around, two of one second in one namespace. */
const struct cluster_config cluster_configs[] = {
    {"shop", "busy", "*/5 * * * *"},  {"shop", "hourly", "0 * * * *"},       {"bank", "half", "*/30 * * * *"},
    {"bank", "daily", "30 2 * * *"}, {"blog", "every", "@every 45m"},       {"blog", "odd", "7,21,22 */2 * * *"},
};
const size_t cluster_n_configs = sizeof(cluster_configs) / sizeof(cluster_configs[0]);

#define STASH "/apis/stash.appscode.com/"

bool cluster_apply(struct model *m, const char *path, const char *yaml)
{
    json_t *object = yaml_text_read(yaml), *answer = NULL;
    int status = object ? model_do(m, "admin", "POST", path, object, &answer) : 0;

    if (status != 201)
        (void)fprintf(stderr, "sim: POST %s: %d %s\n", path, status, json_text(answer, "message"));
    json_decref(object);
    json_decref(answer);
    return status == 201;
}

static bool apply_file(struct model *m, const char *path, const char *file)
{
    FILE *f = fopen(file, "re");
    char *text = NULL;
    size_t cap = 0;
    bool good;

    if (!f || getdelim(&text, &cap, '\0', f) <= 0) {
        (void)fprintf(stderr, "sim: cannot read %s\n", file);
        if (f)
            (void)fclose(f);
        return false;
    }
    (void)fclose(f); /* read only */
    good = cluster_apply(m, path, text);
    free(text);
    return good;
}

static bool apply_crds(struct model *m, const char *chart)
{
    AUTO_FREE char *folder = mem_printf("%s/templates/crds", chart);
    struct dirent **names;
    int n = scandir(folder, &names, NULL, alphasort); /* in one order, so that runs repeat */
    bool good = n > 0;

    for (int i = 0; i < n; i++) {
        if (names[i]->d_name[0] != '.' && good) {
            AUTO_FREE char *file = mem_printf("%s/%s", folder, names[i]->d_name);

            good = apply_file(m, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", file);
        }
        free(names[i]);
    }
    if (n >= 0)
        free(names);
    return good;
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

static bool apply_namespace(struct model *m, const char *ns)
{
    AUTO_FREE char *namespace = mem_printf("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}", ns);
    AUTO_FREE char *repositories = mem_printf(STASH "v1alpha1/namespaces/%s/repositories", ns);

    return cluster_apply(m, "/api/v1/namespaces", namespace) &&
           cluster_apply(m, repositories,
                         "{apiVersion: stash.appscode.com/v1alpha1, kind: Repository, metadata: {name: repo}, spec: "
                         "{backend: {s3: {endpoint: s3.example.org, bucket: b, prefix: /demo}, storageSecretName: "
                         "storage}}}");
}

/* Each configuration has a database of its own: sessions of one target wait for each other. */
static bool apply_config(struct model *m, const struct cluster_config *c)
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
        c->name, c->schedule, c->name, strcmp(c->name, "hourly") == 0 ? ", retryConfig: {maxRetry: 2, delay: 1m}" : "");

    return cluster_apply(m, apps, app) && cluster_apply(m, configs, config);
}

bool cluster_fill(struct model *m, const char *chart)
{
    if (!apply_crds(m, chart) || !apply_catalogue(m))
        return false;
    for (size_t i = 0; i < cluster_n_configs; i++) {
        if ((i == 0 || strcmp(cluster_configs[i].ns, cluster_configs[i - 1].ns) != 0) &&
            !apply_namespace(m, cluster_configs[i].ns))
            return false;
        if (!apply_config(m, &cluster_configs[i]))
            return false;
    }
    return true;
}
