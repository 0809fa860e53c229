/* world: see world.h. */
#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../unit/support_cron.h"
#include "cluster.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "kubelet.h"
#include "mirror.h"
#include "mischief.h"
#include "replica.h"
#include "switcher.h"

enum {
    CONCURRENCY = 8,
    N_REPLICAS = 2,
    MARGIN_S = 30,       /* a due time at the very end is dealt with, and none falls into it */
    SETTLE_S = 1800,     /* after the last fault, until all that was due is dealt with */
    REST_S = 3600,       /* then nobody is triggered any more, and what runs may end */
    QUIET_S = 300,
    STORM_S = 1200,
    STORM_DAYS = 4,
    STORM_PERCENT = 8,
    CLEARING_S = 600, /* after a storm, with the operators that have been through it */
    LOOK_AGAIN_S = 120,
    LONG_PERCENT = 20,
    AWAY_S = 20,
    AWAY_LONG_S = 840,  /* a node was lost */
    AWAY_LONG_ONE_OF = 6,
    HISTORY_MAX = 1000, /* changes that a watch can go on from: some minutes of a storm, as a server compacts */
    CALM_WATCH_S = 4 * 3600, /* calm weeks: streams that end and bookmarks would be most of what happens */
    YEAR_S = 31556952,
};

struct world {
    const struct world_options *o;
    struct sim_env env;
    struct model *model;
    struct cluster cluster;
    struct kubelet *kubelet;
    struct checker *checker;
    struct switcher *switcher; /* NULL: none */
    struct mischief *mischief;
    struct mirror mirror;
    struct fault_book book;
    struct effects effects;
    struct replica replicas[N_REPLICAS];
    struct timer back[N_REPLICAS]; /* a dead one comes again */
    struct timer kill;
    unsigned n_replicas, percent; /* now */
    bool competes;
    uint64_t trace, changes, kills, dice;
    int64_t start_s;
};

/* ---- what the API server commits ---- */

static void mix_word(struct world *w, uint64_t word)
{
    w->trace = (w->trace ^ word) * 0xd6e8feb86659fd93u;
    w->trace ^= w->trace >> 32;
}

/* Each byte counts, and so does where a text ends. */
static void mix(struct world *w, const void *bytes, size_t n)
{
    const char *p = bytes;
    uint64_t word = 0;
    size_t left = n;

    for (; left >= sizeof(word); p += sizeof(word), left -= sizeof(word)) {
        memcpy(&word, p, sizeof(word));
        mix_word(w, word);
    }
    word = 0;
    memcpy(&word, p, left);
    mix_word(w, word);
    mix_word(w, n);
}

static void changed(void *ctx, const char *type, const json_t *object, struct str text)
{
    struct world *w = ctx;

    w->changes++;
    mix(w, &w->env.now_ns, sizeof(w->env.now_ns));
    mix(w, type, strlen(type));
    mix(w, text.p, text.n);
    if (w->o->verbose)
        (void)fprintf(stderr, "%.3f %s %s %s/%s %s\n", (double)w->env.now_ns / 1e9 - 1, type, json_text(object, "kind"),
                      json_text(object, "metadata.namespace"), json_text(object, "metadata.name"),
                      json_text(object, "status.phase"));
    mirror_changed(&w->mirror, type, object);
    kubelet_changed(w->kubelet, type, object);
    checker_changed(w->checker, type, object);
}

static void print_last(void *ctx)
{
    const struct world *w = ctx;
    uint64_t from = w->effects.n > REPLICA_EFFECTS ? w->effects.n - REPLICA_EFFECTS : 0;

    if (checker_violations(w->checker) > 1)
        return;
    (void)fprintf(stderr, "  seed %" PRIu64 ", at %.3f s\n", w->o->seed, (double)w->env.now_ns / 1e9 - 1);
    for (uint64_t i = from; i < w->effects.n; i++) {
        const struct effect_note *n = &w->effects.notes[i % REPLICA_EFFECTS];

        (void)fprintf(stderr, "  %.3f s %d %s\n", (double)n->at_ns / 1e9 - 1, n->status, n->text);
    }
    fault_print_recent(&w->book, stderr);
}

static void log_line(void *ctx, struct str line)
{
    const struct world *w = ctx;

    if (w->o->verbose)
        (void)fwrite(line.p, 1, line.n, stderr);
}

/* ---- the operators, and their deaths ---- */

