/*
 * controllers: what the controller manager does, as far as it is seen: garbage collection (background, foreground,
 * orphan), namespace lifecycle, Jobs, CronJobs, quotas, one ServiceAccount "default" and ConfigMap kube-root-ca.crt in
 * each namespace.
 *
 * They read the store and write through model_do as "system:kube-controller-manager", in turns of their own: a change
 * only marks keys and sets a timer (0 ms), never writes inside model_controllers_changed.
 *
 * What the request side leaves to them:
 * - delete with Foreground sets metadata.deletionTimestamp and the finalizer "foregroundDeletion", with Orphan the
 *   finalizer "orphan"; taking these away when the dependents are dealt with is the collector's. The object goes when
 *   its last finalizer goes.
 * - delete of a Namespace sets deletionTimestamp and status.phase Terminating; its contents are the controller's, then
 *   PUT /api/v1/namespaces/<n>/finalize with spec.finalizers [] removes it.
 * - delete of a Pod only sets deletionTimestamp (and deletionGracePeriodSeconds) while spec.nodeName is set and grace >
 *   0: the kubelet, who hears model_on_change, deletes it with grace 0.
 */
#ifndef STASHD_MODEL_CONTROLLERS_H
#define STASHD_MODEL_CONTROLLERS_H

#include "k8s/model/internal.h"

void model_controllers_start(struct model *m); /* looks at all that is stored first (restart) */
void model_controllers_stop(struct model *m);  /* timers cleared, memory freed; fine when not started */
/* After each change, r never NULL; old NULL: created, now NULL: gone (old is the last state). */
void model_controllers_changed(struct model *m, const struct resource *r, const json_t *old, const json_t *now);

#endif
