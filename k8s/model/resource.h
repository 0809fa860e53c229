/*
 * resource: the table of what is served: the built-in kinds, and those that CustomResourceDefinitions registered. One
 * row for each served version; versions of one kind share their store table.
 */
#ifndef STASHD_MODEL_RESOURCE_H
#define STASHD_MODEL_RESOURCE_H

#include <jansson.h>
#include <stdbool.h>

#include "core/base/list.h"
#include "k8s/model/store.h"

struct schema;

struct resource {
    struct list link; /* private */
    /* Never NULL. group "" for core. */
    const char *group, *version, *kind, *list_kind, *plural, *singular;
    const char *short_names, *categories; /* separated by ','; "" none */
    bool namespaced;
    bool has_status;          /* /status is a subresource: a write of the object leaves status alone, and vice versa */
    bool builtin;             /* strategic merge patches apply */
    bool bumps_generation;    /* metadata.generation counts changes of anything but metadata and status */
    bool virtual_only;        /* only create, nothing stored: reviews */
    const char *subresources; /* others than status, separated by ','; "" none */
    struct table *table;      /* NULL when virtual_only */

    /* Of custom kinds; else NULL. */
    struct schema *schema;
    json_t *open_api; /* openAPIV3Schema of this version */
    json_t *columns;  /* additionalPrinterColumns */
};

struct resources; /* opaque: all of them */

struct resources *resources_new(struct store *s); /* with the built-in kinds */
void resources_free(struct resources *rs);

/* Built-ins first, then custom kinds in the order of registration;
 * NULL at the end: for (r = NULL; (r = next(rs, r));) */
const struct resource *resource_next(const struct resources *rs, const struct resource *r);
const struct resource *resource_find(const struct resources *rs, struct str group, struct str version,
                                     struct str plural);
const struct resource *resource_of_kind(const struct resources *rs, const char *api_version, const char *kind);
/* The row whose store table this is (the first version); NULL: a table without a served kind. */
const struct resource *resource_of_table(const struct resources *rs, const struct table *t);
/* "v1", "batch/v1" */
const char *resource_api_version(const struct resource *r, char out[256]);

/* A copy of an object that may be written to. shares_spec: but for the spec of a Job or a pod, which is most of it;
 * once stored it has all that is filled in, and who finds the stored one again looks no further. */
json_t *resource_copy(const struct resource *r, const json_t *object, bool shares_spec);

/* Registers (or replaces) the served versions of a CustomResourceDefinition; takes the rows of that plural.group away
 * first. crd NULL: only takes away. Changes resources_serial. */
void resources_set_crd(struct resources *rs, struct store *s, const char *plural, const char *group, const json_t *crd);
/* Grows with each change: for caches of discovery and OpenAPI documents. */
uint64_t resources_serial(const struct resources *rs);

#endif
