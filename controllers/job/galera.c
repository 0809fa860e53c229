/*
 * galera: see galera.h. The AppBinding's address is a Service: it answers by any node. That node names the others
 * (wsrep_incoming_addresses), which are then asked one by one; those that cannot be reached are no candidates.
 */
#include "controllers/job/galera.h"

#include <stdio.h>

#include "controllers/job/sst.h"
#include "core/base/mem.h"

enum {
    RETRY_MS = 5000,
    SYNC_POLL_MS = 1000,
    WRITES_MS = 1000, /* between two looks at who is written to */
    ANSWER_MAX = 256 * 1024,
    TABLES_NAMED = 10,
};

#define NODE_QUERY                                                                                                     \
    "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_ready','wsrep_connected','wsrep_local_state_comment',"          \
    "'wsrep_cluster_status','wsrep_incoming_addresses','wsrep_local_commits','wsrep_cluster_size',"                    \
    "'wsrep_evs_state','wsrep_provider_version');"                                                                     \
    "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('wsrep_node_name','version','wsrep_provider_options',"              \
    "'wsrep_mode');"                                                                                                   \
    "SELECT 'plugins',IFNULL(GROUP_CONCAT(CONCAT_WS('=',PLUGIN_NAME,PLUGIN_LIBRARY) SEPARATOR ';'),'') FROM "          \
    "information_schema.PLUGINS WHERE PLUGIN_TYPE='ENCRYPTION' OR (PLUGIN_TYPE='DAEMON' AND PLUGIN_STATUS='ACTIVE' "   \
    "AND LEFT(PLUGIN_NAME,9)='provider_')"

/* Nodes of the users' own may be called stash-…, but these have an address for clients. */
#define GARBD_QUERY                                                                                                    \
    "SELECT node_name FROM mysql.wsrep_cluster_members "                                                               \
    "WHERE node_name REGEXP '^stash-[0-9a-f]{8}$' AND node_incoming_address NOT LIKE '%:%' LIMIT 1"

static void copy(char *out, size_t size, struct str s)
{
    (void)snprintf(out, size, "%.*s", (int)s.n, s.n ? s.p : "");
}

static bool means_yes(struct str s)
{
    return str_is(s, "ON") || str_is(s, "YES") || str_is(s, "1");
}

/* "…; gmcast.segment = 0; socket.ssl = YES; …": where a group speaks TLS, garbd must. */
static void read_options(struct str options, struct galera_node *out)
{
    struct str one, key;

    while (str_cut(&options, ';', &one)) {
        if (!str_cut(&one, '=', &key))
            continue;
        if (str_is(str_trim(key), "socket.ssl"))
            out->group_tls = means_yes(str_trim(one));
        else if (str_is(str_trim(key), "gmcast.segment") && str_to_u64(str_trim(one), &out->segment) < 0)
            out->segment = 0;
    }
}

static uint64_t number(struct str s)
{
    uint64_t n = 0;

    return str_to_u64(s, &n) < 0 ? 0 : n;
}

