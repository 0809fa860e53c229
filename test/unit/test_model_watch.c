/* test_model_watch: watches: what they are sent, from where they start, how they end; and the in-process peer. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "support_model.h"

#define MAPS "/api/v1/namespaces/kube-public/configmaps"
#define ADMIN "CN=admin,O=system:masters"

static int set_up(void **state)
{
    struct test_model *t = calloc(1, sizeof(*t));

    test_model_init(t, 50, false);
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    test_model_done(*state);
    free(*state);
    return 0;
}

static void put(struct test_model *t, const char *name, const char *labels)
{
    char body[256];

    (void)snprintf(body, sizeof(body), "{\"metadata\":{\"name\":\"%s\",\"labels\":%s}}", name, labels);
    test_model_ok(t, "POST", MAPS, body, 201);
}

/* The next event is of that type and object; "" for a bookmark's name. */
static void assert_event(struct test_serve *s, const char *type, const char *name)
{
    json_t *line = test_serve_line(s);

    assert_non_null(line);
    assert_string_equal(json_text(line, "type"), type);
    assert_string_equal(json_text(line, "object.metadata.name"), name);
    json_decref(line);
}

static void assert_no_event(struct test_serve *s)
{
    assert_null(test_serve_line(s));
}

static void watch(struct test_model *t, struct test_serve *s, const char *query)
{
    char path[256];

    (void)snprintf(path, sizeof(path), MAPS "?watch=true%s", query);
    test_serve(t, s, ADMIN, "GET", path, NULL, NULL);
    assert_int_equal(s->status, 200);
}

static void changes_come_as_they_happen(void **state)
{
    struct test_model *t = *state;
    struct test_serve s;
    char query[64];

    (void)snprintf(query, sizeof(query), "&resourceVersion=%llu", (unsigned long long)model_rv(t->m));
    watch(t, &s, query);
    assert_no_event(&s);
    put(t, "a", "{}");
    assert_event(&s, "ADDED", "a");
    test_model_ok(t, "PATCH", MAPS "/a", "{\"data\":{\"k\":\"v\"}}", 200);
    assert_event(&s, "MODIFIED", "a");
    test_model_ok(t, "POST", "/api/v1/namespaces/default/configmaps", "{\"metadata\":{\"name\":\"elsewhere\"}}", 201);
    assert_no_event(&s);
    test_model_ok(t, "DELETE", MAPS "/a", NULL, 200);
    assert_event(&s, "DELETED", "a");
    assert_no_event(&s);
    test_serve_done(&s);
}

static void history_comes_first(void **state)
{
    struct test_model *t = *state;
    struct test_serve s;
    char query[64];

    (void)snprintf(query, sizeof(query), "&resourceVersion=%llu", (unsigned long long)model_rv(t->m));
    put(t, "a", "{}");
    put(t, "b", "{}");
    test_model_ok(t, "DELETE", MAPS "/a", NULL, 200);
    watch(t, &s, query);
    assert_event(&s, "ADDED", "a");
    assert_event(&s, "ADDED", "b");
    assert_event(&s, "DELETED", "a");
    assert_no_event(&s);
    test_serve_done(&s);
}

/* A log on disk, and the model that is made from it again. */
struct journal {
    struct {
        uint64_t rv;
        char *key;
        json_t *object;
    } lines[400];
    size_t n;
};

static void journal_write(void *ctx, uint64_t rv, const char *key, const json_t *object)
{
    struct journal *j = ctx;

    assert_true(j->n < 400);
    j->lines[j->n].rv = rv;
    j->lines[j->n].key = mem_strdup(key);
    j->lines[j->n++].object = json_deep_copy(object);
}

static void again(struct test_model *t, const struct journal *j, struct journal *next, size_t without)
{
    struct model_options o = {.env = &t->env.env, .seed = 7, .on_commit = journal_write, .ctx = next};

    model_free(t->m);
    t->m = model_new(&o);
    for (size_t i = 0; i < j->n; i++)
        if (i != without)
            model_load(t->m, j->lines[i].rv, j->lines[i].key, json_deep_copy(j->lines[i].object));
    model_start(t->m);
    test_env_settle(&t->env);
}

static void journal_done(struct journal *j)
{
    for (size_t i = 0; i < j->n; i++) {
        mem_free(j->lines[i].key);
        json_decref(j->lines[i].object);
    }
    free(j);
}

static void a_watch_goes_on_after_a_restart_where_it_was(void **state)
{
    struct test_model *t = *state;
    struct journal *none = calloc(1, sizeof(*none)), *j = calloc(1, sizeof(*j)), *rest = calloc(1, sizeof(*rest));
    struct test_serve s;
    char query[64];
    uint64_t rv;

    again(t, none, j, SIZE_MAX);
    put(t, "a", "{}");
    rv = model_rv(t->m);
    put(t, "b", "{}");
    test_model_ok(t, "PATCH", MAPS "/a", "{\"data\":{\"x\":\"y\"}}", 200);
    test_model_ok(t, "DELETE", MAPS "/b", NULL, 200);
    again(t, j, rest, SIZE_MAX);
    assert_int_equal(model_rv(t->m), rv + 3); /* the last one was a deletion's */
    (void)snprintf(query, sizeof(query), "&resourceVersion=%llu", (unsigned long long)rv);
    watch(t, &s, query);
    assert_event(&s, "ADDED", "b");
    assert_event(&s, "MODIFIED", "a");
    assert_event(&s, "DELETED", "b");
    put(t, "c", "{}");
    assert_event(&s, "ADDED", "c");
    test_serve_done(&s);
    again(t, j, rest, j->n - 2); /* a log that lost a line can't tell */
    watch(t, &s, query);
    assert_event(&s, "ERROR", "");
    test_serve_done(&s);
    journal_done(none);
    journal_done(j);
    journal_done(rest);
}

