/*
 * schema: a CRD's openAPIV3Schema made ready: what it prunes, fills in and refuses. The root object's apiVersion, kind
 * and metadata are always known and left alone (metadata has its own checks elsewhere).
 */
#ifndef STASHD_MODEL_SCHEMA_H
#define STASHD_MODEL_SCHEMA_H

#include <jansson.h>

#include "core/base/error.h"

struct schema; /* opaque */

/* NULL with ERR_INVALID: not structural, an unknown type, a bad pattern, a CEL rule we can't run (named in e). */
struct schema *schema_compile(const json_t *open_api_v3_schema, struct error *e);
void schema_free(struct schema *s); /* NULL is fine */

/* Removes fields the schema doesn't know (x-kubernetes-preserve-unknown-fields and embedded resources respected).
 * ret_dropped: an array that gets their paths ("spec.foo", "spec.list[0].bar") for field validation, or NULL. */
void schema_prune(const struct schema *s, json_t *object, json_t *ret_dropped);
/* Fills defaults in: absent fields, and null ones where the schema isn't nullable. */
void schema_default(const struct schema *s, json_t *object);
/*
 * Appends a cause {"reason":"FieldValueInvalid","message":…,"field":"spec.x"} for each violation and returns how many.
 * Reasons and messages as the API server's: FieldValueRequired "Required value", FieldValueNotSupported "Unsupported
 * value: \"x\": supported values: \"A\", \"B\"", FieldValueTypeInvalid / FieldValueInvalid "Invalid value: …: spec.x in
 * body must be of type string: \"integer\"". old: the stored object on an update, for transition rules (oldSelf); NULL
 * on create.
 */
int schema_validate(const struct schema *s, const json_t *object, const json_t *old, json_t *ret_causes);

#endif
