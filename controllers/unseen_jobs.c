/* unseen_jobs: see unseen_jobs.h. */
#include "controllers/unseen_jobs.h"

#include <string.h>

#include "controllers/condition.h"
#include "controllers/target_lock.h"
#include "core/base/json.h"
#include "core/base/mem.h"

#define STAYS_NS (900 * 1000000000ull)
#define LATE_NS (60 * 1000000000ull)  /* the API server's own limit of a request */
#define MAKES_NS (10 * 1000000000ull) /* how far the Job controller may be behind */

enum {
    WENT_MAX = 4096,
    NAMESPACE_MAX = 64,
    NAME_MAX_BYTES = 63, /* ours have no more; of longer ones no pod has a label to be found by */
};

void unseen_jobs_init(struct unseen_jobs *u)
{
    *u = (struct unseen_jobs){0};
    list_init(&u->jobs);
}

static void forget(struct unseen_jobs *u, struct unseen_job *j)
{
    u->n_went -= !j->was_sent;
    list_del(&j->link);
    mem_free(j);
}

void unseen_jobs_clear(struct unseen_jobs *u)
{
    LIST_EACH_SAFE (it, &u->jobs)
        forget(u, LIST_ENTRY(it, struct unseen_job, link));
}

void unseen_jobs_expire(struct unseen_jobs *u, uint64_t now_ns)
{
    u->now_ns = now_ns;
    LIST_EACH_SAFE (it, &u->jobs) { /* the longest there come first */
        struct unseen_job *j = LIST_ENTRY(it, struct unseen_job, link);

        if (j->until_ns > now_ns)
            return;
        forget(u, j);
    }
}

static char *put(char **at, const char *text)
{
    char *start = *at;
    size_t n = strlen(text) + 1;

    memcpy(start, text, n);
    *at += n;
    return start;
}

static void add(struct unseen_jobs *u, const struct unseen_job *like, uint64_t now_ns)
{
    struct unseen_job *j = mem_alloc(sizeof(*j) + strlen(like->ns) + strlen(like->name) + strlen(like->target) +
                                     strlen(like->owner_uid) + 4);
    char *text = (char *)(j + 1);

    *j = *like;
    j->until_ns = now_ns + STAYS_NS;
    j->ns = put(&text, like->ns);
    j->name = put(&text, like->name);
    j->target = put(&text, like->target);
    j->owner_uid = put(&text, like->owner_uid);
    list_add_tail(&u->jobs, &j->link);
    u->n_went += !j->was_sent;
}

static bool is_found(const char *name, const char *target)
{
    return *target && strlen(name) <= NAME_MAX_BYTES;
}

/* ---- sent ---- */

static struct unseen_job *find_sent(const struct unseen_jobs *u, const char *ns, const char *name,
                                    const char *owner_uid)
{
    LIST_EACH (it, &u->jobs) {
        struct unseen_job *j = LIST_ENTRY(it, struct unseen_job, link);

        if (j->was_sent && strcmp(j->name, name) == 0 && strcmp(j->ns, ns) == 0 && strcmp(j->owner_uid, owner_uid) == 0)
            return j;
    }
    return NULL;
}

void unseen_jobs_sent(struct unseen_jobs *u, const struct cache *c, const char *ns, const json_t *job, uint64_t now_ns)
{
    struct unseen_job like = {.was_sent = true,
                              .held_until_ns = UINT64_MAX,
                              .ns = ns,
                              .name = json_text(job, "metadata.name"),
                              .target = json_meta(job, "annotations", TARGET_LOCK_ANNOTATION),
                              .owner_uid = kobj_owner_uid_in(job)};
    const struct kobj *record = cache_find(c, kind_get(KIND_JOB), ns, like.name);
    struct unseen_job *j = find_sent(u, ns, like.name, like.owner_uid);

    if (j) {
        like.late_until_ns = j->late_until_ns;
        forget(u, j);
    }
    if (is_found(like.name, like.target) && !(record && strcmp(record->owner_uid, like.owner_uid) == 0))
        add(u, &like, now_ns);
}

void unseen_jobs_answered(struct unseen_jobs *u, const char *ns, const json_t *job, enum unseen_answer answer,
                          uint64_t now_ns)
{
    struct unseen_job *j = find_sent(u, ns, json_text(job, "metadata.name"), kobj_owner_uid_in(job));

    if (!j || j->held_until_ns != UINT64_MAX)
        return;
    if (answer == UNSEEN_UNKNOWN)
        j->late_until_ns = now_ns + LATE_NS;
    if (answer == UNSEEN_REFUSED && j->late_until_ns <= now_ns)
        forget(u, j);
    else
        j->held_until_ns = answer == UNSEEN_MADE ? 0 : j->late_until_ns;
}

/* ---- went ---- */

/* For one more of the namespace: it pushes out its own before it pushes out those of others. */
static void make_room(struct unseen_jobs *u, const char *ns)
{
    struct unseen_job *first = NULL, *first_own = NULL;
    size_t n = 0;

    LIST_EACH (it, &u->jobs) {
        struct unseen_job *j = LIST_ENTRY(it, struct unseen_job, link);

        if (j->was_sent)
            continue;
        first = first ? first : j;
        if (strcmp(j->ns, ns) != 0)
            continue;
        first_own = first_own ? first_own : j;
        n++;
    }
    if (n == NAMESPACE_MAX)
        forget(u, first_own);
    else if (u->n_went == WENT_MAX)
        forget(u, first);
}

/* One that was on its way out makes no pod any more; of one whose pod the cache has, that tells. */
static void went(struct unseen_jobs *u, const struct cache *c, const struct kobj *job, uint64_t now_ns)
{
    const struct unseen_job like = {.held_until_ns = job->deleting ? 0 : now_ns + MAKES_NS,
                                    .ns = job->ns,
                                    .name = job->name,
                                    .target = kobj_text(job, "annotation:" TARGET_LOCK_ANNOTATION),
                                    .owner_uid = job->owner_uid};

    if (!is_found(job->name, like.target) ||
        condition_record_is(kobj_get(job, "status.conditions"), "Complete", "True") ||
        cache_has_owned(c, kind_get(KIND_POD), job->uid))
        return;
    make_room(u, job->ns);
    add(u, &like, now_ns);
}

void unseen_jobs_changed(struct unseen_jobs *u, const struct cache *c, const struct kobj *old, const struct kobj *now,
                         uint64_t now_ns)
{
    struct unseen_job *j;

    if ((old ? old : now)->kind->id != KIND_JOB)
        return;
    if (!now) {
        went(u, c, old, now_ns);
        return;
    }
    j = old ? NULL : find_sent(u, now->ns, now->name, now->owner_uid);
    if (j)
        forget(u, j);
}