static void start_replica(struct world *w, size_t i)
{
    struct replica *r = &w->replicas[i];

    if (r->runs || i >= w->n_replicas)
        return;
    if (w->o->switch_s) /* all that have no annotation of their own switch too */
        r->settings.by_cronjobs = sim_random(&w->dice) % 2;
    replica_start(r, w->competes, sim_random(&w->dice), w->percent);
}

static void come_back(struct timer *t)
{
    struct world *w = t->data;

    start_replica(w, (size_t)(t - w->back));
}

/* Due times fall into the time that it is away, and those of a schedule of minutes are several. */
static void died(struct replica *r, void *ctx)
{
    struct world *w = ctx;
    bool is_long = w->o->months && sim_random(&w->dice) % AWAY_LONG_ONE_OF == 0;
    uint64_t away_ns = (is_long ? AWAY_LONG_S : AWAY_S) * 1000000000ull;

    w->kills++;
    timer_set_at(&w->env.env, &w->back[r - w->replicas], w->env.now_ns + 1 + sim_random(&w->dice) % away_ns);
}

static void acts(struct replica *r, const char *path, void *ctx)
{
    checker_acts(((struct world *)ctx)->checker, r->identity, path);
}

static void kill_all(struct world *w)
{
    for (size_t i = 0; i < N_REPLICAS; i++) {
        timer_clear(&w->env.env, &w->back[i]);
        replica_kill(&w->replicas[i]);
    }
}

static void choose_kill(struct world *w)
{
    if (w->o->kill_s)
        timer_set_in(&w->env.env, &w->kill, sim_random(&w->dice) % (uint64_t)(2 * w->o->kill_s * 1000));
}

static void kill_comes(struct timer *t)
{
    struct world *w = t->data;

    if (w->replicas[0].runs && fault_happens(&w->book, FAULT_KILL, w->env.now_ns)) {
        replica_kill(&w->replicas[0]);
        died(&w->replicas[0], w);
    }
    choose_kill(w);
}

static void switched(void *ctx)
{
    struct world *w = ctx;
    uint64_t dice = sim_random(&w->dice) % 3;

    if (dice == 0) /* before it hears of it */
        timer_set_in(&w->env.env, &w->kill, 0);
    else if (dice == 1)
        timer_set_in(&w->env.env, &w->kill, sim_random(&w->dice) % 3000);
}

/* ---- weather ---- */

static void set_weather(struct world *w, bool competes, unsigned n_replicas, unsigned percent, int64_t mischief_ms)
{
    kill_all(w);
    w->competes = competes;
    w->n_replicas = n_replicas;
    w->percent = percent;
    for (size_t i = 0; i < n_replicas; i++)
        start_replica(w, i);
    mischief_set_mean(w->mischief, mischief_ms);
    checker_calm(w->checker, !competes && !percent && !w->o->switch_s);
}

static uint64_t at_ns(int64_t s)
{
    return 1000000000u + (uint64_t)s * 1000000000u;
}

static void run_until(struct world *w, int64_t until_s)
{
    while (sim_env_step(&w->env, at_ns(until_s)))
        ;
}

static void run_on(struct world *w, int64_t for_s)
{
    run_until(w, (int64_t)(w->env.now_ns / 1000000000u) - 1 + for_s);
}

/* The same operators go on for a while, and must come to see all that is there. */
static void see_clearly(struct world *w)
{
    struct mirror_look looks[N_REPLICAS];
    uint64_t lives[N_REPLICAS];

    w->percent = 0;
    mischief_repair(w->mischief);
    run_on(w, CLEARING_S);
    for (size_t i = 0; i < N_REPLICAS; i++) {
        lives[i] = w->replicas[i].runs ? w->replicas[i].lives : 0;
        if (lives[i])
            mirror_look_first(&looks[i], &w->mirror, w->replicas[i].operator);
    }
    run_on(w, LOOK_AGAIN_S);
    for (size_t i = 0; i < N_REPLICAS; i++) {
        if (w->replicas[i].runs && w->replicas[i].lives == lives[i])
            mirror_look_again(&looks[i], &w->mirror, w->replicas[i].operator, w->checker);
        else if (lives[i])
            mirror_look_done(&looks[i]);
    }
}

