/*
 * watch: see watch.h. One request at a time: its answer feeds the scanner, the scanner's events feed the cache, and its
 * end (stream_end) decides what comes next: again at once, again after a back-off, or a new list. A 410 may come as a
 * status or as an ERROR event in the stream; both forget the version, so that the next request is a list.
 */
#include "k8s/watch.h"

#include <assert.h>
#include <stdio.h>

#include "core/base/limits.h"
#include "core/base/mem.h"
#include "k8s/auth.h"

enum {
    TIMEOUT_MIN_S = 300,
    IDLE_MORE_S = 90,
    LIST_SILENCE_MS = 60 * 1000, /* without a byte during a whole list */
    BACKOFF_MS = 500,
    BACKOFF_MAX_MS = 30 * 1000,
    RELIST_SPREAD_MS = 10 * 1000, /* many get 410 at once when the server compacts */
    HOPELESS = 6,                 /* refusals of one version in a row before a new list */
    TELL_AFTER = 3,               /* failures in a row before anybody is told of what mostly passes by itself */
    SHORT_LIFE_MS = 5 * 1000,     /* a stream that ended in order but so soon counts as a failure */
};

#define NO_STREAM_NS (3600 * 1000000000ull)

static void set_state(struct kube_watch *w, enum watch_state to)
{
    static const char *const names[] = {"Empty", "Listing", "Watching", "Waiting", "Stopped"};

    if (w->state == to)
        return;
    if (w->kube->log)
        log_debug(w->kube->log, "watch state", F_STR("kind", w->kind->name), F_STR("from", names[w->state]),
                  F_STR("to", names[to]));
    w->state = to;
}

static uint64_t random_below(struct kube_watch *w, uint64_t n)
{
    return env_random(w->kube->env) % n;
}

/* ---- what comes from the server ---- */

static void list_end(struct kube_watch *w, const char *rv)
{
    (void)snprintf(w->rv, sizeof(w->rv), "%s", rv);
    w->failures = 0;
    w->lists++;
    cache_relist_end(w->cache, w->kind);
    cache_set_complete(w->cache, w->kind);
    set_state(w, WATCH_WATCHING);
    if (w->on_synced && !w->stopping)
        w->on_synced(w);
}

static void break_off(struct kube_watch *w)
{
    w->broken = true;
    http_cancel(w->kube->peers[KUBE_LANE_WATCHES], &w->call);
}

static void on_object(void *ctx, enum scan_event type, const struct kobj *o)
{
    struct kube_watch *w = ctx;

    if (w->stopping || w->broken)
        return; /* the rest of a chunk after a callback has stopped us */
    switch (type) {
    case SCAN_ADDED:
    case SCAN_MODIFIED:
        if (w->on_text && scan_raw(w->scan).p)
            w->on_text(w, o, scan_raw(w->scan));
        cache_put(w->cache, o);
        break;
    case SCAN_DELETED:
        cache_del(w->cache, w->kind, o->ns, o->name);
        break;
    case SCAN_BOOKMARK:
        if (w->state == WATCH_LISTING && scan_initial_end(w->scan))
            list_end(w, o->rv);
        break;
    case SCAN_ERROR:
        w->event_code = scan_status_code(w->scan);
        break_off(w);
        return;
    }
    /* During a list the versions of its objects come in any order: only its end has one to go on from. */
    if (w->state == WATCH_WATCHING && !w->whole_list && *o->rv) {
        size_t n = strlen(o->rv);

        n = n < sizeof(w->rv) ? n : sizeof(w->rv) - 1;
        memcpy(w->rv, o->rv, n);
        w->rv[n] = 0;
        w->failures = 0;
    }
}

static void http_head(struct http_call *c, int status, const struct http_header *headers, size_t n)
{
    struct kube_watch *w = c->data;

    w->status = status;
    w->retry_after_ms = kube_retry_after_ms(headers, n);
    kube_note_date(w->kube, headers, n);
    if (status == 200)
        w->told = w->refused = false;
}

static void http_data(struct http_call *c, struct str chunk)
{
    struct kube_watch *w = c->data;
    struct error e;

    if (w->stopping || w->broken)
        return;
    if (w->status != 200)
        buf_add_str(&w->body, chunk); /* the start of a Status; its cap may cut it */
    else if (scan_feed(w->scan, chunk, &e) < 0 && !w->stopping)
        break_off(w);
}

static void stream_end(struct kube_watch *w, int rc, const struct error *e);

static void http_done(struct http_call *c, int rc, const struct error *e)
{
    struct kube_watch *w = c->data;

    w->step = KUBE_WATCH_REST;
    timer_clear(w->kube->env, &w->timer);
    stream_end(w, rc, e);
}

/* ---- the request ---- */

