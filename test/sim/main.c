/*
 * sim: the operator's own objects on the model API server, with a virtual clock and a kubelet of dice: a day in
 * seconds.
 *
 *     sim --seed 42 --until 24h [--kill 30m] [--switch 10m] [--faults 5] [--fail 5] [--lost 2] [--verbose] [--once]
 *
 * Every change that the API server commits goes into a hash; the run is made twice and both hashes must be equal. A
 * violation prints a line and makes the exit code 1. --kill: the operator is killed at random, that far apart on
 * average, at any step, and started again. --faults: so many of 100 calls to the API server are lost, refused, slow or
 * cut; they stop at --until, and an hour later everything must be at rest. --switch: who triggers changes, that far
 * apart on average (switcher.h), and two of three times the operator is killed then or seconds later.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checker.h"
#include "cluster.h"
#include "faults.h"
#include "controllers/operator.h"
#include "core/base/cron.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "kubelet.h"
#include "sim_env.h"
#include "switcher.h"

enum {
    CONCURRENCY = 8,
    MARGIN_S = 30, /* a due time at the very end is dealt with, and none falls into it */
};

#define AWAY_NS 20000000000u

struct options {
    uint64_t seed;
    int64_t until_s, kill_s, switch_s;
    unsigned fail_percent, lost_percent, fault_percent;
    bool verbose, once;
    const char *chart;
};

struct run {
    const struct options *o;
    struct sim_env env;
    struct model *model;
    struct kubelet *kubelet;
    struct checker *checker;
    struct switcher *switcher; /* NULL: none */
    uint64_t next_kill; /* UINT64_MAX: none */
    EVP_MD_CTX *hash;
    uint64_t changes, kills, n_faults, n_switches;
    struct http_peer *peer; /* of the model */
    struct faults *faults;  /* in front of it */
    unsigned fault_percent; /* now */
    struct log log;
    struct kube kube;
    struct operator_settings settings;
    struct registry *registry;
    struct operator *operator;
    bool stopped;
    uint64_t dice;
    double missed; /* counted by operators that are gone */
    int64_t start_s;
    char trace[65];
    struct checker_totals totals;
    unsigned violations;
};

/* ---- what the API server commits ---- */

/* A session that is no retry is for a due time, whoever made it. */
static void check_due(struct run *r, const json_t *session)
{
    const char *ns = json_text(session, "metadata.namespace"), *name = json_text(session, "metadata.name");
    const char *dash = strrchr(name, '-');
    struct cron cron;
    struct error e;
    int64_t due_s;

    if (json_meta(session, "annotations", "stash.appscode.com/retry-of")[0])
        return;
    for (size_t i = 0; i < cluster_n_configs; i++) {
        const struct cluster_config *c = &cluster_configs[i];

        if (strcmp(c->ns, ns) != 0 || strcmp(c->name, json_text(session, "spec.invoker.name")) != 0 ||
            cron_parse(&cron, str_of(c->schedule), &e) < 0 || cron.every_s)
            continue;
        if (!dash || str_to_i64(str_of(dash + 1), &due_s) < 0 || cron_next(&cron, due_s - 1) != due_s)
            checker_violation(r->checker, "session %s/%s is for no due time of %s", ns, name, c->schedule);
    }
}

static void changed(void *ctx, const char *type, const json_t *object)
{
    struct run *r = ctx;
    char *text = json_dumps(object, JSON_COMPACT);
    char line[64];
    int n = snprintf(line, sizeof(line), "%llu %s ", (unsigned long long)r->env.now_ns, type);

    r->changes++;
    EVP_DigestUpdate(r->hash, line, (size_t)n);
    EVP_DigestUpdate(r->hash, text, strlen(text));
    mem_free(text);
    if (r->o->verbose)
        (void)fprintf(stderr, "%.3f %s %s %s/%s %s\n", (double)r->env.now_ns / 1e9 - 1, type, json_text(object, "kind"),
                      json_text(object, "metadata.namespace"), json_text(object, "metadata.name"),
                      json_text(object, "status.phase"));
    if (strcmp(type, "ADDED") == 0 && strcmp(json_text(object, "kind"), "BackupSession") == 0)
        check_due(r, object);
    kubelet_changed(r->kubelet, type, object);
    checker_changed(r->checker, type, object);
}

