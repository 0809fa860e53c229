/* support_push: a Pushgateway that is asked by plain calls. */
#ifndef STASHD_SUPPORT_PUSH_H
#define STASHD_SUPPORT_PUSH_H

#include "metrics/push.h"

struct push_world {
    struct push *push;
    struct buf body, page; /* the last answer's; the last page */
    const char *ns; /* of the account that pushes; NULL: nobody asked */
    int status;
    size_t live;
};

struct push_world *support_push_new(const struct push_limits *limits);
void support_push_free(struct push_world *w); /* asserts that nothing is left */

/* The status that is answered. */
int push_request(struct push_world *w, const char *method, const char *path, const struct http_header *headers,
                 size_t n, struct str body);
int push_send(struct push_world *w, const char *method, const char *path, const char *body);
const char *push_page(struct push_world *w);
/* The page has the text, or has it not. */
void push_assert_page(struct push_world *w, const char *text, bool there);

#endif
