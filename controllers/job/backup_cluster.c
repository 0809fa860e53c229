/*
 * backup_cluster: a Galera cluster by a state transfer (datapath.md): garbd asks the group for one in our name, a donor
 * connects to us and sends its data, which goes into restic as it comes.
 *
 * What decides: not garbd (its 0 means only "asked"), not the end of the bytes (a killed donor ends them in order), but
 * the stream's own framing and tail, checked while it passes. Then the donor must be Synced again, and as many bytes must
 * have gone into restic as came; only then restic sees the end of its input.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controllers/job/backup.h"
#include "controllers/job/galera.h"
#include "controllers/job/pem.h"
#include "controllers/job/words.h"
#include "core/base/mem.h"

enum { GARBD_KILL_MS = 10000, SECRET_BYTES = 16 };

struct cluster {
    struct backup *b;
    struct galera galera;
    struct receive receive;
    struct proc garbd;
    struct timer request, kill;
    struct job_tail garbd_err;
    struct words garbd_argv;
    struct tls_context *tls;
    const char *method;
    char address[64], secret[2 * SECRET_BYTES + 1];
    char selected[128]; /* the donor that the group chose */
    char trouble[256];  /* what garbd said went wrong */
    char own_name[64];  /* of our certificate: a donor that encrypts asks for it */
    uint64_t expected_bytes;
    bool garbd_runs, receiving, piping;
    bool complete;  /* the stream has ended and is a whole backup */
    bool turn_over; /* complete, or all has ended: the sequence goes on */
};

static struct env *env_of(struct cluster *c)
{
    return c->b->job->env;
}

/* The sequence goes on when the stream is complete, and at its end when nothing runs any more. */
static void settle(struct cluster *c)
{
    c->turn_over = (c->complete && !c->b->error.code) || (!c->garbd_runs && !c->receiving && !c->piping);
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
    stop_garbd(c);
    settle(c);
}

static void cancel(struct job_op *op)
{
    struct backup *b = LIST_ENTRY(op, struct backup, op);
    struct error e;

    if (job_check(b->job, &e) < 0)
        fail(b->mode, &e);
}

/* ---- garbd ---- */

static void on_garbd_line(struct proc *p, struct str line)
{
    struct cluster *c = p->data;
    struct sst_log log;

    job_tail_add(&c->garbd_err, line);
    log_debug(&c->b->job->log, "child says", F_STR("program", "garbd"), F_VIEW("line", line));
    sst_parse_log(line, &log);
    switch (log.type) {
    case SST_LOG_SELECTED:
        timer_clear(env_of(c), &c->request);
        (void)snprintf(c->selected, sizeof(c->selected), "%s", log.donor);
        log_info(&c->b->job->log, "donor selected", F_STR("donor", c->selected));
        receive_expect(&c->receive);
        break;
    case SST_LOG_REFUSED:
    case SST_LOG_NO_GROUP: /* also printed when it leaves a group in order: its end decides */
        (void)snprintf(c->trouble, sizeof(c->trouble), "%s", log.text);
        break;
    case SST_LOG_BUSY:
    case SST_LOG_OTHER:
        break;
    }
}