/* ---- the operator, and its deaths ---- */

static void write_line(void *ctx, struct str line)
{
    const struct run *r = ctx;

    if (r->o->verbose)
        (void)fwrite(line.p, 1, line.n, stderr);
}

static void start_operator(struct run *r)
{
    /* An operator that nothing happens to needs no Lease: its renewals would be eight of ten changes of a day. */
    bool competes = r->o->kill_s || r->o->fault_percent || r->o->switch_s;
    struct http_peer *peer;

    if (r->o->switch_s) /* all that have no annotation of their own switch too */
        r->settings.by_cronjobs = sim_random(&r->dice) % 2;
    r->peer = model_peer_new(r->model, "system:serviceaccount:stash:stashd", "system:masters");
    r->faults = faults_new(&r->env.env, r->peer, sim_random(&r->dice), r->fault_percent);
    peer = faults_peer(r->faults);
    r->log = (struct log){.env = &r->env.env, .min = LOG_INFO, .write = write_line, .ctx = r, .plain = true};
    r->kube = (struct kube){.env = &r->env.env, .log = &r->log, .peers = {peer, peer, peer}, .user_agent = "sim"};
    r->registry = registry_new();
    r->operator = operator_new(&(struct operator_options){.env = &r->env.env,
                                                          .kube = &r->kube,
                                                          .log = &r->log,
                                                          .settings = &r->settings,
                                                          .registry = r->registry,
                                                          .concurrency = CONCURRENCY,
                                                          .qps = 50,
                                                          .burst = 100,
                                                          .identity = competes ? "sim" : NULL});
    operator_start(r->operator);
}

static void ended(void *ctx)
{
    ((struct run *)ctx)->stopped = true;
}

/* The sum over a family's lines of the page. */
static double sum_of(struct registry *registry, const char *family)
{
    struct buf page;
    double sum = 0;

    buf_init(&page, 16 * 1024 * 1024);
    registry_write(registry, &page);
    for (struct str rest = buf_str(&page), line; str_cut(&rest, '\n', &line);) {
        if (str_starts(line, str_of(family)) && memrchr(line.p, ' ', line.n))
            sum += strtod((const char *)memrchr(line.p, ' ', line.n) + 1, NULL);
    }
    buf_done(&page);
    return sum;
}

/* Stops in order; a kill gives it no turn to write anything more: what it has begun is canceled at once. */
static void stop_operator(struct run *r)
{
    r->missed += sum_of(r->registry, "stash_operator_schedule_missed_total{");
    r->stopped = false;
    operator_stop(r->operator, ended, r);
    while (!r->stopped && sim_env_step(&r->env, UINT64_MAX))
        ;
    operator_free(r->operator);
    registry_free(r->registry);
    r->n_faults += faults_count(r->faults);
    faults_free(r->faults);
    model_peer_free(r->peer);
    r->operator = NULL;
}

/* ---- a run ---- */

static uint64_t at_ns(int64_t s)
{
    return 1000000000u + (uint64_t)s * 1000000000u;
}

static void choose_kill(struct run *r)
{
    r->next_kill = UINT64_MAX;
    if (r->o->kill_s)
        r->next_kill = r->env.now_ns + sim_random(&r->dice) % (uint64_t)(2 * r->o->kill_s * 1000000000);
}

static void switched(void *ctx)
{
    struct run *r = ctx;
    uint64_t dice = sim_random(&r->dice) % 3;

    if (dice == 0) /* before it hears of it */
        r->next_kill = r->env.now_ns;
    else if (dice == 1)
        r->next_kill = r->env.now_ns + sim_random(&r->dice) % 3000000000;
}

/* Where switches are tried, nobody leads for some seconds: due times and switches fall into them. */
static void stay_away(struct run *r, uint64_t end)
{
    uint64_t back = r->env.now_ns + (r->o->switch_s ? sim_random(&r->dice) % AWAY_NS : 0);

    while (r->o->switch_s && sim_env_step(&r->env, back < end ? back : end))
        ;
}

