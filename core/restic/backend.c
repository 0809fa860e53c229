/*
 * backend: see backend.h. One row a provider: how its location is written, and which keys of the Secret become which
 * variables. Only what restic needs goes into its environment, and nothing else of ours does.
 */
#include "core/restic/backend.h"

#include "core/base/buf.h"
#include "core/base/http.h"
#include "core/base/mem.h"

enum { LOCATION_MAX = 4096 };

struct provider {
    const char *name;
    const char *option; /* of --option <option>.connections */
    int (*locate)(const struct backend_params *p, const char *prefix, struct buf *out, struct error *e);
    const char *const *keys; /* copied into the environment under the same name when present; NULL-terminated */
    const char *const *required;
};

static const char *text(const char *s)
{
    return s ? s : "";
}

char *backend_clean_prefix(const char *prefix)
{
    struct str rest = str_of(prefix), part;
    struct buf b;

    buf_init(&b, LOCATION_MAX);
    while (rest.n && str_cut(&rest, '/', &part)) {
        if (part.n == 0 || str_is(part, "."))
            continue;
        if (b.len)
            buf_putc(&b, '/');
        buf_add_str(&b, part);
    }
    return buf_take(&b);
}

/* what: for people; flag, field: where it is given to a program, and in a Repository. */
static int need(const struct backend_params *p, const char *value, const char *what, const char *flag,
                const char *field, struct error *e)
{
    if (*text(value))
        return 0;
    if (p->of_repository)
        return error_set(e, ERR_INVALID, "backend %s needs its %s: set spec.backend.%s.%s of the Repository",
                         p->provider, what, p->provider, field);
    return error_set(e, ERR_INVALID, "backend %s needs its %s: give --%s (spec.backend.%s.%s of a Repository)",
                     p->provider, what, flag, p->provider, field);
}

static int need_bucket(const struct backend_params *p, const char *field, struct error *e)
{
    return need(p, p->bucket, field, "bucket", field, e);
}

static int locate_local(const struct backend_params *p, const char *prefix, struct buf *out, struct error *e)
{
    (void)prefix; /* the sub-path is the mount's business */
    buf_puts(out, text(p->bucket));
    return need(p, p->bucket, "mount path", "bucket", "mountPath", e);
}

static int locate_s3(const struct backend_params *p, const char *prefix, struct buf *out, struct error *e)
{
    struct str endpoint = str_of(p->endpoint);

    while (endpoint.n && endpoint.p[endpoint.n - 1] == '/')
        endpoint.n--;
    buf_puts(out, "s3:");
    buf_add_str(out, endpoint);
    buf_printf(out, "/%s%s%s", text(p->bucket), *prefix ? "/" : "", prefix);
    return need(p, p->endpoint, "endpoint", "endpoint", "endpoint", e) < 0 ? ERR_INVALID : need_bucket(p, "bucket", e);
}

static int locate_gcs(const struct backend_params *p, const char *prefix, struct buf *out, struct error *e)
{
    buf_printf(out, "gs:%s:/%s", text(p->bucket), prefix);
    return need_bucket(p, "bucket", e);
}

static int locate_azure(const struct backend_params *p, const char *prefix, struct buf *out, struct error *e)
{
    buf_printf(out, "azure:%s:/%s", text(p->bucket), prefix);
    return need_bucket(p, "container", e);
}

static int locate_swift(const struct backend_params *p, const char *prefix, struct buf *out, struct error *e)
{
    buf_printf(out, "swift:%s:/%s", text(p->bucket), prefix);
    return need_bucket(p, "container", e);
}

static int locate_b2(const struct backend_params *p, const char *prefix, struct buf *out, struct error *e)
{
    buf_printf(out, "b2:%s:/%s", text(p->bucket), prefix);
    return need_bucket(p, "bucket", e);
}

static int locate_rest(const struct backend_params *p, const char *prefix, struct buf *out, struct error *e)
{
    (void)prefix; /* the URL has it */
    buf_printf(out, "rest:%s", text(p->endpoint));
    return need(p, p->endpoint, "url", "endpoint", "url", e);
}

static const char *const no_keys[] = {NULL};
static const char *const s3_keys[] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", NULL};
static const char *const gcs_keys[] = {"GOOGLE_PROJECT_ID", NULL};
static const char *const azure_keys[] = {"AZURE_ACCOUNT_NAME", "AZURE_ACCOUNT_KEY", "AZURE_ACCOUNT_SAS",
                                         "AZURE_ENDPOINT_SUFFIX", NULL};
