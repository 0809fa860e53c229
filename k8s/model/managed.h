/*
 * managed: metadata.managedFields: who owns which fields of an object. Writes of all verbs keep it; server-side apply
 * (apply.h) goes by it.
 */
#ifndef STASHD_MODEL_MANAGED_H
#define STASHD_MODEL_MANAGED_H

#include "k8s/model/mergewalk.h"
#include "k8s/model/request.h"

struct managed_entry {
    char *manager, *api_version, *sub, *time; /* sub "" for the object itself */
    bool applied;                             /* operation Apply; else Update */
    json_t *wire, *set;                       /* private: FieldsV1 as it came, the fieldset; one may be NULL */
};

struct managed {
    struct managed_entry *items;
    size_t n;
};

/* From the list in an object's metadata. False: it can't be read; then m is empty. */
bool managed_read(struct managed *m, const json_t *list);
void managed_done(struct managed *m);
/* The list, in order; NULL when it is empty. */
json_t *managed_write(struct managed *m);
/* The entry of a manager: of an Update also by its version. NULL: none. */
struct managed_entry *managed_find(struct managed *m, bool applied, const char *manager, const char *api_version,
                                   const char *sub);
struct managed_entry *managed_add(struct managed *m, bool applied, const char *manager, const char *api_version,
                                  const char *sub);
void managed_set_time(struct managed_entry *e, const char *time);
const json_t *managed_fields(struct managed_entry *e); /* its fieldset, borrowed */
/* Replaces the entry's set. */
void managed_set(struct managed_entry *e, json_t *set_take);
void managed_drop_empty(struct managed *m);
/* Without what nobody owns: names, versions and what only the server writes. */
json_t *managed_strip(json_t *set_take);

/* Who writes: the query's fieldManager, else the first word of the user agent. */
const char *managed_manager(const struct request *q, char out[129]);

/*
 * Of a create, update or patch: sets the object's managedFields by what it changes. old NULL: it is new. sent is what
 * the request itself had there (may be NULL): a client may write the list.
 */
void managed_update(struct request *q, json_t *object, const json_t *old, const json_t *sent);
/* When nothing but times in managedFields differs from old, the old ones stay. */
void managed_settle(json_t *object, const json_t *old);

#endif
