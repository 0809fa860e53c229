/* builtin_types: OpenAPI schemas of the API server's own types, by short name ("core.PodSpec") or full one. */
#ifndef STASHD_MODEL_BUILTIN_TYPES_H
#define STASHD_MODEL_BUILTIN_TYPES_H

#include <jansson.h>

#include "core/base/buf.h"

#define BUILTIN_REF "#/components/schemas/"
#define BUILTIN_OBJECT_META "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

/* The full name: "io.k8s.api.core.v1.PodSpec". The prefix of a group is "core", "batch", … */
void builtin_type_name(const char *short_name, struct buf *out);
const char *builtin_type_prefix(const char *group); /* NULL: none of ours */
/* A new reference; NULL: we have no such type. References in it are BUILTIN_REF and a full name. */
json_t *builtin_type_schema(const char *full_name);

#endif
