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
#include "k8s/shared.h"

struct kobj {
    uint32_t refs;   /* private */
    uint16_t own_at; /* private */
    bool deleting;   /* metadata.deletionTimestamp is set */
    const struct kind *kind;
    int64_t generation;
    int64_t created_s; /* metadata.creationTimestamp, Unix seconds */
    /* Never NULL; "" when absent. */
    const char *ns, *name, *uid, *rv;
    const char *owner_kind, *owner_name, *owner_uid; /* of the ownerReference with controller: true, else the first */
    /* private: values in the order of kind->fields, the first n_own of them at bytes + own_at, the others in bytes that
     * this object has in common with those that say the same */
    const struct shared *common;
    char bytes[];
};

struct kobj *kobj_ref(const struct kobj *o);
void kobj_unref(const struct kobj *o); /* NULL is fine */

/* "<ns>\0<name>", in the object's own memory. */
struct str kobj_key(const struct kobj *o);

/* Value by place in kind->fields; NULL when absent. */
const char *kobj_value(const struct kobj *o, size_t field);
/* Value of one of the kind's fields, borrowed with the object; NULL when absent. Asserts that the kind has it. */
const char *kobj_get(const struct kobj *o, const char *field);
/* The same with "" for absent. */
const char *kobj_text(const struct kobj *o, const char *field);

/* Do they differ in resourceVersion at most? Then what changed in between is in no field that the record keeps. */
bool kobj_same(const struct kobj *a, const struct kobj *b);

/* One condition out of a condensed field ("Type=Status/Reason Type=…"): false when there is none of that type. Outputs
 * may be NULL; views into the object. kobj_condition reads the kind's field "status.conditions". */
bool kobj_condition(const struct kobj *o, const char *type, struct str *ret_status, struct str *ret_reason);
bool kobj_condition_in(const char *condensed, const char *type, struct str *ret_status, struct str *ret_reason);

/* Of a tree, the UID that kobj.owner_uid would have; "" for none. */
const char *kobj_owner_uid_in(const json_t *object);

/* What the scanner would have made of this tree: for tests and for objects that came whole. One reference. */
struct kobj *kobj_from_json(const struct kind *k, const json_t *object);

/* What a record is made from; the scanner's and kobj_from_json's common last step. Strings are copied. */
struct kobj_parts {
    struct str ns, name, uid, rv, owner_kind, owner_name, owner_uid;
    bool deleting;
    int64_t generation, created_s;
    const struct str *values; /* kind->n_fields; p NULL: absent */
};
/* pool: where what many have in common is kept once; NULL: not. */
struct kobj *kobj_make(struct shared_pool *pool, const struct kind *k, const struct kobj_parts *parts);
/* The common last step of values: one more condition to a condensed text (none without a type); a number as text: whole
 * numbers in plain decimal, others as "%.17g". */
void kobj_condense(struct buf *out, struct str type, struct str status, struct str reason);
const char *kobj_number(struct str token, char out[64]);

#endif
