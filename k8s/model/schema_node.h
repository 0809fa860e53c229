/* schema_node: the compiled form of one schema, shared by the schema*.c files only. */
#ifndef STASHD_SCHEMA_NODE_H
#define STASHD_SCHEMA_NODE_H

#include <regex.h>

#include "core/base/map.h"
#include "k8s/model/cause.h"
#include "k8s/model/schema.h"

enum schema_type { TYPE_ANY, TYPE_OBJECT, TYPE_ARRAY, TYPE_STRING, TYPE_INTEGER, TYPE_NUMBER, TYPE_BOOLEAN };

enum schema_format {
    FORMAT_NONE,
    FORMAT_INT32,
    FORMAT_INT64,
    FORMAT_DATE_TIME,
    FORMAT_DATE,
    FORMAT_BYTE,
    FORMAT_DURATION,
};

/* A validation rule: two paths that must be the same, or must not. */
struct schema_rule {
    char *left, *right; /* "self", "oldSelf.x" */
    bool differ;        /* != */
    bool needs_old;     /* a transition rule: skipped on creation */
    char *message;
};

struct schema_list {
    struct schema **items;
    size_t n;
};

/* JSON values are references into the document that was compiled. Limits that are not there are -1. */
struct schema {
    enum schema_type type;
    enum schema_format format;
    bool nullable, int_or_string, preserve, embedded;
    bool is_set, is_keyed; /* x-kubernetes-list-type set, map */
    bool is_atomic;        /* x-kubernetes-map-type atomic */
    bool has_min, has_max, min_exclusive, max_exclusive;
    double min, max, multiple_of;
    int64_t min_length, max_length, min_items, max_items, min_properties, max_properties;

    struct map properties; /* struct schema */
    struct schema *items;
    struct schema *additional; /* additionalProperties; `true` is a schema that takes anything */
    struct schema *not_this;
    struct schema_list all_of, any_of, one_of;

    json_t *required, *keys, *values, *fallback; /* required, list-map-keys, enum, default; NULL */
    char *pattern;
    regex_t *regex;
    struct schema_rule *rules;
    size_t n_rules;
};

/* ECMA pattern to a POSIX one, compiled; NULL with e when it uses what POSIX has not. */
regex_t *schema_pattern_compile(const char *pattern, struct error *e);
void schema_pattern_free(regex_t *r);

enum schema_format schema_format_find(const char *name); /* FORMAT_NONE: unknown ones are not checked */
const char *schema_format_name(enum schema_format f);
bool schema_format_fits(enum schema_format f, struct str text);

int schema_rule_parse(struct schema_rule *out, const json_t *rule, struct error *e) NODISCARD;
bool schema_rule_holds(const struct schema_rule *r, const json_t *self, const json_t *old);

#endif
