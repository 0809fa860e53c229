/*
 * answer: what a request found as its client wants to see it: JSON, a Table, metadata alone; with warnings.
 */
#include "k8s/model/answer.h"

#include <stdio.h>

#include "core/base/httpdate.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/verbs.h"

/* ---- trees and texts ---- */

static json_t *metadata_of(const json_t *object)
{
    return json_pack("{s:s, s:s, s:O}", "kind", "PartialObjectMetadata", "apiVersion", "meta.k8s.io/v1", "metadata",
                     json_object_get(object, "metadata"));
}

/* A list's answer as one tree. */
static json_t *list_tree(struct request *q)
{
    json_t *items = json_array();

    for (size_t i = 0; i < q->list.n; i++)
        json_array_append_new(items, q->shape == SHAPE_METADATA ? metadata_of(q->list.items[i]->json)
                                                                : request_as(q->r, q->list.items[i]->json));
    json_object_set_new(q->answer, "items", items);
    if (q->shape == SHAPE_METADATA) {
        json_object_set_new(q->answer, "kind", json_string("PartialObjectMetadataList"));
        json_object_set_new(q->answer, "apiVersion", json_string("meta.k8s.io/v1"));
    }
    return json_incref(q->answer);
}

static json_t *as_table(struct request *q)
{
    char include[16];
    int64_t now_s = env_wall_ms(q->m->env) / 1000;
    struct stored one = {.json = q->answer, .name = q->name, .ns = q->ns}, *only = &one;
    json_t *table;

    request_query(q, "includeObject", include, sizeof(include));
    if (q->is_list)
        table = table_of(q->r, q->list.items, q->list.n, include, true, now_s);
    else
        table = table_of(q->r, &only, 1, include, true, now_s);
    json_object_set(table, "metadata", json_object_get(q->answer, "metadata"));
    return table;
}

/* The answer as one tree, a new reference. */
json_t *answer_tree(struct request *q, int status)
{
    bool shaped = q->r && q->is_resource && status < 300 && strcmp(json_text(q->answer, "kind"), "Status") != 0;

    if (shaped && q->shape == SHAPE_TABLE && !q->r->virtual_only)
        return as_table(q);
    if (q->is_list)
        return list_tree(q);
    if (shaped && q->shape == SHAPE_METADATA)
        return metadata_of(q->answer);
    return json_incref(q->answer);
}

/* A plain list as text: the items' texts are kept with the objects, so no tree is walked twice. */
static void list_text(struct request *q, struct buf *out)
{
    char *head = json_compact(q->answer);
    char version[256];

    resource_api_version(q->r, version);
    buf_add(out, head, strlen(head) - 1);
    mem_free(head);
    buf_puts(out, ",\"items\":[");
    for (size_t i = 0; i < q->list.n; i++) {
        struct stored *o = q->list.items[i];

        if (i)
            buf_putc(out, ',');
        if (q->r->builtin || strcmp(json_text(o->json, "apiVersion"), version) == 0) {
            buf_add_str(out, stored_text(o));
        } else {
            json_t *other = request_as(q->r, o->json);
            char *text = json_compact(other);

            buf_puts(out, text);
            mem_free(text);
            json_decref(other);
        }
    }
    buf_puts(out, "]}");
}

/* ---- HTTP ---- */

static bool contains(struct str s, const char *word)
{
    return s.n && memmem(s.p, s.n, word, strlen(word));
}

/* The first media type of Accept that we know decides. */
enum shape answer_shape(struct str accept)
{
    struct str type;

    while (str_cut(&accept, ',', &type)) {
        if (contains(type, "as=Table"))
            return contains(type, "v=v1beta1") ? SHAPE_OBJECT : SHAPE_TABLE;
        if (contains(type, "as=PartialObjectMetadata"))
            return SHAPE_METADATA;
        if (contains(type, "application/json") || contains(type, "*/*") || contains(type, "yaml"))
            return SHAPE_OBJECT;
    }
    return SHAPE_OBJECT;
}

/* RFC 7234: 299 - "text". One header for each warning, the server's limit in mind. */
static size_t warning_headers(struct request *q, struct http_header *headers, size_t max, struct buf *text)
{
    struct str rest = buf_str(&q->warnings), line;
    size_t n = 0, at[16];

    while (n < max && n < 16 && str_cut(&rest, '\n', &line) && line.n) {
        at[n++] = text->len;
        buf_puts(text, "299 - \"");
        for (size_t i = 0; i < line.n; i++) {
            if (line.p[i] == '"' || line.p[i] == '\\')
                buf_putc(text, '\\');
            buf_putc(text, line.p[i]);
        }
        buf_puts(text, "\"");
        buf_add(text, "", 1);
    }
    for (size_t i = 0; i < n; i++)
        headers[i] = (struct http_header){STR("warning"), str_of(text->data + at[i])};
    return n;
}

static void reply(struct request *q, int status, struct str body, const char *type)
{
    struct http_header headers[24];
    char length[24], retry[16], date[32];
    struct buf text;
    size_t n = 0;

    buf_init(&text, 64 * 1024);
    (void)snprintf(length, sizeof(length), "%zu", body.n);
    headers[n++] = (struct http_header){STR("content-type"), str_of(type)};
    headers[n++] = (struct http_header){STR("content-length"), str_of(length)};
    headers[n++] = (struct http_header){STR("cache-control"), STR("no-cache, private")};
    headers[n++] = (struct http_header){STR("date"), str_of(httpdate_format(model_now_s(q->m), date))};
    if (q->retry_after_s) {
        (void)snprintf(retry, sizeof(retry), "%u", q->retry_after_s);
        headers[n++] = (struct http_header){STR("retry-after"), str_of(retry)};
    }
    n += warning_headers(q, headers + n, 16, &text);
    q->serve->ops->head(q->serve, status, headers, n);
    if (body.n && strcmp(q->method, "HEAD") != 0)
        q->serve->ops->write(q->serve, body);
    q->serve->ops->end(q->serve);
    buf_done(&text);
}

void answer_send(struct request *q, int status)
{
    struct buf out;

    if (q->taken)
        return;
    if (q->stored && q->shape == SHAPE_OBJECT) {
        reply(q, status, stored_text(q->stored), "application/json");
        return;
    }
    buf_init(&out, SIZE_MAX / 4);
    if (q->is_list && q->shape == SHAPE_OBJECT) {
        list_text(q, &out);
    } else {
        json_t *tree = answer_tree(q, status);

        /* Health pages are plain texts, and one document comes encoded. */
        if (json_is_string(tree)) {
            reply(q, status, json_str(tree), q->answer_type ? q->answer_type : "text/plain; charset=utf-8");
            json_decref(tree);
            buf_done(&out);
            return;
        }
        {
            char *text = json_compact(tree);

            buf_puts(&out, text);
            mem_free(text);
        }
        json_decref(tree);
    }
    reply(q, status, buf_str(&out), q->answer_type ? q->answer_type : "application/json");
    buf_done(&out);
}
