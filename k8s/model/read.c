/*
 * read: get and list. Pages are cut from the list at the resourceVersion of the first page, so that following a
 * continue token shows one state of the world, or 410 once that was compacted.
 */
#include <inttypes.h>
#include <stdio.h>

#include "core/base/base64.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/verbs.h"

const char *read_ns(const struct request *q)
{
    return q->r->namespaced && *q->ns ? q->ns : NULL;
}

int read_too_new(struct request *q, uint64_t rv)
{
    q->retry_after_s = 1;
    request_fail(q, 504, "Timeout", "Timeout: Too large resource version: %" PRIu64 ", current: %" PRIu64, rv,
                 store_rv(q->m->store));
    request_cause(q, "ResourceVersionTooLarge", "Too large resource version", NULL);
    json_object_set_new(json_object_get(q->answer, "details"), "retryAfterSeconds", json_integer(1));
    return 504;
}

int read_get(struct request *q)
{
    struct stored *o = store_get(q->r->table, q->r->namespaced ? q->ns : "", q->name);
    char rv[32];
    uint64_t at = 0;

    if (*request_query(q, "resourceVersion", rv, sizeof(rv)) && str_to_u64(str_of(rv), &at) < 0)
        return request_fail(q, 500, "", "resourceVersion: Invalid value: \"%s\": strconv.ParseUint: parsing \"%s\": "
                                        "invalid syntax", rv, rv);
    if (at > store_rv(q->m->store))
        return read_too_new(q, at);
    if (!o)
        return request_not_found(q, q->name);
    return request_answer_stored(q, 200, o);
}

int read_selectors(struct request *q, struct selector **labels, struct selector **fields)
{
    char *text = mem_alloc(16 * 1024);
    struct error e;
    int rc;

    *labels = *fields = NULL;
    rc = selector_parse_labels(labels, request_query(q, "labelSelector", text, 16 * 1024), &e);
    if (rc == 0)
        rc = selector_parse_fields(fields, q->r, request_query(q, "fieldSelector", text, 16 * 1024), &e);
    mem_free(text);
    if (rc == 0)
        return 0;
    selector_free(*labels);
    *labels = NULL;
    return request_fail(q, 400, "BadRequest", "%s", e.msg);
}

/* ---- pages ---- */

struct page {
    uint64_t limit; /* 0: all */
    uint64_t rv;    /* list as it was then; 0: now */
    bool exact;
    bool continued;
    char ns[256], name[256]; /* the last object of the page before */
};

static char *token_make(uint64_t rv, const struct stored *last)
{
    char *text = mem_printf("%" PRIu64 "/%s/%s", rv, last->ns, last->name);
    struct buf out;

    buf_init(&out, 4096);
    base64_encode(&out, str_of(text));
    mem_free(text);
    return buf_take(&out);
}

static bool token_read(struct page *p, const char *token)
{
    struct str rest, rv, ns;
    struct buf out;
    bool ok = false;

    buf_init(&out, 4096);
    if (base64_decode(&out, str_of(token))) {
        rest = buf_str(&out);
        if (str_cut(&rest, '/', &rv) && str_cut(&rest, '/', &ns) && str_to_u64(rv, &p->rv) == 0) {
            (void)snprintf(p->ns, sizeof(p->ns), "%.*s", (int)ns.n, ns.n ? ns.p : "");
            (void)snprintf(p->name, sizeof(p->name), "%.*s", (int)rest.n, rest.n ? rest.p : "");
            ok = p->continued = p->exact = true;
        }
    }
    buf_done(&out);
    return ok;
}

static int page_read(struct request *q, struct page *p)
{
    char token[2048], rv[32], match[32], limit[24];

    *p = (struct page){0};
    if (str_to_u64(str_of(request_query(q, "limit", limit, sizeof(limit))), &p->limit) < 0)
        p->limit = 0;
    request_query(q, "continue", token, sizeof(token));
    request_query(q, "resourceVersion", rv, sizeof(rv));
    request_query(q, "resourceVersionMatch", match, sizeof(match));
    if (*token)
        return token_read(p, token) ? 0 : request_fail(q, 400, "BadRequest", "continue key is not valid");
    if (*rv && str_to_u64(str_of(rv), &p->rv) < 0)
        return request_fail(q, 400, "BadRequest",
                            "invalid resource version: resourceVersion: Invalid value: \"%s\": strconv.ParseUint: "
                            "parsing \"%s\": invalid syntax", rv, rv);
    if (p->rv > store_rv(q->m->store))
        return read_too_new(q, p->rv);
    p->exact = p->rv && strcmp(match, "Exact") == 0;
    if (!p->exact)
        p->rv = 0; /* "not older than": now will do */
    return 0;
}

/* Where the page starts in a sorted list. */
static size_t page_start(const struct page *p, const struct store_list *l)
{
    size_t lo = 0, hi = p->continued ? l->n : 0;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (store_key_cmp(l->items[mid]->ns, l->items[mid]->name, p->ns, p->name) <= 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Keeps what fits the selectors, from the page's start on and up to its limit; what is left is counted. */
static void page_cut(const struct page *p, struct store_list *l, const struct selector *labels,
                     const struct selector *fields, uint64_t *ret_left)
{
    size_t kept = 0, start = page_start(p, l);
    uint64_t left = 0;

    for (size_t i = 0; i < l->n; i++) {
        struct stored *o = l->items[i];
        bool fits = i >= start && selector_fits_labels(labels, o->json) && selector_fits_fields(fields, o->json);

        if (fits && p->limit && kept == p->limit) {
            left++;
            fits = false;
        }
        if (fits)
            l->items[kept++] = o;
        else
            stored_unref(o);
    }
    l->n = kept;
    *ret_left = left;
}

static int gone(struct request *q)
{
    return request_fail(q, 410, "Expired", "The provided continue parameter is too old to display a consistent list "
                                           "result. You must start a new list without the continue parameter.");
}

int read_list(struct request *q)
{
    struct selector *labels, *fields;
    struct page page;
    char version[256], rv_text[24];
    json_t *meta;
    uint64_t left = 0, rv;
    int status = page_read(q, &page);

    if (!status)
        status = read_selectors(q, &labels, &fields);
    if (status)
        return status;
    rv = page.exact ? page.rv : store_rv(q->m->store);
    if (!store_list(q->m->store, q->r->table, read_ns(q), page.exact ? page.rv : 0, &q->list)) {
        selector_free(labels);
        selector_free(fields);
        return gone(q);
    }
    page_cut(&page, &q->list, labels, fields, &left);
    (void)snprintf(rv_text, sizeof(rv_text), "%" PRIu64, rv);
    meta = json_pack("{s:s}", "resourceVersion", rv_text);
    if (!q->r->builtin)
        json_object_set_new(meta, "continue", json_string("")); /* untyped lists always have it */
    if (left && q->list.n) {
        char *token = token_make(rv, q->list.items[q->list.n - 1]);

        json_object_set_new(meta, "continue", json_string(token));
        if (!labels && !fields)
            json_object_set_new(meta, "remainingItemCount", json_integer((json_int_t)left));
        mem_free(token);
    }
    selector_free(labels);
    selector_free(fields);
    q->is_list = true;
    q->answer = json_pack("{s:s, s:s, s:o}", "kind", q->r->list_kind, "apiVersion",
                          resource_api_version(q->r, version), "metadata", meta);
    return 200;
}
