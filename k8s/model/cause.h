/*
 * cause: what is wrong with an object, in the API server's words. A list of causes is a jansson array of
 * {"reason", "message", "field"}, as in a Status' details.causes.
 */
#ifndef STASHD_CAUSE_H
#define STASHD_CAUSE_H

#include <jansson.h>

#include "core/base/buf.h"
#include "core/base/error.h"

/* A place in an object, linked upwards on the stack: {&up, "spec", -1} is up.spec, {&up, NULL, 2} is up[2]. */
struct place {
    const struct place *up; /* NULL: the object itself, which has no name */
    const char *name;       /* NULL: an index */
    ssize_t index;
    bool bracket; /* name is a map's key, written [key] */
};

/* A text as JSON takes it: one that is no UTF-8, such as one cut within a character, gets '?' for its odd bytes. A
 * cause that can't be written down would be a violation overlooked. */
json_t *cause_string(const char *text);
/* Any cause, in its own words. */
void cause_add(json_t *causes, const char *reason, const char *field, const char *message);

void cause_place(const struct place *at, struct buf *out); /* "spec.steps[2].name" */

/* Each adds one cause. detail NULL: none. value is printed as JSON. */
void cause_required(json_t *causes, const struct place *at, const char *detail);
void cause_forbidden(json_t *causes, const struct place *at, const char *detail);
void cause_duplicate(json_t *causes, const struct place *at, const json_t *value);
void cause_unsupported(json_t *causes, const struct place *at, const json_t *value, const json_t *supported);
void cause_not_found(json_t *causes, const struct place *at, const json_t *value);
void cause_invalid(json_t *causes, const struct place *at, const json_t *value, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* The same with a text in the value's stead: "Invalid value: "string": …". */
void cause_type(json_t *causes, const struct place *at, const char *shown, const char *fmt, ...) PRINTF_LIKE(4, 5);
void cause_too_long(json_t *causes, const struct place *at, size_t max_bytes);
void cause_too_many(json_t *causes, const struct place *at, size_t count, size_t max);

/* "spec.a: Required value", or "[a, b]" when there are several. */
void cause_text(const json_t *causes, struct buf *out);

#endif
