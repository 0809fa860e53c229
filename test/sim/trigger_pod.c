/* trigger_pod: see trigger_pod.h. */
#include "trigger_pod.h"

#include <string.h>

#include "controllers/sessionspec.h"
#include "controllers/schedule.h"
#include "core/base/json.h"
#include "core/base/mem.h"

static const char user[] = "system:stash-trigger";

static const char *flag(const json_t *pod, const char *name)
{
    const json_t *arg;
    size_t i;

    json_array_foreach (json_at(pod, "spec.containers.0.args"), i, arg)
        if (str_starts(json_str(arg), str_of(name)))
            return json_string_value(arg) + strlen(name);
    return "";
}

static json_t *get(struct model *m, const char *path)
{
    json_t *o = NULL;

    if (model_do(m, user, "GET", path, NULL, &o) == 200)
        return o;
    json_decref(o);
    return NULL;
}

static bool is_same(struct model *m, const char *sessions, const char *name, const json_t *invoker)
{
    AUTO_FREE char *path = mem_printf("%s/%s", sessions, name);
    json_t *have = get(m, path);
    bool same = str_same(json_text(have, "metadata.ownerReferences.0.uid"), json_text(invoker, "metadata.uid"));

    json_decref(have);
    return same;
}

bool trigger_pod_run(struct model *m, const json_t *pod)
{
    const char *ns = json_text(pod, "metadata.namespace");
    AUTO_FREE char *job_path = mem_printf("/apis/batch/v1/namespaces/%s/jobs/%s", ns,
                                          json_meta(pod, "labels", "batch.kubernetes.io/job-name"));
    AUTO_FREE char *path = mem_printf("/apis/stash.appscode.com/v1beta1/namespaces/%s/backupconfigurations/%s", ns,
                                      flag(pod, "--invoker-name="));
    AUTO_FREE char *sessions = mem_printf("/apis/stash.appscode.com/v1beta1/namespaces/%s/backupsessions", ns);
    json_t *invoker = get(m, path), *job = get(m, job_path), *session;
    bool good = false;
    const char *name;
    struct arena a;
    int64_t due_s;
    int status;

    arena_init(&a);
    if (invoker && job && str_parse_time(str_of(json_meta(job, "annotations", SCHEDULED_ANNOTATION)), &due_s) == 0) {
        name = sessionspec_name(&a, json_text(invoker, "metadata.name"), due_s);
        session = sessionspec_make(&a, invoker, name, -1);
        status = model_do(m, user, "POST", sessions, session, NULL);
        good = status == 201 || (status == 409 && is_same(m, sessions, name, invoker));
        json_decref(session);
    }
    arena_done(&a);
    json_decref(invoker);
    json_decref(job);
    return good;
}
