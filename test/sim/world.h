/*
 * world: one run of a seed: the model API server, a kubelet of dice, users, one or two operators; then faults stop, and
 * an hour later everything must be at rest. The trace is a hash of every change that was committed.
 *
 * Two ways to live: a short one (faults all the time, as said by percent and means), and months, in which calm weeks
 * have one operator without a Lease and each fourth night has a storm: two operators that compete by the
 * Lease, many faults, users who edit and delete.
 */
#ifndef STASHD_SIM_WORLD_H
#define STASHD_SIM_WORLD_H

#include "checker.h"
#include "fault.h"

struct world_options {
    uint64_t seed;
    size_t invokers; /* 0: six that are busy, see cluster.h */
    int64_t until_s;
    bool months;                    /* with storms */
    unsigned storm_days;            /* from one to the next; 0: four */
    int64_t kill_s, switch_s;       /* means; 0: never */
    unsigned fail_percent, lost_percent, odd_percent, fault_percent;
    bool verbose;
    const json_t *crds;             /* cluster_read_crds; borrowed */
    uint64_t forbidden;             /* kinds of fault, a bit each */
    int64_t faults_from_s, faults_until_s; /* and when they may happen; until 0: always */
};

struct world_result {
    uint64_t trace, changes, writes, kills, switches, faults;
    uint64_t fired[N_FAULTS];
    struct checker_totals totals;
    unsigned violations;
};

/* False: a violation, or something is left in memory. quiet: nothing but violations is printed. */
bool world_run(const struct world_options *o, struct world_result *ret);

#endif
