/* shrink: of a world that fails, the faults that it takes. */
#ifndef STASHD_SIM_SHRINK_H
#define STASHD_SIM_SHRINK_H

#include "world.h"

/* Prints flags that run it, and what still happens then. A fault left out changes what comes after it, so this is a
 * search, not a proof: it keeps only what it has seen fail. It takes a minute, and the run that it is in then. */
void shrink(const struct world_options *failing);

#endif
