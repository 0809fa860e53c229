/*
 * request: the life of a request: who asks, may they, the verb, and the answer's form (JSON, Table, metadata only). HTTP
 * comes in by model_serve, trusted parts of the same process by model_do.
 */
#include "k8s/model/request.h"

#include <stdio.h>

#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/base/mem.h"
#include "k8s/model/authn.h"
#include "k8s/model/proto.h"
#include "k8s/model/rbac.h"
#include "k8s/model/review.h"
#include "k8s/model/verbs.h"
#include "k8s/model/yaml.h"

/* ---- body ---- */

json_t *request_body(struct request *q, int *ret_status)
{
    struct error e = {.msg = ""};
    json_error_t where;

    *ret_status = 0;
    if (q->body)
        return q->body;
    if (!q->body_text.n) {
        *ret_status = request_fail(q, 400, "BadRequest", "a request body is needed");
        return NULL;
    }
    if (str_starts(q->content_type, STR("application/vnd.kubernetes.protobuf"))) {
        q->body = proto_load(q->body_text, &e);
        if (!q->body)
            *ret_status = request_fail(q, 415, "UnsupportedMediaType", "%s", e.msg);
        return q->body;
    }
    if (str_starts(q->content_type, STR("application/cbor"))) {
        *ret_status = request_fail(q, 415, "UnsupportedMediaType",
                                   "the body of the request was in an unknown format - accepted media types include: "
                                   "application/json, application/yaml, application/vnd.kubernetes.protobuf");
        return NULL;
    }
    q->body = json_loadb(q->body_text.p, q->body_text.n, JSON_REJECT_DUPLICATES, &where);
    if (!q->body && str_ends(q->content_type, STR("yaml"))) {
        q->body = yaml_load(q->body_text, &e);
        if (!q->body)
            (void)snprintf(where.text, sizeof(where.text), "%s", e.msg);
    }
    if (!q->body)
        *ret_status = request_fail(q, 400, "BadRequest", "the object provided is unrecognized: %s", where.text);
    else if (!json_is_object(q->body) && !json_is_array(q->body))
        *ret_status = request_fail(q, 400, "BadRequest", "the object provided is no object");
    return *ret_status ? NULL : q->body;
}

/* ---- verbs ---- */

static const struct {
    const char *verb;
    int (*run)(struct request *q);
} verbs[] = {
    {"get", read_get},           {"list", read_list},     {"watch", watch_start},
    {"create", write_create},    {"update", write_update}, {"patch", write_patch},
    {"delete", delete_one},      {"deletecollection", delete_collection},
};

static bool sub_known(const struct request *q)
{
    struct str rest = str_of(q->r->subresources), item;

    if (!*q->sub || (strcmp(q->sub, "status") == 0 && q->r->has_status))
        return true;
    while (str_cut(&rest, ',', &item))
        if (str_is(item, q->sub))
            return true;
    return false;
}

static int unknown_path(struct request *q)
{
    return request_fail(q, 404, "NotFound", "the server could not find the requested resource");
}

static int not_allowed(struct request *q)
{
    return request_fail(q, 405, "MethodNotAllowed", "the server does not allow this method on the requested resource");
}

static int run_verb(struct request *q)
{
    bool whole = !*q->name;

    if (!q->r || !sub_known(q))
        return unknown_path(q);
    if (q->r->virtual_only)
        return strcmp(q->verb, "create") == 0 ? review_create(q) : not_allowed(q);
    if (strcmp(q->sub, "log") == 0)
        return strcmp(q->verb, "get") == 0 ? modellog_serve(q) : not_allowed(q);
    if (strcmp(q->sub, "token") == 0)
        return strcmp(q->verb, "create") == 0 ? review_token_request(q) : not_allowed(q);
    if (q->r->namespaced && !*q->ns && !(whole && q->method[0] == 'G'))
        return not_allowed(q);
    if ((*q->sub || !whole) && strcmp(q->verb, "create") == 0)
        return not_allowed(q);
    if (*q->sub && strcmp(q->verb, "delete") == 0)
        return not_allowed(q);
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(verbs[i].verb, q->verb) == 0)
            return verbs[i].run(q);
    return not_allowed(q);
}

static int read_dry_run(struct request *q)
{
    char text[16];

    request_query(q, "dryRun", text, sizeof(text));
    if (*text && strcmp(text, "All") != 0)
        return request_fail(q, 400, "BadRequest", "dryRun: Unsupported value: \"%s\": supported values: \"All\"", text);
    q->dry_run = *text;
    return 0;
}

