/* apply: server-side apply: a manager's configuration laid over what is there, by who owns which fields. */
#ifndef STASHD_MODEL_APPLY_H
#define STASHD_MODEL_APPLY_H

#include "k8s/model/request.h"

/*
 * live: the stored object as q's version shows it, NULL: there is none. config: with its envelope checked; borrowed,
 * but loses what is no field. 0 with *ret, a new object that carries its managedFields; or the status of a refusal: 409
 * when another manager owns what would change, 422 without a manager's name.
 */
int apply_run(struct request *q, const json_t *live, json_t *config, json_t **ret);

#endif
