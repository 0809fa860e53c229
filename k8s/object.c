/*
 * object: see object.h. A record is one block: the struct, then all texts of its own. 100,000 records are 100,000
 * blocks, not a million. There is no pointer a value: who asks for one walks over those before it, a few dozen bytes.
 */
#include "k8s/object.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/arena.h"
#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/base/mem.h"

struct kobj *kobj_ref(const struct kobj *o)
{
    struct kobj *mine = (struct kobj *)(uintptr_t)o; /* immutable but for the count */

    mine->refs++;
    return mine;
}

void kobj_unref(const struct kobj *o)
{
    struct kobj *mine = (struct kobj *)(uintptr_t)o;

    if (!mine)
        return;
    assert(mine->refs);
    if (--mine->refs)
        return;
    shared_unref(mine->common);
    mem_free(mine);
}

const char *kobj_value(const struct kobj *o, size_t field)
{
    bool own = field < o->kind->n_own;
    const char *at = own ? o->bytes + o->own_at : o->common->bytes;

    for (size_t left = own ? field : field - o->kind->n_own; left; left--)
        at += *at == '+' ? strlen(at) + 1 : 1;
    return *at == '+' ? at + 1 : NULL;
}

/* A field's name is a literal, and the linker keeps equal ones once: nearly always its address is enough. */
const char *kobj_get(const struct kobj *o, const char *field)
{
    for (size_t i = 0; i < o->kind->n_fields; i++)
        if (o->kind->fields[i] == field)
            return kobj_value(o, i);
    for (size_t i = 0; i < o->kind->n_fields; i++)
        if (strcmp(o->kind->fields[i], field) == 0)
            return kobj_value(o, i);
    assert(!"the kind keeps this field");
    return NULL;
}

const char *kobj_text(const struct kobj *o, const char *field)
{
    const char *value = kobj_get(o, field);

    return value ? value : "";
}

static bool same_values(const char *a, const char *b, size_t n)
{
    for (; n; n--) {
        size_t size = *a == '+' ? strlen(a) + 1 : 1;

        if (*a != *b || (*a == '+' && strcmp(a, b) != 0))
            return false;
        a += size;
        b += size;
    }
    return true;
}

static bool same_metadata(const struct kobj *a, const struct kobj *b)
{
    return a->generation == b->generation && a->deleting == b->deleting && a->created_s == b->created_s &&
           str_eq(kobj_key(a), kobj_key(b)) && strcmp(a->uid, b->uid) == 0 &&
           strcmp(a->owner_uid, b->owner_uid) == 0 && strcmp(a->owner_name, b->owner_name) == 0 &&
           strcmp(a->owner_kind, b->owner_kind) == 0;
}

/* What many have in common is kept once: as a rule the addresses say it. */
bool kobj_same(const struct kobj *a, const struct kobj *b)
{
    size_t own = a->kind->n_own;

    return a->kind == b->kind && same_metadata(a, b) && same_values(a->bytes + a->own_at, b->bytes + b->own_at, own) &&
           (a->common == b->common || same_values(a->common->bytes, b->common->bytes, a->kind->n_fields - own));
}

bool kobj_condition_in(const char *condensed, const char *type, struct str *ret_status, struct str *ret_reason)
{
    struct str rest = str_of(condensed), one, name, status;

    while (str_cut(&rest, ' ', &one)) {
        if (!str_cut(&one, '=', &name) || !str_is(name, type))
            continue;
        if (!str_cut(&one, '/', &status))
            return false;
        if (ret_status)
            *ret_status = status;
        if (ret_reason)
            *ret_reason = one;
        return true;
    }
    return false;
}

bool kobj_condition(const struct kobj *o, const char *type, struct str *ret_status, struct str *ret_reason)
{
    return kobj_condition_in(kobj_get(o, "status.conditions"), type, ret_status, ret_reason);
}

/* ---- making ---- */

/* Copies to *at and moves it on. A NUL inside (JSON can say \u0000) would cut the text for C: it becomes '?'. */
static const char *put_text(char **at, struct str s)
{
    char *to = *at;

    if (s.n)
        memcpy(to, s.p, s.n);
    for (char *nul = to; (nul = memchr(nul, 0, (size_t)(to + s.n - nul)));)
        *nul = '?';
    to[s.n] = 0;
    *at += s.n + 1;
    return to;
}

