/* kubelet: see kubelet.h. */
#include "kubelet.h"

#include <stdio.h>

#include "sim_env.h"
#include "trigger_pod.h"
#include "core/base/json.h"
#include "core/base/list.h"
#include "core/base/map.h"
#include "core/base/mem.h"

enum { TRIGGER_PERCENT = 8 }; /* of pods of CronJobs end badly, so many before and so many after their work */
enum { HANG_MS = 4 * 3600 * 1000, AGAIN_MS = 90 * 1000, WORK_MIN_MS = 3000, WORK_MS = 57000, LONG_MS = 300000,
       TRIGGER_MS = 5000 };
enum step { STARTING, WORKING, REPORTING };

struct pod {
    struct kubelet *kubelet;
    struct timer timer;
    enum step step;
    char *uid, *ns, *name, *session, *container;
    int64_t started_ms;
    bool fails, is_lost, is_long;
    enum fault odd;
    json_t *trigger; /* the pod of a CronJob: its object; NULL: another */
};

struct kubelet {
    struct env *env;
    struct model *model;
    uint64_t dice_state;
    struct kubelet_dice dice;
    struct fault_book *book;
    struct map pods; /* by UID */
};

struct kubelet *kubelet_new(struct env *env, struct model *m, uint64_t seed, const struct kubelet_dice *dice,
                            struct fault_book *book)
{
    struct kubelet *k = mem_zalloc(sizeof(*k));

    k->env = env;
    k->model = m;
    k->dice_state = seed;
    k->dice = *dice;
    k->book = book;
    map_init(&k->pods, seed);
    return k;
}

static void pod_free(struct pod *p)
{
    timer_clear(p->kubelet->env, &p->timer);
    map_del(&p->kubelet->pods, str_of(p->uid));
    mem_free(p->uid);
    mem_free(p->ns);
    mem_free(p->name);
    mem_free(p->session);
    mem_free(p->container);
    json_decref(p->trigger);
    mem_free(p);
}

void kubelet_free(struct kubelet *k)
{
    size_t it = 0;
    struct str uid;
    void *p;

    while (map_next(&k->pods, &it, &uid, &p))
        pod_free(p);
    map_done(&k->pods);
    mem_free(k);
}

unsigned kubelet_running(const struct kubelet *k)
{
    return (unsigned)map_size(&k->pods);
}

static unsigned throw(struct kubelet *k, unsigned sides)
{
    return (unsigned)(sim_random(&k->dice_state) % sides);
}

static void patch_pod(struct pod *p, json_t *status_take)
{
    AUTO_FREE char *path = mem_printf("/api/v1/namespaces/%s/pods/%s/status", p->ns, p->name);
    json_t *body = json_pack("{s:o}", "status", status_take);

    (void)model_do(p->kubelet->model, "system:node:sim", "PATCH", path, body, NULL); /* gone: its deletion is heard */
    json_decref(body);
}

static json_t *time_now(struct kubelet *k)
{
    char text[32];

    return json_string(str_format_time(env_wall_ms(k->env) / 1000, text));
}

static uint64_t work_ms(struct pod *p)
{
    if (p->trigger)
        return throw(p->kubelet, TRIGGER_MS);
    if (p->odd == FAULT_JOB_HANGS)
        return HANG_MS;
    return WORK_MIN_MS + throw(p->kubelet, p->is_long ? LONG_MS : WORK_MS);
}

static void start(struct pod *p)
{
    struct kubelet *k = p->kubelet;

    p->step = WORKING;
    p->started_ms = env_wall_ms(k->env);
    patch_pod(p, json_pack("{s:s, s:o, s:[{s:s, s:b, s:{s:{s:o}}}]}", "phase", "Running", "startTime", time_now(k),
                           "containerStatuses", "name", p->container, "ready", 1, "state", "running", "startedAt",
                           time_now(k)));
    timer_set_in(k->env, &p->timer, work_ms(p));
}

/* What update-status does: its host's entry into the target, everything else as it is. */
static json_t *with_result(const struct pod *p, const json_t *session)
{
    json_t *targets = json_clone(json_at(session, "status.targets"));
    json_t *first = json_array_get(targets, 0);
    json_t *host = json_pack("{s:s, s:s}", "hostname", "host-0", "phase", p->fails ? "Failed" : "Succeeded");

    if (p->fails)
        json_object_set_new(host, "error", json_string("the dice said so"));
    else
        json_object_set_new(host, "duration", json_string("3s"));
    json_object_set_new(first, "stats", json_pack("[o]", host));
    return json_pack("{s:{s:s}, s:{s:o}}", "metadata", "resourceVersion",
                     json_text(session, "metadata.resourceVersion"), "status", "targets", targets);
}

static void tell_session(struct pod *p)
{
    AUTO_FREE char *path = mem_printf("/apis/stash.appscode.com/v1beta1/namespaces/%s/backupsessions/%s", p->ns,
                                      p->session);
    AUTO_FREE char *status_path = mem_printf("%s/status", path);
    json_t *session = NULL, *body;

    if (model_do(p->kubelet->model, "system:node:sim", "GET", path, NULL, &session) == 200 &&
        json_at(session, "status.targets.0")) {
        body = with_result(p, session);
        (void)model_do(p->kubelet->model, "system:node:sim", "PATCH", status_path, body, NULL);
        json_decref(body);
    }
    json_decref(session);
}