static void on_garbd_exit(struct proc *p, int status, int sig)
{
    struct cluster *c = p->data;
    struct error e;

    c->garbd_runs = false;
    timer_clear(env_of(c), &c->kill);
    if (!c->selected[0] && !c->b->error.code) {
        timer_clear(env_of(c), &c->request);
        (void)job_child_error(c->b->job, "garbd", status, sig, &c->garbd_err, &e);
        (void)error_wrap(&e, ERR_INVALID, "no donor was selected%s%s", c->trouble[0] ? ": " : "", c->trouble);
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

static void on_info(struct receive *r, const struct sst_info *info)
{
    struct cluster *c = r->data;

    if (info->transition_key[0])
        job_redact(c->b->job, str_of(info->transition_key));
    log_info(&c->b->job->log, "donor announced its state", F_STR("position", info->position),
             F_STR("server", info->server_version));
}

static bool on_data_begin(struct receive *r, struct error *e)
{
    struct cluster *c = r->data;

    if (r->info.transition_key[0] && r->complete.flavour != XBSTREAM_MARIADB) {
        (void)error_set(e, ERR_INVALID,
                        "the donor uses encrypted tables: their transition key cannot be kept with the snapshot yet, "
                        "and without it the backup could not be restored");
        return false;
    }
    (void)snprintf(c->b->result->donor, sizeof(c->b->result->donor), "%s", c->selected);
    if (backup_start_pipeline(c->b, c->method, c->expected_bytes, e) < 0)
        return false;
    c->piping = true;
    return true;
}

static bool on_data(struct receive *r, struct str bytes)
{
    struct cluster *c = r->data;

    return pipeline_write(&c->b->pipeline, bytes);
}

static void on_data_end(struct receive *r)
{
    struct cluster *c = r->data;
    struct error e;

    c->b->result->chunks = xbstream_chunks(r->stream);
    c->b->result->files = xbstream_files(r->stream);
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
    fail(r->data, e);
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

/* ---- the preparations ---- */

/* Our address as the donor sees it: that of the route to it. */
static int find_own_address(struct cluster *c, const char *towards, struct error *e)
{
    const char *own = c->b->params->own_address;
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *found = NULL;
    struct sockaddr_storage a;
    socklen_t n = sizeof(a);
    int fd, rc;

    if (own && *own) {
        (void)snprintf(c->address, sizeof(c->address), "%s", own);
        return 0;
    }
    rc = getaddrinfo(towards, "3306", &hints, &found);
    if (rc != 0)
        return error_set(e, ERR_NET, "resolve %s: %s", towards, gai_strerror(rc));
    fd = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    rc = fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) < 0 || getsockname(fd, (struct sockaddr *)&a, &n) < 0 ||
         getnameinfo((struct sockaddr *)&a, n, c->address, sizeof(c->address), NULL, 0, NI_NUMERICHOST) != 0;
    if (fd >= 0)
        (void)close(fd); /* nothing was sent */
    freeaddrinfo(found);
    return rc ? error_set(e, ERR_NET, "no route to %s; set POD_IP", towards) : 0;
}

static int make_secret(struct cluster *c, struct error *e)
{
    unsigned char bytes[SECRET_BYTES];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return error_set(e, ERR_BUG, "no random bytes");
    for (size_t i = 0; i < sizeof(bytes); i++)
        (void)snprintf(c->secret + 2 * i, 3, "%02x", bytes[i]);
    job_redact(c->b->job, str_of(c->secret));
    return 0;
}

static int make_tls(struct cluster *c, struct error *e)
{
    const struct app *app = c->b->app;
    struct tls_options o = {.server = true,
                            .want_client_cert = app->ca_pem.n > 0,
                            .need_client_cert = app->ca_pem.n > 0,
                            .no_name_check = true,
                            .ca_pem = secret_str(&app->ca_pem),
                            .cert_pem = secret_str(&app->cert_pem),
                            .key_pem = secret_str(&app->key_pem)};

    if (!app->cert_pem.n || !app->key_pem.n)
        return 0;
    pem_common_name(secret_str(&app->cert_pem), c->own_name, sizeof(c->own_name));
    c->tls = tls_context_new(&o, e);
    return c->tls ? 0 : error_wrap(e, ERR_INVALID, "TLS material of the AppBinding");
}

static struct galera_node *donor_node(struct cluster *c)
{
    return c->galera.donor >= 0 ? &c->galera.nodes[c->galera.donor] : &c->galera.nodes[0];
}

static void warn_unreplicated(struct cluster *c)
{
    struct error e;
    int64_t n = 0;

    if (galera_count_unreplicated(&c->b->sql, &n, &e) < 0)
        log_info(&c->b->job->log, "engines of tables could not be looked at", F_ERR(&e));
    else if (n > 0)
        log_warn(&c->b->job->log, "tables not in InnoDB are not replicated: rows may be missing in this backup",
                 F_INT("tables", n), F_STR("donor", donor_node(c)->name));
}

static void add_group_options(struct cluster *c, struct words *w)
{
    bool v6 = strchr(c->address, ':') != NULL;
    struct sql *s = &c->b->sql;
    struct buf o;

    buf_init(&o, 8192);
    buf_printf(&o, "gmcast.listen_addr=tcp://%s%s%s:%u", v6 ? "[" : "", c->address, v6 ? "]" : "",
               c->b->params->group_port);
    if (donor_node(c)->group_tls && s->cert_path && s->key_path && s->ca_path)
        buf_printf(&o, ";socket.ssl=YES;socket.ssl_key=%s;socket.ssl_cert=%s;socket.ssl_ca=%s;socket.ssl_cipher=",
                   s->key_path, s->cert_path, s->ca_path);
    words_add(w, "--options");
    words_add(w, o.data);
    buf_done(&o);
}

/* The group's members from the AppBinding, else from what the first node names. */
static void add_group_address(struct cluster *c, struct words *w)
{
    const char *address = c->b->app->address;
    struct buf b;

    words_add(w, "--address");
    if (*address) {
        words_add(w, address);
        return;
    }
    buf_init(&b, 8192);
    for (size_t i = 0; i < c->galera.n; i++)
        if (c->galera.nodes[i].host[0])
            buf_printf(&b, "%s%s", b.len ? "," : "gcomm://", c->galera.nodes[i].host);
    if (!b.len)
        buf_printf(&b, "gcomm://%s", c->b->app->host);
    words_add(w, b.data);
    buf_done(&b);
}

static void build_garbd(struct cluster *c)
{
    struct words *w = &c->garbd_argv;
    struct sst_request request = {.method = c->method,
                                  .address = c->address,
                                  .port = receive_port(&c->receive),
                                  .name = c->own_name,
                                  .secret = c->secret[0] ? c->secret : NULL};
    struct buf sst;

    words_add(w, "garbd");
    add_group_address(c, w);
    add_group_options(c, w);
    words_add(w, "--group");
    words_add(w, c->b->app->group);
    words_add(w, "--name");
    words_addf(w, "stash-%08x", (unsigned)env_random(env_of(c)));
    if (c->galera.donor >= 0) {
        words_add(w, "--donor");
        words_add(w, donor_node(c)->name);
    }
    buf_init(&sst, 1024);
    sst_format_request(&request, &sst);
    words_add(w, "--sst");
    words_add(w, sst.data);
    buf_done(&sst);
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
                                  .tls_only = c->tls && donor_node(c)->group_tls,
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

    build_garbd(c);
    spec.argv = words_argv(&c->garbd_argv);
    buf_init(&line, 16384);
    redact_argv(&c->b->job->redact, &line, spec.argv);
    log_info(&c->b->job->log, "garbd starts", F_VIEW("command", buf_str(&line)));
    buf_done(&line);
    c->garbd = (struct proc){
        .on_stdout = on_garbd_line, .on_stderr = on_garbd_line, .on_exit = on_garbd_exit, .data = c};
    rc = env_of(c)->ops->proc_start(env_of(c), &c->garbd, &spec, e);
    c->garbd_runs = rc == 0;
    if (rc == 0)
        timer_set_in(env_of(c), &c->request, c->b->params->request_ms);
    return rc;
}

/* The donor by the name that the group chose; NULL: we have no address of it. */
static struct galera_node *selected_node(struct cluster *c)
{
    for (size_t i = c->galera.n; i-- > 0;)
        if (c->galera.nodes[i].host[0] && str_same(c->galera.nodes[i].name, c->selected))
            return &c->galera.nodes[i];
    return c->galera.n == 1 && str_same(c->galera.nodes[0].name, c->selected) ? &c->galera.nodes[0] : NULL;
}

/* The stream is complete; restic waits. The last condition, and the word to restic. */
static void confirm(struct cluster *c)
{
    struct galera_node *donor = selected_node(c);
    struct error e;

    receive_stop(&c->receive);
    if (!donor)
        log_warn(&c->b->job->log, "donor's state can't be asked", F_STR("donor", c->selected));
    else if (galera_wait_synced(donor, &c->b->sql, c->b->params->synced_s, &e) < 0)
        fail(c, &e);
    if (!c->b->error.code)
        pipeline_commit(&c->b->pipeline);
    stop_garbd(c);
    c->complete = false;
    settle(c);
}

static int run(struct cluster *c, struct error *e)
{
    struct backup *b = c->b;

    b->op.cancel = cancel;
    job_op_add(b->job, &b->op);
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
    if (b->error.code) {
        *e = b->error;
        return e->code;
    }
    return 0;
}

static int prepare(struct cluster *c, struct error *e)
{
    static const char *const garbd[] = {"garbd", NULL};
    struct backup *b = c->b;
    int rc;

    if (!job_find_program(garbd))
        return error_set(e, ERR_NOTFOUND, "this image has no garbd");
    if (b->params->sst_port && b->params->sst_port == b->params->group_port)
        return error_set(e, ERR_INVALID, "garbd's group port must not be the port of the transfer");
    if ((rc = galera_look(&c->galera, &b->sql, b->params->wait_s, e)) < 0)
        return rc;
    memcpy(b->result->version, c->galera.nodes[0].version, sizeof(b->result->version));
    c->method = sst_method_of(b->app->sst_method, c->galera.flavour);
    warn_unreplicated(c);
    if (c->galera.flavour == XBSTREAM_MARIADB && (rc = make_secret(c, e)) < 0)
        return rc;
    if ((rc = make_tls(c, e)) < 0 ||
        (rc = find_own_address(c, donor_node(c)->host[0] ? donor_node(c)->host : b->app->host, e)) < 0)
        return rc;
    c->expected_bytes = repo_last_size(b->repo, b->params->hostname, "/" BACKUP_STREAM_FILE);
    b->pipeline.on_writable = on_writable;
    b->pipeline.on_abort = on_abort;
    b->pipeline.on_end = on_end;
    return job_check(b->job, e);
}

int backup_cluster(struct backup *b, struct error *e)
{
    struct cluster *c = mem_zalloc(sizeof(*c)); /* too big for a stack: the nodes */
    int rc;

    c->b = b;
    b->mode = c;
    timer_init(&c->request, on_request_limit, c);
    timer_init(&c->kill, on_garbd_kill, c);
    job_tail_init(&c->garbd_err);
    rc = prepare(c, e);
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
    return rc;
}
