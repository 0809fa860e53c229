/*
 * mirror: what an operator's cache shows against what the API server has committed. While something is under way they
 * may differ; what differs in the same way at two looks, minutes apart and without a fault in between, stays so for
 * ever.
 */
#ifndef STASHD_SIM_MIRROR_H
#define STASHD_SIM_MIRROR_H

#include "checker.h"
#include "controllers/operator.h"
#include "core/base/map.h"

/* What the server has of the kinds that operators watch. */
struct mirror {
    struct map objects; /* "<kind> <namespace>/<name>" to its resourceVersion, a text */
};

void mirror_init(struct mirror *m);
void mirror_done(struct mirror *m);
/* For every change that a model_change_fn hears. */
void mirror_changed(struct mirror *m, const char *type, const json_t *object);

/* Two looks at one cache. */
struct mirror_look {
    struct map differ; /* what differed at the first */
};

void mirror_look_first(struct mirror_look *l, const struct mirror *m, const struct operator *op);
/* Ends it. */
void mirror_look_again(struct mirror_look *l, const struct mirror *m, const struct operator *op, struct checker *c);
void mirror_look_done(struct mirror_look *l);

#endif
