/*
 * kubelet: runs the model's pods by the clock alone: a pod starts after a moment, works for a while, and ends well or
 * badly by seeded dice. A backup's pod writes its session's status before it ends, as update-status does.
 */
#ifndef STASHD_SIM_KUBELET_H
#define STASHD_SIM_KUBELET_H

#include "fault.h"
#include "k8s/model/model.h"

struct kubelet; /* opaque */

struct kubelet_dice { /* of 100 pods */
    unsigned fail_percent; /* ends badly, having told its session */
    unsigned lost_percent; /* ends badly without a word: out of memory, node gone */
    unsigned odd_percent;  /* hangs, vanishes, reports late or twice */
    unsigned long_percent; /* takes minutes: a big database */
};

struct kubelet *kubelet_new(struct env *env, struct model *m, uint64_t seed, const struct kubelet_dice *dice,
                            struct fault_book *book);
void kubelet_behave(struct kubelet *k); /* from now on no pod is odd, and those that hang end */
void kubelet_free(struct kubelet *k);
/* Of each change (model_on_change). */
void kubelet_changed(void *kubelet, const char *type, const json_t *object);
unsigned kubelet_running(const struct kubelet *k);

#endif
