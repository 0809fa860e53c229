/*
 * watch: keeps the cache's copy of one kind in step with the API server: streaming list (sendInitialEvents), then
 * watch, then again. A server that refuses streaming lists (400, 422) is asked for one whole list, remembered for 1 h.
 *
 * Life:   a handle. Embed it zeroed; kube_watch_start once; free it only after on_stopped.
 * Owns:   nothing of yours.
 * States: Empty -> Listing -> Watching -> (end, GOAWAY, idle) -> Watching from the last resourceVersion or bookmark;
 *         410 -> Listing again, without emptying the cache meanwhile.
 * Errors: timeouts, GOAWAY, 410, 429 (Retry-After) are its own business: back-off from 0.5 s to 30 s with full jitter.
 *         on_trouble hears ERR_DENIED and ERR_NOTFOUND (no such kind), and what has gone wrong three times in a row (no
 *         connection, 5xx), once until the next success.
 * Idle:   watches ask for timeoutSeconds 300..600; a stream that the server has not ended 90 s after that is dead:
 *         reconnect.
 * Inside callbacks you may stop this watch; you may not start or free it. One watch a kind and cache: a list's end
 * drops what the list did not have.
 */
#ifndef STASHD_WATCH_H
#define STASHD_WATCH_H

#include "k8s/cache.h"
#include "k8s/client.h"
#include "k8s/scan.h"

enum watch_state {
    WATCH_EMPTY,    /* before the start, and between tries of the first list */
    WATCH_LISTING,  /* a streaming or whole list is under way */
    WATCH_WATCHING, /* the list is complete and the stream is open */
    WATCH_WAITING,  /* the list is complete, the stream ended; a back-off timer runs */
    WATCH_STOPPED,
};

struct kube_watch {
    /* The caller's, set before start. */
    struct kube *kube;
    struct cache *cache;
    const struct kind *kind;
    const char *ns;       /* NULL: all namespaces */
    const char *selector; /* label selector, not encoded; NULL: all objects */
    void (*on_synced)(struct kube_watch *w); /* each time a list has completed; may be NULL */
    void (*on_trouble)(struct kube_watch *w, int rc, const struct error *e); /* may be NULL */
    void (*on_stopped)(struct kube_watch *w);
    /* The whole object of an event, its managedFields null, before the cache has its record; borrowed. NULL: not put
     * together. Not called for a whole list. */
    void (*on_text)(struct kube_watch *w, const struct kobj *o, struct str text);
    void *data;

    /* Readable. */
    enum watch_state state;
    uint32_t lists, restarts; /* lists that completed, streams opened after the first; for metrics */
    bool is_stale;            /* kube_watch_list was called, and the list that it wants has not begun */

    /* private */
    struct http_call call;
    struct http_header headers[4];
    struct timer timer; /* in a call: the idle limit; else the next try */
    struct scan *scan;
    struct buf path, token, body;
    char rv[64]; /* last version seen; "": a list is needed */
    int status, event_code;
    uint32_t failures, retry_after_ms;
    uint64_t opened_ns, no_stream_until_ns;
    enum { KUBE_WATCH_REST, KUBE_WATCH_AUTH, KUBE_WATCH_CALL } step;
    bool whole_list, told, refused, stopping, broken;
};

void kube_watch_start(struct kube_watch *w);
void kube_watch_stop(struct kube_watch *w);
/* Lists anew, at once: a watch may be behind by any time; a list that begins now shows all that was there before. The
 * first on_synced with is_stale false is that list's. */
void kube_watch_list(struct kube_watch *w);

#endif
