/*
 * json: short ways into a jansson tree that somebody else owns. A path is names joined by '.', as in "spec.target.ref";
 * a number picks an item of a list. Keys with dots (labels) are looked up with json_object_get.
 */
#ifndef STASHD_JSON_H
#define STASHD_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/buf.h"

/* All borrow from root; NULL, "", the fallback when root or a step is absent or of another type. */
json_t *json_at(const json_t *root, const char *path);
const char *json_text(const json_t *root, const char *path); /* never NULL */
int64_t json_int(const json_t *root, const char *path, int64_t fallback);
bool json_flag(const json_t *root, const char *path, bool fallback);
struct str json_str(const json_t *string); /* view of a string value; STR_NONE for anything else */

/* Is that string in the array? */
bool json_has_text(const json_t *array, const char *text);
/* Value of a label ("labels") or annotation ("annotations") of an object; never NULL. */
const char *json_meta(const json_t *object, const char *map, const char *key);

/* What json_loadb with JSON_ALLOW_NUL makes of a text, at half its cost. A new reference; NULL: the text is no object
 * and no list, and json_loadb can say why. */
json_t *json_read(struct str text) NODISCARD;
/* What json_loadb with JSON_REJECT_DUPLICATES makes of it: each key once, no NUL in a string. */
json_t *json_read_strict(struct str text) NODISCARD;

/*
 * As jansson's JSON_COMPACT and JSON_ENCODE_ANY write it, and its json_deep_copy, but without its search for loops,
 * which is most of their cost: a value with a loop can't come from a text, and nobody here makes one. A copy shares
 * its strings and numbers with the original: those are never set in place.
 */
void json_write(struct buf *out, const json_t *value);
char *json_compact(const json_t *value); /* to be freed with mem_free; NULL is "null" */
json_t *json_clone(const json_t *value); /* NULL of NULL */

#endif
