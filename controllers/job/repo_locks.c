/*
 * repo_locks: other people's locks (restic.md 7). One is only ever removed by restic's own rule: it is older than 30
 * minutes, or its process is known to be gone from this very host. Never all of them: between a look at the list and
 * the removal another backup may have begun, and its lock would go too.
 *
 * restic renews a lock every 5 minutes. One that was not renewed for twice that time has no holder any more, nor has
 * one whose pod has ended; neither can be told from a paused holder by us, so we wait until restic calls it stale. That
 * is longer than we would wait for somebody who works, but it ends, and without a fault.
 */
#include <stdio.h>

#include "controllers/job/repo.h"
#include "core/base/mem.h"

enum {
    UNLOCK_TRIES = 4,
    FIRST_POLL_MS = 500,
    POLL_MAX_MS = 5000,
    LOCKS_MAX = 256,
    RENEWED_S = 660, /* a living holder's lock is never older */
    STALE_S = 1800,  /* restic's own limit */
    MARGIN_S = 120,  /* for clocks that differ, and for the removal itself */
};

static int unlock(struct repo *r, struct error *e)
{
    struct restic_command c;
    int rc;

    restic_begin(&c, &r->backend, "unlock");
    rc = repo_run_ok(r, &c, NULL, e);
    restic_done(&c);
    return rc;
}

void repo_unlock_stale(struct repo *r)
{
    struct error e;

    if (unlock(r, &e) < 0)
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

/* What is in our way. */
struct hinder {
    size_t n, n_alive; /* locks; those whose holder may work */
    bool is_stale;     /* one of them is, by its age */
    bool has_ended;    /* the named one's pod has */
    char host[256];    /* a living one's, else a dead one's */
};

static void add_lock(struct repo *r, const struct restic_lock *lock, struct hinder *h)
{
    int64_t age_s = env_wall_ms(r->job->env) / 1000 - lock->time_s;
    bool has_ended = r->holder_gone && r->holder_gone(r->wait_ctx, lock->host);
    bool is_alive = age_s < RENEWED_S && !has_ended;

    h->n++;
    h->is_stale |= age_s > STALE_S;
    if (h->n_alive && !is_alive)
        return;
    h->n_alive += is_alive;
    h->has_ended = has_ended;
    memcpy(h->host, lock->host, sizeof(h->host));
}

static int look_at_locks(struct repo *r, bool all, struct hinder *h, struct error *e)
{
    struct lock_list *l = mem_zalloc(sizeof(*l));
    struct restic_lock lock;
    int rc = list_locks(r, l, e);

    *h = (struct hinder){0};
    for (size_t i = 0; rc == 0 && i < l->n; i++)
        if (show_lock(r, l->ids[i], &lock) && (all || lock.exclusive))
            add_lock(r, &lock, h);
    mem_free(l);
    return rc;
}

static int give_up(const struct hinder *h, uint64_t wait_s, struct error *e)
{
    return error_set(e, ERR_TIMEOUT, "the repository was locked by %s for more than %llu s%s", h->host,
                     (unsigned long long)wait_s,
                     h->n_alive ? "" : ", although it does nothing any more: see \"restic list locks\"");
}

static uint64_t seconds(struct repo *r)
{
    return env_now_ns(r->job->env) / 1000000000u;
}

int repo_wait_unlocked(struct repo *r, bool all, uint64_t wait_s, struct error *e)
{
    uint64_t end_s = seconds(r) + wait_s, last_s = end_s + (wait_s && !r->is_hurried ? STALE_S + MARGIN_S : 0);
    uint32_t pause = FIRST_POLL_MS;
    char told[256] = "";
    struct hinder h;
    int rc;

    for (;;) {
        if ((rc = look_at_locks(r, all, &h, e)) < 0 || h.n == 0)
            return rc;
        if (strcmp(told, h.host) != 0) {
            log_info(&r->job->log, "repository is locked", F_STR("holder", h.host), F_INT("locks", h.n),
                     F_BOOL("works", h.n_alive > 0), F_BOOL("ended", h.has_ended));
            if (r->on_wait && wait_s)
                r->on_wait(r->wait_ctx, h.host);
        }
        memcpy(told, h.host, sizeof(told));
        if (h.is_stale && ((rc = unlock(r, e)) < 0 || (rc = look_at_locks(r, all, &h, e)) < 0 || !h.n))
            return rc;
        if (seconds(r) >= (h.n_alive ? end_s : last_s))
            return give_up(&h, wait_s, e);
        /* Not all at the same time: those who wait would find the repository free together, and locked again. */
        if ((rc = job_sleep(r->job, pause / 2 + (uint32_t)(env_random(r->job->env) % pause), e)) < 0)
            return rc;
        pause = pause * 2 < POLL_MAX_MS ? pause * 2 : POLL_MAX_MS;
    }
}

int repo_run_waiting(struct repo *r, const struct restic_command *c, bool all, uint64_t wait_s, struct buf *out,
                     struct error *e)
{
    uint64_t end_s = seconds(r) + wait_s;
    enum restic_class class;
    int rc;

    for (;;) {
        if ((rc = repo_run(r, c, &class, out, e)) < 0 || class == RESTIC_OK)
            return rc;
        if (class != RESTIC_LOCKED || seconds(r) >= end_s)
            return ERR_INVALID;
        if ((rc = repo_wait_unlocked(r, all, wait_s, e)) < 0 ||
            (rc = job_sleep(r->job, (uint32_t)(env_random(r->job->env) % FIRST_POLL_MS), e)) < 0)
            return rc;
    }
}

/* ---- those of an ended host ---- */

/* Each once, joined by ' '. */
static void add_host(struct buf *hosts, const char *host)
{
    struct str rest = buf_str(hosts), part;

    while (str_cut(&rest, ' ', &part))
        if (str_is(part, host))
            return;
    if (*host && !strchr(host, ' ') && hosts->len + strlen(host) + 1 < hosts->max)
        buf_printf(hosts, "%s%s", hosts->len ? " " : "", host);
}

static int count_of(struct repo *r, const char *host, size_t *ret, struct buf *others, struct error *e)
{
    struct lock_list *l = mem_zalloc(sizeof(*l));
    struct restic_lock lock;
    int rc = list_locks(r, l, e);

    *ret = 0;
    buf_clear(others);
    for (size_t i = 0; rc == 0 && i < l->n; i++) {
        if (!show_lock(r, l->ids[i], &lock))
            continue;
        if (strcmp(lock.host, host) == 0)
            ++*ret;
        else
            add_host(others, lock.host);
    }
    mem_free(l);
    return rc;
}

/* In a small pod restic may get the very process id of the lock, and then thinks that its holder lives: the next restic
 * has another one. */
int repo_unlock_host(struct repo *r, const char *host, struct buf *others, struct error *e)
{
    size_t n;
    int rc;

    for (int try = 0;; try++) {
        if ((rc = count_of(r, host, &n, others, e)) < 0 || n == 0)
            return rc;
        if (try == UNLOCK_TRIES)
            return error_set(e, ERR_INVALID, "%zu locks of %s are left: a process with their number runs here", n,
                             host);
        log_info(&r->job->log, "locks of an ended host", F_STR("host", host), F_INT("locks", n));
        if ((rc = unlock(r, e)) < 0)
            return rc;
    }
}
