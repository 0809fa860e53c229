/*
 * condition: the conditions of a status (api.md 13.11): a plain list with one entry a type. An equal (status, reason,
 * message) changes nothing; anything else replaces the entry in place with the present time.
 */
#ifndef STASHD_CONDITION_H
#define STASHD_CONDITION_H

#include <jansson.h>
#include <stdbool.h>

#include "core/base/error.h"
#include "core/base/str.h"

/* A reason that several types share (controllers.md 2). */
#define REASON_NAME_CONFLICT "NameConflict"

/* A copy of the list in status.conditions of an object (NULL fine) to work on; one reference. */
json_t *condition_copy(const json_t *object);

/* list is changed in place; the message is cut at LIMIT_MESSAGE. */
void condition_set(json_t *list, int64_t now_s, const char *type, const char *status, const char *reason,
                   const char *fmt, ...) PRINTF_LIKE(6, 7);
void condition_drop(json_t *list, const char *type);

/* Of a list; "" when absent. list may be NULL. */
const char *condition_status(const json_t *list, const char *type);
const char *condition_reason(const json_t *list, const char *type);
const char *condition_message(const json_t *list, const char *type);
bool condition_is(const json_t *list, const char *type, const char *status);
/* It is False now, and was not so, or for another cause, in the old list: worth a warning. */
bool condition_fails_anew(const json_t *old, const json_t *now, const char *type);
/* lastTransitionTime in Unix seconds; 0 when absent. */
int64_t condition_since(const json_t *list, const char *type);

/* The same of a cache record's text "Type=Status/Reason Type=Status/Reason" (kind.h: conditions); text may be NULL. */
struct str condition_record_status(const char *text, const char *type); /* STR_NONE when absent */
struct str condition_record_reason(const char *text, const char *type);
bool condition_record_is(const char *text, const char *type, const char *status);

#endif
