/*
 * push: the Pushgateway's HTTP interface inside the operator (metrics.md 6.1): any client library's push_to_gateway,
 * push_add_to_gateway and delete_from_gateway works unchanged. Pure: a request comes as struct http_serve, the time as
 * a parameter.
 *
 * PUT replaces a group, POST the metrics of the same names in it, DELETE drops it. A push that would make /metrics
 * inconsistent (another type for a name, one series in two groups) is refused with 400 and changes nothing but
 * the group's push_failure_time_seconds. Text format 0.0.4, also gzipped; other content types are 415.
 *
 * A group belongs to a namespace, that of the account that pushes it, and says so in a grouping label of its own,
 * PUSH_NAMESPACE: whatever else two namespaces say, they share neither group nor series.
 *
 * Families stash_* are the operator's. Of them only those that workers tell of hosts and repositories can be pushed, as
 * gauges, those of hosts only by the namespace that they are of; others are refused with 400.
 */
#ifndef STASHD_PUSH_H
#define STASHD_PUSH_H

#include "core/base/buf.h"
#include "core/base/http.h"

#define PUSH_NAMESPACE "pusher_namespace"

struct push; /* opaque */

struct push_limits {
    /* 0: 30,000, 1,000 (additions to a group count), 20 MB with helps, three times as much for what the operator itself
     * adds; over them: 413 or 429, never growth. Of groups and bytes a namespace has half of what the others leave at
     * most: there is always something left for the next one. What takes no more room than what it replaces is never
     * over a cap. */
    size_t groups, series_per_group, total_bytes;
};

struct push *push_new(uint64_t seed, const struct push_limits *limits);
void push_free(struct push *p); /* after its pages */

/* True: the path is one of ours and the request was answered. ns: the client's namespace, which PUSH_NAMESPACE is set
 * to, and 403 when it says another one; NULL: nobody asked who the client is, it has what it says itself. */
bool push_serve(struct push *p, struct http_serve *s, const char *ns, int64_t now_ms);
/* The same from inside, as a POST to /metrics/job/<job>[/target/<target>] from that namespace; target NULL: none. 0, or
 * ERR_INVALID, ERR_CONFLICT, ERR_TOOBIG, ERR_THROTTLED with the reason; then nothing changed. */
int push_put(struct push *p, const char *ns, const char *job, const char *target, struct str body, int64_t now_ms,
             struct error *e) NODISCARD;
/* True when this request changes something and so may need a token. */
bool push_is_write(const struct http_serve *s);

/*
 * The page as it is at one moment: own (what registry_write and others wrote), all pushed series, push_time_seconds and
 * push_failure_time_seconds; families ordered by name, each once. Pushed series of a name that own has with another
 * type are left out. It is written piece by piece, and what is pushed or dropped meanwhile changes nothing in it: the
 * groups that it shows stay in memory for it.
 */
struct push_page; /* opaque */

struct push_page *push_page_new(struct push *p, struct str own);
/* Adds the next lines, some more than 64 kB. False: those were the last, perhaps none. */
bool push_page_next(struct push_page *page, struct buf *out);
void push_page_free(struct push_page *page); /* written to its end or not; NULL is fine */
/* All of it in one go. */
void push_write(struct push *p, struct str own, struct buf *out);

/* Drops a namespace's groups of a job, and those of no namespace: its invoker was deleted. */
void push_drop_job(struct push *p, const char *ns, const char *job);
/* Drops everything but what push_refused counts. */
void push_clear(struct push *p);
size_t push_groups(const struct push *p);
size_t push_bytes(const struct push *p); /* of the page's pushed part, as they are counted */
const struct push_limits *push_limits(const struct push *p);
uint64_t push_refused(const struct push *p); /* how many were over a cap, the operator's own too */

#endif
