/*
 * backup_cluster: a Galera cluster by a state transfer (datapath.md): garbd asks the group for one in our name, a donor
 * connects to us and sends its data, which goes into restic as it comes.
 *
 * What decides: not garbd (its 0 means only "asked"), not the end of the bytes (a killed donor ends them in order), but
 * the stream's own framing and tail, checked while it passes. Then the donor must be Synced again, and as many bytes
 * must have gone into restic as came; only then restic sees the end of its input.
 */
#include <signal.h>
#include <stdio.h>

#include "controllers/job/backup_cluster.h"
#include "controllers/job/backup_manifest.h"
#include "controllers/job/prepare_tool.h"
#include "controllers/job/refusal.h"
#include "core/base/mem.h"

enum {
    GARBD_KILL_MS = 10000,
    AGAIN_MS = 2000,
    TRIES_MAX = 6,
    FORGET_MS = 15000, /* evs.inactive_timeout: a group gives up a silent member after that at the latest */
};

static struct env *env_of(struct cluster *c)
{
    return c->b->job->env;
}

/* The sequence goes on when the stream is complete, and at its end when nothing runs any more. */
static void settle(struct cluster *c)
{
    c->turn_over = (c->complete && !c->b->error.code) ||
                   (!c->garbd_runs && !c->missed && !c->receiving && !c->piping && !c->guarding);
    if (c->turn_over)
        backup_wake(c->b);
}

static void stop_garbd(struct cluster *c)
{
    if (!c->garbd_runs)
        return;
    env_of(c)->ops->proc_kill(env_of(c), &c->garbd, SIGTERM);
    if (!timer_is_set(&c->kill))
        timer_set_in(env_of(c), &c->kill, GARBD_KILL_MS);
}

/* The first failure ends everything: the connection first, since it alone holds the donor desynced. */
static void fail(struct cluster *c, const struct error *e)
{
    backup_note(c->b, e);
    if (c->receiving)
        receive_stop(&c->receive);
    if (c->piping)
        pipeline_abort(&c->b->pipeline, &c->b->error);
    if (c->guarding)
        guard_stop(&c->guard);
    timer_clear(env_of(c), &c->again);
    stop_garbd(c);
    settle(c);
}

static void cancel(struct job_op *op)
{
    struct backup *b = LIST_ENTRY(op, struct backup, op);
    struct cluster *c = b->mode;
    struct error e;

    if (job_check(b->job, &e) < 0) {
        c->missed = false;
        fail(c, &e);
    }
}

/* ---- garbd ---- */

/* The donor by the name that the group chose; NULL: we have no address of it. */
static struct galera_node *selected_node(struct cluster *c)
{
    for (size_t i = c->galera.n; i-- > 0;)
        if (c->galera.nodes[i].host[0] && str_same(c->galera.nodes[i].name, c->selected))
            return &c->galera.nodes[i];
    return c->galera.n == 1 && str_same(c->galera.nodes[0].name, c->selected) ? &c->galera.nodes[0] : NULL;
}

static void take_donor(struct cluster *c, const struct sst_log *log)
{
    struct receive_addresses from;
    struct error e;

    timer_clear(env_of(c), &c->request);
    (void)snprintf(c->selected, sizeof(c->selected), "%s", log->donor);
    c->selected_ns = env_now_ns(env_of(c));
    log_info(&c->b->job->log, "donor selected", F_STR("donor", c->selected), F_STR("state", log->state));
    if (!str_same(log->state, "SYNCED")) {
        (void)error_set(&e, ERR_INVALID, "the group selected %s as donor, which is %s, not SYNCED", c->selected,
                        log->state[0] ? log->state : "in no known state");
        fail(c, &e);
        return;
    }
    if (c->b->app->guard.max_s)
        timer_set_in(env_of(c), &c->donor_limit, c->b->app->guard.max_s * 1000);
    guard_arm(&c->guard, c->selected);
    backup_cluster_addresses(c, selected_node(c), &from);
    receive_expect(&c->receive, &from);
}

static void on_donor_limit(struct timer *t)
{
    struct cluster *c = t->data;
    struct error e;

    (void)error_set(&e, ERR_TIMEOUT, "the transfer took donor %s longer than %llu s (parameters.donor.maxSeconds)",
                    c->selected, (unsigned long long)c->b->app->guard.max_s);
    fail(c, &e);
}