/* Storms begin in the first hours of a night, where most schedules are. */
static void live_months(struct world *w)
{
    int64_t every_s = (w->o->storm_days ? w->o->storm_days : STORM_DAYS) * 86400ll;

    for (int64_t day_s = 0; day_s < w->o->until_s; day_s += every_s) {
        int64_t from_s = day_s + (int64_t)(sim_random(&w->dice) % (5 * 3600));

        if (from_s + STORM_S + CLEARING_S + LOOK_AGAIN_S >= w->o->until_s)
            break;
        run_until(w, from_s);
        set_weather(w, true, 1 + (unsigned)(sim_random(&w->dice) % 4 != 0), STORM_PERCENT,
                    7000 + (int64_t)(sim_random(&w->dice) % 53000));
        run_until(w, from_s + STORM_S);
        see_clearly(w);
        set_weather(w, false, 1, w->o->fault_percent, 0);
    }
    run_until(w, w->o->until_s + MARGIN_S);
}

/* ---- a run ---- */

static void pause_all(struct world *w, bool paused)
{
    for (size_t i = 0; i < w->cluster.n; i++) {
        const struct cluster_config *c = &w->cluster.configs[i];
        AUTO_FREE char *path =
            mem_printf("/apis/stash.appscode.com/v1beta1/namespaces/%s/backupconfigurations/%s", c->ns, c->name);
        json_t *body = json_pack("{s:{s:b}}", "spec", "paused", paused);

        if (model_do(w->model, "admin", "PATCH", path, body, NULL) != 200)
            checker_violation(w->checker, "cannot pause %s", c->name);
        json_decref(body);
    }
}

static void check_rest(struct world *w)
{
    struct replica *r = &w->replicas[0];
    uint64_t n = w->effects.n;

    if (checker_totals(w->checker).open)
        checker_violation(w->checker, "%u sessions have not ended", checker_totals(w->checker).open);
    if (!r->runs || !engine_idle(operator_engine(r->operator)))
        checker_violation(w->checker, "the engine is not at rest");
    if (kubelet_running(w->kubelet))
        checker_violation(w->checker, "%u pods still run", kubelet_running(w->kubelet));
    run_on(w, QUIET_S);
    if (w->effects.n != n)
        checker_violation(w->checker, "an operator at rest writes");
}

/* Where nothing is lost, nothing is written twice. */
static void check_idle_writes(struct world *w)
{
    for (size_t i = 0; i < N_REPLICAS && !w->book.n; i++)
        if (w->replicas[i].idle_writes)
            checker_violation(w->checker, "%" PRIu64 " writes changed nothing, the last: %s",
                              w->replicas[i].idle_writes, w->replicas[i].idle_write);
}

/* The zone that the process lives in must change nothing; a clock change in it is counted. */
static void choose_zone(struct world *w)
{
    time_t t = (time_t)w->start_s;
    struct tm first, now;

    setenv("TZ", oracle_zones[sim_random(&w->dice) % ORACLE_ZONES], 1);
    tzset();
    (void)localtime_r(&t, &first);
    for (; t < (time_t)(w->start_s + w->o->until_s); t += 3600) {
        (void)localtime_r(&t, &now);
        if (now.tm_gmtoff != first.tm_gmtoff) {
            (void)fault_happens(&w->book, FAULT_CLOCK_CHANGE, w->env.now_ns);
            return;
        }
    }
}

static void set_up_replicas(struct world *w)
{
    for (size_t i = 0; i < N_REPLICAS; i++) {
        replica_init(&w->replicas[i], (unsigned)i,
                     &(struct replica_options){.sim = &w->env, .model = w->model, .book = &w->book,
                                               .effects = &w->effects, .concurrency = CONCURRENCY,
                                               .watch_min_s = w->o->months ? CALM_WATCH_S : 0, .on_death = died,
                                               .on_act = acts, .on_line = log_line, .ctx = w});
        timer_init(&w->back[i], come_back, w);
    }
    timer_init(&w->kill, kill_comes, w);
}

