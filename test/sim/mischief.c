/*
 * mischief: see mischief.h. What users delete they make again some minutes later; a finalizer that they set they take
 * off again. Both are looked after once a minute, so that nothing has to be remembered.
 */
#include "mischief.h"

#include <stdio.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"

#define STASH "/apis/stash.appscode.com/v1beta1"
#define FINALIZER "example.org/keep"
#define S 1000000000ull

enum { CARE_MS = 60 * 1000, CARE_S = 900, EXCUSED_S = 3600, HIDDEN_LATE_S = 120 };
enum { HELD_MAX = 16, AWAY_S = 60, AWAY_LONG_S = 840, CLOCK_STEP_MS = 2 * 3600 * 1000 };

struct mischief {
    struct mischief_options o;
    uint64_t dice;
    int64_t mean_ms;
    uint64_t care_until_ns; /* something was deleted, or is to be */
    struct timer next, care;
    char *held[HELD_MAX]; /* paths of what a finalizer of a user may hold; NULL: free */
};

static uint64_t throw(struct mischief *m, uint64_t sides)
{
    return sim_random(&m->dice) % sides;
}

/* One that runs; NULL: none does. */
static struct replica *any_replica(struct mischief *m)
{
    size_t from = throw(m, m->o.n_replicas);

    for (size_t i = 0; i < m->o.n_replicas; i++) {
        struct replica *r = &m->o.replicas[(from + i) % m->o.n_replicas];

        if (r->runs)
            return r;
    }
    return NULL;
}

static const struct cluster_config *any_config(struct mischief *m)
{
    return &m->o.cluster->configs[throw(m, m->o.cluster->n)];
}

/* ---- requests of users ---- */

static int user_does(struct mischief *m, const char *method, const char *path, const json_t *body, json_t **ret)
{
    int status;

    checker_user(m->o.checker, true);
    status = model_do(m->o.model, "admin", method, path, body, ret);
    checker_user(m->o.checker, false);
    return status;
}

static bool user_deletes(struct mischief *m, const char *path)
{
    const char *ns = strstr(path, "/namespaces/");
    AUTO_FREE char *name = ns ? mem_strndup(ns + 12, strcspn(ns + 12, "/")) : NULL;

    if (name) {
        cluster_hurt(m->o.cluster, name);
        checker_excuse(m->o.checker, name, m->o.sim->now_ns + EXCUSED_S * S);
    }
    m->care_until_ns = m->o.sim->now_ns + CARE_S * S;
    if (!timer_is_set(&m->care))
        timer_set_in(&m->o.sim->env, &m->care, CARE_MS);
    return user_does(m, "DELETE", path, NULL, NULL) / 100 == 2;
}

static bool patch(struct mischief *m, const char *path, json_t *body_take)
{
    int status = user_does(m, "PATCH", path, body_take, NULL);

    json_decref(body_take);
    return status == 200;
}

static char *path_of(const struct cluster_config *c, const char *plural)
{
    if (strcmp(plural, "appbindings") == 0)
        return mem_printf("/apis/appcatalog.appscode.com/v1alpha1/namespaces/%s/appbindings/%s", c->ns, c->name);
    if (strcmp(plural, "repositories") == 0)
        return mem_printf("/apis/stash.appscode.com/v1alpha1/namespaces/%s/repositories/repo", c->ns);
    return mem_printf(STASH "/namespaces/%s/%s/%s", c->ns, plural, c->name);
}

/* The path of any object of a list, NULL: it is empty. */
static char *any_of(struct mischief *m, const char *list_path)
{
    json_t *list = NULL;
    const json_t *items;
    char *path = NULL;

    if (model_do(m->o.model, "admin", "GET", list_path, NULL, &list) == 200) {
        items = json_object_get(list, "items");
        if (json_array_size(items))
            path = mem_printf("%s/%s", list_path,
                              json_text(json_array_get(items, throw(m, json_array_size(items))), "metadata.name"));
    }
    json_decref(list);
    return path;
}

