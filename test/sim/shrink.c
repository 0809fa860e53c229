/* shrink: see shrink.h. First whole kinds are forbidden, then the time in which any may happen is halved from both
 * ends. */
#include "shrink.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { HALVINGS = 5, SEARCH_S = 60 };

static bool fails(const struct world_options *o, struct world_result *r)
{
    int err = dup(STDERR_FILENO);
    bool good;

    (void)fflush(stderr);
    if (!freopen("/dev/null", "w", stderr))
        return false;
    good = world_run(o, r);
    (void)fflush(stderr);
    (void)dup2(err, STDERR_FILENO);
    (void)close(err);
    return !good;
}

static bool has_time(time_t began)
{
    return time(NULL) - began < SEARCH_S;
}

static void forbid_kinds(struct world_options *o, struct world_result *r, time_t began)
{
    for (unsigned k = 1; k < N_FAULTS && has_time(began); k++) {
        struct world_options less = *o;
        struct world_result other;

        if ((o->forbidden >> k & 1) || !r->fired[k])
            continue;
        less.forbidden |= 1ull << k;
        if (fails(&less, &other)) {
            *o = less;
            *r = other;
        }
    }
}

static void halve(struct world_options *o, struct world_result *r, bool start, time_t began)
{
    int64_t step = (o->faults_until_s - o->faults_from_s) / 2;

    for (int i = 0; i < HALVINGS && step > 0 && has_time(began); i++, step /= 2) {
        struct world_options less = *o;
        struct world_result other;

        if (start)
            less.faults_from_s += step;
        else
            less.faults_until_s -= step;
        if (less.faults_from_s < less.faults_until_s && fails(&less, &other)) {
            *o = less;
            *r = other;
        }
    }
}

void shrink(const struct world_options *failing)
{
    struct world_options o = *failing;
    time_t began = time(NULL);
    struct world_result r;

    o.verbose = false;
    if (!fails(&o, &r)) {
        (void)fprintf(stderr, "it does not fail again: two runs of one seed differ\n");
        return;
    }
    forbid_kinds(&o, &r, began);
    if (!o.faults_until_s)
        o.faults_until_s = o.until_s + 3600;
    halve(&o, &r, false, began);
    halve(&o, &r, true, began);
    (void)fprintf(stderr, "it takes %" PRIu64 " faults between %" PRId64 " s and %" PRId64 " s:", r.faults,
                  o.faults_from_s, o.faults_until_s);
    for (unsigned k = 1; k < N_FAULTS; k++)
        if (r.fired[k])
            (void)fprintf(stderr, " %s %" PRIu64, fault_names[k], r.fired[k]);
    (void)fprintf(stderr, "\n  --seed %" PRIu64 " --from %" PRId64 "s --to %" PRId64 "s --without ", o.seed,
                  o.faults_from_s, o.faults_until_s);
    for (unsigned k = 1, first = 1; k < N_FAULTS; k++)
        if (o.forbidden >> k & 1 || !r.fired[k]) {
            (void)fprintf(stderr, "%s%s", first ? "" : ",", fault_names[k]);
            first = 0;
        }
    (void)fprintf(stderr, "\n");
    (void)world_run(&o, &r); /* with its words */
}
