/* worlds: see worlds.h. A child a core takes the seeds that are its turn and tells each result through a pipe. */
#include "worlds.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shrink.h"

enum { JOBS_MAX = 64 };

struct sum {
    struct world_result total;
    uint64_t worlds, repeated, bad;
    bool never[N_FAULTS];
};

void worlds_prepare(struct worlds_options *o)
{
    o->world.months = true;
    if (!o->world.invokers)
        o->world.invokers = 100;
    if (o->world.until_s <= 86400)
        o->world.until_s = 30 * 86400;
    if (!o->world.odd_percent)
        o->world.odd_percent = 4;
    if (o->minutes && !o->world.storm_days)
        o->world.storm_days = 1; /* what a minute is for is faults */
    if (!o->world.seed)
        o->world.seed = (uint64_t)time(NULL) * 100000;
}

unsigned worlds_jobs(const struct worlds_options *o)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned jobs = o->jobs ? o->jobs : cores > 0 ? (unsigned)cores : 1;

    return jobs > JOBS_MAX ? JOBS_MAX : jobs;
}

/* Minutes are of the core that this process has: beside others a run does as much, later. */
static bool goes_on(const struct worlds_options *o, uint64_t i)
{
    return o->minutes ? clock() / CLOCKS_PER_SEC < (clock_t)o->minutes * 60 : i < o->worlds;
}

/* One world; each so-many-th again. */
static bool run_world(const struct worlds_options *o, uint64_t i, struct world_result *ret)
{
    struct world_options one = o->world;
    struct world_result again;
    bool good;

    one.seed += i;
    if (i % 4 == 3) /* also a world without a fault from outside: there no write may be in vain */
        one.forbidden = ~0ull;
    good = world_run(&one, ret);
    if (good && o->twice && i % o->twice == 0) {
        good = world_run(&one, &again) && again.trace == ret->trace;
        if (again.trace != ret->trace)
            (void)fprintf(stderr, "VIOLATION: two runs of seed %" PRIu64 " differ\n", one.seed);
    }
    if (!good) {
        ret->violations += !ret->violations;
        (void)fprintf(stderr, "again: sim --seed %" PRIu64 " --invokers %zu --days %" PRId64 " --storms %u --once\n",
                      one.seed, one.invokers, one.until_s / 86400, one.storm_days);
        if (!o->no_shrink)
            shrink(&one);
    }
    return good;
}

/* now: for the parent, should this process not come to its end. */
static void work(const struct worlds_options *o, unsigned job, unsigned jobs, int fd, uint64_t *now)
{
    for (uint64_t i = job; goes_on(o, i); i += jobs) {
        struct world_result r;

        *now = o->world.seed + i;
        (void)run_world(o, i, &r);
        if (write(fd, &r, sizeof(r)) != (ssize_t)sizeof(r))
            _exit(1);
    }
    _exit(0);
}

static void add(struct sum *s, const struct world_result *r)
{
    struct world_result *t = &s->total;

    s->worlds++;
    s->bad += r->violations > 0;
    t->changes += r->changes;
    t->writes += r->writes;
    t->kills += r->kills;
    t->faults += r->faults;
    t->totals.sessions += r->totals.sessions;
    t->totals.succeeded += r->totals.succeeded;
    t->totals.failed += r->totals.failed;
    t->totals.skipped += r->totals.skipped;
    t->totals.jobs += r->totals.jobs;
    t->totals.due += r->totals.due;
    t->totals.made += r->totals.made;
    t->totals.coalesced += r->totals.coalesced;
    t->totals.missed += r->totals.missed;
    for (unsigned k = 0; k < N_FAULTS; k++)
        t->fired[k] += r->fired[k];
}

/* Of the children, who have ended. */
static long long cpu_s(void)
{
    struct rusage u;

    return getrusage(RUSAGE_CHILDREN, &u) == 0 ? (long long)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) : 0;
}

/* False: a kind of fault never happened. */
static bool print(const struct worlds_options *o, const struct sum *s, time_t took)
{
    const struct world_result *t = &s->total;
    bool all = true;

    (void)printf("%" PRIu64 " worlds of %zu invokers for %" PRId64 " days in %lld s (%lld s of CPU), seeds from %"
                 PRIu64 ": %" PRIu64 " with a violation\n", s->worlds, o->world.invokers, o->world.until_s / 86400,
                 (long long)took, cpu_s(), o->world.seed, s->bad);
    (void)printf("%" PRIu64 " changes, %" PRIu64 " effects of operators, %" PRIu64 " faults (%.0f a second), %" PRIu64
                 " deaths\n", t->changes, t->writes, t->faults, (double)t->faults / (double)(took > 0 ? took : 1),
                 t->kills);
    (void)printf("%u sessions (%u succeeded, %u failed, %u skipped), %u Jobs; due times %" PRIu64 ": made %" PRIu64
                 ", coalesced %" PRIu64 ", skipped %" PRIu64 "\n", t->totals.sessions, t->totals.succeeded,
                 t->totals.failed, t->totals.skipped, t->totals.jobs, t->totals.due, t->totals.made,
                 t->totals.coalesced, t->totals.missed);
    for (unsigned k = 1; k < N_FAULTS; k++) {
        (void)printf("%s %" PRIu64 "%s", fault_names[k], t->fired[k], k + 1 < N_FAULTS ? ", " : "\n");
        if (!t->fired[k] && !(o->world.forbidden >> k & 1) && s->worlds >= 20) {
            (void)fprintf(stderr, "VIOLATION: no fault of kind %s has happened\n", fault_names[k]);
            all = false;
        }
    }
    return all;
}

static bool wait_for(pid_t child, const struct worlds_options *o, uint64_t seed)
{
    int status;

    if (waitpid(child, &status, 0) != child)
        return false;
    if (WIFSIGNALED(status))
        (void)fprintf(stderr, "VIOLATION: signal %d in the world of seed %" PRIu64 "\n"
                      "again: sim --seed %" PRIu64 " --invokers %zu --days %" PRId64 " --storms %u --once\n",
                      WTERMSIG(status), seed, seed, o->world.invokers, o->world.until_s / 86400, o->world.storm_days);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int worlds_run(const struct worlds_options *o)
{
    unsigned jobs = worlds_jobs(o);
    pid_t children[JOBS_MAX];
    time_t began = time(NULL);
    struct world_result r;
    struct sum sum = {0};
    bool good = true;
    int fds[2];
    uint64_t *now = mmap(NULL, JOBS_MAX * sizeof(*now), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (now == MAP_FAILED || pipe(fds) < 0) // NOLINT(performance-no-int-to-ptr): the macro's
        return 2;
    (void)fflush(NULL);
    for (unsigned j = 0; j < jobs; j++) {
        children[j] = fork();
        if (children[j] < 0)
            return 2;
        if (children[j] == 0) {
            (void)close(fds[0]);
            work(o, j, jobs, fds[1], &now[j]);
        }
    }
    (void)close(fds[1]);
    while (read(fds[0], &r, sizeof(r)) == (ssize_t)sizeof(r))
        add(&sum, &r);
    for (unsigned j = 0; j < jobs; j++)
        good = wait_for(children[j], o, now[j]) && good;
    (void)close(fds[0]);
    (void)munmap(now, JOBS_MAX * sizeof(*now));
    good = print(o, &sum, time(NULL) - began) && good;
    return good && sum.bad == 0 ? 0 : 1;
}
