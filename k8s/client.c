/*
 * client: see client.h. A call goes through steps: AUTH (waiting for the Authorization header; mostly known at once),
 * HTTP (with the server), ENDING (it failed before it reached the server: on_done must not come inside kube_start, so a
 * timer brings it). A 401 leads from HTTP back to AUTH, once.
 */
#include "k8s/client.h"

#include <assert.h>
#include <stdio.h>

#include "core/base/httpdate.h"
#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/base/mem.h"
#include "k8s/auth.h"

enum { TIMEOUT_MS = 30 * 1000, RETRY_AFTER_MAX_S = 3600 };

static const struct {
    const char *method, *content_type, *word;
    bool typed_body; /* the server wants apiVersion and kind in it */
} verbs[] = {
    [KUBE_GET] = {"GET", NULL, "get", false},
    [KUBE_LIST] = {"GET", NULL, "list", false},
    [KUBE_CREATE] = {"POST", "application/json", "create", true},
    [KUBE_REPLACE] = {"PUT", "application/json", "update", true},
    [KUBE_PATCH] = {"PATCH", "application/merge-patch+json", "patch", false},
    [KUBE_APPLY] = {"PATCH", "application/apply-patch+yaml", "apply", true}, /* JSON is YAML */
    [KUBE_DELETE] = {"DELETE", "application/json", "delete", true},
};

/* ---- answers to errors ---- */

void kube_note_date(const struct kube *kube, const struct http_header *headers, size_t n)
{
    int64_t s;

    if (kube->on_date && httpdate_parse(http_header_find(headers, n, "date"), &s) == 0)
        kube->on_date(kube->ctx, s);
}

uint32_t kube_retry_after_ms(const struct http_header *headers, size_t n)
{
    uint64_t s;

    if (str_to_u64(str_trim(http_header_find(headers, n, "retry-after")), &s) < 0)
        return 0;
    return (uint32_t)(s < RETRY_AFTER_MAX_S ? s : RETRY_AFTER_MAX_S) * 1000;
}

static enum err code_of(int status, const char *reason, uint32_t retry_after_ms)
{
    switch (status) {
    case 401:
    case 403:
        return ERR_DENIED;
    case 404:
        return ERR_NOTFOUND;
    case 409:
        return str_same(reason, "AlreadyExists") ? ERR_EXISTS : ERR_CONFLICT;
    case 410:
        return ERR_GONE;
    case 413:
        return ERR_TOOBIG;
    case 429:
        return ERR_THROTTLED;
    case 503:
        return retry_after_ms ? ERR_THROTTLED : ERR_NET;
    default:
        return status >= 400 && status < 500 ? ERR_INVALID : ERR_NET;
    }
}

int kube_status_error(int status, const json_t *object, uint32_t retry_after_ms, struct error *e)
{
    const char *message = json_text(object, "message");
    int64_t seconds = json_int(object, "details.retryAfterSeconds", 0);
    enum err code;

    if (!retry_after_ms && seconds > 0)
        retry_after_ms = (uint32_t)(seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S) * 1000;
    code = code_of(status, json_text(object, "reason"), retry_after_ms);
    if (*message)
        error_set(e, code, "%s", message);
    else
        error_set(e, code, "the API server answered HTTP %d", status);
    if (e && code == ERR_THROTTLED)
        e->retry_after_ms = retry_after_ms;
    return code;
}

/* ---- the end of a call ---- */

