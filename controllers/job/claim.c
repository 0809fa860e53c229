/* claim: see claim.h. A claim counts for as long as restic may try to reach a backend; then its holder has died. */
#include "controllers/job/claim.h"

#include "controllers/condition.h"
#include "core/base/json.h"
#include "core/base/mem.h"

#define TYPE "BackendRepositoryInitialized"
#define REASON "Initializing"

enum { HOLD_S = 1000, POLL_MS = 2000 };

struct claim {
    struct session *s;
    char *ns, *name; /* of the Repository; NULL: there is none to write to */
    char *holder;
    int rc; /* of making it */
    const struct error *why;
};

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
    return rc == ERR_CANCELED ? rc : 0;
}

static json_t *take(void *ctx, const json_t *repository, struct error *e)
{
    struct claim *c = ctx;
    json_t *list = condition_copy(repository);
    int64_t now_s = env_wall_ms(c->s->job->env) / 1000;
    const char *holder = condition_message(list, TYPE);

    if (str_same(condition_reason(list, TYPE), REASON) && !str_same(holder, c->holder) &&
        now_s < condition_since(list, TYPE) + HOLD_S) {
        (void)error_set(e, ERR_EXISTS, "%.256s", holder);
        json_decref(list);
        return NULL;
    }
    condition_set(list, now_s, TYPE, "False", REASON, "%s", c->holder);
    return json_pack("{s:{s:o}}", "status", "conditions", list);
}

static json_t *give_back(void *ctx, const json_t *repository, struct error *e)
{
    struct claim *c = ctx;
    json_t *list = condition_copy(repository);
    int64_t now_s = env_wall_ms(c->s->job->env) / 1000;

    (void)e;
    if (!str_same(condition_reason(list, TYPE), REASON) || !str_same(condition_message(list, TYPE), c->holder)) {
        json_decref(list);
        return NULL;
    }
    if (c->rc < 0)
        condition_set(list, now_s, TYPE, "False", "FailedToInitializeBackendRepository", "%s", c->why->msg);
    else
        condition_set(list, now_s, TYPE, "True", "BackendRepositoryFound", "the repository is there");
    return json_pack("{s:{s:o}}", "status", "conditions", list);
}

static int patch(struct claim *c, apiserver_change *change, struct error *e)
{
    return apiserver_patch(c->s->api, kind_get(KIND_REPOSITORY), c->ns, c->name, "status", change, c, NULL, e);
}

/* *ret_there: somebody else has made it meanwhile. Who may not write to the Repository goes on without a claim. */
static int wait_for_claim(struct claim *c, struct repo *repo, bool *ret_there, struct error *e)
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
        if ((rc = job_sleep(s->job, POLL_MS, e)) < 0 || (rc = repo_ask(repo, &class, e)) < 0)
            return rc;
        *ret_there = class == RESTIC_OK;
        if (class != RESTIC_ABSENT)
            return *ret_there ? 0 : ERR_INVALID;
    }
    if (rc < 0 && rc != ERR_CANCELED)
        log_warn(&s->job->log, "that the repository is being made could not be told", F_ERR(e));
    return rc == ERR_CANCELED ? rc : 0;
}

static int make(struct claim *c, struct repo *repo, bool *ret_created, struct error *e)
{
    struct error later;
    bool is_there;
    int rc = find_repository(c, e);

    if (rc < 0 || !c->name)
        return rc < 0 ? rc : repo_ensure(repo, ret_created, e);
    if ((rc = wait_for_claim(c, repo, &is_there, e)) < 0 || is_there)
        return rc;
    c->why = e;
    c->rc = rc = repo_ensure(repo, ret_created, e);
    redact_message(&c->s->job->redact, e->msg, sizeof(e->msg));
    if (patch(c, give_back, &later) < 0)
        log_warn(&c->s->job->log, "the claim could not be given back", F_ERR(&later));
    return rc;
}

int claim_ensure(struct session *s, struct repo *repo, bool *ret_created, struct error *e)
{
    struct claim c = {.s = s};
    enum restic_class class;
    int rc = repo_ask(repo, &class, e);

    *ret_created = false;
    if (rc < 0 || class == RESTIC_OK)
        return rc;
    if (class != RESTIC_ABSENT)
        return ERR_INVALID; /* a wrong password, a refused connection: never a reason to make a new one */
    c.holder = mem_printf("BackupSession %s/%s makes it", s->ns, s->name);
    *e = (struct error){0};
    rc = make(&c, repo, ret_created, e);
    mem_free(c.holder);
    mem_free(c.ns);
    mem_free(c.name);
    return rc;
}