static const char *const b2_keys[] = {"B2_ACCOUNT_ID", "B2_ACCOUNT_KEY", NULL};
static const char *const swift_keys[] = {"ST_AUTH",
                                         "ST_USER",
                                         "ST_KEY",
                                         "OS_AUTH_URL",
                                         "OS_REGION_NAME",
                                         "OS_USERNAME",
                                         "OS_PASSWORD",
                                         "OS_TENANT_ID",
                                         "OS_TENANT_NAME",
                                         "OS_USER_DOMAIN_NAME",
                                         "OS_PROJECT_NAME",
                                         "OS_PROJECT_DOMAIN_NAME",
                                         "OS_APPLICATION_CREDENTIAL_ID",
                                         "OS_APPLICATION_CREDENTIAL_SECRET",
                                         "OS_APPLICATION_CREDENTIAL_NAME",
                                         "OS_STORAGE_URL",
                                         "OS_AUTH_TOKEN",
                                         NULL};

/* Which of all keys are credentials; names such as the user's are not. */
static const char *const secret_keys[] = {
    "RESTIC_PASSWORD",      "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    "AZURE_ACCOUNT_KEY",    "AZURE_ACCOUNT_SAS",     "B2_ACCOUNT_KEY",
    "ST_KEY",               "OS_PASSWORD",           "OS_APPLICATION_CREDENTIAL_SECRET",
    "OS_AUTH_TOKEN",        "REST_SERVER_PASSWORD",  "GOOGLE_SERVICE_ACCOUNT_JSON_KEY",
};

static const struct provider providers[] = {
    {"local", "local", locate_local, no_keys,    no_keys},
    {"s3",    "s3",    locate_s3,    s3_keys,    no_keys},
    {"gcs",   "gs",    locate_gcs,   gcs_keys,   no_keys},
    {"azure", "azure", locate_azure, azure_keys, no_keys},
    {"swift", "swift", locate_swift, swift_keys, no_keys},
    {"b2",    "b2",    locate_b2,    b2_keys,    b2_keys},
    {"rest",  "rest",  locate_rest,  no_keys,    no_keys},
};

static const struct provider *provider_find(const char *name, struct error *e)
{
    for (size_t i = 0; i < sizeof(providers) / sizeof(*providers); i++)
        if (str_same(providers[i].name, name))
            return &providers[i];
    if (*text(name))
        (void)error_set(e, ERR_INVALID, "--provider=%.63s is no backend: give one of " BACKEND_NAMES, name);
    else
        (void)error_set(e, ERR_INVALID, "--provider is missing: give one of " BACKEND_NAMES);
    return NULL;
}

int backend_check_name(const char *provider, struct error *e)
{
    return provider_find(provider, e) ? 0 : ERR_INVALID;
}

int backend_check_keys(const char *provider, backend_key *key, void *ctx, struct error *e)
{
    const struct provider *p = provider_find(provider, e);

    if (!p)
        return ERR_INVALID;
    if (!key(ctx, "RESTIC_PASSWORD").n)
        return error_set(e, ERR_INVALID, "the storage Secret has no key RESTIC_PASSWORD");
    for (const char *const *k = p->required; *k; k++)
        if (!key(ctx, *k).n)
            return error_set(e, ERR_INVALID, "the storage Secret has no key %s, which backend %s needs", *k, p->name);
    return 0;
}

static void add_var(struct backend *b, const char *name, struct str value)
{
    struct secret *s = &b->vars[b->n_vars++];
    size_t n = strlen(name);

    s->n = n + 1 + value.n;
    s->bytes = mem_zalloc(s->n + 1);
    memcpy(s->bytes, name, n);
    s->bytes[n] = '=';
    if (value.n)
        memcpy(s->bytes + n + 1, value.p, value.n);
}

static void add_flag(struct backend *b, char *flag_take)
{
    if (b->n_flags < BACKEND_FLAGS_MAX)
        b->flags[b->n_flags++] = flag_take;
    else
        mem_free(flag_take);
}

static const char *add_file(struct backend *b, const struct backend_params *p, const char *name, struct str bytes)
{
    struct backend_file *f = &b->files[b->n_files++];

    f->path = mem_printf("%s/%s", text(p->file_dir), name);
    secret_set(&f->bytes, bytes);
    return f->path;
}

/* rest:https://user:password@host/…: the user info goes behind the scheme, percent-encoded. */
static char *with_user(const char *location, struct str user, struct str password)
{
    const char *rest = strstr(location, "://");
    struct buf b;

    if (!rest || !user.n)
        return mem_strdup(location);
    buf_init(&b, 2 * LOCATION_MAX);
    buf_add(&b, location, (size_t)(rest - location) + 3);
    http_escape(&b, user);
    if (password.n) {
        buf_putc(&b, ':');
        http_escape(&b, password);
    }
    buf_putc(&b, '@');
    buf_puts(&b, rest + 3);
    return buf_take(&b);
}

