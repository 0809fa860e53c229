/* repo_flags: see repo_flags.h. */
#include "controllers/job/repo_flags.h"

#include "core/base/mem.h"

const char **repo_flags_argv(int argc, const char *const *argv, int *ret_argc)
{
    const char **out = mem_alloc(((size_t)argc + 1) * sizeof(*out));
    int n = 0;

    for (int i = 0; i < argc; i++) {
        size_t len = strlen(argv[i]);

        if (i > 0 && len > 3 && strncmp(argv[i], "--", 2) == 0 && argv[i][len - 1] == '=' &&
            strchr(argv[i], '=') == argv[i] + len - 1)
            continue;
        out[n++] = argv[i];
    }
    out[n] = NULL;
    *ret_argc = n;
    return out;
}

const char *repo_flags_env(const char *const *envp, const char *name)
{
    size_t n = strlen(name);

    for (; envp && *envp; envp++)
        if (strncmp(*envp, name, n) == 0 && (*envp)[n] == '=')
            return *envp + n + 1;
    return NULL;
}

static struct backend_params place(const struct repo_flags *f)
{
    return (struct backend_params){.provider = f->provider,
                                   .bucket = f->bucket,
                                   .prefix = f->path,
                                   .endpoint = f->endpoint,
                                   .region = f->region,
                                   .insecure_tls = f->insecure_tls,
                                   .max_connections = f->max_connections,
                                   .cache = f->cache};
}

int repo_flags_check_secret(const struct repo_flags *f, const char *const *envp, struct error *e)
{
    const char *dir = repo_flags_env(envp, "STASH_STORAGE_SECRET_DIR");

    if ((dir && *dir) || (f->secret_name && *f->secret_name))
        return 0;
    return error_set(e, ERR_INVALID, "--storage-secret-name is missing: give the name of the Secret with the backend's "
                                     "keys, or mount it at STASH_STORAGE_SECRET_DIR");
}

int repo_flags_check(const struct repo_flags *f, const char *const *envp, struct error *e)
{
    struct backend_params p = place(f);
    int rc = backend_check_place(&p, e);

    return rc < 0 ? rc : repo_flags_check_secret(f, envp, e);
}

int repo_flags_dirs(const struct repo_flags *f, struct job *j, const char *const *envp, struct error *e)
{
    const char *dir = repo_flags_env(envp, "STASH_CREDENTIALS_DIR");
    int rc;

    j->scratch_dir = f->scratch_dir;
    /* Without a memory-backed folder the emptyDir has to do: files of mode 0600, removed at the end. */
    j->credential_dir = dir && *dir ? dir : f->scratch_dir;
    rc = job_make_dir(j->scratch_dir, 0777, e);
    return rc < 0 ? rc : job_make_dir(j->credential_dir, 0700, e);
}

static int fetch(struct apiserver *api, const struct repo_flags *f, struct secrets *out, struct error *e)
{
    const char *ns = f->secret_ns && *f->secret_ns ? f->secret_ns : api ? apiserver_namespace(api) : "";
    json_t *object = NULL;
    int rc;

    if ((rc = repo_flags_check_secret(f, NULL, e)) < 0)
        return rc;
    if (!api)
        return error_set(e, ERR_INVALID, "Secret %s/%s is not mounted and there is no API server to ask", ns,
                         f->secret_name);
    rc = apiserver_get(api, &apiserver_secret_kind, ns, f->secret_name, &object, e);
    if (rc == ERR_NOTFOUND)
        (void)error_set(e, ERR_NOTFOUND, "Secret %s/%s not found", ns, f->secret_name);
    if (rc == 0)
        rc = secrets_read_object(out, object, e);
    json_decref(object);
    return rc;
}

int repo_flags_secret(const struct repo_flags *f, struct job *j, const char *const *envp, struct apiserver *api,
                      struct secrets *out, struct error *e)
{
    const char *dir = repo_flags_env(envp, "STASH_STORAGE_SECRET_DIR");
    int rc;

    (void)j;
    if (!dir || !*dir)
        return fetch(api, f, out, e);
    rc = secrets_read_dir(out, dir, e);
    if (rc == ERR_NOTFOUND && f->secret_name && *f->secret_name)
        (void)error_set(e, ERR_NOTFOUND, "Secret %s/%s not found (nothing is mounted at %s)",
                        f->secret_ns ? f->secret_ns : "", f->secret_name, dir);
    return rc;
}

int repo_flags_open(const struct repo_flags *f, struct job *j, const char *const *envp, struct apiserver *api,
                    struct secrets *key, struct repo *repo, struct error *e)
{
    AUTO_FREE char *cache_dir = mem_printf("%s/restic-cache", f->scratch_dir);
    struct backend_params p = place(f);
    int rc = repo_flags_secret(f, j, envp, api, key, e);

    p.cache_dir = cache_dir;
    p.file_dir = j->credential_dir;
    if (rc < 0) {
        *repo = (struct repo){.job = j};
        return rc;
    }
    rc = repo_init(repo, j, &p, secrets_get, key, e);
    repo->cluster = repo_flags_env(envp, "STASH_CLUSTER");
    return rc;
}