/* The last step: everything of the call is given back before on_done, which may free c. */
static void finish(struct kube_call *c, int rc, const struct error *e)
{
    struct kube *k = c->kube;
    struct error own = {0};
    struct buf in = c->in;
    bool parses = rc == 0 && !(c->as_text && c->status >= 200 && c->status < 300);
    json_t *object = NULL;
    json_error_t why;

    timer_clear(k->env, &c->timer);
    if (parses && str_starts(str_trim(buf_str(&in)), STR("{"))) {
        object = json_read(buf_str(&in));
        if (!object && c->status < 300) {
            json_decref(json_loadb(in.data, in.len, JSON_ALLOW_NUL, &why)); /* tells why */
            rc = error_set(&own, ERR_NET, "the API server's answer is broken: %s", why.text);
        }
    }
    if (rc == 0 && (c->status < 200 || c->status >= 300)) {
        (void)snprintf(c->reason, sizeof(c->reason), "%s", json_text(object, "reason"));
        (void)snprintf(c->cause, sizeof(c->cause), "%s", json_text(object, "details.causes.0.reason"));
        rc = kube_status_error(c->status, object, c->retry_after_ms, &own);
    }
    buf_done(&c->out);
    buf_done(&c->path);
    mem_wipe(c->token.data, c->token.len);
    buf_done(&c->token);
    c->step = KUBE_CALL_IDLE;
    c->kube = NULL;
    c->text = rc == 0 && !parses ? buf_str(&in) : STR_NONE;
    if (k->on_request)
        k->on_request(k->ctx, verbs[c->verb].word, c->kind, c->status);
    c->on_done(c, rc, rc == 0 ? object : NULL, rc == 0 ? NULL : own.code ? &own : e);
    json_decref(object);
    buf_done(&in);
}

static void ending_turn(struct timer *t)
{
    struct kube_call *c = t->data;
    struct error e;

    error_set(&e, c->failed, "%s", c->in.data);
    finish(c, c->failed, &e);
}

static void end_later(struct kube_call *c, int rc, const char *text)
{
    c->step = KUBE_CALL_ENDING;
    c->failed = rc;
    buf_clear(&c->in);
    buf_puts(&c->in, text);
    timer_set_in(c->kube->env, &c->timer, 0);
}

/* ---- with the server ---- */

static void http_head(struct http_call *h, int status, const struct http_header *headers, size_t n)
{
    struct kube_call *c = h->data;

    c->status = status;
    c->retry_after_ms = kube_retry_after_ms(headers, n);
    kube_note_date(c->kube, headers, n);
}

static void http_data(struct http_call *h, struct str chunk)
{
    struct kube_call *c = h->data;

    if (buf_error(&c->in) < 0)
        return;
    buf_add_str(&c->in, chunk);
    if (buf_error(&c->in) < 0)
        http_cancel(c->kube->peers[c->lane], h);
}

static void authorize(struct kube_call *c);

static void http_done(struct http_call *h, int rc, const struct error *e)
{
    struct kube_call *c = h->data;
    struct error own;

    if (buf_error(&c->in) < 0) {
        error_set(&own, ERR_TOOBIG, "the API server's answer is over %d MiB", LIMIT_DOCUMENT >> 20);
        finish(c, ERR_TOOBIG, &own);
    } else if (rc == 0 && c->status == 401 && c->kube->auth && !c->retried_auth) {
        c->retried_auth = true;
        buf_clear(&c->in);
        kube_auth_refused(c->kube->auth);
        authorize(c);
    } else {
        finish(c, rc, e);
    }
}

static void add_header(struct kube_call *c, const char *name, struct str value)
{
    assert(c->http.n_headers < sizeof(c->headers) / sizeof(c->headers[0]));
    c->headers[c->http.n_headers++] = (struct http_header){str_of(name), value};
}

static void send(struct kube_call *c)
{
    c->http = (struct http_call){
        .method = verbs[c->verb].method,
        .path = c->path.data,
        .headers = c->headers,
        .body = buf_str(&c->out),
        .timeout_ms = c->timeout_ms ? c->timeout_ms : TIMEOUT_MS,
        .bulk = c->verb == KUBE_LIST,
        .on_head = http_head,
        .on_data = http_data,
        .on_done = http_done,
        .data = c,
    };
    add_header(c, "accept", STR("application/json"));
    if (c->kube->user_agent)
        add_header(c, "user-agent", str_of(c->kube->user_agent));
    if (c->out.len)
        add_header(c, "content-type", str_of(verbs[c->verb].content_type));
    if (c->token.len)
        add_header(c, "authorization", buf_str(&c->token));
    c->step = KUBE_CALL_HTTP;
    http_start(c->kube->peers[c->lane], &c->http);
}