static void write_path(struct kube_watch *w, unsigned timeout_s)
{
    buf_clear(&w->path);
    kind_path(w->kind, w->ns, NULL, NULL, &w->path);
    if (w->state == WATCH_LISTING && w->whole_list) {
        buf_puts(&w->path, "?");
    } else {
        buf_printf(&w->path, "?watch=true&allowWatchBookmarks=true&timeoutSeconds=%u&", timeout_s);
        if (w->state == WATCH_LISTING) {
            buf_puts(&w->path, "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&");
        } else {
            buf_puts(&w->path, "resourceVersion=");
            http_escape(&w->path, str_of(w->rv));
            buf_putc(&w->path, '&');
        }
    }
    if (w->selector) {
        buf_puts(&w->path, "labelSelector=");
        http_escape(&w->path, str_of(w->selector));
    } else {
        w->path.data[--w->path.len] = 0; /* the last '?' or '&' */
    }
}

static void stream_open(struct kube_watch *w)
{
    unsigned min_s = w->kube->watch_min_s ? w->kube->watch_min_s : TIMEOUT_MIN_S;
    unsigned timeout_s = min_s + (unsigned)random_below(w, min_s + 1);
    size_t n = 0;

    write_path(w, timeout_s);
    w->headers[n++] = (struct http_header){STR("accept"), STR("application/json")};
    if (w->kube->user_agent)
        w->headers[n++] = (struct http_header){STR("user-agent"), str_of(w->kube->user_agent)};
    if (w->token.len)
        w->headers[n++] = (struct http_header){STR("authorization"), buf_str(&w->token)};
    w->call = (struct http_call){
        .method = "GET",
        .path = w->path.data,
        .headers = w->headers,
        .n_headers = n,
        .timeout_ms = w->state == WATCH_LISTING && w->whole_list ? LIST_SILENCE_MS : 0,
        .bulk = true,
        .on_head = http_head,
        .on_data = http_data,
        .on_done = http_done,
        .data = w,
    };
    w->step = KUBE_WATCH_CALL;
    w->opened_ns = env_now_ns(w->kube->env);
    if (!w->call.timeout_ms)
        timer_set_in(w->kube->env, &w->timer, (timeout_s + IDLE_MORE_S) * 1000ull);
    http_start(w->kube->peers[KUBE_LANE_WATCHES], &w->call);
}

static void again_in(struct kube_watch *w, uint64_t ms)
{
    if (w->state != WATCH_STOPPED)
        set_state(w, w->lists ? WATCH_WAITING : WATCH_EMPTY);
    timer_set_in(w->kube->env, &w->timer, ms);
}

static void back_off(struct kube_watch *w)
{
    uint64_t most = BACKOFF_MAX_MS, ms;

    if (w->failures < 6)
        most = (uint64_t)BACKOFF_MS << w->failures; /* 0.5 s, 1, 2, 4, 8, 16, then 30 */
    w->failures++;
    ms = random_below(w, most + 1);
    again_in(w, ms > w->retry_after_ms ? ms : w->retry_after_ms + ms / 10);
}

static void tell_trouble(struct kube_watch *w, int rc, const struct error *e)
{
    if (w->told || !w->on_trouble)
        return;
    w->told = true;
    w->on_trouble(w, rc, e);
}

static void authorize_done(void *ctx, int rc, struct str header, const struct error *e)
{
    struct kube_watch *w = ctx;

    w->step = KUBE_WATCH_REST;
    mem_wipe(w->token.data, w->token.len);
    buf_clear(&w->token);
    buf_add_str(&w->token, header);
    if (rc == 0 && buf_error(&w->token) == 0) {
        if (w->is_stale)
            again_in(w, 0);
        else
            stream_open(w);
        return;
    }
    back_off(w);
    if (rc == ERR_DENIED || rc == ERR_NOTFOUND)
        tell_trouble(w, ERR_DENIED, e);
}

static void begin(struct kube_watch *w)
{
    bool list;

    if (w->is_stale)
        w->rv[0] = 0;
    list = !*w->rv;
    w->is_stale = false;
    w->status = w->event_code = 0;
    w->retry_after_ms = 0;
    w->broken = false;
    buf_clear(&w->body);
    if (w->lists)
        w->restarts++;
    w->whole_list = list && env_now_ns(w->kube->env) < w->no_stream_until_ns;
    set_state(w, list ? WATCH_LISTING : WATCH_WATCHING);
    if (list)
        cache_relist_begin(w->cache, w->kind);
    scan_free(w->scan);
    w->scan = scan_new(w->kind, w->whole_list ? SCAN_LIST : SCAN_WATCH, on_object, w);
    scan_share(w->scan, cache_pool(w->cache));
    if (w->on_text && !w->whole_list)
        scan_keep_raw(w->scan);
    w->step = KUBE_WATCH_AUTH;
    if (w->kube->auth)
        kube_auth_get(w->kube->auth, authorize_done, w);
    else
        stream_open(w);
}

/* ---- the end of a stream ---- */