static void vanish(struct pod *p)
{
    AUTO_FREE char *path = mem_printf("/api/v1/namespaces/%s/pods/%s?gracePeriodSeconds=0", p->ns, p->name);

    AUTO_FREE char *uid = mem_strdup(p->uid);
    struct kubelet *k = p->kubelet;

    (void)model_do(k->model, "admin", "DELETE", path, NULL, NULL);
    p = map_get(&k->pods, str_of(uid));
    if (p) /* on its way out, which is enough */
        pod_free(p);
}

static void finish(struct pod *p, bool bad)
{
    json_t *terminated = json_pack("{s:i, s:s, s:o}", "exitCode", bad ? 1 : 0, "reason", bad ? "Error" : "Completed",
                                   "finishedAt", time_now(p->kubelet));

    patch_pod(p, json_pack("{s:s, s:[{s:s, s:b, s:{s:o}}]}", "phase", bad ? "Failed" : "Succeeded",
                           "containerStatuses", "name", p->container, "ready", 0, "state", "terminated", terminated));
}

static void end(struct pod *p)
{
    bool worked = !p->trigger || p->is_lost || trigger_pod_run(p->kubelet->model, p->trigger);

    if (p->odd == FAULT_JOB_VANISHES) {
        vanish(p);
        return;
    }
    if (p->session && !p->is_lost && p->odd != FAULT_JOB_LATE)
        tell_session(p);
    finish(p, p->fails || p->is_lost || !worked);
    if (p->odd != FAULT_JOB_LATE && p->odd != FAULT_JOB_TWICE) {
        pod_free(p);
        return;
    }
    p->step = REPORTING; /* a process of it that outlives its container */
    timer_set_in(p->kubelet->env, &p->timer, throw(p->kubelet, AGAIN_MS));
}

static void report(struct pod *p)
{
    tell_session(p);
    pod_free(p);
}

static void next_step(struct timer *t)
{
    struct pod *p = t->data;

    if (p->step == STARTING)
        start(p);
    else if (p->step == WORKING)
        end(p);
    else
        report(p);
}

static bool happens(struct kubelet *k, enum fault kind, unsigned percent)
{
    return throw(k, 100) < percent && fault_happens(k->book, kind, env_now_ns(k->env));
}

static void throw_lot(struct pod *p)
{
    static const enum fault odd[] = {FAULT_JOB_HANGS, FAULT_JOB_VANISHES, FAULT_JOB_LATE, FAULT_JOB_TWICE};
    struct kubelet *k = p->kubelet;
    enum fault lot = odd[throw(k, 4)];

    p->fails = happens(k, FAULT_JOB_FAILS, k->dice.fail_percent);
    p->is_lost = happens(k, FAULT_JOB_LOST, k->dice.lost_percent);
    p->is_long = throw(k, 100) < k->dice.long_percent;
    if (happens(k, lot, k->dice.odd_percent))
        p->odd = lot;
}

static void add(struct kubelet *k, const json_t *object)
{
    const char *session = json_meta(object, "labels", "stash.appscode.com/session");
    struct pod *p = mem_zalloc(sizeof(*p));

    p->kubelet = k;
    p->uid = mem_strdup(json_text(object, "metadata.uid"));
    p->ns = mem_strdup(json_text(object, "metadata.namespace"));
    p->name = mem_strdup(json_text(object, "metadata.name"));
    p->container = mem_strdup(json_text(object, "spec.containers.0.name"));
    p->session = session[0] ? mem_strdup(session) : NULL;
    p->trigger = strcmp(p->container, "stash-trigger") == 0 ? json_clone(object) : NULL;
    if (p->session)
        throw_lot(p);
    if (p->trigger) {
        p->fails = throw(k, 100) < TRIGGER_PERCENT; /* having made its session */
        p->is_lost = throw(k, 100) < TRIGGER_PERCENT;
    }
    map_put(&k->pods, str_of(p->uid), p);
    timer_init(&p->timer, next_step, p);
    timer_set_in(k->env, &p->timer, 500 + throw(k, 2500));
}

void kubelet_changed(void *kubelet, const char *type, const json_t *object)
{
    struct kubelet *k = kubelet;
    struct pod *p;

    if (strcmp(json_text(object, "kind"), "Pod") != 0)
        return;
    p = map_get(&k->pods, str_of(json_text(object, "metadata.uid")));
    if (strcmp(type, "ADDED") == 0)
        add(k, object);
    else if (strcmp(type, "DELETED") == 0 && p)
        pod_free(p);
}

void kubelet_behave(struct kubelet *k)
{
    size_t it = 0;
    struct str uid;
    void *value;

    k->dice = (struct kubelet_dice){0};
    while (map_next(&k->pods, &it, &uid, &value)) {
        struct pod *p = value;

        if (p->odd == FAULT_JOB_HANGS && p->step == WORKING)
            timer_set_in(k->env, &p->timer, 1000);
    }
}
