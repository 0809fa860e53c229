/* patch: a patch of one of three types to the object it makes; the fourth, apply, is in apply.h. */
#ifndef STASHD_MODEL_PATCH_H
#define STASHD_MODEL_PATCH_H

#include "core/base/error.h"
#include "k8s/model/resource.h"

enum { PATCH_INVALID = -1, PATCH_UNSUPPORTED = -2, PATCH_MALFORMED = -3 };

/* from is left as it is; *ret is a new tree, on success only. 0 or one of the above, e says why. */
int patch_apply(const struct resource *r, struct str content_type, const json_t *from, const json_t *patch,
                json_t **ret, struct error *e);

/* RFC 7386: patch over *target (one reference, replaced). */
void patch_merge(json_t **target, const json_t *patch);
/* RFC 6902. The operations are done on target in place; on failure target is half done. */
int patch_json(json_t **target, const json_t *operations, struct error *e) NODISCARD;
/* Strategic merge by the merge keys of the built-in kinds, with the directives $patch, $retainKeys, $setElementOrder
 * and $deleteFromPrimitiveList. ERR_INVALID: an item without its merge key. */
int patch_strategic(json_t *target, const json_t *patch, struct error *e) NODISCARD;

#endif
