/*
 * kind: the table of Kubernetes kinds this project touches: one row each in kind.c, with what the cache keeps of an
 * object. A new kind is a new row; no code per kind or field.
 */
#ifndef STASHD_KIND_H
#define STASHD_KIND_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/buf.h"
#include "core/base/str.h"

enum kind_id {
    KIND_REPOSITORY,
    KIND_BACKUPCONFIGURATION,
    KIND_BACKUPSESSION,
    KIND_RESTORESESSION,
    KIND_BACKUPBATCH,
    KIND_RESTOREBATCH,
    KIND_BACKUPBLUEPRINT,
    KIND_TASK,
    KIND_FUNCTION,
    KIND_APPBINDING,
    KIND_NAMESPACE,
    KIND_POD,
    KIND_PVC,
    KIND_SERVICEACCOUNT,
    KIND_EVENT,
    KIND_JOB,
    KIND_CRONJOB,
    KIND_ROLE,
    KIND_ROLEBINDING,
    KIND_LEASE,
    N_KINDS
};

struct kind {
    enum kind_id id;
    const char *group; /* "" for core */
    const char *version;
    const char *name;   /* "BackupSession" */
    const char *plural; /* "backupsessions" */
    bool namespaced;
    /*
     * What the cache keeps besides metadata (object.h): leaf paths such as "spec.schedule", "status.phase"; a label or
     * annotation as "label:<key>", "annotation:<key>"; "conditions" (a path with this last part) keeps
     * "Type=Status/Reason" joined by ' '. Numbers and booleans are kept as their text. NULL-terminated.
     */
    const char *const *fields;
    size_t n_fields;
    size_t n_own; /* so many at the front differ from object to object; the rest is kept once for all that agree */
};

const struct kind *kind_get(enum kind_id id);                                  /* never NULL */
const struct kind *kind_find(struct str api_version, struct str kind); /* "stash.appscode.com/v1beta1"; or NULL */
const struct kind *kind_find_name(struct str group, struct str kind);         /* any version; or NULL */
const char *kind_api_version(const struct kind *k, char out[128]);            /* "v1", "batch/v1" */

/* "/apis/<group>/<version>/namespaces/<ns>/<plural>/<name>/<subresource>"; ns, name, subresource may be NULL. */
void kind_path(const struct kind *k, const char *ns, const char *name, const char *subresource, struct buf *out);

#endif
