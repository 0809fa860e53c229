/* claim: see claim.h. A claim counts for as long as making a repository may take; then its holder has died. */
#include "controllers/job/claim.h"

#include "controllers/condition.h"
#include "core/base/json.h"
#include "core/base/mem.h"

#define TYPE "BackendRepositoryInitialized"
#define MAKING "Initializing"
#define FOUND "BackendRepositoryFound"

enum {
    INIT_MS = 20000,   /* then restic is told to end; 10 s later it is killed */
    SETTLE_MS = 45000, /* no restic that had begun to make it is alive any more, and what it sent has arrived */
    HOLD_S = 120,      /* both of them, and some room */
    POLL_MS = 2000,
};

struct claim {
    struct session *s;
    struct repo *repo;
    char *ns, *name; /* of the Repository; NULL: there is none to write to */
    char *holder;    /* message of the condition while we make it */
    char *there;     /* and when we know that it stays */
    int rc;          /* of making it */
    const struct error *why;
};

/* ---- the Repository ---- */

/* Without the object, or the right to it, there is no condition to go by. Any other failure is one. */
static bool is_answer(int rc)
{
    return rc == ERR_NOTFOUND || rc == ERR_DENIED;
}

static int find_repository(struct claim *c, struct error *e)
{
    const struct session *s = c->s;
    bool is_batch = str_same(s->invoker_kind, "BackupBatch");
    const char *ns;
    json_t *invoker = NULL;
    int rc = apiserver_get(s->api, kind_get(is_batch ? KIND_BACKUPBATCH : KIND_BACKUPCONFIGURATION), s->ns,
                           s->invoker_name, &invoker, e);

    if (rc == 0 && *json_text(invoker, "spec.repository.name")) {
        ns = json_text(invoker, "spec.repository.namespace");
        c->ns = mem_strdup(*ns ? ns : s->ns);
        c->name = mem_strdup(json_text(invoker, "spec.repository.name"));
    }
    json_decref(invoker);
    return is_answer(rc) ? 0 : rc;
}

/* Somebody of this cluster has found it, at this place, and waited. */
static int is_settled(struct claim *c, bool *ret, struct error *e)
{
    json_t *repository = NULL;
    const json_t *list;
    int rc = 0;

    *ret = false;
    if (c->name)
        rc = apiserver_get(c->s->api, kind_get(KIND_REPOSITORY), c->ns, c->name, &repository, e);
    list = json_at(repository, "status.conditions");
    *ret = rc == 0 && condition_is(list, TYPE, "True") && str_same(condition_message(list, TYPE), c->there);
    json_decref(repository);
    return is_answer(rc) ? 0 : rc;
}

static json_t *put(struct claim *c, json_t *list_take, const char *status, const char *reason, const char *message)
{
    condition_set(list_take, env_wall_ms(c->s->job->env) / 1000, TYPE, status, reason, "%s", message);
    return json_pack("{s:{s:o}}", "status", "conditions", list_take);
}

static json_t *take(void *ctx, const json_t *repository, struct error *e)
{
    struct claim *c = ctx;
    json_t *list = condition_copy(repository);
    const char *holder = condition_message(list, TYPE);

    if (str_same(condition_reason(list, TYPE), MAKING) && !str_same(holder, c->holder) &&
        env_wall_ms(c->s->job->env) / 1000 < condition_since(list, TYPE) + HOLD_S) {
        (void)error_set(e, ERR_EXISTS, "%.256s", holder);
        json_decref(list);
        return NULL;
    }
    return put(c, list, "False", MAKING, c->holder);
}

static json_t *give_back(void *ctx, const json_t *repository, struct error *e)
{
    struct claim *c = ctx;
    json_t *list = condition_copy(repository);

    (void)e;
    if (c->rc == 0)
        return put(c, list, "True", FOUND, c->there);
    if (str_same(condition_reason(list, TYPE), MAKING) && str_same(condition_message(list, TYPE), c->holder))
        return put(c, list, "False", "FailedToInitializeBackendRepository", c->why->msg);
    json_decref(list);
    return NULL; /* not ours to change */
}

static int patch(struct claim *c, apiserver_change *change, struct error *e)
{
    return apiserver_patch(c->s->api, kind_get(KIND_REPOSITORY), c->ns, c->name, "status", change, c, NULL, e);
}

