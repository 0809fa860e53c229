/*
 * repo_locks: other people's locks (restic.md 7). A lock is removed when restic's own rule calls it stale; all of them
 * only when every holder is known to have ended: a holder that we know nothing of may be alive in another cluster.
 */
#include <stdio.h>

#include "controllers/job/repo.h"
#include "core/base/mem.h"

enum { LOCK_POLL_MS = 5000, LOCKS_MAX = 256 };

static int unlock(struct repo *r, bool all, struct error *e)
{
    struct restic_command c;
    int rc;

    restic_begin(&c, &r->backend, "unlock");
    if (all)
        restic_add(&c, "--remove-all");
    rc = repo_run_ok(r, &c, NULL, e);
    restic_done(&c);
    return rc;
}

void repo_unlock_stale(struct repo *r)
{
    struct error e;

    if (unlock(r, false, &e) < 0)
        log_warn(&r->job->log, "stale locks could not be removed", F_ERR(&e));
}

struct lock_list {
    char ids[LOCKS_MAX][65];
    size_t n;
};

static void take_lock(void *ctx, struct str id)
{
    struct lock_list *l = ctx;

    if (l->n < LOCKS_MAX)
        (void)snprintf(l->ids[l->n++], 65, "%.*s", (int)id.n, id.p);
}

static int list_locks(struct repo *r, struct lock_list *l, struct error *e)
{
    struct restic_command c;
    struct buf text;
    int rc;

    l->n = 0;
    buf_init(&text, 1024 * 1024);
    restic_begin(&c, &r->backend, "list locks");
    restic_add(&c, "--no-lock");
    rc = repo_run_ok(r, &c, &text, e);
    if (rc == 0)
        restic_parse_locks(buf_str(&text), take_lock, l);
    restic_done(&c);
    buf_done(&text);
    return rc;
}

/* False: it is gone or not readable, so it hinders nobody (and nobody knows
 * who holds it). restic tries a vanished file again for long: the limit. */
static bool show_lock(struct repo *r, const char *id, struct restic_lock *out)
{
    struct restic_command c;
    struct job_command command;
    struct job_result result;
    struct error e;
    bool ok;

    restic_begin(&c, &r->backend, "cat lock");
    restic_add(&c, id);
    restic_add(&c, "--no-lock");
    command = (struct job_command){.argv = restic_argv(&c), .envp = r->envp, .out_max = 65536, .timeout_ms = 20000,
                                   .quiet = true, .stop_signal = REPO_STOP_SIGNAL};
    ok = job_run_ok(r->job, &command, &result, &e) == 0 && restic_parse_lock(buf_str(&result.out), out, &e) == 0;
    job_result_done(&result);
    restic_done(&c);
    return ok;
}

struct hinder {
    size_t n;       /* locks in our way */
    bool all_gone;  /* each lock's holder, also of those not in our way, is known to have ended */
    char host[256]; /* one of them */
};

static int look_at_locks(struct repo *r, bool all, repo_holder_gone *gone, void *ctx, struct hinder *h,
                         struct error *e)
{
    struct lock_list *l = mem_zalloc(sizeof(*l));
    struct restic_lock lock;
    int rc = list_locks(r, l, e);

    *h = (struct hinder){.all_gone = gone != NULL && l->n > 0 && l->n < LOCKS_MAX};
    for (size_t i = 0; rc == 0 && i < l->n; i++) {
        if (!show_lock(r, l->ids[i], &lock)) {
            h->all_gone = false; /* it may be somebody's who works */
            continue;
        }
        if (h->all_gone && !gone(ctx, lock.host))
            h->all_gone = false;
        if (!all && !lock.exclusive)
            continue;
        h->n++;
        memcpy(h->host, lock.host, sizeof(h->host));
    }
    mem_free(l);
    return rc;
}

int repo_wait_unlocked(struct repo *r, bool all, uint64_t wait_s, repo_holder_gone *gone, void *ctx, struct error *e)
{
    uint64_t end = env_now_ns(r->job->env) + wait_s * 1000000000u;
    struct hinder h;
    int rc;

    for (;;) {
        if ((rc = look_at_locks(r, all, gone, ctx, &h, e)) < 0 || h.n == 0)
            return rc;
        log_info(&r->job->log, "repository is locked", F_STR("holder", h.host), F_BOOL("ended", h.all_gone));
        if ((rc = unlock(r, h.all_gone, e)) < 0)
            return rc;
        if ((rc = look_at_locks(r, all, gone, ctx, &h, e)) < 0 || h.n == 0)
            return rc;
        if (env_now_ns(r->job->env) >= end)
            return error_set(e, ERR_TIMEOUT, "the repository was locked by %s for more than %llu s", h.host,
                             (unsigned long long)wait_s);
        if ((rc = job_sleep(r->job, LOCK_POLL_MS, e)) < 0)
            return rc;
    }
}