static void set_up(struct world *w, const struct world_options *o)
{
    const struct kubelet_dice dice = {o->fail_percent, o->lost_percent, o->odd_percent,
                                      o->months ? LONG_PERCENT : 0};

    *w = (struct world){.o = o, .trace = 0xcbf29ce484222325u, .dice = o->seed ^ 0xd1ce};
    w->start_s = 1772323200 /* 2026-03-01T00:00:00Z */;
    if (o->months) /* any day of a year */
        w->start_s += (int64_t)(sim_random(&w->dice) % (YEAR_S / 86400)) * 86400;
    sim_env_init(&w->env, o->seed, w->start_s * 1000);
    w->book = (struct fault_book){.forbidden = o->forbidden, .from_ns = at_ns(o->faults_from_s),
                                  .until_ns = o->faults_until_s ? at_ns(o->faults_until_s) : UINT64_MAX};
    cluster_init(&w->cluster, o->invokers, o->seed ^ 0xc1);
    w->checker = checker_new(&w->env.env, o->seed, print_last, w);
    w->model = model_new(&(struct model_options){.env = &w->env.env, .seed = o->seed,
                                                 .bookmark_s = o->months ? CALM_WATCH_S : 0,
                                                 .history_max = HISTORY_MAX,
                                                 .no_managed_fields = true}); /* nobody here asks for owners */
    w->kubelet = kubelet_new(&w->env.env, w->model, o->seed ^ 0x6b75, &dice, &w->book);
    set_up_replicas(w);
    mirror_init(&w->mirror);
    w->mischief = mischief_new(&(struct mischief_options){.sim = &w->env, .model = w->model, .cluster = &w->cluster,
                                                          .checker = w->checker, .book = &w->book,
                                                          .replicas = w->replicas, .n_replicas = N_REPLICAS,
                                                          .seed = o->seed ^ 0x315c, .on_kill = died, .ctx = w});
    model_on_change(w->model, changed, w);
    model_start(w->model);
}

static void live(struct world *w)
{
    const struct world_options *o = w->o;

    if (o->months) {
        choose_zone(w);
        set_weather(w, false, 1, o->fault_percent, 0);
        live_months(w);
        return;
    }
    /* An operator that nothing happens to needs no Lease: its renewals would be eight of ten changes of a day. */
    set_weather(w, o->kill_s || o->fault_percent || o->switch_s, 1, o->fault_percent, 0);
    if (o->switch_s)
        w->switcher = switcher_new(&w->env.env, w->model, &w->cluster, o->seed ^ 0x5317c4, o->switch_s, switched, w);
    choose_kill(w);
    run_until(w, o->until_s + MARGIN_S);
    switcher_stop(w->switcher);
    timer_clear(&w->env.env, &w->kill);
}

static void end(struct world *w)
{
    int64_t until_s = w->o->until_s + MARGIN_S;

    w->percent = 0;
    w->book.until_ns = 0;
    kubelet_behave(w->kubelet);
    mischief_repair(w->mischief);
    if (w->o->months)
        pause_all(w, false);
    run_until(w, until_s + SETTLE_S);
    checker_all_dealt_with(w->checker, w->start_s + until_s + SETTLE_S / 2);
    pause_all(w, true);
    run_until(w, until_s + SETTLE_S + REST_S);
    check_rest(w);
    check_idle_writes(w);
}

static void take_result(struct world *w, struct world_result *ret)
{
    *ret = (struct world_result){.trace = w->trace, .changes = w->changes, .kills = w->kills,
                                 .switches = switcher_count(w->switcher), .faults = w->book.n,
                                 .totals = checker_totals(w->checker), .violations = checker_violations(w->checker)};
    memcpy(ret->fired, w->book.fired, sizeof(ret->fired));
    for (size_t i = 0; i < N_REPLICAS; i++)
        ret->writes += w->replicas[i].writes;
}

static void tear_down(struct world *w)
{
    kill_all(w);
    mischief_free(w->mischief);
    switcher_free(w->switcher);
    kubelet_free(w->kubelet);
    model_free(w->model);
    mirror_done(&w->mirror);
    checker_free(w->checker);
    cluster_done(&w->cluster);
    for (size_t i = 0; i < N_REPLICAS; i++)
        process_done(&w->replicas[i].process);
    sim_env_done(&w->env);
}

bool world_run(const struct world_options *o, struct world_result *ret)
{
    struct world *w;
    size_t before = mem_live();

    w = mem_zalloc(sizeof(*w));
    set_up(w, o);
    if (cluster_fill(&w->cluster, w->model, o->crds)) {
        live(w);
        end(w);
    } else {
        checker_violation(w->checker, "the cluster could not be filled");
    }
    take_result(w, ret);
    tear_down(w);
    mem_free(w);
    if (mem_live() == before)
        return ret->violations == 0;
    (void)fprintf(stderr, "VIOLATION: %zu blocks of memory are left\n", mem_live() - before);
    ret->violations++;
    return false;
}
