/* meta: the rules of metadata: what the server sets, what a writer may change, what names and labels must look like. */
#ifndef STASHD_MODEL_META_H
#define STASHD_MODEL_META_H

#include "k8s/model/request.h"

/* A new object's: generateName to a name, uid, creationTimestamp, generation; what only the server sets is dropped. */
void meta_create(struct request *q, json_t *object);
/* An update's: what only the server sets is carried over from old. */
void meta_update(json_t *object, const json_t *old);
/* Appends causes; old NULL on create. */
void meta_validate(const struct resource *r, const json_t *object, const json_t *old, json_t *ret_causes);
/* Sets metadata.generation: old's, or one more when something besides metadata and status differs. */
void meta_generation(const struct resource *r, json_t *object, const json_t *old);

#endif
