/*
 * mergewalk: what server-side apply does with objects, by their merge types. The objects given are left as they are;
 * results share what they took over whole (nobody changes a part of a result but with a copy of its own).
 */
#ifndef STASHD_MODEL_MERGEWALK_H
#define STASHD_MODEL_MERGEWALK_H

#include "core/base/error.h"
#include "k8s/model/fieldset.h"
#include "k8s/model/mergetype.h"

/* What makes a the object b, each a set to be freed by mergewalk_diff_done. */
struct merge_diff {
    json_t *added, *modified, *removed;
    json_t *no_object, *no_list; /* private: what stands for a field that is always there */
};

struct merge_diff mergewalk_diff(const struct merge_type *t, const json_t *a, const json_t *b);
void mergewalk_diff_done(struct merge_diff *d);

/* The paths that an applied configuration speaks of. NULL with ERR_INVALID: an item of a list without its key, or there
 * twice; e NULL: such items are passed over. */
json_t *mergewalk_fields(const struct merge_type *t, const json_t *object, struct error *e);

/* live with config, which mergewalk_fields found good, laid over it. */
json_t *mergewalk_merge(const struct merge_type *t, const json_t *live, const json_t *config);

/*
 * merged without what the manager owned and does not apply any more (last_set: what it applied before), but for what
 * others own (kept: the union of all managers' sets, its new one among them).
 */
json_t *mergewalk_prune(const struct merge_type *t, const json_t *merged, const json_t *last_set, const json_t *kept);

#endif
