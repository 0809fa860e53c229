/*
 * proto: a body in Kubernetes' protobuf envelope as the JSON object it stands for. kubectl's create and auth commands send
 * built-in kinds so and offer no other way.
 *
 * A message is a text of fields "<number> <JSON name> <type>; …". Types: s string, b bool, i integer, t time, u time with
 * fractions, q quantity, n integer or string, y bytes (base64), r raw JSON, - skipped, else the name of a message. In
 * front: * a list, % a map from strings. Behind: ? a pointer in Go: what is there stays even when it is zero; of others
 * zero values are dropped, for Go sends them all. A JSON name "." puts the message's fields into the one around it.
 */
#ifndef STASHD_MODEL_PROTO_H
#define STASHD_MODEL_PROTO_H

#include <jansson.h>
#include <stddef.h>

#include "core/base/error.h"
#include "core/base/str.h"

struct proto_message {
    const char *name, *fields;
};

extern const struct proto_message proto_messages[];
extern const size_t n_proto_messages;

/* NULL with ERR_INVALID: malformed, a kind or a field that isn't known here. */
json_t *proto_load(struct str bytes, struct error *e);

#endif
