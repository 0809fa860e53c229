/*
 * mischief: what befalls a world at any moment, by seeded dice (fault.h, from FAULT_GOAWAY to FAULT_NAMESPACE_GONE):
 * connections, the API server, processes, their clocks, the Lease, and users who edit and delete.
 */
#ifndef STASHD_SIM_MISCHIEF_H
#define STASHD_SIM_MISCHIEF_H

#include "checker.h"
#include "cluster.h"
#include "replica.h"

struct mischief; /* opaque: a handle */

struct mischief_options {
    struct sim_env *sim;
    struct model *model;
    struct cluster *cluster; /* schedules change in it as users edit them */
    struct checker *checker;
    struct fault_book *book;
    struct replica *replicas;
    size_t n_replicas;
    uint64_t seed;
    void (*on_kill)(struct replica *r, void *ctx); /* it has been killed */
    void *ctx;
};

struct mischief *mischief_new(const struct mischief_options *o);
/* From now on, that far apart on average; 0: no more. */
void mischief_set_mean(struct mischief *m, int64_t mean_ms);
/* All that is broken or hidden is whole again, what was deleted is made again (in a while), clocks are right. */
void mischief_repair(struct mischief *m);
void mischief_free(struct mischief *m);

#endif
