/*
 * selector: label and field selectors, from a query's text to a yes or no for an object.
 */
#ifndef STASHD_MODEL_SELECTOR_H
#define STASHD_MODEL_SELECTOR_H

#include <jansson.h>
#include <stdbool.h>

#include "core/base/error.h"
#include "k8s/model/resource.h"

struct selector; /* opaque: terms that must all hold; NULL fits everything */

/* "a=b,c!=d,e in (f,g),h notin (i),j,!k". *ret NULL for an empty text. ERR_INVALID. */
int selector_parse_labels(struct selector **ret, const char *text, struct error *e) NODISCARD;
/* "metadata.name=x,status.phase!=Running"; only fields that the kind can be selected by. */
int selector_parse_fields(struct selector **ret, const struct resource *r, const char *text, struct error *e) NODISCARD;
/* A LabelSelector object: matchLabels and matchExpressions. NULL object: fits nothing, an empty one everything. */
bool selector_fits_object(const json_t *label_selector, const json_t *labels);
void selector_free(struct selector *s);

bool selector_fits_labels(const struct selector *s, const json_t *object);
bool selector_fits_fields(const struct selector *s, const json_t *object);
/* The value that metadata.name must have; NULL: any. A watch or list of one name is asked for so. */
const char *selector_name(const struct selector *fields);

#endif
