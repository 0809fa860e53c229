/*
 * backup_cluster_prepare: what a state transfer needs before it is asked for: a cluster fit for it, a donor, our
 * address, a secret and TLS, and garbd's command line.
 */
#include <netdb.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controllers/job/backup_cluster.h"
#include "controllers/job/pem.h"
#include "controllers/job/prepare_tool.h"
#include "controllers/job/restore_info.h"
#include "core/base/mem.h"

enum { VERSION_TIMEOUT_MS = 10000 };

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
    rc = fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) < 0 ||
         getsockname(fd, (struct sockaddr *)&a, &n) < 0 ||
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
    str_hex(bytes, sizeof(bytes), c->secret);
    job_redact(c->b->job, str_of(c->secret));
    return 0;
}

/* The group channel takes nobody who does not show a certificate of its CA. */
static int check_group_tls(struct cluster *c, struct error *e)
{
    const struct app *app = c->b->app;

    if (!backup_cluster_donor(c)->group_tls || (app->cert_pem.n && app->key_pem.n && app->ca_pem.n))
        return 0;
    return error_set(e, ERR_INVALID,
                     "AppBinding %s/%s: the cluster's group channel demands TLS (socket.ssl): give spec.tlsSecret, a "
                     "Secret with tls.crt, tls.key and ca.crt by the CA of the nodes",
                     app->ns, app->name);
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

    if (check_group_tls(c, e) < 0)
        return e->code;
    if (!app->cert_pem.n || !app->key_pem.n)
        return 0;
    pem_common_name(secret_str(&app->cert_pem), c->own_name, sizeof(c->own_name));
    c->tls = tls_context_new(&o, e);
    return c->tls ? 0 : error_wrap(e, ERR_INVALID, "AppBinding %s/%s: spec.tlsSecret", app->ns, app->name);
}

struct galera_node *backup_cluster_donor(struct cluster *c)
{
    return c->galera.donor >= 0 ? &c->galera.nodes[c->galera.donor] : &c->galera.nodes[0];
}

static void add_addresses(struct cluster *c, const char *host, struct receive_addresses *out)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int rc = getaddrinfo(host, NULL, &hints, &found);

    if (rc != 0) {
        log_warn(&c->b->job->log, "member's address is not known", F_STR("host", host),
                 F_STR("why", gai_strerror(rc)));
        return;
    }
    for (struct addrinfo *a = found; a && out->n < sizeof(out->items) / sizeof(out->items[0]); a = a->ai_next)
        if (getnameinfo(a->ai_addr, a->ai_addrlen, out->items[out->n], sizeof(out->items[0]), NULL, 0,
                        NI_NUMERICHOST) == 0)
            out->n++;
    freeaddrinfo(found);
}

void backup_cluster_addresses(struct cluster *c, const struct galera_node *donor, struct receive_addresses *out)
{
    struct str members = str_of(c->galera.nodes[0].incoming);
    bool known = donor && donor->host[0];
    char host[256];
    uint16_t port;

    out->n = 0;
    if (known)
        add_addresses(c, donor->host, out);
    while (!known && galera_next_address(&members, host, &port))
        add_addresses(c, host, out);
    if (!out->n)
        add_addresses(c, c->b->app->host, out);
}

static void warn_unreplicated(struct cluster *c)
{
    struct backup_transfer *t = &c->b->result->transfer;
    struct error e;
    struct buf names;

    buf_init(&names, sizeof(t->tables));
    if (galera_find_unreplicated(&c->galera, &c->b->sql, &t->tables_unreplicated, &names, &e) < 0)
        log_info(&c->b->job->log, "engines of tables could not be looked at", F_ERR(&e));
    else if (t->tables_unreplicated > 0)
        log_warn(&c->b->job->log, "tables not in InnoDB are not replicated: rows may be missing in this backup",
                 F_INT("tables", t->tables_unreplicated), F_VIEW("names", buf_str(&names)),
                 F_STR("donor", backup_cluster_donor(c)->name));
    (void)snprintf(t->tables, sizeof(t->tables), "%.*s", (int)names.len, names.len ? names.data : "");
    buf_done(&names);
}

/* garbd joins the group as a member, so the group's series binds it. */
static int check_garbd(struct cluster *c, struct error *e)
{
    static const char *const argv[] = {"garbd", "--version", NULL};
    struct job_command command = {.argv = argv,
                                  .envp = job_environment(c->b->job),
                                  .out_max = 4096,
                                  .timeout_ms = VERSION_TIMEOUT_MS,
                                  .quiet = true};
    struct job_result r;
    int rc = job_run(c->b->job, &command, &r, e);

    if (rc == 0)
        rc = galera_check_garbd(r.out.len ? buf_str(&r.out) : buf_str(&r.err.text), c->galera.nodes[0].provider, e);
    job_result_done(&r);
    return rc;
}

