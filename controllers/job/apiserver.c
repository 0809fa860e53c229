/* apiserver: see apiserver.h: calls that wait. How to connect is in apiserver_open.c. */
#include "controllers/job/apiserver_open.h"

#include <stdio.h>

#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/base/mem.h"

enum {
    FIRST_PAUSE_MS = 500,
    PAUSE_MAX_MS = 15000,
    PATIENCE_MS = 120000,
    LONG_PATIENCE_MS = 24 * 3600 * 1000,
    TOKEN_MS = 600000, /* the kubelet looks at a pod's token every minute or two */
    CONFLICTS_MAX = 50,
};

static const char *const no_fields[] = {NULL};
const struct kind apiserver_secret_kind = {
    .id = N_KINDS, .group = "", .version = "v1", .name = "Secret", .plural = "secrets", .namespaced = true,
    .fields = no_fields};

/* ---- one call, waited for ---- */

struct ask {
    struct kube_call call;
    struct job_op op;
    json_t *object;
    struct error error;
    int rc, status;
    bool done;
};

static void on_answer(struct kube_call *c, int rc, const json_t *object, const struct error *e)
{
    struct ask *a = c->data;

    a->rc = rc;
    a->status = c->status;
    a->object = json_incref((json_t *)(uintptr_t)object);
    if (e)
        a->error = *e;
    a->done = true;
}

static void cancel_ask(struct job_op *op)
{
    kube_cancel(&LIST_ENTRY(op, struct ask, op)->call);
}

static int ask_once(struct apiserver *s, const struct kube_call *c, json_t **ret, int *ret_status, struct error *e)
{
    struct ask a = {.call = *c, .op.cancel = cancel_ask};

    a.call.on_done = on_answer;
    a.call.data = &a;
    kube_start(&s->kube, &a.call);
    job_op_add(s->job, &a.op);
    job_wait(s->job, &a.done);
    job_op_del(&a.op);
    if (a.rc < 0)
        *e = a.error;
    *ret = a.object;
    *ret_status = a.status;
    return a.rc;
}

/* How long it is worth trying. */
struct trying {
    uint64_t end_ns, token_end_ns; /* 0: the token was not refused yet */
};

static bool worth_another(const struct apiserver *s, struct trying *t, int rc, int status)
{
    uint64_t now_ns = env_now_ns(s->job->env);

    if (!s->is_patient || status != 401)
        return (rc == ERR_THROTTLED || rc == ERR_NET || rc == ERR_TIMEOUT) && now_ns < t->end_ns;
    if (!t->token_end_ns)
        t->token_end_ns = now_ns + (uint64_t)TOKEN_MS * 1000000;
    return now_ns < t->token_end_ns;
}

void apiserver_be_patient(struct apiserver *s, bool is_patient)
{
    s->is_patient = is_patient;
}

int apiserver_call(struct apiserver *s, const struct kube_call *c, json_t **ret, struct error *e)
{
    uint64_t patience_ms = s->is_patient ? LONG_PATIENCE_MS : PATIENCE_MS;
    struct trying t = {.end_ns = env_now_ns(s->job->env) + patience_ms * 1000000};
    uint32_t pause = FIRST_PAUSE_MS;
    struct error own;
    json_t *object;
    int rc, status;

    e = e ? e : &own;
    for (;;) {
        if ((rc = job_check(s->job, e)) < 0)
            return rc;
        rc = ask_once(s, c, &object, &status, e);
        if (!worth_another(s, &t, rc, status))
            break;
        log_warn(&s->job->log, "the API server did not answer", F_STR("object", c->name), F_ERR(e));
        if ((rc = job_sleep(s->job, e->retry_after_ms > pause ? e->retry_after_ms : pause, e)) < 0)
            return rc;
        pause = pause * 2 < PAUSE_MAX_MS ? pause * 2 : PAUSE_MAX_MS;
    }
    if (rc == 0 && ret)
        *ret = object;
    else
        json_decref(object);
    return rc;
}