static void note_trouble(struct cluster *c, const struct sst_log *log)
{
    c->trouble_type = log->type;
    (void)snprintf(c->trouble, sizeof(c->trouble), "%s", log->text);
}

static void on_garbd_line(struct proc *p, struct str line)
{
    struct cluster *c = p->data;
    struct sst_log log;

    job_tail_add(&c->garbd_err, line);
    log_debug(&c->b->job->log, "child says", F_STR("program", "garbd"), F_VIEW("line", line));
    sst_parse_log(line, &log);
    switch (log.type) {
    case SST_LOG_SELECTED:
        if (log.joiner[0] && !str_same(log.joiner, c->garbd_name))
            break; /* somebody else's */
        if (!c->selected[0])
            take_donor(c, &log);
        break;
    case SST_LOG_TLS: /* it goes on trying, until it tells of no group */
        refusal_of_group(log.text, c->trouble, sizeof(c->trouble));
        c->trouble_type = log.type;
        break;
    case SST_LOG_REFUSED: /* said twice, the second time without a reason */
        if (c->trouble_type != SST_LOG_TLS && c->trouble_type != SST_LOG_REFUSED)
            note_trouble(c, &log);
        break;
    case SST_LOG_NO_GROUP: /* also printed when it leaves a group in order: its end decides */
        if (c->trouble_type == SST_LOG_OTHER || c->trouble_type == SST_LOG_NO_GROUP)
            note_trouble(c, &log);
        break;
    case SST_LOG_BUSY:
    case SST_LOG_OTHER:
        break;
    }
}

/* garbd has ended before a donor was selected. e: how it ended. */
static void no_donor(struct cluster *c, struct error *e)
{
    const struct app *app = c->b->app;

    if (c->trouble_type == SST_LOG_TLS) /* its last words tell less */
        (void)error_set(e, ERR_INVALID, "AppBinding %s/%s: no donor was selected: %s", app->ns, app->name, c->trouble);
    else if (c->trouble_type == SST_LOG_NO_GROUP) /* which of its words comes last is a matter of timing */
        (void)error_wrap(e, ERR_INVALID,
                         "AppBinding %s/%s: no donor was selected: there is no primary component of group %s at %s, or "
                         "we cannot reach it (parameters.group, parameters.address): %s",
                         app->ns, app->name, app->group, c->garbd_argv.items[2], c->trouble);
    else
        (void)error_wrap(e, ERR_INVALID, "no donor was selected%s%s", c->trouble[0] ? ": " : "", c->trouble);
}

/*
 * It came into the group, and then the group was not primary: garbd leaves with 0 before it has asked. A node goes or
 * comes in this moment. (Where it finds no group at all, it stays for half a minute and ends with 1.)
 */
static bool met_group_in_change(struct cluster *c, int status, int sig)
{
    return c->trouble_type == SST_LOG_NO_GROUP && status == 0 && sig == 0 && c->tries < TRIES_MAX;
}

/*
 * It died while it joined. Until the nodes notice, they show nothing of it (OPERATIONAL, none more than before), and
 * another garbd that joins just when they do can leave the group without a primary component for ever. So the next
 * backup must not begin at once: this one does not end before.
 */
static void await_forgetting(struct cluster *c)
{
    log_warn(&c->b->job->log, "garbd died while it joined, the group is given time to notice",
             F_INT("ms", FORGET_MS));
    c->missed = true;
    timer_set_in(env_of(c), &c->forget, FORGET_MS);
}

static void on_forget(struct timer *t)
{
    struct cluster *c = t->data;

    c->missed = false;
    settle(c);
}

static void on_garbd_exit(struct proc *p, int status, int sig)
{
    struct cluster *c = p->data;
    struct error e;

    c->garbd_runs = false;
    timer_clear(env_of(c), &c->kill);
    if (sig && !c->selected[0] && !c->b->job->canceled) /* by whomever: also by us, when it would not leave */
        await_forgetting(c);
    if (!c->selected[0] && !c->b->error.code && met_group_in_change(c, status, sig)) {
        log_warn(&c->b->job->log, "the group was not primary when garbd came, it is asked again");
        timer_set_in(env_of(c), &c->again, AGAIN_MS);
    } else if (!c->selected[0] && !c->b->error.code) {
        timer_clear(env_of(c), &c->request);
        (void)job_child_error(c->b->job, "garbd", status, sig, &c->garbd_err, &e);
        no_donor(c, &e);
        fail(c, &e);
    }
    settle(c);
}

