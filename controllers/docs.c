/* docs: see docs.h. Bytes, and few trees: a parsed document takes ten times its size. */
#include "controllers/docs.h"

#include <stdio.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/base/list.h"
#include "core/base/map.h"
#include "core/base/mem.h"

struct doc {
    struct list link;   /* in docs.used */
    struct list parsed; /* in docs.trees, with a tree */
    json_t *tree;
    char *key, *text;
    char rv[64];
    size_t len;
    uint64_t put_ns;
};

struct docs {
    struct map by_key;
    struct list used, trees; /* the longest unused first */
    size_t bytes, tree_bytes;
};

struct docs *docs_new(uint64_t seed)
{
    struct docs *d = mem_zalloc(sizeof(*d));

    map_init(&d->by_key, seed);
    list_init(&d->used);
    list_init(&d->trees);
    return d;
}

static void drop_tree(struct docs *d, struct doc *doc)
{
    if (!doc->tree)
        return;
    list_del(&doc->parsed);
    d->tree_bytes -= doc->len;
    json_decref(doc->tree);
    doc->tree = NULL;
}

static void forget(struct docs *d, struct doc *doc)
{
    drop_tree(d, doc);
    (void)map_del(&d->by_key, str_of(doc->key));
    list_del(&doc->link);
    d->bytes -= doc->len;
    mem_free(doc->key);
    mem_free(doc->text);
    mem_free(doc);
}

void docs_clear(struct docs *d)
{
    while (!list_empty(&d->used))
        forget(d, LIST_ENTRY(d->used.next, struct doc, link));
}

void docs_free(struct docs *d)
{
    if (!d)
        return;
    docs_clear(d);
    map_done(&d->by_key);
    mem_free(d);
}

static char *key_of(const struct kind *k, const char *ns, const char *name)
{
    return mem_printf("%d %s/%s", (int)k->id, ns ? ns : "", name);
}

static struct doc *find(const struct docs *d, const struct kind *k, const char *ns, const char *name)
{
    AUTO_FREE char *key = key_of(k, ns, name);

    return map_get(&d->by_key, str_of(key));
}

void docs_drop(struct docs *d, const struct kind *k, const char *ns, const char *name)
{
    struct doc *doc = find(d, k, ns, name);

    if (doc)
        forget(d, doc);
}

void docs_drop_version(struct docs *d, const struct kind *k, const char *ns, const char *name, const char *rv)
{
    struct doc *doc = find(d, k, ns, name);

    if (doc && strcmp(doc->rv, rv) == 0)
        forget(d, doc);
}

size_t docs_bytes(const struct docs *d)
{
    return d->bytes;
}

/* Versions are decimal numbers without leading zeros; of others nobody is newer. */
static bool is_newer(const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b);

    if (strspn(a, "0123456789") != na || strspn(b, "0123456789") != nb)
        return false;
    return na != nb ? na > nb : strcmp(a, b) > 0;
}

static bool is_young(const struct doc *doc, uint64_t now_ns)
{
    return now_ns - doc->put_ns < DOCS_AHEAD_MS * 1000000ull;
}

static void put(struct docs *d, const struct kind *k, const char *ns, const char *name, const char *rv,
                char *text_take, size_t len, uint64_t now_ns)
{
    struct doc *doc = mem_zalloc(sizeof(*doc));

    doc->key = key_of(k, ns, name);
    doc->text = text_take;
    doc->len = len;
    doc->put_ns = now_ns;
    (void)snprintf(doc->rv, sizeof(doc->rv), "%s", rv);
    d->bytes += len;
    list_add_tail(&d->used, &doc->link);
    list_init(&doc->parsed);
    (void)map_put(&d->by_key, str_of(doc->key), doc);
    while (d->bytes > LIMIT_KEPT_DOCUMENTS)
        forget(d, LIST_ENTRY(d->used.next, struct doc, link));
}

/* Makes place for a document of that version; false: what is there is as good or better, or it can't be kept. */
static bool make_place(struct docs *d, const struct kind *k, const char *ns, const char *name, const char *rv,
                       uint64_t now_ns)
{
    struct doc *doc = find(d, k, ns, name);

    if (doc && (strcmp(doc->rv, rv) == 0 || (is_young(doc, now_ns) && is_newer(doc->rv, rv))))
        return false;
    if (doc)
        forget(d, doc);
    return *rv && strlen(rv) < sizeof(doc->rv);
}

void docs_put(struct docs *d, const struct kind *k, const char *ns, const char *name, const char *rv, struct str text,
              uint64_t now_ns)
{
    if (make_place(d, k, ns, name, rv, now_ns))
        put(d, k, ns, name, rv, mem_strndup(text.p, text.n), text.n, now_ns);
}

void docs_offer(struct docs *d, const struct kind *k, const char *ns, const char *name, const char *rv,
                struct str text, uint64_t now_ns)
{
    const struct doc *have = find(d, k, ns, name);

    if (!have || !is_newer(have->rv, rv))
        docs_put(d, k, ns, name, rv, text, now_ns);
}

static json_t *tree_of(struct docs *d, struct doc *doc)
{
    if (doc->tree) {
        list_del(&doc->parsed);
    } else {
        doc->tree = json_loadb(doc->text, doc->len, JSON_ALLOW_NUL, NULL);
        if (!doc->tree)
            return NULL;
        d->tree_bytes += doc->len;
    }
    list_add_tail(&d->trees, &doc->parsed);
    json_incref(doc->tree);
    while (d->tree_bytes > LIMIT_KEPT_TREES) {
        struct doc *oldest = LIST_ENTRY(d->trees.next, struct doc, parsed);
        json_t *tree = doc->tree;

        drop_tree(d, oldest);
        if (oldest == doc)
            return tree;
    }
    return doc->tree;
}

json_t *docs_get(struct docs *d, const struct kind *k, const char *ns, const char *name, const char *rv,
                 uint64_t now_ns, bool *ret_ahead)
{
    struct doc *doc = find(d, k, ns, name);
    bool ahead = doc && strcmp(doc->rv, rv) != 0;

    if (!doc || (ahead && !(is_young(doc, now_ns) && (!*rv || is_newer(doc->rv, rv)))))
        return NULL;
    list_del(&doc->link);
    list_add_tail(&d->used, &doc->link);
    if (ret_ahead)
        *ret_ahead = ahead;
    return tree_of(d, doc);
}
