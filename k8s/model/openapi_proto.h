/*
 * openapi_proto: the OpenAPI v2 document as protobuf (gnostic's openapi.v2.Document), the one form that kubectl before
 * 1.27 reads for explain and for checking what it applies. Definitions of
 * custom kinds only: what it does not find described, it sends as it is.
 */
#ifndef STASHD_MODEL_OPENAPI_PROTO_H
#define STASHD_MODEL_OPENAPI_PROTO_H

#include <jansson.h>

#include "core/base/buf.h"

/* Appends the message of a document that openapi_v2 made. */
void openapi_proto_write(struct buf *out, const json_t *document);

#endif