static bool is_text(const char *s)
{
    json_t *text = json_string(s); /* NULL: no UTF-8 */

    json_decref(text);
    return text != NULL;
}

int request_run(struct request *q)
{
    int status;

    if (!is_text(q->path))
        return request_fail(q, 400, "BadRequest", "the path is no UTF-8");
    if (!request_route(q)) {
        q->is_resource = false;
        return not_allowed(q);
    }
    status = authn_impersonate(q);
    if (!status)
        status = rbac_check(q);
    if (!status)
        status = read_dry_run(q);
    if (status)
        return status;
    return q->is_resource ? run_verb(q) : discovery_serve(q);
}

void request_done(struct request *q)
{
    json_decref(q->body);
    json_decref(q->answer);
    stored_unref(q->stored);
    store_list_free(&q->list);
    buf_done(&q->warnings);
    mem_free(q->path);
    mem_free(q->words);
}

/* ---- form of the answer ---- */

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
static json_t *answer_tree(struct request *q, int status)
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

static struct str without_parameters(struct str type)
{
    struct str first;

    return str_cut(&type, ';', &first) ? str_trim(first) : STR_NONE;
}

static bool contains(struct str s, const char *word)
{
    return s.n && memmem(s.p, s.n, word, strlen(word));
}

/* The first media type of Accept that we know decides. */
static enum shape shape_of(struct str accept)
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
    char length[24], retry[16];
    struct buf text;
    size_t n = 0;

    buf_init(&text, 64 * 1024);
    (void)snprintf(length, sizeof(length), "%zu", body.n);
    headers[n++] = (struct http_header){STR("content-type"), str_of(type)};
    headers[n++] = (struct http_header){STR("content-length"), str_of(length)};
    headers[n++] = (struct http_header){STR("cache-control"), STR("no-cache, private")};
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

static void send_answer(struct request *q, int status)
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

void model_serve(void *ctx, struct http_serve *s)
{
    struct request q = {.m = ctx, .serve = s, .query = s->query, .body_text = s->body};
    struct user *user = NULL;
    struct buf path;
    int status;

    buf_init(&q.warnings, 16 * 1024);
    buf_init(&path, 16 * 1024);
    s->on_close = NULL;
    q.method = mem_strndup(s->method.p, s->method.n);
    q.group = q.version = q.plural = q.ns = q.name = q.sub = "";
    q.content_type = without_parameters(http_header_find(s->headers, s->n_headers, "content-type"));
    q.shape = shape_of(http_header_find(s->headers, s->n_headers, "accept"));
    if (!http_unescape(&path, s->path)) {
        status = request_fail(&q, 400, "BadRequest", "malformed path");
    } else {
        q.path = buf_take(&path);
        user = authn_user(&q);
        q.user = q.real_user = user;
        status = user ? request_run(&q) : request_fail(&q, 401, "Unauthorized", "Unauthorized");
    }
    send_answer(&q, status);
    buf_done(&path);
    if (q.user != q.real_user)
        authn_user_free((struct user *)(uintptr_t)q.user);
    authn_user_free(user);
    mem_free((void *)(uintptr_t)q.method);
    request_done(&q);
}

int model_do(struct model *m, const char *user, const char *method, const char *path_and_query, const json_t *body,
             json_t **ret)
{
    struct str rest = str_of(path_and_query), path;
    struct request q = {.m = m, .method = method, .content_type = STR("application/merge-patch+json")};
    struct user *u = authn_user_new(user, "", "system:masters");
    int status;

    buf_init(&q.warnings, 16 * 1024);
    (void)str_cut(&rest, '?', &path);
    q.query = rest;
    q.group = q.version = q.plural = q.ns = q.name = q.sub = "";
    q.path = mem_strndup(path.p, path.n);
    q.user = q.real_user = u;
    if (json_is_array(body) && strcmp(method, "PATCH") == 0)
        q.content_type = STR("application/json-patch+json");
    q.body = json_incref((json_t *)(uintptr_t)body);
    status = request_run(&q);
    if (ret) { /* a copy: the answer may be what is stored, and the caller may change his */
        json_t *tree = answer_tree(&q, status);

        *ret = json_deep_copy(tree);
        json_decref(tree);
    }
    authn_user_free(u);
    request_done(&q);
    return status;
}