int apiserver_get(struct apiserver *s, const struct kind *k, const char *ns, const char *name, json_t **ret,
                  struct error *e)
{
    struct kube_call c = {.verb = KUBE_GET, .kind = k, .ns = ns, .name = name};
    int rc = apiserver_call(s, &c, ret, e);

    if (rc == 0 && ret && !*ret)
        return error_set(e, ERR_NET, "the API server's answer for %s %s is empty", k->name, name);
    return rc < 0 ? error_wrap(e, rc, "get %s %s/%s", k->name, ns, name) : 0;
}

/* ---- read, change, write ---- */

static int send_patch(struct apiserver *s, struct kube_call *c, const json_t *object, json_t *patch, json_t **ret,
                      struct error *e)
{
    json_t *meta = json_object_get(patch, "metadata");

    if (!meta)
        json_object_set_new(patch, "metadata", meta = json_object());
    json_object_set(meta, "resourceVersion", json_at(object, "metadata.resourceVersion"));
    c->verb = KUBE_PATCH;
    c->body = patch;
    return apiserver_call(s, c, ret, e);
}

int apiserver_patch(struct apiserver *s, const struct kind *k, const char *ns, const char *name,
                    const char *subresource, apiserver_change *change, void *ctx, json_t **ret, struct error *e)
{
    int rc;

    for (int try = 0;; try++) {
        struct kube_call c = {.kind = k, .ns = ns, .name = name, .subresource = subresource};
        json_t *object = NULL, *patch, *after = NULL;

        e->code = 0;
        if ((rc = apiserver_get(s, k, ns, name, &object, e)) < 0)
            return rc;
        patch = change(ctx, object, e);
        rc = patch ? send_patch(s, &c, object, patch, &after, e) : (int)e->code;
        if (rc == 0 && ret)
            *ret = json_incref(after ? after : object);
        json_decref(object);
        json_decref(patch);
        json_decref(after);
        if (rc != ERR_CONFLICT || try == CONFLICTS_MAX)
            break;
        if ((rc = job_sleep(s->job, 20 + (uint32_t)(env_random(s->job->env) % 200), e)) < 0)
            return rc;
    }
    return rc < 0 ? error_wrap(e, rc, "%s %s/%s", k->name, ns, name) : 0;
}

/* ---- events ---- */

void apiserver_event(struct apiserver *s, const json_t *about, const char *component, const char *type,
                     const char *reason, const char *message)
{
    int64_t now_ms = env_wall_ms(s->job->env);
    const char *ns = json_text(about, "metadata.namespace"), *object = json_text(about, "metadata.name");
    AUTO_FREE char *name = mem_printf("%s.%llx", object,
                                      (unsigned long long)now_ms * 1000000 + env_random(s->job->env) % 1000000);
    char text[LIMIT_MESSAGE + 1], now[32];
    size_t n = strlen(message) < LIMIT_MESSAGE ? strlen(message) : LIMIT_MESSAGE;
    struct kube_call c = {.verb = KUBE_CREATE, .kind = kind_get(KIND_EVENT), .ns = ns};
    json_t *event, *text_json;
    struct error e;

    memcpy(text, message, n);
    text[n] = 0;
    text_json = json_string(text);
    if (!text_json) /* cut inside a character, or no UTF-8 at all */
        text_json = json_string(reason);
    (void)str_format_time(now_ms / 1000, now);
    event = json_pack("{s:{s:s, s:s}, s:{s:s, s:s, s:s, s:s, s:s}, s:{s:s}, s:s, s:s, s:s, s:o, s:s, s:s, s:i}",
                      "metadata", "name", name, "namespace", ns, "involvedObject", "apiVersion",
                      json_text(about, "apiVersion"), "kind", json_text(about, "kind"), "namespace", ns, "name",
                      object, "uid", json_text(about, "metadata.uid"), "source", "component", component,
                      "reportingComponent", component, "type", type, "reason", reason, "message", text_json,
                      "firstTimestamp", now, "lastTimestamp", now, "count", 1);
    c.body = event;
    if (apiserver_call(s, &c, NULL, &e) < 0)
        log_warn(&s->job->log, "an event could not be written", F_STR("reason", reason), F_ERR(&e));
    json_decref(event);
}
