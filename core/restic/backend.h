/*
 * backend: where a repository lies and what restic must be told to reach it: the Repository's coordinates (as flags of
 * our programs) and the storage Secret's keys become RESTIC_REPOSITORY, more variables, files and global flags.
 * Pure: files are described, the caller writes them.
 */
#ifndef STASHD_BACKEND_H
#define STASHD_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/secret.h"
#include "core/base/str.h"

#define BACKEND_NAMES "local, s3, gcs, azure, swift, b2 or rest"

enum { BACKEND_VARS_MAX = 32, BACKEND_FLAGS_MAX = 12, BACKEND_FILES_MAX = 2 };

struct backend_params {
    const char *provider; /* one of BACKEND_NAMES */
    const char *bucket, *prefix, *endpoint, *region; /* NULL or "" when not given */
    bool insecure_tls;
    int64_t max_connections;
    bool of_repository; /* the above is its spec.backend, not a program's flags: for messages */
    bool cache;
    const char *cache_dir; /* with cache */
    const char *file_dir;  /* where the caller will write the files; memory-backed if there is such a place */
};

struct backend_file {
    char *path;
    struct secret bytes;
};

struct backend {
    char *repository;                    /* as in RESTIC_REPOSITORY; may hold a password: not for logs */
    char *location;                      /* the same without credentials: for logs */
    struct secret vars[BACKEND_VARS_MAX]; /* "NAME=value": for restic's environment alone */
    size_t n_vars;
    char *flags[BACKEND_FLAGS_MAX]; /* global flags of each command */
    size_t n_flags;
    struct backend_file files[BACKEND_FILES_MAX]; /* to be written, mode 0600 */
    size_t n_files;
};

/* Value of a key of the storage Secret, borrowed; STR_NONE when it has none. */
typedef struct str backend_key(void *ctx, const char *key);

/* 0, or ERR_INVALID: an unknown provider, a missing coordinate (see backend_check_place), or a key that the Secret must
 * have (named in the text). *out is to be given to backend_done in either case. */
int backend_init(struct backend *out, const struct backend_params *p, backend_key *key, void *ctx,
                 struct error *e) NODISCARD;
void backend_done(struct backend *b);

/* Is there such a provider? ERR_INVALID names --provider and those that there are. */
int backend_check_name(const char *provider, struct error *e) NODISCARD;

/* Are the coordinates enough to say where it lies? ERR_INVALID names the flag, or the field of a Repository, and what
 * it should be. No Secret is needed. */
int backend_check_place(const struct backend_params *p, struct error *e) NODISCARD;

/* Does the Secret hold what this provider cannot do without? ERR_INVALID names the first missing key. */
int backend_check_keys(const char *provider, backend_key *key, void *ctx, struct error *e) NODISCARD;

/* "/a//b/" to "a/b"; freed with mem_free. */
char *backend_clean_prefix(const char *prefix);

/* Calls fn for each value that must never be shown (passwords, keys), for the redaction of texts. */
void backend_each_secret(backend_key *key, void *ctx, void (*fn)(void *fn_ctx, struct str value), void *fn_ctx);

#endif
