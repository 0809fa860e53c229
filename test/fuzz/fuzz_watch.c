/*
 * fuzz_watch: a server that does anything it likes for a while (the input is its script) and then behaves: the watch is
 * never stuck (a request or a timer is under way), and in the end the cache is what the server has.
 * Reads: k8s/watch.c
 */
#include <assert.h>
#include <stdio.h>

#include "../unit/support_env.h"
#include "../unit/support_peer.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "k8s/auth.h"
#include "k8s/watch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
    unsigned synced, troubles;
    struct test_env env;
    struct test_peer peer;
    struct kube kube;
    struct kube_watch watch;
    bool stopped;
};

static void on_stopped(struct kube_watch *watch)
{
    ((struct world *)watch->data)->stopped = true;
}

static void on_synced(struct kube_watch *watch)
{
    ((struct world *)watch->data)->synced++;
}

static void on_trouble(struct kube_watch *watch, int rc, const struct error *e)
{
    assert(rc < 0 && e->msg[0]);
    ((struct world *)watch->data)->troubles++;
}

/* What is handed on is an object, the one whose record comes. */
static void on_text(struct kube_watch *watch, const struct kobj *o, struct str text)
{
    json_t *whole = json_loadb(text.p, text.n, 0, NULL);

    (void)watch;
    assert(!whole || str_same(json_string_value(json_object_get(json_object_get(whole, "metadata"), "name")), o->name));
    json_decref(whole);
}

static void drop_line(void *ctx, struct str line)
{
    (void)ctx;
    assert(line.n);
}

static void say(struct http_call *c, const char *type, unsigned name, unsigned rv, const char *more)
{
    char line[300];

    (void)snprintf(line, sizeof(line),
                   "{\"type\":\"%s\",\"object\":{\"metadata\":{\"namespace\":\"n\",\"name\":\"j%u\",\"uid\":\"u%u\","
                   "\"resourceVersion\":\"%u\"%s},\"code\":%u}}\n",
                   type, name % 4, name, rv, more, rv);
    test_peer_data(c, line);
}

static const char initial_end[] = ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}";

/* One step of the script: what the server does with the open request. Returns how many bytes of it were used. */
static size_t misbehave(struct world *w, const uint8_t *data, size_t size)
{
    static const int statuses[] = {200, 400, 401, 403, 404, 410, 422, 429, 500, 503, 504};
    static const char *const types[] = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"};
    struct http_call *c = test_peer_first(&w->peer);
    unsigned arg = size > 1 ? data[1] : 0;
    size_t n;

    if (!c || data[0] % 8 == 7) {
        test_env_advance(&w->env, 1 + arg * 50);
        return 2;
    }
    switch (data[0] % 8) {
    case 0:
        test_peer_head(c, statuses[arg % 11], arg & 128 ? "3" : NULL);
        return 2;
    case 1:
        say(c, types[arg % 5], data[0] / 8, arg, "");
        return 2;
    case 2:
        say(c, "BOOKMARK", 0, arg, arg & 1 ? initial_end : "");
        return 2;
    case 3:
        say(c, "ERROR", 0, 410, "");
        return 1;
    case 4:
        test_peer_end(c, 0);
        return 1;
    case 5:
        test_peer_end(c, ERR_NET);
        return 1;
    default: { /* bytes of the script itself */
        char text[64];

        n = arg % 60 < (size > 2 ? size - 2 : 0) ? arg % 60 : (size > 2 ? size - 2 : 0);
        memcpy(text, data + 2, n);
        text[n] = 0;
        test_peer_data(c, text);
        return 2 + n;
    }
    }
}

/* The server has j1 only. */
static void behave(struct world *w)
{
    struct http_call *c = test_peer_first(&w->peer);

    if (strstr(c->path, "sendInitialEvents")) {
        test_peer_head(c, 200, NULL);
        say(c, "ADDED", 1, 1001, "");
        say(c, "BOOKMARK", 0, 1009, initial_end);
    } else if (strstr(c->path, "watch=true")) {
        test_peer_answer(&w->peer, 410, "{}");
    } else {
        test_peer_answer(&w->peer, 200,
                         "{\"items\":[{\"metadata\":{\"namespace\":\"n\",\"name\":\"j1\",\"uid\":\"u1\","
                         "\"resourceVersion\":\"1001\"}}],\"metadata\":{\"resourceVersion\":\"1009\"}}");
    }
}

static void not_stuck(struct world *w)
{
    test_env_settle(&w->env);
    assert(test_peer_open(&w->peer) <= 1);
    assert(test_peer_first(&w->peer) || timer_is_set(&w->watch.timer));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct kind *job = kind_get(KIND_JOB);
    static bool installed;
    struct world w = {0};
    struct kube_auth *auth;
    struct cache *cache;
    struct log log;
    uint32_t lists;

    if (!installed)
        mem_install(1);
    installed = true;
    test_env_init(&w.env);
    test_peer_init(&w.peer, &w.env);
    cache = cache_new(1, NULL, NULL);
    log = (struct log){.env = &w.env.env, .write = drop_line, .min = LOG_DEBUG};
    auth = kube_auth_token(&w.env.env, STR("token"));
    w.kube = (struct kube){.env = &w.env.env, .log = &log, .peers = {NULL, &w.peer.peer, NULL}, .auth = auth,
                           .user_agent = "fuzz"};
    w.watch = (struct kube_watch){.kube = &w.kube, .cache = cache, .kind = job, .selector = "a=b", .data = &w,
                                  .on_synced = on_synced, .on_trouble = on_trouble, .on_text = on_text,
                                  .on_stopped = on_stopped};
    kube_watch_start(&w.watch);
    while (size) {
        size_t n = misbehave(&w, data, size);

        n = n < size ? n : size;
        data += n;
        size -= n;
        not_stuck(&w);
        assert(cache_complete(cache, job) == (w.watch.lists > 0));
    }
    if (test_peer_first(&w.peer)) /* what the server said in this stream may be anything: it ends */
        test_peer_end(test_peer_first(&w.peer), ERR_NET);
    lists = w.watch.lists;
    for (int i = 0; i < 10 && w.watch.lists == lists; i++) {
        test_env_advance(&w.env, 60 * 1000);
        assert(test_peer_first(&w.peer));
        behave(&w);
    }
    assert(w.watch.lists > lists && w.synced == w.watch.lists);
    assert(cache_complete(cache, job) && cache_count(cache, job) == 1);
    assert(str_same(cache_find(cache, job, "n", "j1")->rv, "1001"));
    kube_watch_stop(&w.watch);
    test_env_settle(&w.env);
    assert(w.stopped);
    cache_free(cache);
    kube_auth_free(auth);
    test_peer_done(&w.peer);
    test_env_done(&w.env);
    return 0;
}
