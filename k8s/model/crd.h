/* crd: CustomResourceDefinitions: their own checks, and how they come into force and go. */
#ifndef STASHD_MODEL_CRD_H
#define STASHD_MODEL_CRD_H

#include "k8s/model/internal.h"

void crd_init(struct model *m);
void crd_done(struct model *m);
/* After a restore: all stored definitions. */
void crd_register_all(struct model *m);

bool crd_is(const struct resource *r);
void crd_default(json_t *crd); /* listKind, singular, conversion, storedVersions; before crd_validate */
void crd_validate(const json_t *crd, const json_t *old, json_t *ret_causes);
/* After each change of a definition; now NULL: gone. Registers its kinds at once; conditions follow in a later turn. */
void crd_changed(struct model *m, const json_t *old, const json_t *now);

#endif
