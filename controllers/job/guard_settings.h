/*
 * guard_settings: how much a cluster may be asked to bear for a backup: spec.parameters.donor of its AppBinding. Pure.
 */
#ifndef STASHD_GUARD_SETTINGS_H
#define STASHD_GUARD_SETTINGS_H

#include <jansson.h>

#include "core/base/error.h"

struct guard_settings {
    char name[128];          /* name: only this node; "": the fittest */
    int64_t segment;         /* segment: prefer donors of this gmcast.segment; -1: any */
    unsigned min_synced;     /* minSynced: other nodes that must be Synced before and while it runs */
    unsigned flow_control;   /* maxFlowControlPercent: of the last seconds; 100: never stop for it */
    uint64_t receive_queue;  /* maxReceiveQueue: write sets that wait on another node; 0: any number */
    uint64_t max_s;          /* maxSeconds: of a donor's time; 0: no limit */
};

void guard_settings_defaults(struct guard_settings *s);
/* o: the object "donor", NULL: all defaults. ERR_INVALID names the field and what it may be. */
int guard_settings_read(struct guard_settings *s, const json_t *o, struct error *e) NODISCARD;

#endif
