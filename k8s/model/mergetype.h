/*
 * mergetype: how the values of a kind are merged and owned: field by field, item by item, or as one. Built-in kinds
 * have a table of rules, custom ones their schema; what neither speaks of is merged by what it looks like: objects
 * field by field, everything else as one value.
 */
#ifndef STASHD_MODEL_MERGETYPE_H
#define STASHD_MODEL_MERGETYPE_H

#include "k8s/model/resource.h"

enum merge_how {
    MERGE_ANY,    /* by what the value looks like */
    MERGE_LEAF,   /* one value: scalars, atomic lists and maps */
    MERGE_STRUCT, /* an object with fields of its own */
    MERGE_MAP,    /* an object whose keys are the user's */
    MERGE_SET,    /* a list of values, each there once */
    MERGE_KEYED,  /* a list of objects, each known by some of its fields */
};

struct merge_type { /* a value: cheap to copy; what it points to lives as long as its kind */
    enum merge_how how;
    bool is_root;
    bool is_always_there;        /* the real server writes it even when it is empty, and so never finds it added */
    const char *message;         /* built-in: of a struct, or of a map's or list's items; NULL: scalars, or not known */
    const char *keys;            /* built-in: "a,b" */
    const struct schema *schema; /* custom: of this value */
};

struct merge_rule {
    const char *message, *field;
    const char *keys;  /* "a,b": a list by keys, "+a,b": one that is always there; "": a set; "!": a map that is one
                        * value; NULL: see child */
    const char *child; /* message of the field, or of its items, where no other table tells, '?' in front: it may be
                        * absent; NULL: the other table does */
};

struct merge_type merge_type_of(const struct resource *r);
struct merge_type merge_type_field(const struct merge_type *t, const char *name);
struct merge_type merge_type_item(const struct merge_type *t);
/* What counts for that value: never MERGE_ANY, and a struct or list only when the value is one. */
enum merge_how merge_type_how(const struct merge_type *t, const json_t *value);

/* The path element of a list's item ("k:{…}", "v:…"), mem_free; NULL: it has no key. */
char *merge_type_element(const struct merge_type *list, const json_t *item);

/* ---- mergerules.c ---- */
const struct merge_rule *merge_rule_find(const char *message, const char *field); /* NULL: none */
bool merge_rule_is_atomic(const char *message);

#endif