static void stopped(struct kube_watch *w)
{
    scan_free(w->scan);
    w->scan = NULL;
    buf_done(&w->path);
    mem_wipe(w->token.data, w->token.len);
    buf_done(&w->token);
    buf_done(&w->body);
    set_state(w, WATCH_STOPPED);
    if (w->on_stopped)
        w->on_stopped(w);
}

static void refuse_streaming(struct kube_watch *w)
{
    w->no_stream_until_ns = env_now_ns(w->kube->env) + NO_STREAM_NS;
    again_in(w, 0);
}

static void list_again(struct kube_watch *w)
{
    w->rv[0] = 0;
    w->failures = w->failures < 2 ? w->failures : 2;
    again_in(w, random_below(w, RELIST_SPREAD_MS));
}

/* A status other than 200. */
static void refused(struct kube_watch *w)
{
    bool streaming = w->state == WATCH_LISTING && !w->whole_list;
    json_t *body = w->body.len ? json_loadb(w->body.data, w->body.len, 0, NULL) : NULL;
    struct error e;
    int rc = kube_status_error(w->status, body, w->retry_after_ms, &e);

    json_decref(body);
    w->retry_after_ms = e.retry_after_ms;
    if (w->status == 410) {
        list_again(w);
    } else if (rc == ERR_INVALID && streaming) {
        refuse_streaming(w);
    } else if (w->status == 401 && w->kube->auth && !w->refused) {
        w->refused = true;
        kube_auth_refused(w->kube->auth);
        again_in(w, 0);
    } else {
        /* A version that the server will not take, or never gets to (it was restored from a backup). */
        if (w->state == WATCH_WATCHING && (rc == ERR_INVALID || w->failures >= HOPELESS))
            w->rv[0] = 0;
        back_off(w);
        if (rc == ERR_DENIED || rc == ERR_NOTFOUND || (rc != ERR_THROTTLED && w->failures >= TELL_AFTER))
            tell_trouble(w, rc, &e);
    }
}

static bool list_is_whole(struct kube_watch *w, int rc)
{
    struct error e;

    return rc == 0 && !w->broken && w->status == 200 && scan_end(w->scan, &e) == 0 && *scan_list_rv(w->scan) &&
           !*scan_continue(w->scan);
}

static void stream_end(struct kube_watch *w, int rc, const struct error *e)
{
    bool lived = env_now_ns(w->kube->env) - w->opened_ns >= SHORT_LIFE_MS * 1000000ull;

    if (w->stopping) {
        stopped(w);
    } else if (w->is_stale) {
        again_in(w, 0);
    } else if (w->event_code == 410) {
        list_again(w);
    } else if (w->status && w->status != 200 && rc == 0) {
        refused(w);
    } else if (w->state == WATCH_LISTING && w->whole_list && list_is_whole(w, rc)) {
        list_end(w, scan_list_rv(w->scan));
        if (!w->stopping)
            again_in(w, 0);
    } else if (w->state == WATCH_WATCHING && rc == 0 && lived) {
        again_in(w, 0); /* its timeoutSeconds are over */
    } else {
        back_off(w);
        if (rc < 0 && rc != ERR_CANCELED && w->failures >= TELL_AFTER)
            tell_trouble(w, rc, e);
    }
}

static void on_timer(struct timer *t)
{
    struct kube_watch *w = t->data;

    if (w->step == KUBE_WATCH_CALL)
        break_off(w); /* idle */
    else if (w->stopping)
        stopped(w);
    else
        begin(w);
}

/* ---- start and stop ---- */

void kube_watch_start(struct kube_watch *w)
{
    assert(w->step == KUBE_WATCH_REST && !w->scan && w->kube && w->cache && w->kind);
    timer_init(&w->timer, on_timer, w);
    buf_init(&w->path, LIMIT_HEADERS);
    buf_init(&w->token, LIMIT_HEADERS);
    buf_init(&w->body, LIMIT_HEADERS);
    w->state = WATCH_EMPTY;
    begin(w);
}

void kube_watch_list(struct kube_watch *w)
{
    if (w->stopping)
        return;
    w->is_stale = true;
    if (w->step == KUBE_WATCH_CALL)
        http_cancel(w->kube->peers[KUBE_LANE_WATCHES], &w->call);
    else if (w->step == KUBE_WATCH_REST)
        timer_set_in(w->kube->env, &w->timer, 0);
}

void kube_watch_stop(struct kube_watch *w)
{
    if (w->stopping)
        return;
    w->stopping = true;
    if (w->step == KUBE_WATCH_CALL) {
        http_cancel(w->kube->peers[KUBE_LANE_WATCHES], &w->call);
        return;
    }
    if (w->step == KUBE_WATCH_AUTH)
        kube_auth_forget(w->kube->auth, authorize_done, w);
    w->step = KUBE_WATCH_REST;
    timer_set_in(w->kube->env, &w->timer, 0);
}