/* *ret is set in either case. */
static int locate(const struct provider *pr, const struct backend_params *p, char **ret, struct error *e)
{
    AUTO_FREE char *prefix = backend_clean_prefix(p->prefix);
    struct buf location;
    int rc;

    buf_init(&location, LOCATION_MAX);
    rc = pr->locate(p, prefix, &location, e);
    if (rc == 0 && buf_error(&location) < 0)
        rc = error_set(e, ERR_TOOBIG, "the location of the repository is over %d bytes", LOCATION_MAX);
    *ret = buf_take(&location);
    return rc;
}

int backend_check_place(const struct backend_params *p, struct error *e)
{
    const struct provider *pr = provider_find(p->provider, e);
    AUTO_FREE char *location = NULL;

    return pr ? locate(pr, p, &location, e) : ERR_INVALID;
}

static int set_location(struct backend *b, const struct provider *pr, const struct backend_params *p, backend_key *key,
                        void *ctx, struct error *e)
{
    int rc = locate(pr, p, &b->location, e);

    if (rc < 0)
        return rc;
    if (str_same(pr->name, "rest"))
        b->repository = with_user(b->location, key(ctx, "REST_SERVER_USERNAME"), key(ctx, "REST_SERVER_PASSWORD"));
    else
        b->repository = mem_strdup(b->location);
    add_var(b, "RESTIC_REPOSITORY", str_of(b->repository));
    return 0;
}

static void set_flags(struct backend *b, const struct provider *pr, const struct backend_params *p, backend_key *key,
                      void *ctx)
{
    struct str ca = key(ctx, "CA_CERT_DATA");

    if (p->cache) {
        add_flag(b, mem_strdup("--cache-dir"));
        add_flag(b, mem_strdup(text(p->cache_dir)));
    } else {
        add_flag(b, mem_strdup("--no-cache"));
    }
    if (ca.n) {
        add_flag(b, mem_strdup("--cacert"));
        add_flag(b, mem_strdup(add_file(b, p, "backend-ca.crt", ca)));
    }
    if (p->insecure_tls)
        add_flag(b, mem_strdup("--insecure-tls"));
    if (p->max_connections > 0) {
        add_flag(b, mem_strdup("--option"));
        add_flag(b, mem_printf("%s.connections=%lld", pr->option, (long long)p->max_connections));
    }
}

int backend_init(struct backend *out, const struct backend_params *p, backend_key *key, void *ctx, struct error *e)
{
    const struct provider *pr = provider_find(p->provider, e);
    struct str google = key(ctx, "GOOGLE_SERVICE_ACCOUNT_JSON_KEY");
    int rc;

    *out = (struct backend){0};
    if (!pr)
        return ERR_INVALID;
    if ((rc = backend_check_keys(p->provider, key, ctx, e)) < 0)
        return rc;
    if ((rc = set_location(out, pr, p, key, ctx, e)) < 0)
        return rc;
    add_var(out, "RESTIC_PASSWORD", key(ctx, "RESTIC_PASSWORD"));
    for (const char *const *k = pr->keys; *k; k++)
        if (key(ctx, *k).n)
            add_var(out, *k, key(ctx, *k));
    if (pr->keys == s3_keys && *text(p->region))
        add_var(out, "AWS_DEFAULT_REGION", str_of(p->region));
    set_flags(out, pr, p, key, ctx);
    if (pr->keys == gcs_keys && google.n)
        add_var(out, "GOOGLE_APPLICATION_CREDENTIALS", str_of(add_file(out, p, "backend-google.json", google)));
    return 0;
}

void backend_done(struct backend *b)
{
    if (b->repository)
        mem_wipe(b->repository, strlen(b->repository));
    mem_free(b->repository);
    mem_free(b->location);
    for (size_t i = 0; i < b->n_vars; i++)
        secret_done(&b->vars[i]);
    for (size_t i = 0; i < b->n_flags; i++)
        mem_free(b->flags[i]);
    for (size_t i = 0; i < b->n_files; i++) {
        mem_free(b->files[i].path);
        secret_done(&b->files[i].bytes);
    }
    *b = (struct backend){0};
}

void backend_each_secret(backend_key *key, void *ctx, void (*fn)(void *fn_ctx, struct str value), void *fn_ctx)
{
    for (size_t i = 0; i < sizeof(secret_keys) / sizeof(*secret_keys); i++) {
        struct str value = key(ctx, secret_keys[i]);

        if (value.n)
            fn(fn_ctx, value);
    }
}
