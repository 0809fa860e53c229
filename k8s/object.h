/*
 * object: struct kobj, the compact record of one object that the cache keeps: immutable and refcounted. A change is a
 * new record. The whole object is read again (kube_call) when it is acted on.
 */
#ifndef STASHD_OBJECT_H
#define STASHD_OBJECT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "k8s/kind.h"

struct kobj {
    uint32_t refs; /* private */
    bool deleting; /* metadata.deletionTimestamp is set */
    const struct kind *kind;
    int64_t generation;
    int64_t created_s; /* metadata.creationTimestamp, Unix seconds */
    /* Never NULL; "" when absent. */
    const char *ns, *name, *uid, *rv;
    const char *owner_kind, *owner_name, *owner_uid; /* of the ownerReference with controller: true, else the first */
    const char *values[]; /* by place in kind->fields; NULL when absent */
};

struct kobj *kobj_ref(const struct kobj *o);
void kobj_unref(const struct kobj *o); /* NULL is fine */

/* Value of one of the kind's fields, borrowed with the object; NULL when absent. Asserts that the kind has it. */
const char *kobj_get(const struct kobj *o, const char *field);
/* The same with "" for absent. */
const char *kobj_text(const struct kobj *o, const char *field);

/* What the scanner would have made of this tree: for tests and for objects that came whole. One reference. */
struct kobj *kobj_from_json(const struct kind *k, const json_t *object);

/* What a record is made from; the scanner's and kobj_from_json's common last step. Strings are copied. */
struct kobj_parts {
    struct str ns, name, uid, rv, owner_kind, owner_name, owner_uid;
    bool deleting;
    int64_t generation, created_s;
    const struct str *values; /* kind->n_fields; p NULL: absent */
};
struct kobj *kobj_make(const struct kind *k, const struct kobj_parts *parts);

#endif
