/* docs: see docs.h. Bytes, and few trees: a parsed document takes ten times its size. */
#include "controllers/docs.h"

#include <stdio.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/base/list.h"
#include "core/base/map.h"
#include "core/base/mem.h"

enum { KEY_MAX = 512 }; /* a namespace has at most 63 bytes, a name 253 */

struct doc {
    struct list link;   /* in docs.used */
    struct list parsed; /* in docs.trees, with a tree */
    json_t *tree;
    char *text;
    char rv[64];
    size_t len;
    uint64_t put_ns;
    size_t key_n;
    char key[];
};

/* What a document is found by: its kind's number, "<ns>\0<name>". */
struct key {
    size_t n; /* 0: no object of Kubernetes has such a name */
    char bytes[KEY_MAX];
};

struct docs {
    struct map by_key;
    struct list used, trees; /* the longest unused first */
    size_t bytes, tree_bytes;
};

struct docs *docs_new(uint64_t seed)
{
    struct docs *d = mem_zalloc(sizeof(*d));

    map_init_borrowing(&d->by_key, seed);
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
    (void)map_del(&d->by_key, (struct str){doc->key, doc->key_n});
    list_del(&doc->link);
    d->bytes -= doc->len;
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

static void make_key(const struct kind *k, const char *ns, const char *name, struct key *out)
{
    size_t n_ns = ns ? strlen(ns) : 0, n_name = strlen(name);

    out->n = 2 + n_ns + n_name;
    if (out->n > KEY_MAX) {
        out->n = 0;
        return;
    }
    out->bytes[0] = (char)k->id;
    memcpy(out->bytes + 1, ns ? ns : "", n_ns);
    out->bytes[1 + n_ns] = 0;
    memcpy(out->bytes + 2 + n_ns, name, n_name);
}

static struct doc *find_key(const struct docs *d, const struct key *key)
{
    return key->n ? map_get(&d->by_key, (struct str){key->bytes, key->n}) : NULL;
}

static struct doc *find(const struct docs *d, const struct kind *k, const char *ns, const char *name)
{
    struct key key;

    make_key(k, ns, name, &key);
    return find_key(d, &key);
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

static void put(struct docs *d, const struct key *key, const char *rv, struct str text, uint64_t now_ns)
{
    struct doc *doc = mem_zalloc(sizeof(*doc) + key->n);

    memcpy(doc->key, key->bytes, key->n);
    doc->key_n = key->n;
    doc->text = mem_strndup(text.p, text.n);
    doc->len = text.n;
    doc->put_ns = now_ns;
    (void)snprintf(doc->rv, sizeof(doc->rv), "%s", rv);
    d->bytes += text.n;
    list_add_tail(&d->used, &doc->link);
    list_init(&doc->parsed);
    (void)map_put(&d->by_key, (struct str){doc->key, doc->key_n}, doc);
    while (d->bytes > LIMIT_KEPT_DOCUMENTS)
        forget(d, LIST_ENTRY(d->used.next, struct doc, link));
}

/* always: also in place of a newer one that is not young any more. */
static void put_newer(struct docs *d, const struct kind *k, const char *ns, const char *name, const char *rv,
                      struct str text, bool always, uint64_t now_ns)
{
    struct doc *doc;
    struct key key;

    make_key(k, ns, name, &key);
    doc = find_key(d, &key);
    if (doc && (strcmp(doc->rv, rv) == 0 || (is_newer(doc->rv, rv) && (!always || is_young(doc, now_ns)))))
        return; /* what is there is as good or better */
    if (doc)
        forget(d, doc);
    if (key.n && *rv && strlen(rv) < sizeof(doc->rv))
        put(d, &key, rv, text, now_ns);
}

void docs_put(struct docs *d, const struct kind *k, const char *ns, const char *name, const char *rv, struct str text,
              uint64_t now_ns)
{
    put_newer(d, k, ns, name, rv, text, true, now_ns);
}

void docs_offer(struct docs *d, const struct kind *k, const char *ns, const char *name, const char *rv,
                struct str text, uint64_t now_ns)
{
    put_newer(d, k, ns, name, rv, text, false, now_ns);
}

static json_t *tree_of(struct docs *d, struct doc *doc)
{
    if (doc->tree) {
        list_del(&doc->parsed);
    } else {
        doc->tree = json_read((struct str){doc->text, doc->len});
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