static void authorize_done(void *ctx, int rc, struct str header, const struct error *e)
{
    struct kube_call *c = ctx;

    if (rc < 0) {
        end_later(c, rc, e ? e->msg : error_name(rc));
        return;
    }
    mem_wipe(c->token.data, c->token.len);
    buf_clear(&c->token);
    buf_add_str(&c->token, header);
    if (buf_error(&c->token) < 0)
        end_later(c, ERR_TOOBIG, "the token is too long for a header");
    else
        send(c);
}

static void authorize(struct kube_call *c)
{
    c->step = KUBE_CALL_AUTH;
    if (c->kube->auth)
        kube_auth_get(c->kube->auth, authorize_done, c);
    else
        send(c);
}

/* ---- the request ---- */

static void write_body(struct kube_call *c)
{
    char version[128];
    json_t *body;

    if (!c->body)
        return;
    body = json_copy((json_t *)(uintptr_t)c->body); /* the top level only: its members are shared */
    if (verbs[c->verb].typed_body) {
        bool delete = c->verb == KUBE_DELETE;

        if (!json_object_get(body, "apiVersion"))
            (void)json_object_set_new(body, "apiVersion",
                                      json_string(delete ? "v1" : kind_api_version(c->kind, version)));
        if (!json_object_get(body, "kind"))
            (void)json_object_set_new(body, "kind", json_string(delete ? "DeleteOptions" : c->kind->name));
    }
    json_write(&c->out, body); /* a cap that is reached sticks in out */
    json_decref(body);
}

static void write_path(struct kube_call *c)
{
    /* A new object's name is in its body; with a subresource (pods/p/eviction) the path names the parent. */
    const char *name = c->verb == KUBE_CREATE && !c->subresource ? NULL : c->name;
    char sep = '?';

    kind_path(c->kind, c->ns, name, c->subresource, &c->path);
    if (c->verb == KUBE_APPLY) {
        buf_puts(&c->path, "?fieldManager=stashd&force=true");
        sep = '&';
    }
    if (c->query && *c->query)
        buf_printf(&c->path, "%c%s", sep, c->query);
}

void kube_start(struct kube *k, struct kube_call *c)
{
    assert(c->step == KUBE_CALL_IDLE && !c->kube);
    c->kube = k;
    c->status = 0;
    c->reason[0] = c->cause[0] = 0;
    c->retry_after_ms = 0;
    c->retried_auth = false;
    timer_init(&c->timer, ending_turn, c);
    buf_init(&c->in, LIMIT_DOCUMENT);
    buf_init(&c->out, LIMIT_REQUEST_BODY);
    buf_init(&c->path, LIMIT_HEADERS);
    buf_init(&c->token, LIMIT_HEADERS);
    write_path(c);
    write_body(c);
    if (buf_error(&c->out) < 0 || buf_error(&c->path) < 0)
        end_later(c, ERR_TOOBIG, "the request is too big for the API server");
    else
        authorize(c);
}

void kube_cancel(struct kube_call *c)
{
    switch (c->step) {
    case KUBE_CALL_IDLE:
        break;
    case KUBE_CALL_AUTH:
        kube_auth_forget(c->kube->auth, authorize_done, c);
        end_later(c, ERR_CANCELED, "canceled");
        break;
    case KUBE_CALL_HTTP:
        http_cancel(c->kube->peers[c->lane], &c->http);
        break;
    case KUBE_CALL_ENDING:
        end_later(c, ERR_CANCELED, "canceled");
        break;
    }
}
