/*
 * support_peer: an http_peer whose server is the test: calls wait in order of their start until the test answers them.
 */
#ifndef STASHD_SUPPORT_PEER_H
#define STASHD_SUPPORT_PEER_H

#include "core/base/http.h"
#include "support_env.h"

struct test_peer {
    struct http_peer peer; /* first */
    struct test_env *env;
    struct list waiting; /* started, not done */
    struct list canceled;
    struct timer timer;
    unsigned n_started;
};

void test_peer_init(struct test_peer *p, struct test_env *env);
void test_peer_done(struct test_peer *p); /* fails the test when a call is still open */

/* The oldest open call; NULL: none. */
struct http_call *test_peer_first(struct test_peer *p);
unsigned test_peer_open(const struct test_peer *p);

/* Parts of an answer. retry_after may be NULL. */
void test_peer_head(struct http_call *c, int status, const char *retry_after);
void test_peer_data(struct http_call *c, const char *text);
void test_peer_end(struct http_call *c, int rc); /* on_done: 0, ERR_NET, ERR_TIMEOUT */
/* The oldest open call gets a whole answer. */
void test_peer_answer(struct test_peer *p, int status, const char *text);

/* Value of a request header; "" when absent. A copy in a static buffer. */
const char *test_peer_header(const struct http_call *c, const char *name);

#endif
