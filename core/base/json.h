/*
 * json: short ways into a jansson tree that somebody else owns. A path is names joined by '.', as in "spec.target.ref";
 * a number picks an item of a list. Keys with dots (labels) are looked up with json_object_get.
 */
#ifndef STASHD_JSON_H
#define STASHD_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/str.h"

/* All borrow from root; NULL, "", the fallback when root or a step is absent or of another type. */
json_t *json_at(const json_t *root, const char *path);
const char *json_text(const json_t *root, const char *path); /* never NULL */
int64_t json_int(const json_t *root, const char *path, int64_t fallback);
bool json_flag(const json_t *root, const char *path, bool fallback);
struct str json_str(const json_t *string); /* view of a string value; STR_NONE for anything else */

/* Value of a label ("labels") or annotation ("annotations") of an object; never NULL. */
const char *json_meta(const json_t *object, const char *map, const char *key);

/* Compact text to be freed with mem_free. */
char *json_compact(const json_t *value);

#endif
