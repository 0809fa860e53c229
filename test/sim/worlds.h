/* worlds: many worlds of months, in several processes; their sum at the end. */
#ifndef STASHD_SIM_WORLDS_H
#define STASHD_SIM_WORLDS_H

#include "world.h"

struct worlds_options {
    struct world_options world; /* of each; seed: of the first, 0: fresh ones */
    unsigned worlds, minutes;   /* one of them; the other 0 */
    unsigned jobs;              /* 0: as many as there are cores */
    unsigned twice;             /* each so-many-th is run twice; 0: none */
    unsigned torture;           /* not worlds but torture.h; 0: worlds */
    const char *chart;          /* its folder, for the CRDs */
    const char *only;           /* its scenarios; NULL: all */
    bool once, no_shrink;
};

/* Fills in what months need and was not said. */
void worlds_prepare(struct worlds_options *o);
unsigned worlds_jobs(const struct worlds_options *o); /* how many processes that makes */
/* The exit code. */
int worlds_run(const struct worlds_options *o);

#endif
