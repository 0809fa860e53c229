/*
 * sim: the operator's own objects on the model API server, with a virtual clock and a kubelet of dice: a day in
 * seconds, a month in some more.
 *
 *     sim [--seed N] [--until 24h] [--kill 30m] [--switch 10m] [--faults 5] [--fail 5] [--lost 2]
 *     sim --worlds 200 --invokers 100 --days 30 [--seed N] [--twice 10]
 *     sim --minutes 45
 *     sim --torture 1 [--only "a restore"]
 *
 * The first form runs one short world twice; both traces, hashes of every change that the API server commits, must be
 * equal. --kill: the operator is killed, that far apart on average, and started again. --faults: so many of 100 calls
 * are lost, refused, slow or cut. --switch: who triggers changes, that far apart on average.
 * The second runs worlds of months (world.h) with seeds from N on (0: fresh ones), each --twice-th of them twice; the
 * third as many as so many minutes of each core's time allow.
 * The fourth fails each effect of small scenarios in each way (torture.h), or each so-many-th. All but the first use
 * --jobs processes (as many as there are cores).
 * A violation prints a line, what came before it, and the smallest set of faults that still brings it; exit code 1.
 * Others: --storms DAYS (from one to the next; 4, with --minutes 1), --once, --verbose, --chart FOLDER, --without
 * KIND,KIND (faults that may not happen), --from and --to (only in that time), --no-shrink.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/str.h"
#include "cluster.h"
#include "shrink.h"
#include "torture.h"
#include "worlds.h"

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

static uint64_t kinds(const char *text)
{
    struct str rest = str_of(text), name;
    uint64_t set = 0;

    while (str_cut(&rest, ',', &name)) {
        unsigned k = 0;

        while (k < N_FAULTS && !str_is(name, fault_names[k]))
            k++;
        if (k == N_FAULTS) {
            (void)fprintf(stderr, "sim: no fault is called \"%.*s\"\n", (int)name.n, name.p);
            exit(2);
        }
        set |= 1ull << k;
    }
    return set;
}

static bool parse_time(struct world_options *o, const char *name, const char *value)
{
    const struct {
        const char *name;
        int64_t *at;
    } flags[] = {{"--until", &o->until_s},      {"--kill", &o->kill_s},      {"--switch", &o->switch_s},
                 {"--from", &o->faults_from_s}, {"--to", &o->faults_until_s}};

    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (strcmp(name, flags[i].name) == 0) {
            *flags[i].at = seconds(value);
            return true;
        }
    }
    return false;
}

static bool parse_number(struct worlds_options *w, const char *name, const char *value)
{
    struct world_options *o = &w->world;
    const struct {
        const char *name;
        unsigned *at;
    } flags[] = {{"--fail", &o->fail_percent},    {"--lost", &o->lost_percent}, {"--odd", &o->odd_percent},
                 {"--faults", &o->fault_percent}, {"--worlds", &w->worlds},     {"--minutes", &w->minutes},
                 {"--jobs", &w->jobs},            {"--twice", &w->twice},
                 {"--torture", &w->torture},       {"--storms", &o->storm_days}};
    char *end;

    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (strcmp(name, flags[i].name) == 0) {
            *flags[i].at = (unsigned)strtoul(value, &end, 10);
            return value[0] && !*end;
        }
    }
    return false;
}

static bool parse_flag(struct worlds_options *w, const char *name, const char *value)
{
    if (strcmp(name, "--seed") == 0)
        w->world.seed = strtoull(value, NULL, 10);
    else if (strcmp(name, "--invokers") == 0)
        w->world.invokers = strtoull(value, NULL, 10);
    else if (strcmp(name, "--days") == 0)
        w->world.until_s = strtoll(value, NULL, 10) * 86400;
    else if (strcmp(name, "--chart") == 0)
        w->chart = value;
    else if (strcmp(name, "--only") == 0)
        w->only = value;
    else if (strcmp(name, "--without") == 0)
        w->world.forbidden = kinds(value);
    else
        return parse_time(&w->world, name, value) || parse_number(w, name, value);
    return true;
}

static void parse(struct worlds_options *w, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0) {
            w->world.verbose = true;
        } else if (strcmp(argv[i], "--once") == 0) {
            w->once = true;
        } else if (strcmp(argv[i], "--no-shrink") == 0) {
            w->no_shrink = true;
        } else if (i + 1 >= argc || !parse_flag(w, argv[i], argv[i + 1])) {
            (void)fprintf(stderr, "sim: flag %s; the head of test/sim/main.c has all\n", argv[i]);
            exit(2);
        } else {
            i++;
        }
    }
}

static void print(const struct world_options *o, const struct world_result *r)
{
    (void)printf("seed %" PRIu64 ": %" PRId64 " s, %" PRIu64 " changes, %" PRIu64 " writes, %u sessions (%u succeeded, "
                 "%u failed, %u skipped), %u Jobs, %" PRIu64 " kills, %" PRIu64 " switches, %" PRIu64 " faults, due %"
                 PRIu64 ": made %" PRIu64 ", coalesced %" PRIu64 ", skipped %" PRIu64 ", trace %016" PRIx64 "\n",
                 o->seed, o->until_s, r->changes, r->writes, r->totals.sessions, r->totals.succeeded, r->totals.failed,
                 r->totals.skipped, r->totals.jobs, r->kills, r->switches, r->faults, r->totals.due, r->totals.made,
                 r->totals.coalesced, r->totals.missed, r->trace);
}

static int run_one(const struct worlds_options *w)
{
    struct world_result first, second;
    bool good = world_run(&w->world, &first);

    print(&w->world, &first);
    if (!good) {
        if (!w->no_shrink)
            shrink(&w->world);
        return 1;
    }
    if (w->once)
        return 0;
    good = world_run(&w->world, &second);
    print(&w->world, &second);
    if (first.trace != second.trace)
        (void)fprintf(stderr, "VIOLATION: two runs of one seed differ\n");
    return good && first.trace == second.trace ? 0 : 1;
}

static int run(struct worlds_options *w)
{
    if (w->torture)
        return torture_run(&(struct torture_options){.crds = w->world.crds, .every = w->torture,
                                                     .jobs = worlds_jobs(w), .only = w->only});
    if (!w->worlds && !w->minutes && !w->world.invokers)
        return run_one(w);
    worlds_prepare(w);
    return w->worlds || w->minutes ? worlds_run(w) : run_one(w);
}

int main(int argc, char **argv)
{
    struct worlds_options w = {.world = {.seed = 42, .until_s = 86400, .fail_percent = 5,
                                         .lost_percent = 2},
                               .chart = SIM_CHART, .twice = 10};
    json_t *crds;
    int rc;

    mem_install(1);
    parse(&w, argc, argv);
    w.world.crds = crds = cluster_read_crds(w.chart);
    if (!crds)
        return 2;
    rc = run(&w);
    json_decref(crds);
    return rc;
}
