/* unseen_jobs: see unseen_jobs.h. */
#include "controllers/unseen_jobs.h"

#include <string.h>

#include "controllers/target_lock.h"
#include "core/base/json.h"
#include "core/base/mem.h"

#define STAYS_NS (900 * 1000000000ull)

enum { JOBS_MAX = 4096, NAMESPACE_MAX = 64 };

void unseen_jobs_init(struct unseen_jobs *u)
{
    list_init(&u->jobs);
    u->n = 0;
}

static void forget(struct unseen_jobs *u, struct unseen_job *j)
{
    list_del(&j->link);
    mem_free(j);
    u->n--;
}

static struct unseen_job *oldest(const struct unseen_jobs *u)
{
    return LIST_ENTRY(u->jobs.next, struct unseen_job, link);
}

void unseen_jobs_clear(struct unseen_jobs *u)
{
    while (!list_empty(&u->jobs))
        forget(u, oldest(u));
}

void unseen_jobs_expire(struct unseen_jobs *u, uint64_t now_ns)
{
    while (!list_empty(&u->jobs) && oldest(u)->until_ns <= now_ns)
        forget(u, oldest(u));
}

static void forget_named(struct unseen_jobs *u, const char *ns, const char *name)
{
    LIST_EACH_SAFE (it, &u->jobs) {
        struct unseen_job *j = LIST_ENTRY(it, struct unseen_job, link);

        if (strcmp(j->name, name) == 0 && strcmp(j->ns, ns) == 0)
            forget(u, j);
    }
}

/* For one more of the namespace: it pushes out its own before it pushes out those of others. */
static void make_room(struct unseen_jobs *u, const char *ns, uint64_t now_ns)
{
    struct unseen_job *first = NULL;
    size_t n = 0;

    unseen_jobs_expire(u, now_ns);
    LIST_EACH (it, &u->jobs) {
        struct unseen_job *j = LIST_ENTRY(it, struct unseen_job, link);

        if (strcmp(j->ns, ns) != 0)
            continue;
        first = first ? first : j;
        n++;
    }
    if (n == NAMESPACE_MAX)
        forget(u, first);
    else if (u->n == JOBS_MAX)
        forget(u, oldest(u));
}

static char *put(char **at, const char *text)
{
    char *start = *at;
    size_t n = strlen(text) + 1;

    memcpy(start, text, n);
    *at += n;
    return start;
}

static void add(struct unseen_jobs *u, const char *ns, const char *name, const char *target, uint64_t now_ns)
{
    struct unseen_job *j;
    char *text;

    if (!*target)
        return;
    forget_named(u, ns, name);
    make_room(u, ns, now_ns);
    j = mem_alloc(sizeof(*j) + strlen(ns) + strlen(name) + strlen(target) + 3);
    text = (char *)(j + 1);
    *j = (struct unseen_job){.until_ns = now_ns + STAYS_NS, .ns = put(&text, ns), .name = put(&text, name),
                             .target = put(&text, target)};
    list_add_tail(&u->jobs, &j->link);
    u->n++;
}

void unseen_jobs_sent(struct unseen_jobs *u, const char *ns, const json_t *job, uint64_t now_ns)
{
    add(u, ns, json_text(job, "metadata.name"), json_meta(job, "annotations", TARGET_LOCK_ANNOTATION), now_ns);
}

void unseen_jobs_changed(struct unseen_jobs *u, const struct kobj *old, const struct kobj *now, uint64_t now_ns)
{
    bool is_other = old && (!now || strcmp(old->uid, now->uid) != 0);

    if ((old ? old : now)->kind->id != KIND_JOB)
        return;
    if (is_other && !target_lock_has_ended(old))
        add(u, old->ns, old->name, kobj_text(old, "annotation:" TARGET_LOCK_ANNOTATION), now_ns);
    else if (now && !old)
        forget_named(u, now->ns, now->name);
}
