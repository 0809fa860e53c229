/*
 * h2_session: one HTTP/2 connection by nghttp2, in either role: no socket, no clock. Bytes go in with h2_session_feed,
 * bytes come out with h2_session_pull, and what they mean comes as events.
 *
 * Life:   a stream is the session's; it ends with on_close, also when the session is freed under it.
 * Events: may call any function of this header on any stream, but not feed, pull and free of the session. on_drain
 *         comes inside pull and may call none.
 */
#ifndef STASHD_H2_SESSION_H
#define STASHD_H2_SESSION_H

#include <stdbool.h>

#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/base/http.h"

struct h2_session; /* opaque */
struct h2_stream;  /* opaque */

enum h2_role { H2_CLIENT, H2_SERVER };

enum { H2_LOST = -1 }; /* in on_close: the session was freed; else a code of RFC 9113 section 7 */

struct h2_head {
    int status;                    /* client */
    struct str method, path, host; /* server; path with the query; host is also the header "host" */
    const struct http_header *headers;
    size_t n_headers;
    bool too_big; /* over LIMIT_HEADERS: nothing else is set */
};

struct h2_events {
    /* The head of an answer (client; informational ones are skipped) or of a new request (server: set its data).
     * What it points to lives for the call (client) or as long as the stream (server). */
    void (*on_head)(void *ctx, struct h2_stream *s, const struct h2_head *head);
    void (*on_data)(void *ctx, struct h2_stream *s, struct str chunk);
    void (*on_end)(void *ctx, struct h2_stream *s); /* the other side has said all */
    void (*on_drain)(void *ctx, struct h2_stream *s); /* server: what was written has been pulled, its end is to come */
    void (*on_close)(void *ctx, struct h2_stream *s, int code); /* last; s is freed after it */
    void (*on_goaway)(void *ctx); /* client: no new requests on this session */
};

struct h2_session *h2_session_new(enum h2_role role, const struct h2_events *events, void *ctx);
void h2_session_free(struct h2_session *s);

/* ERR_NET: the other side broke the protocol; pull what tells it so, then close the connection. */
int h2_session_feed(struct h2_session *s, struct str bytes, struct error *e) NODISCARD;
/* Appends what has to go out, until `out` holds some 64 kB; it needs a cap well above that. False: that was all. */
bool h2_session_pull(struct h2_session *s, struct buf *out);
/* Nothing more will come or go: after GOAWAY and the last stream. */
bool h2_session_over(const struct h2_session *s);
size_t h2_session_streams(const struct h2_session *s);
void h2_session_ping(struct h2_session *s);
void h2_session_goaway(struct h2_session *s); /* running streams go on */

/* Client. Copies all. NULL: this session takes no more requests. headers: names in lower case. */
struct h2_stream *h2_session_request(struct h2_session *s, const struct http_call *call, const char *scheme,
                                     const char *authority, void *data);

/* Server. The answer: head, write..., end. Calls out of this order are ignored. */
void h2_stream_head(struct h2_stream *s, int status, const struct http_header *headers, size_t n);
void h2_stream_write(struct h2_stream *s, struct str bytes); /* copies */
void h2_stream_end(struct h2_stream *s);
bool h2_stream_head_sent(const struct h2_stream *s);

void h2_stream_reset(struct h2_stream *s, uint32_t code);
size_t h2_stream_pending(const struct h2_stream *s); /* written, not yet pulled */
void h2_stream_set_data(struct h2_stream *s, void *data);
void *h2_stream_data(const struct h2_stream *s);

/* "CANCEL", "REFUSED_STREAM", … */
const char *h2_code_name(int code);

#endif
