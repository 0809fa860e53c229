/*
 * openapi: the documents that kubectl explain, apply and edit read, made from the resource table: each served kind with
 * x-kubernetes-group-version-kind, its paths as far as kubectl looks at them, ObjectMeta and the other shared types.
 * All return new references; JSON only (Accept for protobuf is answered by the caller).
 */
#ifndef STASHD_MODEL_OPENAPI_H
#define STASHD_MODEL_OPENAPI_H

#include "k8s/model/resource.h"

/* /openapi/v2: swagger 2.0, definitions with $ref "#/definitions/…". */
json_t *openapi_v2(const struct resources *rs);
/* /openapi/v3: {"paths":{"api/v1":{"serverRelativeURL":"/openapi/v3/api/v1?hash=…"}, "apis/batch/v1":…}}; the hash
 * changes with the document. */
json_t *openapi_v3_index(const struct resources *rs);
/* /openapi/v3/apis/<group>/<version> (group "": /openapi/v3/api/v1); NULL: no such group version. */
json_t *openapi_v3(const struct resources *rs, const char *group, const char *version);

#endif