static void run_until(struct run *r, int64_t until_s)
{
    uint64_t end = at_ns(until_s);

    r->next_kill = UINT64_MAX;
    if (until_s <= r->o->until_s + MARGIN_S)
        choose_kill(r);
    for (;;) {
        if (!sim_env_step(&r->env, end < r->next_kill ? end : r->next_kill)) {
            if (r->next_kill >= end)
                return;
            stop_operator(r);
            r->kills++;
            stay_away(r, end);
            start_operator(r);
            choose_kill(r);
        }
    }
}

/* May a count have been lost? A kill between a write and its count is rare beside the switches, which are what is to be
 * seen: there each due time must be made. */
static bool lossy(const struct run *r)
{
    return r->n_faults || (r->kills && !r->o->switch_s);
}

/* Without faults each due time has its session or was counted. With them a count may be lost (it stands behind the
 * write that it tells of, whose answer may be lost), but none is both, and none is made twice (the checker). */
static void check_ledger(struct run *r, int64_t end_s)
{
    int64_t due = 0, made = 0;

    for (size_t i = 0; i < cluster_n_configs; i++) {
        const struct cluster_config *c = &cluster_configs[i];
        struct cron cron;
        struct error e;

        if (cron_parse(&cron, str_of(c->schedule), &e) < 0)
            abort();
        for (int64_t t = cron_next(&cron, r->start_s); t < end_s; t = cron_next(&cron, t)) {
            AUTO_FREE char *name = mem_printf("%s-%lld", c->name, (long long)t);

            due++;
            made += checker_was_made(r->checker, c->ns, name);
        }
    }
    (void)printf("due times: %lld, made: %lld, counted as missed: %.0f\n", (long long)due, (long long)made, r->missed);
    if (made + (int64_t)r->missed > due || (made + (int64_t)r->missed != due && !lossy(r)))
        checker_violation(r->checker, "%lld due times, %lld made, %.0f missed", (long long)due, (long long)made,
                          r->missed);
}

/* Nobody is triggered any more; what runs may end. */
static void pause_all(struct run *r)
{
    for (size_t i = 0; i < cluster_n_configs; i++) {
        const struct cluster_config *c = &cluster_configs[i];
        AUTO_FREE char *path =
            mem_printf("/apis/stash.appscode.com/v1beta1/namespaces/%s/backupconfigurations/%s", c->ns, c->name);
        json_t *body = json_pack("{s:{s:b}}", "spec", "paused", 1);

        if (model_do(r->model, "admin", "PATCH", path, body, NULL) != 200)
            checker_violation(r->checker, "cannot pause %s", c->name);
        json_decref(body);
    }
}

static void check_rest(struct run *r)
{
    r->totals = checker_totals(r->checker);
    if (r->totals.open)
        checker_violation(r->checker, "%u sessions have not ended", r->totals.open);
    if (!engine_idle(operator_engine(r->operator)))
        checker_violation(r->checker, "the engine is not at rest");
    if (kubelet_running(r->kubelet))
        checker_violation(r->checker, "%u pods still run", kubelet_running(r->kubelet));
}

static void finish_hash(struct run *r)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    EVP_DigestFinal_ex(r->hash, digest, &n);
    EVP_MD_CTX_free(r->hash);
    for (unsigned i = 0; i < 32 && i < n; i++)
        (void)snprintf(r->trace + 2 * i, 3, "%02x", digest[i]);
}

static void set_up(struct run *r, const struct options *o)
{
    const struct kubelet_dice dice = {o->fail_percent, o->lost_percent};

    *r = (struct run){.o = o,
                      .dice = o->seed ^ 0xd1ce,
                      .fault_percent = o->fault_percent,
                      .start_s = 1772323200 /* 2026-03-01T00:00:00Z */};
    sim_env_init(&r->env, o->seed, r->start_s * 1000);
    r->hash = EVP_MD_CTX_new();
    EVP_DigestInit_ex(r->hash, EVP_sha256(), NULL);
    r->checker = checker_new(o->seed);
    r->model = model_new(&(struct model_options){.env = &r->env.env, .seed = o->seed,
                                                 .no_managed_fields = true}); /* nobody here asks for owners */
    r->kubelet = kubelet_new(&r->env.env, r->model, o->seed ^ 0x6b75, &dice);
    r->settings = (struct operator_settings){.own_namespace = "default", .image = "stashd:1",
                                             .pull_policy = "IfNotPresent", .fullname = "stashd",
                                             .pushgateway_url = "", .job_ttl_s = 3600, .job_default_timeout_s = 86400,
                                             .pod_start_timeout_s = 900, .catch_up_s = 600};
    model_on_change(r->model, changed, r);
    model_start(r->model);
}