static char *any_child(struct mischief *m, const char *ns)
{
    static const char *const lists[] = {STASH "/namespaces/%s/backupsessions", STASH "/namespaces/%s/backupsessions",
                                        "/apis/batch/v1/namespaces/%s/jobs"};
    size_t which = throw(m, 3);
    AUTO_FREE char *list = mem_printf("%.*s%s%s", (int)(strstr(lists[which], "%s") - lists[which]), lists[which], ns,
                                      strstr(lists[which], "%s") + 2);

    return any_of(m, list);
}

static bool set_schedule(struct mischief *m, struct cluster_config *c, bool hasty)
{
    AUTO_FREE char *path = path_of(c, "backupconfigurations");
    uint64_t dice = sim_random(&m->dice);

    c->hasty = hasty;
    (hasty ? cluster_schedule_hasty : cluster_schedule)(c->schedule, sizeof(c->schedule), dice);
    return patch(m, path, json_pack("{s:{s:s}}", "spec", "schedule", c->schedule));
}

/* Who tries a backup lets it run each minute for a while. */
static bool edit(struct mischief *m)
{
    struct cluster_config *c = &m->o.cluster->configs[throw(m, m->o.cluster->n)];
    AUTO_FREE char *path = path_of(c, "backupconfigurations");

    switch (throw(m, 6)) {
    case 0:
        return patch(m, path, json_pack("{s:{s:b}}", "spec", "paused", 1));
    case 1:
        return patch(m, path, json_pack("{s:{s:b}}", "spec", "paused", 0));
    case 2:
        return patch(m, path, json_pack("{s:{s:{s:s}}}", "metadata", "annotations",
                                        "stash.appscode.com/schedule-spread", throw(m, 2) ? "10m" : "0s"));
    case 3:
        return patch(m, path, json_pack("{s:{s:i}}", "spec", "backupHistoryLimit", (int)throw(m, 4) + 1));
    default:
        return set_schedule(m, c, !c->hasty && throw(m, 2));
    }
}

static char *any_victim(struct mischief *m)
{
    static const char *const owned[] = {"backupconfigurations", "appbindings", "repositories"};
    const struct cluster_config *c = any_config(m);

    return throw(m, 3) ? any_child(m, c->ns) : path_of(c, owned[throw(m, 3)]);
}

static bool delete(struct mischief *m)
{
    AUTO_FREE char *path = any_victim(m);

    return path && user_deletes(m, path);
}

/* A place to remember a path; NULL: so many are held already. */
static char **free_hold(struct mischief *m)
{
    for (size_t i = 0; i < HELD_MAX; i++)
        if (!m->held[i])
            return &m->held[i];
    return NULL;
}

static bool hold_by_finalizer(struct mischief *m)
{
    AUTO_FREE char *path = any_victim(m);
    char **hold = free_hold(m);

    if (!path || !hold || !patch(m, path, json_pack("{s:{s:[s]}}", "metadata", "finalizers", FINALIZER)))
        return false;
    *hold = mem_strdup(path);
    return user_deletes(m, path);
}

static bool delete_namespace(struct mischief *m)
{
    AUTO_FREE char *path = mem_printf("/api/v1/namespaces/%s", any_config(m)->ns);

    return user_deletes(m, path);
}

/* ---- the Lease ---- */

static const char lease[] = "/apis/coordination.k8s.io/v1/namespaces/default/leases/stashd";

static bool take_lead(struct mischief *m)
{
    return patch(m, lease, json_pack("{s:{s:s}}", "spec", "holderIdentity", "somebody-else"));
}

static bool delete_lease(struct mischief *m)
{
    return user_does(m, "DELETE", lease, NULL, NULL) / 100 == 2;
}

/* ---- connections, processes, clocks ---- */

