/* secrets: see secrets.h. */
#include "controllers/job/secrets.h"

#include <dirent.h>

#include "core/base/base64.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"

static size_t find(const struct secrets *s, const char *key)
{
    for (size_t i = 0; i < s->n; i++)
        if (str_same(s->keys[i], key))
            return i;
    return s->n;
}

struct str secrets_get(void *secrets, const char *key)
{
    struct secrets *s = secrets;
    size_t i = find(s, key);

    return i < s->n ? secret_str(&s->values[i]) : STR_NONE;
}

int secrets_set(struct secrets *s, const char *key, struct str value, struct error *e)
{
    size_t i = find(s, key);

    if (i == SECRETS_KEYS_MAX)
        return error_set(e, ERR_TOOBIG, "a Secret has over %d keys", SECRETS_KEYS_MAX);
    if (i == s->n) {
        s->keys[s->n] = mem_strdup(key);
        secret_init(&s->values[s->n++]);
    }
    secret_set(&s->values[i], value);
    return 0;
}

void secrets_remove(struct secrets *s, const char *key)
{
    size_t i = find(s, key);

    if (i == s->n)
        return;
    mem_free(s->keys[i]);
    secret_done(&s->values[i]);
    s->n--;
    s->keys[i] = s->keys[s->n];
    s->values[i] = s->values[s->n];
}

void secrets_done(struct secrets *s)
{
    while (s->n)
        secrets_remove(s, s->keys[s->n - 1]);
}

static int read_key(struct secrets *s, const char *dir, const char *key, struct error *e)
{
    AUTO_FREE char *path = mem_printf("%s/%s", dir, key);
    struct buf b;
    int rc;

    buf_init(&b, SECRETS_VALUE_MAX);
    rc = env_uv_read_file(path, &b, e);
    if (rc == 0)
        rc = secrets_set(s, key, buf_str(&b), e);
    if (b.len)
        mem_wipe(b.data, b.len);
    buf_done(&b);
    return rc;
}

int secrets_read_dir(struct secrets *s, const char *dir, struct error *e)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    int rc = 0;

    while (d && rc == 0 && (entry = readdir(d)))
        if (entry->d_name[0] != '.') /* the kubelet's own: ..data and folders with dates */
            rc = read_key(s, dir, entry->d_name, e);
    if (d)
        (void)closedir(d);
    if (rc == 0 && s->n == 0)
        rc = error_set(e, ERR_NOTFOUND, "%s is empty or absent: the Secret does not exist", dir);
    return rc;
}

static int set_base64(struct secrets *s, const char *key, const char *text, struct error *e)
{
    struct buf bytes;
    int rc;

    buf_init(&bytes, SECRETS_VALUE_MAX);
    if (!base64_decode(&bytes, str_of(text)))
        rc = error_set(e, ERR_INVALID, "the value of key %s is no base64", key);
    else
        rc = secrets_set(s, key, buf_str(&bytes), e);
    if (bytes.len)
        mem_wipe(bytes.data, bytes.len);
    buf_done(&bytes);
    return rc;
}

int secrets_read_object(struct secrets *s, const json_t *object, struct error *e)
{
    const char *key;
    json_t *value;
    int rc = 0;

    json_object_foreach (json_object_get(object, "data"), key, value)
        if (rc == 0 && json_is_string(value) && json_string_length(value) <= SECRETS_VALUE_MAX * 2)
            rc = set_base64(s, key, json_string_value(value), e);
    json_object_foreach (json_object_get(object, "stringData"), key, value)
        if (rc == 0 && json_is_string(value))
            rc = secrets_set(s, key, json_str(value), e);
    return rc;
}

static int add_key(struct secrets *s, const json_t *t, struct error *e)
{
    const char *key = json_text(t, "key");

    if (!*key)
        return error_set(e, ERR_INVALID, "secretTransforms: addKey without a key");
    if (json_at(t, "stringValue"))
        return secrets_set(s, key, json_str(json_at(t, "stringValue")), e);
    return set_base64(s, key, json_text(t, "value"), e);
}

static int rename_key(struct secrets *s, const json_t *t, struct error *e)
{
    const char *from = json_text(t, "from"), *to = json_text(t, "to");
    int rc;

    if (!*from || !*to)
        return error_set(e, ERR_INVALID, "secretTransforms: renameKey needs from and to");
    if (find(s, from) == s->n || str_same(from, to))
        return 0;
    rc = secrets_set(s, to, secrets_get(s, from), e);
    secrets_remove(s, from);
    return rc;
}

static int merge(struct secrets *s, struct secrets *other, struct error *e)
{
    int rc = 0;

    for (size_t i = 0; i < other->n && rc == 0; i++)
        rc = secrets_set(s, other->keys[i], secret_str(&other->values[i]), e);
    return rc;
}

static int apply(struct secrets *s, const json_t *t, size_t *n_more, secrets_more *more, void *ctx, struct error *e)
{
    const json_t *o;
    struct secrets *other;

    if (json_object_size(t) != 1)
        return error_set(e, ERR_INVALID, "secretTransforms: an entry needs exactly one member");
    if ((o = json_object_get(t, "addKey")))
        return add_key(s, o, e);
    if ((o = json_object_get(t, "renameKey")))
        return rename_key(s, o, e);
    if ((o = json_object_get(t, "removeKey"))) {
        secrets_remove(s, json_text(o, "key"));
        return 0;
    }
    if (!(o = json_object_get(t, "addKeysFrom")))
        return error_set(e, ERR_INVALID, "secretTransforms: unknown member");
    other = more(ctx, (*n_more)++, json_object_get(o, "secretRef"), e);
    return other ? merge(s, other, e) : ERR_NOTFOUND;
}

int secrets_transform(struct secrets *s, const json_t *transforms, secrets_more *more, void *ctx, struct error *e)
{
    size_t i, n_more = 0;
    json_t *t;
    int rc = 0;

    json_array_foreach (transforms, i, t)
        if (rc == 0)
            rc = apply(s, t, &n_more, more, ctx, e);
    return rc;
}
