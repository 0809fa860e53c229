/* check: see check.c. Each returns 0, or the status of a refusal that is in q. */
#ifndef STASHD_MODEL_CHECK_H
#define STASHD_MODEL_CHECK_H

#include "k8s/model/request.h"

void check_drop_nulls(json_t *value);
/* Of built-in kinds, as it was sent. */
int check_typed(struct request *q, json_t *object, const json_t *old);
/* With its metadata set; old NULL on create. Fills defaults in. */
int check_kind(struct request *q, json_t *object, const json_t *old);

#endif