/* An empty text that is not part of the key takes no room. */
static const char *put_some(char **at, struct str s)
{
    return s.n ? put_text(at, s) : "";
}

static size_t text_size(struct str s)
{
    return s.n ? s.n + 1 : 0;
}

/* Values one after the other: '+' and the text, or '-' alone for one that is absent. */
static size_t values_size(const struct str *values, size_t n)
{
    size_t size = 0;

    for (size_t i = 0; i < n; i++)
        size += values[i].p ? values[i].n + 2 : 1;
    return size;
}

static void put_values(char **at, const struct str *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        *(*at)++ = values[i].p ? '+' : '-';
        if (values[i].p)
            (void)put_text(at, values[i]);
    }
}

static const struct shared *make_common(struct shared_pool *pool, const struct str *values, size_t n)
{
    size_t size = values_size(values, n);
    char small[1024], *bytes = size <= sizeof(small) ? small : mem_alloc(size), *at = bytes;
    const struct shared *s;

    put_values(&at, values, n);
    s = shared_get(pool, (struct str){bytes, size});
    if (bytes != small)
        mem_free(bytes);
    return s;
}

struct kobj *kobj_make(struct shared_pool *pool, const struct kind *k, const struct kobj_parts *parts)
{
    size_t names = parts->ns.n + parts->name.n + 2 + text_size(parts->uid) + text_size(parts->rv) +
                   text_size(parts->owner_kind) + text_size(parts->owner_name) + text_size(parts->owner_uid);
    struct kobj *o;
    char *at;

    if (names > UINT16_MAX) /* nothing of Kubernetes has such names: it is as good as nameless */
        return kobj_make(pool, k, &(struct kobj_parts){.values = parts->values});
    o = mem_alloc(sizeof(*o) + names + values_size(parts->values, k->n_own));
    at = o->bytes;
    *o = (struct kobj){.refs = 1,
                       .own_at = (uint16_t)names,
                       .deleting = parts->deleting,
                       .kind = k,
                       .generation = parts->generation,
                       .created_s = parts->created_s};
    o->ns = put_text(&at, parts->ns);
    o->name = put_text(&at, parts->name);
    o->uid = put_some(&at, parts->uid);
    o->rv = put_some(&at, parts->rv);
    o->owner_kind = put_some(&at, parts->owner_kind);
    o->owner_name = put_some(&at, parts->owner_name);
    o->owner_uid = put_some(&at, parts->owner_uid);
    put_values(&at, parts->values, k->n_own);
    o->common = make_common(pool, parts->values + k->n_own, k->n_fields - k->n_own);
    return o;
}

struct str kobj_key(const struct kobj *o)
{
    return (struct str){o->ns, (size_t)(o->name - o->ns) + strlen(o->name)};
}

/* A part of a condition without the signs that the condensed form needs for itself. */
static void add_plain(struct buf *out, struct str s)
{
    char *room = buf_reserve(out, s.n);

    if (!room)
        return;
    for (size_t i = 0; i < s.n; i++)
        room[i] = s.p[i] == ' ' || s.p[i] == '=' || s.p[i] == '/' || !s.p[i] ? '_' : s.p[i];
    buf_commit(out, s.n);
}

void kobj_condense(struct buf *out, struct str type, struct str status, struct str reason)
{
    if (!type.n)
        return;
    if (out->len)
        buf_putc(out, ' ');
    add_plain(out, type);
    buf_putc(out, '=');
    add_plain(out, status);
    buf_putc(out, '/');
    add_plain(out, reason);
}

/* Digits that are printed as they stand. */
static bool is_plain_number(struct str token)
{
    if (!token.n || token.n > 18 || (token.p[0] == '0' && token.n > 1))
        return false;
    for (size_t at = 0; at < token.n; at++)
        if (token.p[at] < '0' || token.p[at] > '9')
            return false;
    return true;
}

