/* docs: see docs.h. Bytes, not trees: a parsed document takes ten times its size. */
#include "controllers/docs.h"

#include <stdio.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/base/list.h"
#include "core/base/map.h"
#include "core/base/mem.h"

struct doc {
    struct list link; /* in docs.used */
    char *key, *text;
    char rv[64];
    size_t len;
};

struct docs {
    struct map by_key;
    struct list used; /* the longest unused first */
    size_t bytes;
};

struct docs *docs_new(uint64_t seed)
{
    struct docs *d = mem_zalloc(sizeof(*d));

    map_init(&d->by_key, seed);
    list_init(&d->used);
    return d;
}

static void forget(struct docs *d, struct doc *doc)
{
    (void)map_del(&d->by_key, str_of(doc->key));
    list_del(&doc->link);
    d->bytes -= doc->len;
    mem_free(doc->key);
    mem_free(doc->text);
    mem_free(doc);
}

void docs_free(struct docs *d)
{
    if (!d)
        return;
    while (!list_empty(&d->used))
        forget(d, LIST_ENTRY(d->used.next, struct doc, link));
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

void docs_put(struct docs *d, const struct kind *k, const char *ns, const char *name, const json_t *object)
{
    const char *rv = json_text(object, "metadata.resourceVersion");
    struct doc *doc;
    char *text;

    docs_drop(d, k, ns, name);
    text = *rv && strlen(rv) < sizeof(doc->rv) ? json_dumps(object, JSON_COMPACT) : NULL;
    if (!text)
        return;
    doc = mem_zalloc(sizeof(*doc));
    doc->key = key_of(k, ns, name);
    doc->text = text;
    doc->len = strlen(text);
    (void)snprintf(doc->rv, sizeof(doc->rv), "%s", rv);
    d->bytes += doc->len;
    list_add_tail(&d->used, &doc->link);
    (void)map_put(&d->by_key, str_of(doc->key), doc);
    while (d->bytes > LIMIT_KEPT_DOCUMENTS)
        forget(d, LIST_ENTRY(d->used.next, struct doc, link));
}

json_t *docs_get(struct docs *d, const struct kind *k, const char *ns, const char *name, const char *rv)
{
    struct doc *doc = find(d, k, ns, name);

    if (!doc || strcmp(doc->rv, rv) != 0)
        return NULL;
    list_del(&doc->link);
    list_add_tail(&d->used, &doc->link);
    return json_loadb(doc->text, doc->len, JSON_ALLOW_NUL, NULL);
}
