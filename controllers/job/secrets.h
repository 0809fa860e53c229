/*
 * secrets: a Secret in our memory: read from the folder where the kubelet mounted it, or from its object, then
 * changed by an AppBinding's secretTransforms.
 */
#ifndef STASHD_SECRETS_H
#define STASHD_SECRETS_H

#include <jansson.h>

#include "core/base/error.h"
#include "core/base/secret.h"

enum { SECRETS_KEYS_MAX = 64, SECRETS_VALUE_MAX = 1024 * 1024 };

struct secrets {
    /* private */
    char *keys[SECRETS_KEYS_MAX];
    struct secret values[SECRETS_KEYS_MAX];
    size_t n;
};

void secrets_done(struct secrets *s); /* wipes */

/* Value, borrowed; STR_NONE when absent. Fits backend_key with ctx = the struct. */
struct str secrets_get(void *secrets, const char *key);
int secrets_set(struct secrets *s, const char *key, struct str value, struct error *e) NODISCARD;
void secrets_remove(struct secrets *s, const char *key);

/* All files of a mounted Secret. ERR_NOTFOUND when the folder is absent or empty (an optional Secret that does not
 * exist). */
int secrets_read_dir(struct secrets *s, const char *dir, struct error *e) NODISCARD;
/* data and stringData of a Secret object. */
int secrets_read_object(struct secrets *s, const json_t *object, struct error *e) NODISCARD;

/*
 * The secretTransforms of an AppBinding, in order (worker.md 3.5). more(ctx, n) gives the Secret of the n-th
 * addKeysFrom, counted from 0; NULL: e is filled by it. ERR_INVALID for an entry with no or several members.
 */
typedef struct secrets *secrets_more(void *ctx, size_t n, const json_t *secret_ref, struct error *e);
int secrets_transform(struct secrets *s, const json_t *transforms, secrets_more *more, void *ctx,
                      struct error *e) NODISCARD;

#endif
