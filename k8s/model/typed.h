/*
 * typed: what a Go API server does by decoding a built-in kind into its struct: fields that don't exist are dropped,
 * values of another type are refused.
 */
#ifndef STASHD_MODEL_TYPED_H
#define STASHD_MODEL_TYPED_H

#include <jansson.h>

#include "core/base/error.h"

/* Removes unknown fields and adds their paths to ret_dropped. 0, or ERR_INVALID with Go's words for a value of the
 * wrong type. Status isn't looked into, nor a part that is as in old (NULL: there is none), which is what is stored.
 * Kinds without a table are left alone. */
int typed_check(const char *kind, json_t *object, const json_t *old, json_t *ret_dropped, struct error *e) NODISCARD;

#endif
