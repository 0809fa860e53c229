/*
 * location: see location.h. One row per backend tells which of its fields stand for bucket, prefix and the rest, so
 * that a new backend is a new row.
 */
#include "core/restic/location.h"

#include <string.h>

#include "core/base/mem.h"
#include "core/restic/backend.h"

struct backend_row {
    const char *name, *bucket, *prefix, *endpoint, *region;
    bool has_connections;
};

static const struct backend_row rows[] = {
    {"local", "mountPath", NULL, NULL, NULL, false},
    {"s3", "bucket", "prefix", "endpoint", "region", false},
    {"gcs", "bucket", "prefix", NULL, NULL, true},
    {"azure", "container", "prefix", NULL, NULL, true},
    {"swift", "container", "prefix", NULL, NULL, false},
    {"b2", "bucket", "prefix", NULL, NULL, true},
    {"rest", NULL, NULL, "url", NULL, false},
};

static bool has_dotdot(const char *path)
{
    struct str rest = str_of(path), part;

    while (str_cut(&rest, '/', &part))
        if (str_is(part, ".."))
            return true;
    return false;
}

static const char *text(const json_t *o, const char *key)
{
    const char *s = key ? json_string_value(json_object_get(o, key)) : NULL;

    return s ? s : "";
}

/* "https://host:8000/path/": host with port into bucket, path into prefix. */
static int split_url(struct location *l, struct arena *a, struct error *e)
{
    const char *host = strstr(l->endpoint, "://"), *path;
    size_t n;

    if (!host)
        return error_set(e, ERR_INVALID, "backend.rest.url has no scheme");
    host += 3;
    n = strcspn(host, "/?#");
    path = host + n;
    if (memchr(host, '@', n)) /* it would stand in argv and in pod specs */
        return error_set(e, ERR_INVALID,
                         "backend.rest.url carries credentials; they belong into the storage Secret as "
                         "REST_SERVER_USERNAME and REST_SERVER_PASSWORD");
    if (!n)
        return error_set(e, ERR_INVALID, "backend.rest.url has no host");
    l->bucket = arena_str(a, (struct str){host, n});
    l->prefix = arena_str(a, (struct str){path, strcspn(path, "?#")});
    return 0;
}

int location_of(const json_t *backend, struct arena *a, struct location *ret, struct error *e)
{
    struct location l = {.bucket = "", .prefix = "", .endpoint = "", .region = ""};
    const struct backend_row *row = NULL;
    const json_t *member = NULL;
    char *clean;
    int rc;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && !row; i++) {
        member = json_object_get(backend, rows[i].name);
        if (json_is_object(member))
            row = &rows[i];
    }
    if (!row)
        return error_set(e, ERR_INVALID, "no backend configured: it needs one of " BACKEND_NAMES);
    l.provider = row->name;
    l.storage_secret = arena_strdup(a, text(backend, "storageSecretName"));
    l.bucket = arena_strdup(a, text(member, row->bucket));
    l.prefix = text(member, row->prefix);
    l.endpoint = arena_strdup(a, text(member, row->endpoint));
    l.region = arena_strdup(a, text(member, row->region));
    l.insecure_tls = json_is_true(json_object_get(member, "insecureTLS")) && !strcmp(row->name, "s3");
    if (row->has_connections)
        l.max_connections = json_integer_value(json_object_get(member, "maxConnections"));
    if (!row->bucket) {
        rc = split_url(&l, a, e);
        if (rc < 0)
            return rc;
    }
    if (!*l.bucket)
        return error_set(e, ERR_INVALID, "backend.%s.%s is missing", row->name, row->bucket);
    if (has_dotdot(l.prefix))
        return error_set(e, ERR_INVALID, "backend.%s: the prefix has a \"..\" element", row->name);
    clean = backend_clean_prefix(l.prefix); /* the one normalisation, for backups and wiping alike */
    l.prefix = arena_strdup(a, clean);
    mem_free(clean);
    *ret = l;
    return 0;
}