static bool restart_server(struct mischief *m)
{
    uint64_t away = throw(m, throw(m, 5) ? AWAY_S : AWAY_LONG_S) * S;

    model_compact(m->o.model, model_rv(m->o.model));
    for (size_t i = 0; i < m->o.n_replicas; i++) {
        if (!m->o.replicas[i].runs)
            continue;
        faults_break_all(m->o.replicas[i].faults);
        faults_refuse_until(m->o.replicas[i].faults, m->o.sim->now_ns + away);
    }
    return true;
}

static bool compact(struct mischief *m)
{
    model_compact(m->o.model, model_rv(m->o.model));
    return true;
}

static bool hide_kind(struct mischief *m)
{
    static const char *const plurals[] = {"/backupsessions", "/backupconfigurations", "/repositories",
                                          "/tasks",          "/functions",            "/appbindings"};
    const char *plural = plurals[throw(m, 6)];
    uint64_t until = m->o.sim->now_ns + (1 + throw(m, 90)) * S;

    checker_excuse(m->o.checker, NULL, until + HIDDEN_LATE_S * S);
    for (size_t i = 0; i < m->o.n_replicas; i++) {
        if (!m->o.replicas[i].runs)
            continue;
        faults_hide_until(m->o.replicas[i].faults, plural, until);
        faults_break_watches(m->o.replicas[i].faults);
    }
    return true;
}

static void break_streams(struct mischief *m, struct replica *r)
{
    (void)m;
    faults_break_watches(r->faults);
}

static void refuse(struct mischief *m, struct replica *r)
{
    faults_break_all(r->faults);
    faults_refuse_until(r->faults, m->o.sim->now_ns + throw(m, 40) * S);
}

static void kill(struct mischief *m, struct replica *r)
{
    replica_kill(r);
    m->o.on_kill(r, m->o.ctx);
}

static void pause(struct mischief *m, struct replica *r)
{
    process_stop_until(&r->process, m->o.sim->now_ns + throw(m, 60) * S);
}

static int64_t any_step(struct mischief *m)
{
    return (int64_t)throw(m, throw(m, 2) ? 5000 : CLOCK_STEP_MS);
}

static void step_forward(struct mischief *m, struct replica *r)
{
    r->process.wall_off_ms = any_step(m);
}

static void step_back(struct mischief *m, struct replica *r)
{
    r->process.wall_off_ms = -any_step(m);
}

/* ---- what comes next ---- */

static const struct {
    enum fault kind;
    void (*befall)(struct mischief *m, struct replica *r);
} to_replicas[] = {
    {FAULT_GOAWAY, break_streams}, {FAULT_REFUSED, refuse},           {FAULT_KILL, kill},
    {FAULT_PAUSE, pause},          {FAULT_CLOCK_FORWARD, step_forward}, {FAULT_CLOCK_BACK, step_back},
};

/* False: there was nothing to do it to. */
static const struct {
    enum fault kind;
    bool (*befall)(struct mischief *m);
} to_cluster[] = {
    {FAULT_COMPACTION, compact},         {FAULT_SERVER_RESTART, restart_server}, {FAULT_CRD_GONE, hide_kind},
    {FAULT_LEAD_LOST, take_lead},        {FAULT_LEAD_DELETED, delete_lease},     {FAULT_EDIT, edit},
    {FAULT_DELETE, delete},              {FAULT_FINALIZER, hold_by_finalizer},
    {FAULT_NAMESPACE_GONE, delete_namespace},
};

static bool may(struct mischief *m, enum fault kind)
{
    return fault_happens(m->o.book, kind, m->o.sim->now_ns);
}

static void befall(struct mischief *m, enum fault kind)
{
    struct replica *r = any_replica(m);

    for (size_t i = 0; i < sizeof(to_replicas) / sizeof(to_replicas[0]); i++)
        if (to_replicas[i].kind == kind && r && may(m, kind))
            to_replicas[i].befall(m, r);
    for (size_t i = 0; i < sizeof(to_cluster) / sizeof(to_cluster[0]); i++)
        if (to_cluster[i].kind == kind && may(m, kind) && !to_cluster[i].befall(m))
            m->o.book->fired[kind]--;
}

