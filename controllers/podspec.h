/*
 * podspec: resolved steps to the spec of a pod (jobs.md 5 to 8): containers in order (all but the last are init
 * containers), volumes, security contexts, secrets as mounts, a projected token. Pure.
 */
#ifndef STASHD_PODSPEC_H
#define STASHD_PODSPEC_H

#include "controllers/resolve.h"
#include "core/base/buf.h"

/* Places in the worker's containers, known to stash-job by the environment where a name stands beside. */
#define PODSPEC_TMP_DIR "/stash-tmp"
#define PODSPEC_INTERIM_DIR "/stash-interim-volume"
#define PODSPEC_CREDENTIALS_DIR "/stash-credentials" /* STASH_CREDENTIALS_DIR: 16 MiB of memory for derived files */
#define PODSPEC_STORAGE_DIR "/stash-secrets/storage" /* STASH_STORAGE_SECRET_DIR */
#define PODSPEC_APP_DIR "/stash-secrets/app"         /* spec.secret of the AppBinding */
#define PODSPEC_APP_TLS_DIR "/stash-secrets/app-tls" /* spec.tlsSecret */
#define PODSPEC_APP_EXTRA_DIR "/stash-secrets/app-extra-%zu" /* the n-th addKeysFrom of secretTransforms, from 0 */
#define PODSPEC_TOKEN_DIR "/var/run/secrets/kubernetes.io/serviceaccount"

/* A claim that the pod gets as a volume. */
struct podspec_claim {
    const char *volume, *claim;
};

struct podspec_options {
    const char *account;        /* ServiceAccount */
    const char *cluster;        /* world_cluster: STASH_CLUSTER */
    const char *interim_claim;  /* NULL: none */
    const struct podspec_claim *claims; /* of volumeClaimTemplates, for one ordinal */
    size_t n_claims;
};

/* One reference in *ret. ERR_INVALID: a message for the user. */
int podspec_make(const struct job_input *in, const struct resolved *r, const struct podspec_options *o,
                 struct arena *a, json_t **ret, struct error *e) NODISCARD;

/* Parts for other pods of ours; one reference each. */
enum { PODSPEC_UID_WORKER = 65535 };
json_t *podspec_token_volume(void); /* "stash-token": mount it at PODSPEC_TOKEN_DIR */
/* The pod's security context: the restricted one with that uid and gid, and over it the user's (NULL fine). */
json_t *podspec_security(int id, const json_t *user);
/* runtimeSettings.pod (NULL fine) into a pod: where it runs, and with what. Not its account and security. */
void podspec_place(json_t *pod, const json_t *settings);

/* The container of step i; one reference. */
json_t *podspec_container(const struct job_input *in, const struct resolved *r, size_t i,
                          const struct podspec_options *o, struct arena *a);

/* What in runtimeSettings (of an invoker, NULL fine) and in a pod's volumes is over the floor "baseline"
 * (multitenancy.md 5.5): field names joined by ", " are added to out; nothing when all is fine. prefix:
 * "spec.runtimeSettings". */
void podspec_floor_settings(const json_t *runtime_settings, const char *prefix, struct buf *out);
void podspec_floor_volumes(const json_t *volumes, const char *prefix, struct buf *out);

#endif
