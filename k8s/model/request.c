/*
 * request: the life of a request: who asks, may they, the verb, and the answer's form (JSON, Table, metadata only).
 * HTTP comes in by model_serve, trusted parts of the same process by model_do.
 */
#include "k8s/model/request.h"

#include <stdio.h>

#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/base/mem.h"
#include "k8s/model/answer.h"
#include "k8s/model/authn.h"
#include "k8s/model/options.h"
#include "k8s/model/proto.h"
#include "k8s/model/rbac.h"
#include "k8s/model/review.h"
#include "k8s/model/verbs.h"
#include "k8s/model/yaml.h"

enum { BODY_MAX = 3 * 1024 * 1024 }; /* the API server's limit */

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
    if (q->content_type.n && strcmp(q->method, "PATCH") != 0 && !str_is(q->content_type, "application/json") &&
        !str_is(q->content_type, "application/yaml")) { /* PATCH has types of its own */
        *ret_status = request_fail(q, 415, "UnsupportedMediaType",
                                   "the body of the request was in an unknown format - accepted media types include: "
                                   "application/json, application/yaml, application/vnd.kubernetes.protobuf");
        return NULL;
    }
    q->body = json_read_strict(q->body_text);
    if (!q->body) /* it can say why */
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
    if (strcmp(q->verb, "deletecollection") == 0 && !*q->group && strcmp(q->plural, "namespaces") == 0)
        return not_allowed(q);
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(verbs[i].verb, q->verb) == 0)
            return verbs[i].run(q);
    return not_allowed(q);
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
    if (!status && q->is_resource)
        status = options_check(q);
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

/* ---- HTTP ---- */

static struct str without_parameters(struct str type)
{
    struct str first;

    return str_cut(&type, ';', &first) ? str_trim(first) : STR_NONE;
}

static void tell(const struct request *q, int status)
{
    const char *made = q->stored ? json_text(q->stored->json, "metadata.name") : "";
    const struct model_audit a = {.user = q->real_user ? q->real_user->name : "",
                                  .verb = q->verb ? q->verb : "",
                                  .group = q->group,
                                  .plural = q->plural,
                                  .ns = q->ns,
                                  .name = *q->name ? q->name : made,
                                  .sub = q->sub,
                                  .agent = http_header_find(q->serve->headers, q->serve->n_headers, "user-agent"),
                                  .status = status};

    if (q->m->on_audit)
        q->m->on_audit(q->m->commit_ctx, &a);
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
    q.shape = answer_shape(http_header_find(s->headers, s->n_headers, "accept"));
    if (!http_unescape(&path, s->path)) {
        status = request_fail(&q, 400, "BadRequest", "malformed path");
    } else {
        q.path = buf_take(&path);
        user = authn_user(&q);
        q.user = q.real_user = user;
        if (!user)
            status = request_fail(&q, 401, "Unauthorized", "Unauthorized");
        else if (s->body.n > BODY_MAX)
            status = request_fail(&q, 413, "RequestEntityTooLarge", "Request entity too large: limit is %d", BODY_MAX);
        else
            status = request_run(&q);
    }
    tell(&q, status);
    answer_send(&q, status);
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
    bool apply = strcmp(method, "APPLY") == 0;
    int status;

    buf_init(&q.warnings, 16 * 1024);
    (void)str_cut(&rest, '?', &path);
    q.query = rest;
    q.group = q.version = q.plural = q.ns = q.name = q.sub = "";
    q.path = mem_strndup(path.p, path.n);
    q.user = q.real_user = authn_trusted(m, user);
    if (apply) {
        q.method = "PATCH";
        q.content_type = STR("application/apply-patch+yaml");
    }
    if (json_is_array(body) && strcmp(method, "PATCH") == 0)
        q.content_type = STR("application/json-patch+json");
    q.body = json_incref((json_t *)(uintptr_t)body);
    status = request_run(&q);
    if (ret) { /* a copy: the answer may be what is stored, and the caller may change his */
        json_t *tree = answer_tree(&q, status);

        *ret = json_clone(tree);
        json_decref(tree);
    }
    request_done(&q);
    return status;
}