static bool names(struct str list, const char *word)
{
    struct str one;

    while (str_cut(&list, ',', &one))
        if (str_is(str_trim(one), word))
            return true;
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
        else if (str_is(key, "wsrep_evs_state"))
            copy(out->evs_state, sizeof(out->evs_state), line);
        else if (str_is(key, "wsrep_incoming_addresses"))
            copy(out->incoming, sizeof(out->incoming), line);
        else if (str_is(key, "wsrep_node_name"))
            copy(out->name, sizeof(out->name), line);
        else if (str_is(key, "version"))
            copy(out->version, sizeof(out->version), line);
        else if (str_is(key, "wsrep_provider_options"))
            read_options(line, out);
        else if (str_is(key, "wsrep_local_commits"))
            out->local_commits = number(line);
        else if (str_is(key, "wsrep_cluster_size"))
            out->cluster_size = number(line);
        else if (str_is(key, "wsrep_provider_version"))
            copy(out->provider, sizeof(out->provider), line);
        else if (str_is(key, "plugins"))
            copy(out->plugins, sizeof(out->plugins), line);
        else if (str_is(key, "wsrep_mode")) {
            out->replicates_aria = names(line, "REPLICATE_ARIA");
            out->replicates_myisam = names(line, "REPLICATE_MYISAM");
        }
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

int galera_check_plugins(const struct galera_node *n, bool (*has_library)(struct str library), struct error *e)
{
    AUTO_FREE char *who = mem_printf("node %s", n->name);

    return sst_check_plugins(who, str_of(n->plugins), has_library, e);
}

int galera_check_rest(const struct galera *g, struct error *e)
{
    for (size_t i = 0; i < g->n; i++) {
        const struct galera_node *n = &g->nodes[i];

        if (n->evs_state[0] && !str_same(n->evs_state, "OPERATIONAL"))
            return error_set(e, ERR_INVALID, "the group is in change: node %s is in %s (wsrep_evs_state)", n->name,
                             n->evs_state);
    }
    return 0;
}

/* Is a the better donor? What clients write to counts first, then the way to us. */
static bool is_better(const struct galera_node *a, const struct galera_node *b, int64_t segment)
{
    bool near_a = segment < 0 || a->segment == (uint64_t)segment;
    bool near_b = segment < 0 || b->segment == (uint64_t)segment;

    if (a->writes != b->writes)
        return a->writes < b->writes;
    if (near_a != near_b)
        return near_a;
    return a->local_commits < b->local_commits;
}

int galera_choose(const struct galera_node *nodes, size_t n, const char *name, int64_t segment)
{
    struct error e;
    int best = -1;

    for (size_t i = 0; i < n; i++)
        if (nodes[i].name[0] && (!*name || str_same(nodes[i].name, name)) && galera_check_node(&nodes[i], &e) == 0 &&
            (best < 0 || is_better(&nodes[i], &nodes[best], segment)))
            best = (int)i;
    return best;
}

size_t galera_synced_others(const struct galera *g)
{
    struct error e;
    size_t n = 0;

    if (g->n == 1)
        return g->nodes[0].cluster_size ? g->nodes[0].cluster_size - 1 : 0;
    for (size_t i = 1; i < g->n; i++)
        n += (int)i != g->donor && galera_check_node(&g->nodes[i], &e) == 0;
    return g->donor < 0 && n ? n - 1 : n; /* one of them will be the donor */
}

/* "26.4.23(r…)" and garbd's "INFO: 4.23.r": 4, 23. The wsrep API's number before it is left out. */
static bool read_version(struct str s, uint64_t *major, uint64_t *minor)
{
    struct str part;

    while (s.n && (*s.p < '0' || *s.p > '9')) {
        s.p++;
        s.n--;
    }
    if (!str_cut(&s, '.', &part) || str_to_u64(part, major) < 0)
        return false;
    if (*major >= 25 && (!str_cut(&s, '.', &part) || str_to_u64(part, major) < 0))
        return false;
    for (*minor = 0; s.n && *s.p >= '0' && *s.p <= '9' && *minor < 1000; s.p++, s.n--)
        *minor = *minor * 10 + (uint64_t)(*s.p - '0');
    return true;
}

int galera_check_garbd(struct str garbd, const char *provider, struct error *e)
{
    uint64_t ours, our_minor, theirs, their_minor;

    if (!read_version(garbd, &ours, &our_minor) || !read_version(str_of(provider), &theirs, &their_minor) ||
        ours >= theirs)
        return 0;
    return error_set(e, ERR_INVALID,
                     "this image's garbd is of Galera %llu.%llu, the cluster's provider is %s: a garbd of an older "
                     "series can't join; use the image of the database's series",
                     (unsigned long long)ours, (unsigned long long)our_minor, provider);
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

/* The members that the first node names, itself included: as [1], [2], …, so that each has its own address. */
static void ask_members(struct galera *g, struct sql *s)
{
    struct str rest = str_of(g->nodes[0].incoming);
    struct error e;

    g->n = 1;
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

/* A second look, a second later: who is written to now. */
static int note_writes(struct galera *g, struct sql *s, struct error *e)
{
    int rc = job_sleep(s->job, WRITES_MS, e);

    for (size_t i = 1; rc == 0 && i < g->n; i++) {
        struct galera_node *n = &g->nodes[i];
        uint64_t before = n->local_commits;

        if (ask_node(n, s, e) < 0)
            n->state[0] = 0; /* gone: no candidate */
        else if (n->local_commits > before)
            n->writes = n->local_commits - before;
        rc = job_check(s->job, e);
    }
    return rc;
}

/*
 * A group that still looks for a lost member and is joined by another can end with no primary component, for ever (seen
 * when a garbd was killed while it joined and the next one came five seconds later). So we come when it is at rest, and
 * when no garbd of ours is a member: it is another backup's, or it is dead and not missed yet.
 */
static int check_rest(struct galera *g, struct sql *s, struct error *e)
{
    struct error why;
    struct buf names;
    struct str name, rest;
    int rc = galera_check_rest(g, e);

    if (rc < 0)
        return rc;
    buf_init(&names, 4096);
    if (sql_query(s, NULL, 0, GARBD_QUERY, &names, &why) < 0) { /* no such table, or no right to read it */
        log_info(&s->job->log, "members of the group can't be listed", F_ERR(&why));
    } else if (rest = buf_str(&names), str_cut(&rest, '\n', &name) && name.n) {
        rc = error_set(e, ERR_INVALID, "the garbd of another backup, %.*s, is still a member of the group", (int)name.n,
                       name.p);
    }
    buf_done(&names);
    return rc;
}

static void choose(struct galera *g, const struct guard_settings *settings)
{
    /* With members at hand the first node is among them under its own address. */
    size_t first = g->n > 1;

    g->donor = galera_choose(g->nodes + first, g->n - first, settings->name, settings->segment);
    if (g->donor >= 0)
        g->donor += (int)first;
}

/* Is the cluster fit for a backup now? */
static int look_once(struct galera *g, struct sql *s, const struct guard_settings *settings, struct error *e)
{
    size_t others;
    int rc = ask_node(&g->nodes[0], s, e);

    if (rc == 0)
        rc = galera_check_node(&g->nodes[0], e);
    if (rc < 0)
        return rc;
    ask_members(g, s);
    if ((rc = note_writes(g, s, e)) < 0 || (rc = check_rest(g, s, e)) < 0)
        return rc;
    choose(g, settings);
    if (settings->name[0] && g->donor < 0)
        return error_set(e, ERR_INVALID,
                         "the AppBinding's parameters.donor.name is %s, but no synced node of the cluster has that "
                         "name",
                         settings->name);
    others = galera_synced_others(g);
    if (others < settings->min_synced)
        return error_set(e, ERR_INVALID,
                         "besides the donor %zu nodes are Synced, %u must be: bring the others back, or lower the "
                         "AppBinding's parameters.donor.minSynced",
                         others, settings->min_synced);
    return 0;
}

int galera_look(struct galera *g, struct sql *s, const struct guard_settings *settings, uint64_t wait_s,
                struct error *e)
{
    uint64_t end = env_now_ns(s->job->env) + wait_s * 1000000000u;
    int rc;

    *g = (struct galera){.n = 1, .donor = -1};
    for (;;) {
        rc = look_once(g, s, settings, e);
        if (rc == 0)
            g->flavour = sst_flavour_of(g->nodes[0].version);
        if (rc == 0 || rc == ERR_CANCELED || rc == ERR_DENIED)
            return rc;
        if (env_now_ns(s->job->env) >= end)
            return error_wrap(e, ERR_TIMEOUT, "the cluster was not fit for a backup within %llu s",
                              (unsigned long long)wait_s);
        log_info(&s->job->log, "cluster is not fit yet", F_ERR(e));
        if ((rc = job_sleep(s->job, RETRY_MS, e)) < 0)
            return rc;
    }
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

/* The names of those that are not Synced now, as "n2 (Joined), n3 (no answer)". */
static size_t list_unsynced(struct galera *g, struct sql *s, struct buf *names)
{
    struct error e;
    size_t unsynced = 0;

    for (size_t i = g->n > 1; i < g->n; i++) {
        bool answers = ask_node(&g->nodes[i], s, &e) == 0;

        if (answers && galera_check_node(&g->nodes[i], &e) == 0)
            continue;
        buf_printf(names, "%s%s (%s)", unsynced++ ? ", " : "", g->nodes[i].name,
                   answers ? g->nodes[i].state : "no answer");
    }
    return unsynced;
}

int galera_wait_all(struct galera *g, struct sql *s, uint64_t wait_s, struct error *e)
{
    uint64_t end = env_now_ns(s->job->env) + wait_s * 1000000000u;
    struct buf names;
    int rc;

    buf_init(&names, 4096);
    for (;;) {
        buf_clear(&names);
        rc = list_unsynced(g, s, &names) ? ERR_TIMEOUT : 0;
        if (rc == 0 || (rc = job_check(s->job, e)) < 0)
            break;
        if (env_now_ns(s->job->env) >= end) {
            rc = error_set(e, ERR_TIMEOUT, "not Synced %llu s after the backup: %s", (unsigned long long)wait_s,
                           buf_str(&names).p);
            break;
        }
        if ((rc = job_sleep(s->job, SYNC_POLL_MS, e)) < 0)
            break;
    }
    buf_done(&names);
    return rc;
}

#define UNREPLICATED                                                                                                   \
    "FROM information_schema.TABLES WHERE TABLE_TYPE='BASE TABLE' AND ENGINE NOT IN ('InnoDB'%s%s) "                   \
    "AND TABLE_SCHEMA NOT IN ('mysql','sys','performance_schema','information_schema')"

int galera_find_unreplicated(struct galera *g, struct sql *s, int64_t *ret, struct buf *names, struct error *e)
{
    const char *aria = g->nodes[0].replicates_aria ? ",'Aria'" : "",
               *myisam = g->nodes[0].replicates_myisam ? ",'MyISAM'" : "";
    AUTO_FREE char *query =
        mem_printf("SELECT COUNT(*) " UNREPLICATED ";"
                   "SELECT CONCAT(TABLE_SCHEMA,'.',TABLE_NAME,' (',ENGINE,')') " UNREPLICATED
                   " ORDER BY TABLE_SCHEMA,TABLE_NAME LIMIT %d",
                   aria, myisam, aria, myisam, TABLES_NAMED);
    struct str rest, line;
    struct buf out;
    int rc;

    buf_init(&out, 64 * 1024);
    rc = sql_query(s, NULL, 0, query, &out, e);
    rest = buf_str(&out);
    if (rc == 0 && (!str_cut(&rest, '\n', &line) || str_to_i64(str_trim(line), ret) < 0))
        rc = error_set(e, ERR_INVALID, "the count of tables is no number");
    while (rc == 0 && str_cut(&rest, '\n', &line))
        if (line.n)
            buf_printf(names, "%s%.*s", names->len ? ", " : "", (int)line.n, line.p);
    if (rc == 0 && *ret > TABLES_NAMED)
        buf_puts(names, ", …");
    buf_done(&out);
    return rc;
}