static void on_garbd_kill(struct timer *t)
{
    struct cluster *c = t->data;

    env_of(c)->ops->proc_kill(env_of(c), &c->garbd, SIGKILL);
}

static void on_request_limit(struct timer *t)
{
    struct cluster *c = t->data;
    struct error e;

    (void)error_set(&e, ERR_TIMEOUT, "no node was free to be the donor within %u s", c->b->params->request_ms / 1000);
    fail(c, &e);
}

/* ---- the receiver ---- */

/* For the snapshot's tags. In a rolling upgrade the donor's version need not be that of the node we asked first. */
static void note_donor(struct cluster *c)
{
    struct backup_result *r = c->b->result;
    const struct galera_node *donor = selected_node(c);

    (void)snprintf(r->donor, sizeof(r->donor), "%s", c->selected);
    if (donor && donor->version[0])
        (void)snprintf(r->version, sizeof(r->version), "%s", donor->version);
}

/* While the donor sleeps for ten seconds before it sends, restic opens its repository and reads its indexes; later it
 * would be the donor who waits for that. */
static bool start_pipeline(struct cluster *c, struct error *e)
{
    if (c->piping)
        return true;
    note_donor(c);
    c->piping = backup_start_pipeline(c->b, c->method, c->expected_bytes, e) == 0;
    return c->piping;
}

static void on_info(struct receive *r, const struct sst_info *info)
{
    struct cluster *c = r->data;
    struct error e;

    if (info->transition_key[0])
        job_redact(c->b->job, str_of(info->transition_key));
    log_info(&c->b->job->log, "donor announced its state", F_STR("position", info->position),
             F_STR("server", info->server_version));
    if (info->server_version[0]) /* in a rolling upgrade the donor's need not be that of the node we asked first */
        r->complete.flavour = sst_flavour_of(info->server_version);
    if (sst_check_info(info, r->complete.flavour, &e) < 0 ||
        (info->server_version[0] && backup_cluster_fits(c, info->server_version, &e) < 0)) {
        fail(c, &e);
        return;
    }
    backup_manifest_info(c->b, info);
    if (!start_pipeline(c, &e))
        fail(c, &e);
}

static bool on_data_begin(struct receive *r, struct error *e)
{
    struct cluster *c = r->data;

    log_info(&c->b->job->log, "donor sends its data", F_STR("donor", c->selected));
    return start_pipeline(c, e);
}

static bool on_data(struct receive *r, struct str bytes)
{
    struct cluster *c = r->data;
    struct error e;

    if (sst_check_stream(r->stream, r->complete.flavour, prepare_tool_finds_plugin, &e) < 0) {
        (void)error_wrap(&e, ERR_INVALID, "AppBinding %s/%s: it could not be restored", c->b->app->ns, c->b->app->name);
        fail(c, &e);
        return false;
    }
    return backup_write(c->b, bytes);
}

static void on_data_end(struct receive *r)
{
    struct cluster *c = r->data;
    struct error e;

    c->b->result->chunks = xbstream_chunks(r->stream);
    c->b->result->files = xbstream_files(r->stream);
    c->b->result->bytes = xbstream_bytes(r->stream);
    backup_manifest_stream(c->b, r->stream);
    if (xbstream_bytes(r->stream) != c->b->pipeline.bytes) {
        (void)error_set(&e, ERR_BUG, "%llu bytes came from the donor, %llu went into restic",
                        (unsigned long long)xbstream_bytes(r->stream), (unsigned long long)c->b->pipeline.bytes);
        fail(c, &e);
        return;
    }
    log_info(&c->b->job->log, "stream is complete", F_INT("bytes", c->b->pipeline.bytes),
             F_INT("chunks", c->b->result->chunks), F_INT("files", c->b->result->files));
    c->complete = true;
    settle(c);
}