static void choose_next(struct mischief *m)
{
    if (m->mean_ms)
        timer_set_in(&m->o.sim->env, &m->next, 1 + throw(m, (uint64_t)(2 * m->mean_ms)));
    else
        timer_clear(&m->o.sim->env, &m->next);
}

static void fire(struct timer *t)
{
    struct mischief *m = t->data;

    choose_next(m);
    befall(m, fault_draw(sim_random(&m->dice), FAULT_GOAWAY, FAULT_NAMESPACE_GONE));
}

/* ---- care ---- */

/* True: there is nothing to take off any more. */
static bool take_off(struct mischief *m, const char *path)
{
    json_t *o = NULL, *left = json_array(), *f;
    bool gone, done;
    size_t i;

    gone = model_do(m->o.model, "admin", "GET", path, NULL, &o) == 404;
    json_array_foreach (json_at(o, "metadata.finalizers"), i, f)
        if (strcmp(json_string_value(f), FINALIZER) != 0)
            json_array_append(left, f);
    done = gone || patch(m, path, json_pack("{s:{s:O}}", "metadata", "finalizers", left));
    json_decref(left);
    json_decref(o);
    return done;
}

static void take_off_finalizers(struct mischief *m)
{
    for (size_t i = 0; i < HELD_MAX; i++) {
        if (m->held[i] && (throw(m, 3) == 0 || !m->mean_ms) && take_off(m, m->held[i])) {
            mem_free(m->held[i]);
            m->held[i] = NULL;
        }
    }
}

static bool holds_any(const struct mischief *m)
{
    for (size_t i = 0; i < HELD_MAX; i++)
        if (m->held[i])
            return true;
    return false;
}

/* Once nothing was deleted for a while, and all is there again, all is forgotten. */
static void take_care(struct timer *t)
{
    struct mischief *m = t->data;
    struct cluster *c = m->o.cluster;
    bool calm = m->o.sim->now_ns > m->care_until_ns;

    take_off_finalizers(m);
    if ((throw(m, 4) == 0 || !m->mean_ms) && cluster_restore(c, m->o.model) && calm &&
        !holds_any(m)) {
        for (size_t i = 0; i < c->n; i++)
            c->configs[i].hurt = false;
        return;
    }
    timer_set_in(&m->o.sim->env, &m->care, CARE_MS);
}

/* ---- life ---- */

struct mischief *mischief_new(const struct mischief_options *o)
{
    struct mischief *m = mem_zalloc(sizeof(*m));

    m->o = *o;
    m->dice = o->seed;
    timer_init(&m->next, fire, m);
    timer_init(&m->care, take_care, m);
    return m;
}

void mischief_set_mean(struct mischief *m, int64_t mean_ms)
{
    m->mean_ms = mean_ms;
    choose_next(m);
}

void mischief_repair(struct mischief *m)
{
    mischief_set_mean(m, 0);
    for (size_t i = 0; i < m->o.cluster->n; i++)
        if (m->o.cluster->configs[i].hasty)
            (void)set_schedule(m, &m->o.cluster->configs[i], false); /* gone: it comes back with that one */
    if (timer_is_set(&m->care))
        timer_set_in(&m->o.sim->env, &m->care, 1000);
    for (size_t i = 0; i < m->o.n_replicas; i++) {
        struct replica *r = &m->o.replicas[i];

        r->process.wall_off_ms = 0;
        process_stop_until(&r->process, 0);
        if (!r->runs)
            continue;
        faults_set_percent(r->faults, 0);
        faults_refuse_until(r->faults, 0);
        faults_hide_until(r->faults, NULL, 0);
    }
}

void mischief_free(struct mischief *m)
{
    timer_clear(&m->o.sim->env, &m->next);
    timer_clear(&m->o.sim->env, &m->care);
    for (size_t i = 0; i < HELD_MAX; i++)
        mem_free(m->held[i]);
    mem_free(m);
}
