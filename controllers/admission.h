/*
 * admission: the verdict on an object that is about to be written (snapshots-api.md 5.3). The rules are those of the
 * controllers, which check everything again: an object that is written while nobody answers here ends as Invalid with
 * the same text.
 *
 * What may still appear (a Repository, a Task, an AppBinding) is a warning. Objects that are being deleted, changes
 * that leave the spec as it is, subresources and kinds that are not ours are always allowed.
 */
#ifndef STASHD_ADMISSION_RULES_H
#define STASHD_ADMISSION_RULES_H

#include "controllers/controller.h"
#include "k8s/admission.h"

/*
 * Pure. Asks for the Repository's document, for the Namespace's with a selector: with world_waiting(w) afterwards the
 * verdict is void, as in a pass. knows: the cache is complete; without it nothing is said about other objects.
 */
void admission_decide(struct world *w, const struct admission_request *r, bool knows, struct admission_verdict *ret);

#endif