static void on_receive_failed(struct receive *r, const struct error *e)
{
    struct cluster *c = r->data;
    struct error told = *e;

    if (r->tls_refused)
        (void)error_wrap(&told, e->code, "AppBinding %s/%s", c->b->app->ns, c->b->app->name);
    else if (e->code == ERR_TIMEOUT && !r->has_info)
        (void)error_wrap(&told, ERR_TIMEOUT,
                         "%s was asked for its data by method %s at %s:%u, its error log tells more (has it a script "
                         "wsrep_sst_%s, can it reach us?)",
                         c->selected, c->method, c->address, c->b->params->sst_port, c->method);
    fail(c, &told);
}

static void on_receive_closed(struct receive *r)
{
    struct cluster *c = r->data;

    c->receiving = false;
    settle(c);
}

/* ---- restic ---- */

static void on_writable(struct pipeline *p)
{
    struct cluster *c = ((struct backup *)p->data)->mode;

    receive_resume(&c->receive);
}

static void on_abort(struct pipeline *p)
{
    fail(((struct backup *)p->data)->mode, &p->why);
}

static void on_end(struct pipeline *p, int rc, const struct error *e)
{
    struct cluster *c = ((struct backup *)p->data)->mode;

    c->piping = false;
    if (rc < 0)
        fail(c, e);
    settle(c);
}

/* ---- the guard ---- */

static void on_trouble(struct guard *g, const struct error *e)
{
    struct error told = *e;

    (void)error_wrap(&told, e->code, "stopped for the cluster's sake");
    fail(g->data, &told);
}

static void on_guard_stopped(struct guard *g)
{
    struct cluster *c = g->data;

    c->guarding = false;
    settle(c);
}

static void start_guard(struct cluster *c)
{
    c->guard = (struct guard){.sql = &c->b->sql,
                              .galera = &c->galera,
                              .limits = &c->b->app->guard,
                              .on_trouble = on_trouble,
                              .on_stopped = on_guard_stopped,
                              .data = c};
    c->guarding = true;
    guard_start(&c->guard);
}

/* The donor is Synced again: what it cost. */
static void note_cost(struct cluster *c)
{
    struct backup_transfer *t = &c->b->result->transfer;

    t->donor_s = (double)(env_now_ns(env_of(c)) - c->selected_ns) / 1e9;
    t->flow_control_percent = guard_flow_control_percent(&c->guard);
    t->queue_max = guard_queue_max(&c->guard);
    log_info(&c->b->job->log, "donor is Synced again", F_STR("donor", c->selected),
             F_INT("donor_ms", (int64_t)(t->donor_s * 1000)),
             F_INT("flow_control_permille", (int64_t)(t->flow_control_percent * 10)),
             F_INT("receive_queue_max", t->queue_max));
}

/* The backup is good and kept; a cluster that it leaves behind hurt is told of all the same. */
static void prove_all_synced(struct cluster *c)
{
    struct error e;

    if (galera_wait_all(&c->galera, &c->b->sql, c->b->params->synced_s, &e) == 0) {
        log_info(&c->b->job->log, "all nodes are Synced");
        return;
    }
    (void)snprintf(c->b->result->transfer.unsynced, sizeof(c->b->result->transfer.unsynced), "%.255s", e.msg);
    log_warn(&c->b->job->log, "not all nodes are Synced", F_ERR(&e));
}

/* ---- the sequence ---- */

static int start_receive(struct cluster *c, struct error *e)
{
    const struct backup_params *p = c->b->params;
    int rc;

    c->receive = (struct receive){.job = c->b->job,
                                  .address = c->address,
                                  .port = p->sst_port,
                                  .tls = c->tls,
                                  .tls_only = c->tls && backup_cluster_donor(c)->group_tls,
                                  .tls_proves = c->tls && c->b->app->ca_pem.n > 0,
                                  .secret = c->secret[0] ? c->secret : NULL,
                                  .complete = {.flavour = c->galera.flavour, .galera = true},
                                  .limits = p->limits,
                                  .on_info = on_info,
                                  .on_data_begin = on_data_begin,
                                  .on_data = on_data,
                                  .on_data_end = on_data_end,
                                  .on_failed = on_receive_failed,
                                  .on_closed = on_receive_closed,
                                  .data = c};
    rc = receive_start(&c->receive, e);
    c->receiving = rc == 0;
    return rc;
}

