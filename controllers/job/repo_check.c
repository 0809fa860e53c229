/* repo_check: see repo_check.h. */
#include "controllers/job/repo_check.h"

#include "core/base/mem.h"

enum { OUT_MAX = 16 * 1024 * 1024, TRIES = 5, PAUSE_MS = 10000 };

struct asking {
    struct repo *r;
    uint64_t wait_s;
};

static int wait_unlocked(const struct asking *a, struct error *e)
{
    return repo_wait_unlocked(a->r, true, a->wait_s, e);
}

static int check_once(const struct asking *a, bool lock, enum restic_check *ret, enum restic_class *ret_class,
                      struct error *e)
{
    struct restic_command c;
    struct job_command command;
    struct job_result r;
    char text[400];
    int rc;

    restic_begin(&c, &a->r->backend, "check");
    if (lock)
        restic_add_retry_lock(&c, a->r->version, a->r->retry_lock_s);
    else
        restic_add(&c, "--no-lock");
    command = (struct job_command){.argv = restic_argv(&c), .envp = a->r->envp, .out_max = OUT_MAX,
                                   .stop_signal = REPO_STOP_SIGNAL};
    rc = job_run(a->r->job, &command, &r, e);
    if (rc == 0) {
        *ret = r.sig ? RESTIC_CHECK_FAILED
                     : restic_parse_check(r.status, buf_str(&r.out), buf_str(&r.err.text));
        *ret_class = restic_classify(a->r->version, r.status, r.sig, buf_str(&r.err.text));
        restic_error_text(buf_str(&r.err.text), text, sizeof(text));
        redact_message(&a->r->job->redact, text, sizeof(text));
        if (*ret != RESTIC_CHECK_GOOD)
            (void)error_set(e, ERR_INVALID, "restic check: %s", *text ? text : "it failed without a word");
    }
    job_result_done(&r);
    restic_done(&c);
    return rc;
}

static int check(const struct asking *a, bool lock, enum restic_check *ret, struct error *e)
{
    enum restic_class class;
    int rc;

    for (int try = 1;; try++) {
        rc = check_once(a, lock, ret, &class, e);
        if (rc < 0 || *ret != RESTIC_CHECK_FAILED || (class != RESTIC_BUSY && class != RESTIC_LOCKED) ||
            try == TRIES)
            return rc;
        rc = class == RESTIC_LOCKED ? wait_unlocked(a, e) : job_sleep(a->r->job, PAUSE_MS, e);
        if (rc < 0)
            return rc;
    }
}

int repo_check_run(struct repo *r, uint64_t wait_s, bool *ret_whole, struct error *e)
{
    struct asking a = {r, wait_s};
    enum restic_check result;
    int rc = check(&a, false, &result, e);

    /* Without a lock somebody's prune looks like damage, or takes away what is being read: alone with the repository
     * it counts. */
    if (rc == 0 && result != RESTIC_CHECK_GOOD)
        if ((rc = wait_unlocked(&a, e)) == 0)
            rc = check(&a, true, &result, e);
    *ret_whole = rc == 0 && result == RESTIC_CHECK_GOOD;
    return rc < 0 ? rc : result == RESTIC_CHECK_FAILED ? ERR_INVALID : 0;
}

/* Without a lock first: a repository may be readable only. Then with one, so that nobody's prune takes away what is
 * being read. */
int repo_check_size(struct repo *r, int tries, uint64_t wait_s, int64_t *ret_bytes, struct error *e)
{
    struct restic_command c;
    struct buf out;
    int rc = -1;

    buf_init(&out, OUT_MAX);
    for (int try = 0; try < tries && rc < 0; try++) {
        restic_begin(&c, &r->backend, "stats");
        restic_add(&c, "--json");
        restic_add(&c, "--mode=raw-data");
        if (try == 0)
            restic_add(&c, "--no-lock");
        rc = repo_run_waiting(r, &c, false, wait_s, &out, e);
        restic_done(&c);
        if (rc == ERR_CANCELED)
            break;
    }
    if (rc == 0)
        rc = restic_parse_stats(buf_str(&out), ret_bytes, e);
    buf_done(&out);
    return rc;
}
