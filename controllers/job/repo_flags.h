/*
 * repo_flags: the flags by which a Function names its repository (jobs.md 14.1), and from them a repository that can be
 * used: the storage Secret is read from its mount, or through the API where it is not mounted.
 */
#ifndef STASHD_REPO_FLAGS_H
#define STASHD_REPO_FLAGS_H

#include "controllers/job/apiserver.h"
#include "controllers/job/repo.h"
#include "controllers/job/secrets.h"
#include "core/base/config.h"

struct repo_flags {
    const char *provider, *bucket, *endpoint, *region, *path;
    const char *secret_name, *secret_ns;
    const char *scratch_dir;
    int64_t max_connections;
    bool insecure_tls, cache;
};

/* Rows of a settings table; S: the struct that holds a struct repo_flags as member F. The texts are what --help says
 * besides of the provider, the Secret's name and its namespace. */
/* clang-format off */
#define REPO_FLAGS_WITH(S, F, PROVIDER, NAME, NAMESPACE)                                                               \
    {"provider", CFG_STRING, offsetof(S, F.provider), NULL, 0, 0, BACKEND_NAMES PROVIDER},                             \
    {"bucket", CFG_STRING, offsetof(S, F.bucket), NULL, 0, 0, "bucket, container or folder of the repository"},        \
    {"endpoint", CFG_STRING, offsetof(S, F.endpoint), NULL, 0, 0, "endpoint of an S3 server, or URL of a REST one"},   \
    {"region", CFG_STRING, offsetof(S, F.region), NULL, 0, 0, "region of an S3 server"},                               \
    {"path", CFG_STRING, offsetof(S, F.path), NULL, 0, 0, "folder of the repository in the bucket"},                   \
    {"insecure-tls", CFG_BOOL, offsetof(S, F.insecure_tls), NULL, 0, 0, "do not verify the backend's certificate"},    \
    {"storage-secret-name", CFG_STRING, offsetof(S, F.secret_name), NULL, 0, 0, "Secret with the backend's keys" NAME},\
    {"storage-secret-namespace", CFG_STRING, offsetof(S, F.secret_ns), NULL, 0, 0, "its namespace" NAMESPACE},         \
    {"scratch-dir", CFG_STRING, offsetof(S, F.scratch_dir), "/stash-tmp", 0, 0, "folder for temporary files"},         \
    {"enable-cache", CFG_BOOL, offsetof(S, F.cache), "false", 0, 0, "keep restic's cache under the scratch folder"},   \
    {"max-connections", CFG_INT, offsetof(S, F.max_connections), "0", 0, 0, "to the backend; 0: restic's default"}
/* clang-format on */

/* Of programs that can do nothing without their repository: see repo_flags_check. */
#define REPO_FLAGS(S, F)                                                                                               \
    REPO_FLAGS_WITH(S, F, " (required)", " (required, unless it is mounted at STASH_STORAGE_SECRET_DIR)", "")

/* Before anything is connected: ERR_INVALID names the flag and the remedy. envp: has it STASH_STORAGE_SECRET_DIR? */
int repo_flags_check(const struct repo_flags *f, const char *const *envp, struct error *e) NODISCARD;
int repo_flags_check_secret(const struct repo_flags *f, const char *const *envp, struct error *e) NODISCARD;

/* argv without flags that were given an empty value: a Function's variable without a value means "not given". The list
 * is freed with mem_free. */
const char **repo_flags_argv(int argc, const char *const *argv, int *ret_argc);

/* Where the job may write: scratch_dir of the flags, and STASH_CREDENTIALS_DIR or a folder below scratch_dir. */
int repo_flags_dirs(const struct repo_flags *f, struct job *j, const char *const *envp, struct error *e) NODISCARD;

/*
 * The storage Secret and the repository. api: asked for the Secret when STASH_STORAGE_SECRET_DIR is unset; NULL: not
 * there. key: gets the Secret's values, to be kept as long as the repo. Give both back in either case: repo_done,
 * secrets_done.
 */
int repo_flags_open(const struct repo_flags *f, struct job *j, const char *const *envp, struct apiserver *api,
                    struct secrets *key, struct repo *repo, struct error *e) NODISCARD;
/* Only the Secret. ERR_NOTFOUND "Secret <ns>/<name> not found". */
int repo_flags_secret(const struct repo_flags *f, struct job *j, const char *const *envp, struct apiserver *api,
                      struct secrets *out, struct error *e) NODISCARD;

/* Value of a variable of the process's environment; NULL: not there. */
const char *repo_flags_env(const char *const *envp, const char *name);

#endif
