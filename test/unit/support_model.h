/*
 * support_model: a model on a test env, asked by plain calls: users by name, answers as trees; and open watches whose
 * lines the test reads.
 */
#ifndef STASHD_SUPPORT_MODEL_H
#define STASHD_SUPPORT_MODEL_H

#include <jansson.h>

#include "core/base/buf.h"
#include "core/base/http.h"
#include "k8s/model/model.h"
#include "support_env.h"

struct test_model {
    struct test_env env;
    struct model *m;
    size_t live; /* blocks before it was made */
};

/* Started and settled: the controllers have done their first work. history 0: the default. */
void test_model_init(struct test_model *t, size_t history, bool rbac);
void test_model_done(struct test_model *t); /* fails the test on a leak or a timer left */

/* As system:admin (system:masters). The body is JSON text (NULL:
 * none). One reference, to be dropped; *status is set. */
json_t *test_model_do(struct test_model *t, const char *method, const char *path, const char *body, int *status);
/* Asserts the status, drops the answer. */
void test_model_ok(struct test_model *t, const char *method, const char *path, const char *body, int status);

/* One exchange over model_serve. Zeroed before test_serve. */
struct test_serve {
    struct http_serve serve;
    struct http_header headers[8];
    char *method, *path;
    int status;
    struct buf out;
    char *head; /* answer headers, "name: value\n" */
    bool ended, reset, closed;
};
/* headers: "name: value\n…" or NULL; subject "CN=a,O=b"; body NULL: none. The path may have a query. */
void test_serve(struct test_model *t, struct test_serve *s, const char *subject, const char *method, const char *path,
                const char *headers, const char *body);
/* The next whole line as a tree (one reference); NULL: none. */
json_t *test_serve_line(struct test_serve *s);
json_t *test_serve_json(struct test_serve *s); /* the whole answer; one reference */
void test_serve_done(struct test_serve *s);    /* the client goes */

#endif
