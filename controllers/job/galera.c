/*
 * galera: see galera.h. The AppBinding's address is a Service: it answers by any node. That node names the others
 * (wsrep_incoming_addresses), which are then asked one by one; those that cannot be reached are no candidates.
 */
#include "controllers/job/galera.h"

#include <stdio.h>

#include "controllers/job/sst.h"

enum { RETRY_MS = 5000, SYNC_POLL_MS = 1000, ANSWER_MAX = 256 * 1024 };

#define NODE_QUERY                                                                                                     \
    "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_ready','wsrep_connected','wsrep_local_state_comment',"          \
    "'wsrep_cluster_status','wsrep_incoming_addresses','wsrep_local_commits');"                                        \
    "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('wsrep_node_name','version','wsrep_provider_options')"

static void copy(char *out, size_t size, struct str s)
{
    (void)snprintf(out, size, "%.*s", (int)s.n, s.n ? s.p : "");
}

static bool means_yes(struct str s)
{
    return str_is(s, "ON") || str_is(s, "YES") || str_is(s, "1");
}

/* "…; socket.ssl = YES; …": the group speaks TLS, so garbd must. */
static bool has_group_tls(struct str options)
{
    struct str one, key;

    while (str_cut(&options, ';', &one))
        if (str_cut(&one, '=', &key) && str_is(str_trim(key), "socket.ssl"))
            return means_yes(str_trim(one));
    return false;
}

void galera_parse_node(struct str rows, struct galera_node *out)
{
    struct str line, key;

    while (str_cut(&rows, '\n', &line)) {
        if (!str_cut(&line, '\t', &key))
            continue;
        if (str_is(key, "wsrep_ready"))
            out->ready = means_yes(line);
        else if (str_is(key, "wsrep_connected"))
            out->connected = means_yes(line);
        else if (str_is(key, "wsrep_local_state_comment"))
            copy(out->state, sizeof(out->state), line);
        else if (str_is(key, "wsrep_cluster_status"))
            copy(out->status, sizeof(out->status), line);
        else if (str_is(key, "wsrep_incoming_addresses"))
            copy(out->incoming, sizeof(out->incoming), line);
        else if (str_is(key, "wsrep_node_name"))
            copy(out->name, sizeof(out->name), line);
        else if (str_is(key, "version"))
            copy(out->version, sizeof(out->version), line);
        else if (str_is(key, "wsrep_provider_options"))
            out->group_tls = has_group_tls(line);
        else if (str_is(key, "wsrep_local_commits") && str_to_u64(line, &out->local_commits) < 0)
            out->local_commits = 0;
    }
}

int galera_check_node(const struct galera_node *n, struct error *e)
{
    if (!n->state[0])
        return error_set(e, ERR_INVALID, "the server has no wsrep state: it is no Galera node");
    if (!n->connected)
        return error_set(e, ERR_INVALID, "node %s is not connected to its group", n->name);
    if (!str_same(n->status, "Primary"))
        return error_set(e, ERR_INVALID, "node %s is in component '%s', not Primary", n->name, n->status);
    if (!n->ready)
        return error_set(e, ERR_INVALID, "node %s is not ready (wsrep_ready)", n->name);
    if (!str_same(n->state, "Synced"))
        return error_set(e, ERR_INVALID, "node %s is %s, not Synced", n->name, n->state);
    return 0;
}

int galera_choose(const struct galera_node *nodes, size_t n)
{
    struct error e;
    int best = -1;

    for (size_t i = 0; i < n; i++)
        if (nodes[i].name[0] && galera_check_node(&nodes[i], &e) == 0 &&
            (best < 0 || nodes[i].local_commits < nodes[best].local_commits))
            best = (int)i;
    return best;
}

bool galera_next_address(struct str *rest, char host[256], uint16_t *port)
{
    struct str one, part;
    uint64_t n = 0;

    while (str_cut(rest, ',', &one)) {
        const char *colon;

        one = str_trim(one);
        colon = one.n ? memrchr(one.p, ':', one.n) : NULL;
        if (!colon || colon == one.p)
            continue; /* an arbitrator, or AUTO */
        part = (struct str){one.p, (size_t)(colon - one.p)};
        if (part.p[0] == '[' && part.n > 2) {
            part.p++;
            part.n -= 2;
        }
        if (str_to_u64((struct str){colon + 1, (size_t)(one.p + one.n - colon) - 1}, &n) < 0 || n == 0 || n > 65535)
            continue;
        copy(host, 256, part);
        *port = (uint16_t)n;
        return true;
    }
    return false;
}

