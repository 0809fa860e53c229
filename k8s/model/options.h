/* options: what may stand in a query, and in the body of a DELETE, checked before anything is done. */
#ifndef STASHD_MODEL_OPTIONS_H
#define STASHD_MODEL_OPTIONS_H

#include "k8s/model/request.h"

/* Reads dryRun. 0, or the refusal (400, 422). */
int options_check(struct request *q);
/* DeleteOptions as sent; query may say the same. 0, or the refusal. */
int options_check_delete(struct request *q, const json_t *options);

#endif
