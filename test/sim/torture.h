/* torture: each effect of small scenarios failed in each way, and the operator killed around it. */
#ifndef STASHD_SIM_TORTURE_H
#define STASHD_SIM_TORTURE_H

#include <jansson.h>

struct torture_options {
    const json_t *crds; /* cluster_read_crds */
    unsigned every;   /* only each so-many-th effect; 1: all */
    unsigned jobs;    /* processes at a time */
    const char *only; /* of scenarios with that in their name; NULL: all */
};

/* The exit code. */
int torture_run(const struct torture_options *options);

#endif