static int ask_node(struct galera_node *n, struct sql *s, struct error *e)
{
    struct galera_node fresh = {.port = n->port};
    struct buf rows;
    int rc;

    memcpy(fresh.host, n->host, sizeof(fresh.host));
    buf_init(&rows, ANSWER_MAX);
    rc = sql_query(s, n->host[0] ? n->host : NULL, n->port, NODE_QUERY, &rows, e);
    if (rc == 0) {
        galera_parse_node(buf_str(&rows), &fresh);
        *n = fresh;
    }
    buf_done(&rows);
    return rc;
}

static int wait_for_first(struct galera *g, struct sql *s, uint64_t wait_s, struct error *e)
{
    uint64_t end = env_now_ns(s->job->env) + wait_s * 1000000000u;
    int rc;

    for (;;) {
        rc = ask_node(&g->nodes[0], s, e);
        if (rc == 0)
            rc = galera_check_node(&g->nodes[0], e);
        if (rc == 0 || rc == ERR_CANCELED)
            return rc;
        if (env_now_ns(s->job->env) >= end)
            return error_wrap(e, ERR_TIMEOUT, "the cluster was not fit for a backup within %llu s",
                              (unsigned long long)wait_s);
        log_info(&s->job->log, "cluster is not fit yet", F_ERR(e));
        if ((rc = job_sleep(s->job, RETRY_MS, e)) < 0)
            return rc;
    }
}

/* The members that the first node names, itself included: as [1], [2], …, so that each has its own address. */
static void ask_members(struct galera *g, struct sql *s)
{
    struct str rest = str_of(g->nodes[0].incoming);
    struct error e;

    while (g->n < GALERA_NODES_MAX) {
        struct galera_node *n = &g->nodes[g->n];

        *n = (struct galera_node){0};
        if (!galera_next_address(&rest, n->host, &n->port))
            break;
        if (ask_node(n, s, &e) < 0)
            log_info(&s->job->log, "cluster member does not answer", F_STR("address", n->host), F_ERR(&e));
        else
            g->n++;
    }
}

int galera_look(struct galera *g, struct sql *s, uint64_t wait_s, struct error *e)
{
    int rc;

    *g = (struct galera){.n = 1, .donor = -1};
    if ((rc = wait_for_first(g, s, wait_s, e)) < 0)
        return rc;
    g->flavour = sst_flavour_of(g->nodes[0].version);
    ask_members(g, s);
    if ((rc = job_check(s->job, e)) < 0)
        return rc;
    /* With members at hand the first node is among them under its own address. */
    g->donor = g->n > 1 ? galera_choose(g->nodes + 1, g->n - 1) : galera_choose(g->nodes, 1);
    if (g->donor >= 0 && g->n > 1)
        g->donor++;
    return 0;
}

int galera_wait_synced(struct galera_node *n, struct sql *s, uint64_t wait_s, struct error *e)
{
    uint64_t end = env_now_ns(s->job->env) + wait_s * 1000000000u;
    char name[sizeof(n->name)];
    bool other, seen = false; /* seen: the donor itself has answered */
    int rc;

    memcpy(name, n->name, sizeof(name));
    for (;;) {
        rc = ask_node(n, s, e);
        other = rc == 0 && !str_same(n->name, name);
        if (other && n->host[0])
            return error_set(e, ERR_NET, "donor %s is gone: %s answers at its address", name, n->name);
        if (other)
            rc = error_set(e, ERR_NOTFOUND, "only other nodes answered, %s the last", n->name);
        seen |= rc == 0;
        if (rc == 0)
            rc = galera_check_node(n, e);
        if (rc == 0 || rc == ERR_CANCELED)
            return rc;
        if (env_now_ns(s->job->env) >= end && other && !seen)
            return rc;
        if (env_now_ns(s->job->env) >= end)
            return error_wrap(e, ERR_TIMEOUT, "the donor was not Synced again within %llu s",
                              (unsigned long long)wait_s);
        if ((rc = job_sleep(s->job, SYNC_POLL_MS, e)) < 0)
            return rc;
    }
}

int galera_count_unreplicated(struct sql *s, int64_t *ret, struct error *e)
{
    struct buf out;
    int rc;

    buf_init(&out, 4096);
    rc = sql_query(s, NULL, 0,
                   "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_TYPE='BASE TABLE' AND ENGINE<>'InnoDB' "
                   "AND TABLE_SCHEMA NOT IN ('mysql','sys','performance_schema','information_schema')",
                   &out, e);
    if (rc == 0 && str_to_i64(str_trim(buf_str(&out)), ret) < 0)
        rc = error_set(e, ERR_INVALID, "the count of tables is no number");
    buf_done(&out);
    return rc;
}
