/*
 * proto: what built-in kinds consist of, and bodies in Kubernetes' protobuf envelope as the JSON objects they stand
 * for. kubectl's create and auth commands send built-in kinds so and offer no other way.
 *
 * A message is a text of fields "<number> <JSON name> <type>; …". Types: s string, b bool, i integer, t time, u time
 * with fractions, q quantity, n integer or string, y bytes (base64), - skipped, ! known, but refused in protobuf, else
 * the name of a message. In front: * a list, % a map from strings. Behind: ? a pointer in Go: what is there stays even
 * when it is zero; of others zero values are dropped, for Go sends them all. A JSON name "." puts the message's fields
 * into the one around it.
 */
#ifndef STASHD_MODEL_PROTO_H
#define STASHD_MODEL_PROTO_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/error.h"
#include "core/base/str.h"

struct proto_message {
    const char *name, *fields;
};

extern const struct proto_message proto_messages[]; /* by name */
extern const size_t n_proto_messages;

struct proto_field {
    char name[96], type[96];
    bool list, map, pointer, skipped, refused;
};

const struct proto_message *proto_find(const char *name); /* NULL: not known */
bool proto_field_numbered(const struct proto_message *m, unsigned number, struct proto_field *f);
/* Also in the messages that "." puts into this one. */
bool proto_field_named(const struct proto_message *m, const char *name, struct proto_field *f);

/* NULL with ERR_INVALID: malformed, a kind or a field that isn't known here. */
json_t *proto_load(struct str bytes, struct error *e);

#endif
