/*
 * process: the struct env of one simulated process: its own timers on the world's clock, so that it can be stopped for
 * a while as by SIGSTOP, and its own wall clock, which may be wrong.
 */
#ifndef STASHD_SIM_PROCESS_H
#define STASHD_SIM_PROCESS_H

#include "sim_env.h"

struct process {
    struct env env; /* first */
    struct sim_env *sim;
    struct heap timers;
    struct timer next; /* of the world, for the first of them */
    uint64_t stopped_until_ns;
    int64_t wall_off_ms;
};

void process_init(struct process *p, struct sim_env *sim);
void process_done(struct process *p); /* asserts that no timer is left */
/* No timer of it fires before that time. */
void process_stop_until(struct process *p, uint64_t ns);
/* Fires what is due now, and what that sets for now. */
void process_run_now(struct process *p);

#endif
