/* selector_parts: what selector.c (fields, matching) and selector_labels.c (the language of labels) share. */
#ifndef STASHD_MODEL_SELECTOR_PARTS_H
#define STASHD_MODEL_SELECTOR_PARTS_H

#include "core/base/str.h"
#include "k8s/model/selector.h"

enum op { OP_IN, OP_NOT_IN, OP_EXISTS, OP_ABSENT, OP_GREATER, OP_LESS };

struct term {
    char *key;
    enum op op;
    char **values;
    size_t n_values;
};

struct selector {
    struct term *terms;
    size_t n;
};

/* Adds a term, and makes *s where there is none; value adds to what it is compared with. */
struct term *selector_term(struct selector **s, struct str key, enum op op);
void selector_value(struct term *t, struct str value);

#endif