static void compacted_version_is_gone(void **state)
{
    struct test_model *t = *state;
    struct test_serve s;
    json_t *line;
    char query[64];

    (void)snprintf(query, sizeof(query), "&resourceVersion=%llu", (unsigned long long)model_rv(t->m));
    for (int i = 0; i < 60; i++) { /* more than the history holds */
        char name[16];

        (void)snprintf(name, sizeof(name), "n%d", i);
        put(t, name, "{}");
    }
    watch(t, &s, query);
    line = test_serve_line(&s);
    assert_string_equal(json_text(line, "type"), "ERROR");
    assert_int_equal(json_int(line, "object.code", 0), 410);
    assert_string_equal(json_text(line, "object.reason"), "Expired");
    json_decref(line);
    assert_true(s.ended);
    test_serve_done(&s);
}

static void streaming_list_ends_with_a_bookmark(void **state)
{
    struct test_model *t = *state;
    struct test_serve s;
    json_t *line;

    put(t, "a", "{}");
    put(t, "b", "{}");
    watch(t, &s, "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true");
    assert_event(&s, "ADDED", "a");
    assert_event(&s, "ADDED", "b");
    assert_event(&s, "ADDED", "kube-root-ca.crt");
    line = test_serve_line(&s);
    assert_string_equal(json_text(line, "type"), "BOOKMARK");
    assert_string_equal(json_text(line, "object.kind"), "ConfigMap");
    assert_string_equal(json_string_value(json_object_get(json_at(line, "object.metadata.annotations"),
                                                          "k8s.io/initial-events-end")),
                        "true");
    json_decref(line);
    put(t, "c", "{}");
    assert_event(&s, "ADDED", "c");
    test_serve_done(&s);
    test_serve(t, &s, ADMIN, "GET", MAPS "?watch=true&sendInitialEvents=true", NULL, NULL);
    assert_int_equal(s.status, 422);
    test_serve_done(&s);
}

static void objects_enter_and_leave_a_selection(void **state)
{
    struct test_model *t = *state;
    struct test_serve s;

    watch(t, &s, "&labelSelector=app%3Dx");
    assert_no_event(&s);
    put(t, "a", "{\"app\":\"y\"}");
    assert_no_event(&s);
    test_model_ok(t, "PATCH", MAPS "/a", "{\"metadata\":{\"labels\":{\"app\":\"x\"}}}", 200);
    assert_event(&s, "ADDED", "a");
    test_model_ok(t, "PATCH", MAPS "/a", "{\"data\":{\"k\":\"v\"}}", 200);
    assert_event(&s, "MODIFIED", "a");
    test_model_ok(t, "PATCH", MAPS "/a", "{\"metadata\":{\"labels\":{\"app\":\"z\"}}}", 200);
    assert_event(&s, "DELETED", "a");
    test_model_ok(t, "DELETE", MAPS "/a", NULL, 200);
    assert_no_event(&s);
    test_serve_done(&s);
}

static void bookmarks_and_the_time_limit_are_timers(void **state)
{
    struct test_model *t = *state;
    struct test_serve s;

    watch(t, &s, "&fieldSelector=metadata.name%3Dnone&allowWatchBookmarks=true&timeoutSeconds=65");
    test_env_advance(&t->env, 29 * 1000);
    assert_no_event(&s);
    test_env_advance(&t->env, 2 * 1000);
    assert_event(&s, "BOOKMARK", "");
    test_env_advance(&t->env, 30 * 1000);
    assert_event(&s, "BOOKMARK", "");
    assert_false(s.ended);
    test_env_advance(&t->env, 5 * 1000);
    assert_true(s.ended);
    test_serve_done(&s);
}

static void tables_are_watched_as_tables(void **state)
{
    struct test_model *t = *state;
    struct test_serve s;
    json_t *line;

    test_serve(t, &s, ADMIN, "GET", MAPS "?watch=true&fieldSelector=metadata.name%3Da",
               "accept: application/json;as=Table;v=v1;g=meta.k8s.io,application/json", NULL);
    put(t, "a", "{}");
    line = test_serve_line(&s);
    assert_string_equal(json_text(line, "object.kind"), "Table");
    assert_string_equal(json_text(line, "object.columnDefinitions.0.name"), "Name");
    assert_string_equal(json_text(line, "object.rows.0.cells.0"), "a");
    assert_string_equal(json_text(line, "object.rows.0.object.kind"), "PartialObjectMetadata");
    json_decref(line);
    test_model_ok(t, "PATCH", MAPS "/a", "{\"data\":{\"k\":\"v\"}}", 200);
    line = test_serve_line(&s);
    assert_int_equal(json_array_size(json_at(line, "object.columnDefinitions")), 0);
    json_decref(line);
    test_serve_done(&s);
}