static bool run(struct run *r, const struct options *o)
{
    set_up(r, o);
    if (!cluster_fill(r->model, o->chart))
        return false;
    start_operator(r);
    if (o->switch_s)
        r->switcher = switcher_new(&r->env.env, r->model, o->seed ^ 0x5317c4, o->switch_s, switched, r);
    run_until(r, o->until_s + MARGIN_S);
    switcher_stop(r->switcher);
    r->fault_percent = 0;
    faults_set_percent(r->faults, 0);
    pause_all(r);
    run_until(r, o->until_s + MARGIN_S + 3600);
    check_rest(r);
    stop_operator(r);
    check_ledger(r, r->start_s + o->until_s + MARGIN_S);
    r->violations = checker_violations(r->checker);
    r->n_switches = switcher_count(r->switcher);
    switcher_free(r->switcher);
    kubelet_free(r->kubelet);
    model_free(r->model);
    checker_free(r->checker);
    finish_hash(r);
    sim_env_done(&r->env);
    return r->violations == 0;
}

static bool run_checked(struct run *r, const struct options *o)
{
    size_t live = mem_live();
    bool good = run(r, o);

    (void)printf("seed %llu: %lld s, %llu changes, %u sessions (%u succeeded, %u failed, %u skipped), %u Jobs, %llu "
                 "kills, %llu switches, %llu faults, trace %.16s\n",
                 (unsigned long long)o->seed, (long long)o->until_s, (unsigned long long)r->changes, r->totals.sessions,
                 r->totals.succeeded, r->totals.failed, r->totals.skipped, r->totals.jobs,
                 (unsigned long long)r->kills, (unsigned long long)r->n_switches, (unsigned long long)r->n_faults,
                 r->trace);
    if (good && mem_live() != live) {
        (void)fprintf(stderr, "VIOLATION: %zu blocks of memory are left\n", mem_live() - live);
        return false;
    }
    return good;
}

static int64_t seconds(const char *text)
{
    int64_t ns = 0;
    struct error e;

    if (str_parse_duration_ns(str_of(text), &ns, &e) < 0) {
        (void)fprintf(stderr, "sim: %s\n", e.msg);
        exit(2);
    }
    return ns / 1000000000;
}

static bool parse_flag(struct options *o, const char *name, const char *value)
{
    if (strcmp(name, "--seed") == 0)
        o->seed = strtoull(value, NULL, 10);
    else if (strcmp(name, "--until") == 0)
        o->until_s = seconds(value);
    else if (strcmp(name, "--kill") == 0)
        o->kill_s = seconds(value);
    else if (strcmp(name, "--switch") == 0)
        o->switch_s = seconds(value);
    else if (strcmp(name, "--fail") == 0)
        o->fail_percent = (unsigned)strtoul(value, NULL, 10);
    else if (strcmp(name, "--lost") == 0)
        o->lost_percent = (unsigned)strtoul(value, NULL, 10);
    else if (strcmp(name, "--faults") == 0)
        o->fault_percent = (unsigned)strtoul(value, NULL, 10);
    else if (strcmp(name, "--chart") == 0)
        o->chart = value;
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    struct options o = {.seed = 42, .until_s = 86400, .fail_percent = 5, .lost_percent = 2, .chart = SIM_CHART};
    struct run first, second;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0) {
            o.verbose = true;
        } else if (strcmp(argv[i], "--once") == 0) {
            o.once = true;
        } else if (i + 1 >= argc || !parse_flag(&o, argv[i], argv[i + 1])) {
            (void)fprintf(stderr, "sim: flag %s\n", argv[i]);
            return 2;
        } else {
            i++;
        }
    }
    mem_install(1);
    if (!run_checked(&first, &o))
        return 1;
    if (o.once)
        return 0;
    if (!run_checked(&second, &o))
        return 1;
    if (strcmp(first.trace, second.trace) != 0) {
        (void)fprintf(stderr, "VIOLATION: two runs of one seed differ\n");
        return 1;
    }
    return 0;
}
