/* torture: each effect of small scenarios failed in each way, and the operator killed around it. */
#ifndef STASHD_SIM_TORTURE_H
#define STASHD_SIM_TORTURE_H

/* The exit code. every: only each so-many-th effect (1: all). only: of scenarios with that in their name; NULL: all. */
int torture_run(const char *chart, unsigned every, const char *only);

#endif
