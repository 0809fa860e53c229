/*
 * location: where a Repository keeps its data: spec.backend as the values that everybody uses (api.md 2.2): variables
 * of Functions, command lines of restic, the operator's checks for locations used twice.
 */
#ifndef STASHD_LOCATION_H
#define STASHD_LOCATION_H

#include <jansson.h>
#include <stdbool.h>

#include "core/base/arena.h"
#include "core/base/error.h"

/* All texts are "" when they do not apply, and live in the arena. */
struct location {
    const char *provider; /* "local", "s3", "gcs", "azure", "swift", "b2", "rest" */
    const char *bucket;   /* local: the mount path; rest: the URL's host */
    const char *prefix;   /* cleaned; rest: the URL's path, cleaned */
    const char *endpoint; /* s3: endpoint; rest: the whole URL */
    const char *region;   /* s3 */
    bool insecure_tls;    /* s3 */
    int64_t max_connections;
    const char *storage_secret; /* name; "" */
};

/*
 * The first member set in the order local, s3, gcs, azure, swift, b2, rest. ERR_INVALID "no backend configured: …", or
 * what is wrong with the member: a missing bucket, ".." in the prefix, a URL without host or with credentials in it.
 */
int location_of(const json_t *backend, struct arena *a, struct location *ret, struct error *e) NODISCARD;

#endif