const char *kobj_number(struct str token, char out[64])
{
    char text[512]; /* real numbers can be that long */
    bool whole = true;
    int64_t i;

    if (is_plain_number(token)) {
        memcpy(out, token.p, token.n);
        out[token.n] = 0;
        return out;
    }
    for (size_t at = 0; at < token.n; at++)
        whole = whole && !strchr(".eE", token.p[at]);
    if (whole && str_to_i64(token, &i) == 0) {
        (void)snprintf(out, 64, "%lld", (long long)i);
    } else {
        (void)snprintf(text, sizeof(text), "%.*s", (int)(token.n < 511 ? token.n : 511), token.p);
        (void)snprintf(out, 64, "%.17g", strtod(text, NULL));
    }
    return out;
}

static struct str condensed(struct arena *a, const json_t *list)
{
    struct buf out;
    struct str s;
    const json_t *c;
    size_t i;

    if (!json_is_array(list))
        return STR_NONE;
    buf_init(&out, LIMIT_DOCUMENT);
    json_array_foreach ((json_t *)(uintptr_t)list, i, c)
        kobj_condense(&out, json_str(json_object_get(c, "type")), json_str(json_object_get(c, "status")),
                      json_str(json_object_get(c, "reason")));
    s = (struct str){arena_alloc(a, out.len + 1), out.len};
    memcpy((char *)(uintptr_t)s.p, out.data, out.len);
    buf_done(&out);
    return s;
}

/* The value at a path: a field's name in kind.h. */
static const json_t *at_field(const json_t *object, const char *field)
{
    const char *key;

    if (strncmp(field, "label:", 6) == 0)
        key = field + 6, object = json_at(object, "metadata.labels");
    else if (strncmp(field, "annotation:", 11) == 0)
        key = field + 11, object = json_at(object, "metadata.annotations");
    else
        return json_at(object, field);
    return json_object_get(object, key);
}

static struct str value_of(struct arena *a, const json_t *object, const char *field)
{
    const json_t *v = at_field(object, field);
    char text[64];

    if (str_ends(str_of(field), STR(".conditions")))
        return condensed(a, v);
    if (json_is_string(v))
        return json_str(v);
    if (json_is_boolean(v))
        return json_is_true(v) ? STR("true") : STR("false");
    if (json_is_integer(v))
        return str_of(arena_printf(a, "%lld", (long long)json_integer_value(v)));
    if (json_is_real(v)) {
        (void)snprintf(text, sizeof(text), "%.17g", json_real_value(v));
        return str_of(arena_strdup(a, text));
    }
    return STR_NONE;
}

/* The ownerReference with controller: true, else the first. */
static const json_t *owner_of(const json_t *meta)
{
    const json_t *list = json_object_get(meta, "ownerReferences"), *o;
    size_t i;

    if (!json_is_array(list))
        return NULL;
    json_array_foreach ((json_t *)(uintptr_t)list, i, o)
        if (json_is_true(json_object_get(o, "controller")))
            return o;
    return json_array_get(list, 0);
}

const char *kobj_owner_uid_in(const json_t *object)
{
    return json_text(owner_of(json_object_get(object, "metadata")), "uid");
}

struct kobj *kobj_from_json(const struct kind *k, const json_t *object)
{
    const json_t *meta = json_object_get(object, "metadata"), *owner = owner_of(meta);
    struct kobj_parts parts = {
        .ns = json_str(json_object_get(meta, "namespace")),
        .name = json_str(json_object_get(meta, "name")),
        .uid = json_str(json_object_get(meta, "uid")),
        .rv = json_str(json_object_get(meta, "resourceVersion")),
        .owner_kind = json_str(json_object_get(owner, "kind")),
        .owner_name = json_str(json_object_get(owner, "name")),
        .owner_uid = json_str(json_object_get(owner, "uid")),
        .deleting = json_is_string(json_object_get(meta, "deletionTimestamp")),
        .generation = json_int(meta, "generation", 0),
    };
    struct str *values;
    struct arena arena;
    struct kobj *o;

    if (str_parse_time(json_str(json_object_get(meta, "creationTimestamp")), &parts.created_s) < 0)
        parts.created_s = 0;
    arena_init(&arena);
    values = arena_alloc(&arena, (k->n_fields + 1) * sizeof(*values));
    for (size_t i = 0; i < k->n_fields; i++)
        values[i] = value_of(&arena, object, k->fields[i]);
    parts.values = values;
    o = kobj_make(NULL, k, &parts);
    arena_done(&arena);
    return o;
}
