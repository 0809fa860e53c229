/*
 * post: one HTTP/1.1 POST, waited for: all that a push of metrics needs. It sends "connection: close" and looks at
 * nothing but the status of the answer and, of a refusal, the start of its text.
 */
#ifndef STASHD_POST_H
#define STASHD_POST_H

#include "core/base/buf.h"

struct job;

struct post_request {
    const char *url; /* "http://gateway:9091" or https, without a trailing path of its own that matters */
    const char *path; /* appended to the URL's; percent-encoded */
    const char *content_type;
    const char *bearer; /* NULL: none */
    struct str body;
    uint32_t timeout_ms; /* for all of it */
};

/* 0 for a 2xx. ERR_INVALID: no such URL, or refused (4xx); ERR_NET, ERR_TIMEOUT: worth another try; ERR_CANCELED. */
int post_send(struct job *j, const struct post_request *r, struct error *e) NODISCARD;

/* Taken apart: "http[s]://host[:port][/path]"; false: it is no
 * such URL. path: with its leading '/', no trailing one. */
bool post_split_url(const char *url, char host[256], uint16_t *port, bool *tls, struct str *path);

#endif
