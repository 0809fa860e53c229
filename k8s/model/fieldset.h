/*
 * fieldset: sets of paths in an object, as metadata.managedFields tells who owns what.
 *
 * A set is a tree of JSON objects. A node's children stand under path elements as FieldsV1 writes them: "f:name" a
 * field, "k:{"name":"c"}" a list's item by its keys, "v:"x"" by its value. A node that belongs to the set has the
 * member "."; one without it and without children does not exist. All functions that return a set return a new
 * reference.
 */
#ifndef STASHD_MODEL_FIELDSET_H
#define STASHD_MODEL_FIELDSET_H

#include <jansson.h>
#include <stdbool.h>

#include "core/base/buf.h"

/* A path, linked upwards on the stack. NULL is the root, which is in no set. */
struct fieldpath {
    const struct fieldpath *up;
    const char *element;
};

/* From FieldsV1, where {} stands for a node that belongs without children, and back, with elements in order. */
json_t *fieldset_read(const json_t *fields_v1);
json_t *fieldset_write(const json_t *set);

void fieldset_insert(json_t *set, const struct fieldpath *path);
bool fieldset_has(const json_t *node); /* the node itself */
bool fieldset_is_empty(const json_t *set); /* NULL is empty */

/* The same asked of FieldsV1 as it is, for most writes touch few of an object's entries. */
bool fieldset_wire_touches(const json_t *fields_v1, const json_t *set); /* some path is in both */
bool fieldset_wire_covers(const json_t *fields_v1, const json_t *set);  /* each path of set is there */

json_t *fieldset_union(const json_t *a, const json_t *b);
json_t *fieldset_intersection(const json_t *a, const json_t *b);
json_t *fieldset_difference(const json_t *a, const json_t *b); /* path by path: a parent's going leaves its children */
/* What is in b goes with all that is below it, and so does what holds nothing then. */
json_t *fieldset_without(const json_t *a, const json_t *b);

/* A path as people read it; "" for the root. */
void fieldpath_print(const struct fieldpath *path, struct buf *out);
/* Each path in order, as people read it: .spec.containers[name="c"].image */
void fieldset_each(const json_t *set, void (*fn)(void *ctx, const char *path), void *ctx);

#endif