static int start_garbd(struct cluster *c, struct error *e)
{
    struct proc_spec spec = {.envp = job_environment(c->b->job), .cwd = c->b->job->scratch_dir};
    struct buf line;
    int rc;

    c->tries++;
    c->trouble_type = SST_LOG_OTHER;
    if (c->tries == 1)
        backup_cluster_garbd(c);
    spec.argv = words_argv(&c->garbd_argv);
    buf_init(&line, 16384);
    redact_argv(&c->b->job->redact, &line, spec.argv);
    log_info(&c->b->job->log, "garbd starts", F_VIEW("command", buf_str(&line)));
    buf_done(&line);
    c->garbd = (struct proc){
        .on_stdout = on_garbd_line, .on_stderr = on_garbd_line, .on_exit = on_garbd_exit, .data = c};
    rc = env_of(c)->ops->proc_start(env_of(c), &c->garbd, &spec, e);
    c->garbd_runs = rc == 0;
    if (rc == 0 && c->tries == 1)
        timer_set_in(env_of(c), &c->request, c->b->params->request_ms);
    return rc;
}

static void on_again(struct timer *t)
{
    struct cluster *c = t->data;
    struct error e;

    if (start_garbd(c, &e) < 0)
        fail(c, &e);
}

/* The stream is complete; restic waits. The last condition, and the word to restic. */
static void confirm(struct cluster *c)
{
    struct galera_node *donor = selected_node(c);
    struct error e;
    int rc = 0;

    receive_stop(&c->receive);
    if (!c->selected[0])
        rc = error_set(&e, ERR_BUG, "data came, but no donor was selected");
    else if (!donor)
        log_warn(&c->b->job->log, "donor's state can't be asked", F_STR("donor", c->selected));
    else
        rc = galera_wait_synced(donor, &c->b->sql, c->b->params->synced_s, &e);
    if (rc == ERR_NOTFOUND) /* a Service that never led to it: nothing is known against the stream */
        log_warn(&c->b->job->log, "donor's state can't be asked", F_STR("donor", c->selected), F_ERR(&e));
    else if (rc < 0)
        fail(c, &e);
    timer_clear(env_of(c), &c->donor_limit);
    note_cost(c);
    guard_stop(&c->guard);
    if (!c->b->error.code)
        backup_commit(c->b);
    stop_garbd(c);
    c->complete = false;
    settle(c);
}

static int run(struct cluster *c, struct error *e)
{
    struct backup *b = c->b;

    b->op.cancel = cancel;
    job_op_add(b->job, &b->op);
    start_guard(c);
    if (start_garbd(c, e) < 0)
        fail(c, e);
    if (b->job->canceled)
        cancel(&b->op);
    settle(c);
    backup_wait(b, &c->turn_over);
    if (c->complete) {
        confirm(c);
        backup_wait(b, &c->turn_over);
    }
    job_op_del(&b->op);
    timer_clear(env_of(c), &c->request);
    timer_clear(env_of(c), &c->forget);
    timer_clear(env_of(c), &c->donor_limit);
    if (!b->error.code)
        prove_all_synced(c);
    if (b->error.code) {
        *e = b->error;
        return e->code;
    }
    return 0;
}

int backup_cluster(struct backup *b, struct error *e)
{
    struct cluster *c = mem_zalloc(sizeof(*c)); /* too big for a stack: the nodes */
    int rc;

    c->b = b;
    b->mode = c;
    timer_init(&c->request, on_request_limit, c);
    timer_init(&c->again, on_again, c);
    timer_init(&c->kill, on_garbd_kill, c);
    timer_init(&c->forget, on_forget, c);
    timer_init(&c->donor_limit, on_donor_limit, c);
    job_tail_init(&c->garbd_err);
    b->pipeline.on_writable = on_writable;
    b->pipeline.on_abort = on_abort;
    b->pipeline.on_end = on_end;
    rc = backup_cluster_prepare(c, e);
    if (rc == 0)
        rc = start_receive(c, e);
    if (rc == 0)
        rc = run(c, e);
    if (c->tls)
        tls_context_free(c->tls);
    words_done(&c->garbd_argv);
    job_tail_done(&c->garbd_err);
    mem_wipe(c->secret, sizeof(c->secret));
    mem_free(c);
    b->mode = NULL;
    return rc;
}
