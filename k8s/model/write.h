/* write: the two ends of every write, for verbs and for what the model itself writes in a request's name. */
#ifndef STASHD_MODEL_WRITE_H
#define STASHD_MODEL_WRITE_H

#include "k8s/model/request.h"

/* Checks and stores a new object; the answer has `code`. The object is consumed. */
int write_new(struct request *q, json_t *object_take, int code);
/* Checks and stores over old. The object is consumed. */
int write_over(struct request *q, struct stored *old, json_t *object_take);

#endif
