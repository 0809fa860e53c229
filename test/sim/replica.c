/* replica: see replica.h. */
#include "replica.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static void write_line(void *ctx, struct str line)
{
    const struct replica *r = ctx;

    if (r->o.on_line)
        r->o.on_line(r->o.ctx, line);
}

static void death_comes(struct timer *t)
{
    struct replica *r = t->data;

    replica_kill(r);
    r->o.on_death(r, r->o.ctx);
}

/* In a turn of the world's, for here a callback of its own may be under way; but nothing more goes out. */
static void wants_death(void *ctx)
{
    struct replica *r = ctx;

    faults_die(r->faults);
    timer_set_in(&r->o.sim->env, &r->death, 0);
}

static bool is_lease(const char *path)
{
    return strstr(path, "/leases") != NULL;
}

/* Leases decide who leads, Events only tell, reviews ask. */
static void acts(void *ctx, const struct http_call *call)
{
    struct replica *r = ctx;

    if (r->competes && r->o.on_act && !is_lease(call->path) && !strstr(call->path, "/events") &&
        !strstr(call->path, "accessreviews"))
        r->o.on_act(r, call->path, r->o.ctx);
}

static void wrote(void *ctx, const struct http_call *call, int status, bool changed)
{
    struct replica *r = ctx;
    struct effect_note *note = &r->o.effects->notes[r->o.effects->n % REPLICA_EFFECTS];

    if (is_lease(call->path))
        return;
    r->o.effects->n++;
    r->writes++;
    note->at_ns = r->o.sim->now_ns;
    note->status = status;
    (void)snprintf(note->text, sizeof(note->text), "%s: %s %s %.*s", r->identity, call->method, call->path,
                   (int)(call->body.n > 90 ? 90 : call->body.n), call->body.n ? call->body.p : "");
    if (status / 100 == 2 && !changed) {
        r->idle_writes++;
        (void)snprintf(r->idle_write, sizeof(r->idle_write), "%.150s", note->text);
    }
}

static uint64_t server_rv(void *ctx)
{
    return model_rv(((struct replica *)ctx)->o.model);
}

void replica_init(struct replica *r, unsigned number, const struct replica_options *o)
{
    *r = (struct replica){.o = *o};
    (void)snprintf(r->identity, sizeof(r->identity), "stashd-%u", number);
    r->settings = (struct operator_settings){.own_namespace = "default", .image = "stashd:1",
                                             .pull_policy = "IfNotPresent", .fullname = "stashd",
                                             .pushgateway_url = "", .job_ttl_s = 3600, .job_default_timeout_s = 3600,
                                             .pod_start_timeout_s = 900, .catch_up_s = 600};
    timer_init(&r->death, death_comes, r);
    process_init(&r->process, o->sim);
}

void replica_start(struct replica *r, bool competes, uint64_t seed, unsigned fault_percent)
{
    struct env *env = &r->process.env;
    struct http_peer *peer;

    assert(!r->runs);
    r->runs = true;
    r->competes = competes;
    r->lives++;
    r->process.stopped_until_ns = 0;
    r->server = model_peer_new(r->o.model, "system:serviceaccount:stash:stashd", "system:masters");
    r->faults = faults_new(&(struct faults_options){.process = &r->process, .inner = r->server, .book = r->o.book,
                                                    .seed = seed, .percent = fault_percent, .nth = r->o.nth,
                                                    .on_kill = wants_death, .on_act = acts, .on_write = wrote,
                                                    .rv = server_rv, .ctx = r});
    peer = faults_peer(r->faults);
    r->log = (struct log){.env = env, .min = LOG_INFO, .write = write_line, .ctx = r, .plain = true};
    r->kube = (struct kube){.env = env, .log = &r->log, .peers = {peer, peer, peer}, .user_agent = "sim",
                            .watch_min_s = r->o.watch_min_s};
    r->registry = registry_new();
    r->operator = operator_new(&(struct operator_options){.env = env,
                                                          .kube = &r->kube,
                                                          .log = &r->log,
                                                          .settings = &r->settings,
                                                          .registry = r->registry,
                                                          .concurrency = r->o.concurrency,
                                                          .qps = 50,
                                                          .burst = 100,
                                                          .identity = competes ? r->identity : NULL});
    operator_start(r->operator);
}

static void ended(void *ctx)
{
    ((struct replica *)ctx)->stopped = true;
}

void replica_kill(struct replica *r)
{
    if (!r->runs)
        return;
    timer_clear(&r->o.sim->env, &r->death);
    faults_die(r->faults);
    r->process.stopped_until_ns = 0;
    r->stopped = false;
    operator_stop(r->operator, ended, r);
    process_run_now(&r->process);
    assert(r->stopped);
    operator_free(r->operator);
    registry_free(r->registry);
    model_peer_free(r->server);
    faults_free(r->faults);
    r->operator = NULL;
    r->runs = false;
}