static void watches_end_with_their_kind_and_with_the_model(void **state)
{
    struct test_model *t = *state;
    struct test_serve s;

    watch(t, &s, "");
    model_free(t->m);
    t->m = NULL;
    assert_true(s.reset);
    test_serve_done(&s); /* the server tells later than the model lives */
}

/* ---- the peer ---- */

struct heard {
    struct http_call call;
    int status, rc;
    unsigned n_done;
    struct buf body;
};

static void heard_head(struct http_call *c, int status, const struct http_header *headers, size_t n)
{
    (void)headers;
    (void)n;
    ((struct heard *)(void *)c)->status = status;
}

static void heard_data(struct http_call *c, struct str chunk)
{
    buf_add_str(&((struct heard *)(void *)c)->body, chunk);
}

static void heard_done(struct http_call *c, int rc, const struct error *e)
{
    struct heard *h = (struct heard *)(void *)c;

    (void)e;
    h->rc = rc;
    h->n_done++;
}

static void start(struct heard *h, struct http_peer *p, const char *method, const char *path, const char *body)
{
    *h = (struct heard){.call = {.method = method, .path = path, .body = str_of(body), .on_head = heard_head,
                                 .on_data = heard_data, .on_done = heard_done}};
    buf_init(&h->body, 1024 * 1024);
    http_start(p, &h->call);
    assert_int_equal(h->n_done, 0);
}

static void peer_answers_in_later_turns(void **state)
{
    struct test_model *t = *state;
    struct http_peer *p = model_peer_new(t->m, "admin", "system:masters");
    struct heard h;

    start(&h, p, "POST", MAPS, "{\"metadata\":{\"name\":\"a\"}}");
    test_env_settle(&t->env);
    assert_int_equal(h.n_done, 1);
    assert_int_equal(h.rc, 0);
    assert_int_equal(h.status, 201);
    assert_non_null(strstr(h.body.data, "\"name\":\"a\""));
    buf_done(&h.body);
    model_peer_free(p);
}

static void peer_streams_and_cancels(void **state)
{
    struct test_model *t = *state;
    struct http_peer *p = model_peer_new(t->m, "admin", "system:masters");
    struct heard h;

    start(&h, p, "GET", MAPS "?watch=1&labelSelector=w", NULL);
    test_env_settle(&t->env);
    assert_int_equal(h.status, 200);
    assert_int_equal(h.n_done, 0);
    put(t, "a", "{\"w\":\"\"}");
    test_env_settle(&t->env);
    assert_non_null(strstr(h.body.data, "\"type\":\"ADDED\""));
    http_cancel(p, &h.call);
    assert_int_equal(h.n_done, 0);
    test_env_settle(&t->env);
    assert_int_equal(h.n_done, 1);
    assert_int_equal(h.rc, ERR_CANCELED);
    put(t, "b", "{\"w\":\"\"}"); /* nobody listens */
    buf_done(&h.body);
    start(&h, p, "GET", MAPS "?watch=1", NULL);
    test_env_settle(&t->env);
    model_peer_free(p);
    assert_int_equal(h.rc, ERR_CANCELED);
    buf_done(&h.body);
}

static unsigned n_drains;

static void drained(struct http_serve *s)
{
    assert_int_equal(s->ops->pending(s), 0);
    n_drains++;
}

static void peer_tells_the_model_that_all_was_taken(void **state)
{
    struct test_model *t = *state;
    struct http_peer *p = model_peer_new(t->m, "admin", "system:masters");
    struct http_serve *serve;
    struct heard h;

    start(&h, p, "GET", MAPS "?watch=1&labelSelector=w", NULL);
    test_env_settle(&t->env);
    serve = h.call.impl; /* the model's end of it */
    serve->on_drain = drained;
    put(t, "a", "{\"w\":\"\"}");
    assert_int_equal(n_drains, 0); /* not inside write */
    test_env_settle(&t->env);
    assert_non_null(strstr(h.body.data, "\"type\":\"ADDED\""));
    assert_int_equal(n_drains, 1);
    test_env_settle(&t->env);
    assert_int_equal(n_drains, 1);
    model_peer_free(p);
    assert_int_equal(n_drains, 1);
    buf_done(&h.body);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(changes_come_as_they_happen),
        T(history_comes_first),
        T(compacted_version_is_gone),
        T(a_watch_goes_on_after_a_restart_where_it_was),
        T(streaming_list_ends_with_a_bookmark),
        T(objects_enter_and_leave_a_selection),
        T(bookmarks_and_the_time_limit_are_timers),
        T(tables_are_watched_as_tables),
        T(watches_end_with_their_kind_and_with_the_model),
        T(peer_answers_in_later_turns),
        T(peer_streams_and_cancels),
        T(peer_tells_the_model_that_all_was_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