int backup_cluster_fits(const struct cluster *c, const char *server, struct error *e)
{
    const struct app *app = c->b->app;

    if (!c->tool_version[0] ||
        restore_info_check(server, c->galera.flavour == XBSTREAM_MARIADB, c->tool_version, e) == 0)
        return 0;
    return error_wrap(e, ERR_INVALID, "AppBinding %s/%s: this image could not restore it", app->ns, app->name);
}

/* A backup that nobody can restore is found out now, and costs no donor anything. */
static int check_restorable(struct cluster *c, struct error *e)
{
    const struct galera_node *donor = backup_cluster_donor(c);
    const char *tool = prepare_tool_find(c->galera.flavour == XBSTREAM_MARIADB);
    int rc = galera_check_plugins(donor, prepare_tool_finds_plugin, e);

    if (rc < 0)
        return error_wrap(e, rc, "AppBinding %s/%s", c->b->app->ns, c->b->app->name);
    if (tool && (rc = prepare_tool_version(c->b->job, tool, c->tool_version, e)) < 0)
        return rc;
    return backup_cluster_fits(c, donor->version, e);
}

/*
 * Without a vote (pc.weight=0): a backup must not change when the cluster has a quorum. With one, a group that loses
 * garbd and a node at once has lost half, and none of its parts becomes primary again: they wait for garbd for ever.
 * Without a memory (pc.recovery=no): garbd would take its identity and its view of the group from a gvwstate.dat that a
 * killed one left behind, perhaps of another group.
 */
static void add_group_options(struct cluster *c, struct words *w)
{
    bool v6 = strchr(c->address, ':') != NULL;
    struct sql *s = &c->b->sql;
    struct buf o;

    buf_init(&o, 8192);
    buf_printf(&o, "pc.weight=0;pc.recovery=no;gmcast.listen_addr=tcp://%s%s%s:%u", v6 ? "[" : "", c->address,
               v6 ? "]" : "", c->b->params->group_port);
    if (backup_cluster_donor(c)->group_tls && s->cert_path && s->key_path && s->ca_path)
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

void backup_cluster_garbd(struct cluster *c)
{
    struct words *w = &c->garbd_argv;
    struct sst_request request = {.method = c->method,
                                  .address = c->address,
                                  .port = c->b->params->told_port ? c->b->params->told_port
                                                                  : receive_port(&c->receive),
                                  .name = c->own_name,
                                  .secret = c->secret[0] ? c->secret : NULL};
    struct buf sst;

    words_add(w, "garbd");
    add_group_address(c, w);
    add_group_options(c, w);
    words_add(w, "--group");
    words_add(w, c->b->app->group);
    words_add(w, "--name");
    (void)snprintf(c->garbd_name, sizeof(c->garbd_name), "stash-%08x", (unsigned)env_random(c->b->job->env));
    words_add(w, c->garbd_name);
    if (c->galera.donor >= 0) {
        words_add(w, "--donor");
        words_add(w, backup_cluster_donor(c)->name);
    }
    buf_init(&sst, 1024);
    sst_format_request(&request, &sst);
    words_add(w, "--sst");
    words_add(w, sst.data);
    buf_done(&sst);
}

int backup_cluster_prepare(struct cluster *c, struct error *e)
{
    static const char *const garbd[] = {"garbd", NULL};
    struct backup *b = c->b;
    const char *towards;
    int rc;

    if (!job_find_program(garbd))
        return error_set(e, ERR_NOTFOUND, "this image has no garbd");
    if (b->params->sst_port && b->params->sst_port == b->params->group_port)
        return error_set(e, ERR_INVALID, "garbd's group port must not be the port of the transfer");
    if ((rc = galera_look(&c->galera, &b->sql, &b->app->guard, b->params->wait_s, e)) < 0 ||
        (rc = check_restorable(c, e)) < 0 || (rc = check_garbd(c, e)) < 0)
        return rc;
    memcpy(b->result->version, c->galera.nodes[0].version, sizeof(b->result->version));
    c->method = sst_method_of(b->app->sst_method, c->galera.flavour);
    warn_unreplicated(c);
    if (c->galera.flavour == XBSTREAM_MARIADB && (rc = make_secret(c, e)) < 0)
        return rc;
    towards = backup_cluster_donor(c)->host[0] ? backup_cluster_donor(c)->host : b->app->host;
    if ((rc = make_tls(c, e)) < 0 || (rc = find_own_address(c, towards, e)) < 0)
        return rc;
    c->expected_bytes = repo_last_size(b->repo, b->params->hostname, "/" BACKUP_STREAM_FILE);
    return job_check(b->job, e);
}
