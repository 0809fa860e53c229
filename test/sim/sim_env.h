/*
 * sim_env: a struct env where hours pass in a second: one seed, a virtual clock that jumps to the next timer, no child
 * processes. Equal times fire in the order of setting, so a seed is a run.
 */
#ifndef STASHD_SIM_ENV_H
#define STASHD_SIM_ENV_H

#include "core/base/env.h"

struct sim_env {
    struct env env; /* first */
    uint64_t now_ns;
    int64_t wall_offset_ms; /* the wall clock minus the monotonic one: a step of the clock changes it */
    uint64_t state;
    struct heap timers;
};

void sim_env_init(struct sim_env *s, uint64_t seed, int64_t wall_ms);
void sim_env_done(struct sim_env *s); /* asserts that no timer is left */
/* Fires the next timer that is due before until_ns; false when there is none (the clock is at until_ns then). */
bool sim_env_step(struct sim_env *s, uint64_t until_ns);
/* proc_start of a world without processes: ERR_NOTFOUND. */
int sim_env_no_children(struct env *e, struct proc *p, const struct proc_spec *spec, struct error *error);

/* Dice of their own, so that a part's throws do not change another's. */
uint64_t sim_random(uint64_t *state);

#endif