/* Says how it ended. What cannot be said is found out again by the next one, after its own wait. */
static void tell(struct claim *c, int rc, struct error *why)
{
    struct error later;

    c->rc = rc;
    c->why = why;
    if (rc < 0)
        redact_message(&c->s->job->redact, why->msg, sizeof(why->msg));
    if (c->name && patch(c, give_back, &later) < 0)
        log_warn(&c->s->job->log, "that the repository is there could not be told", F_ERR(&later));
}

/* ---- waiting ---- */

/* *ret_there: somebody else has made it meanwhile. */
static int wait_for_claim(struct claim *c, bool *ret_there, struct error *e)
{
    struct session *s = c->s;
    uint64_t end = env_now_ns(s->job->env) + s->wait_s * 1000000000u;
    enum restic_class class;
    int rc;

    *ret_there = false;
    while ((rc = patch(c, take, e)) == ERR_EXISTS) {
        log_info(&s->job->log, "the repository is being made", F_ERR(e));
        if (env_now_ns(s->job->env) >= end)
            return error_set(e, ERR_TIMEOUT, "nobody initialised the repository within %llu s",
                             (unsigned long long)s->wait_s);
        if ((rc = job_sleep(s->job, POLL_MS, e)) < 0 || (rc = repo_ask(c->repo, &class, e)) < 0)
            return rc;
        *ret_there = class == RESTIC_OK;
        if (class != RESTIC_ABSENT)
            return *ret_there ? 0 : ERR_INVALID;
    }
    return is_answer(rc) ? 0 : rc;
}

static bool is_volume(const struct claim *c)
{
    return c->repo->backend.repository[0] == '/';
}

/* On a volume the lock has done it. */
static int settle(struct claim *c, struct error *e)
{
    uint32_t ms = c->s->settle_ms ? c->s->settle_ms : SETTLE_MS;
    enum restic_class class;
    int rc;

    if (is_volume(c))
        return 0;
    log_info(&c->s->job->log, "the repository is new: another cluster may be making it too", F_INT("ms", ms));
    if ((rc = job_sleep(c->s->job, ms, e)) < 0 || (rc = repo_ask(c->repo, &class, e)) < 0)
        return rc;
    return class == RESTIC_OK ? 0 : ERR_INVALID;
}

/* ---- making it ---- */

static int make_bounded(struct claim *c, bool *ret_created, struct error *e)
{
    const char *folder = c->repo->backend.repository;
    int fd = -1, rc = 0;

    if (is_volume(c))
        rc = claim_lock_folder(c->s->job, folder, c->s->wait_s, &fd, e);
    if (rc < 0)
        return rc;
    c->repo->timeout_ms = INIT_MS;
    rc = repo_ensure(c->repo, ret_created, e);
    c->repo->timeout_ms = 0;
    claim_unlock_folder(folder, fd);
    return rc;
}

static int make(struct claim *c, bool *ret_created, struct error *e)
{
    bool is_there = false;
    int rc = c->name ? wait_for_claim(c, &is_there, e) : 0;

    if (rc < 0)
        return rc;
    if (!is_there)
        rc = make_bounded(c, ret_created, e);
    if (rc == 0)
        rc = settle(c, e);
    if (rc < 0 || !is_there || !is_volume(c))
        tell(c, rc, e);
    return rc;
}

static int look(struct claim *c, bool *ret_created, struct error *e)
{
    enum restic_class class;
    bool settled = false;
    int rc = repo_ask(c->repo, &class, e);

    if (rc < 0 || (class == RESTIC_OK && is_volume(c)))
        return rc;
    if (class != RESTIC_OK && class != RESTIC_ABSENT)
        return ERR_INVALID; /* a wrong password, a refused connection: never a reason to make a new one */
    if ((rc = find_repository(c, e)) < 0)
        return rc;
    if (class == RESTIC_ABSENT)
        return make(c, ret_created, e);
    if ((rc = is_settled(c, &settled, e)) < 0 || settled || (rc = settle(c, e)) < 0)
        return rc;
    tell(c, 0, NULL);
    return 0;
}

int claim_ensure(struct session *s, struct repo *repo, bool *ret_created, struct error *e)
{
    struct claim c = {.s = s, .repo = repo};
    int rc;

    *ret_created = false;
    c.holder = mem_printf("BackupSession %s/%s makes it", s->ns, s->name);
    c.there = mem_printf("%.900s is there", repo->backend.location);
    rc = look(&c, ret_created, e);
    mem_free(c.holder);
    mem_free(c.there);
    mem_free(c.ns);
    mem_free(c.name);
    return rc;
}
