/* test_sst: the texts of a state transfer, the choice of a donor, and the receiver on a real socket with a donor played
 * by the test (datapath.md 9, datapath-percona.md 2 and 3). */
#include "test.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "controllers/job/app.h"
#include "controllers/job/backup_cluster.h"
#include "controllers/job/galera.h"
#include "controllers/job/receive.h"
#include "controllers/job/sst.h"
#include "controllers/job/words.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"
#include "core/net/cert.h"

#define UUID "73e229dd-e717-11f1-abe5-5a65c35de646"

static int tear_down(void **state)
{
    (void)state;
    return mem_live() ? -1 : 0;
}

/* ---- texts ---- */

static void assert_request(const struct sst_request *r, const char *expected)
{
    struct buf b;

    buf_init(&b, 1024);
    sst_format_request(r, &b);
    assert_string_equal(b.data, expected);
    buf_done(&b);
}

static void a_request_names_method_address_and_version(void **state)
{
    (void)state;
    assert_request(&(struct sst_request){.method = "xtrabackup-v2", .address = "10.0.0.7", .port = 4444},
                   "xtrabackup-v2:10.0.0.7:4444/xtrabackup_sst//1");
    assert_request(&(struct sst_request){.method = "mariabackup", .address = "fd00::7", .port = 4444, .secret = "abc"},
                   "mariabackup:stash:abc@[fd00::7]:4444/xtrabackup_sst//1");
    assert_request(&(struct sst_request){.method = "m", .address = "a", .port = 1, .name = "cn", .secret = "s"},
                   "m:cn:s@a:1/xtrabackup_sst//1");
}

static void the_method_fits_the_server(void **state)
{
    (void)state;
    assert_string_equal(sst_method_of("xtrabackup-v2", XBSTREAM_MARIADB), "mariabackup");
    assert_string_equal(sst_method_of("", XBSTREAM_MARIADB), "mariabackup");
    assert_string_equal(sst_method_of("backup", XBSTREAM_MARIADB), "backup");
    assert_string_equal(sst_method_of("", XBSTREAM_PERCONA_80), "xtrabackup-v2");
    assert_int_equal(sst_flavour_of("10.11.19-MariaDB-0+deb12u1-log"), XBSTREAM_MARIADB);
    assert_int_equal(sst_flavour_of("8.0.36-28.1"), XBSTREAM_PERCONA_80);
    assert_int_equal(sst_flavour_of("5.7.44-31.65"), XBSTREAM_PERCONA_57);
}

static void the_log_of_garbd_is_understood(void **state)
{
    struct sst_log l;

    (void)state;
    sst_parse_log(
        STR(" INFO: Member 3.0 (garb) requested state transfer from 'n2'. Selected 1.0 (n2)(SYNCED) as donor."), &l);
    assert_int_equal(l.type, SST_LOG_SELECTED);
    assert_string_equal(l.donor, "n2");
    assert_string_equal(l.joiner, "garb");
    assert_string_equal(l.state, "SYNCED");
    sst_parse_log(
        STR("Member 3.0 (garb) requested state transfer from '*any*'. Selected 1.0 (n2)(JOINED) as donor."), &l);
    assert_string_equal(l.state, "JOINED");
    sst_parse_log(STR("Selected 1.0 (n2)(SYNCED) as donor."), &l);
    assert_string_equal(l.joiner, "");
    sst_parse_log(STR("Selected 1.0 ()(SYNCED) as donor."), &l); /* wsrep_node_name may be empty */
    assert_string_equal(l.donor, "1.0");
    sst_parse_log(STR("WARN: it is impossible to select State Transfer donor: Resource temporarily unavailable"), &l);
    assert_int_equal(l.type, SST_LOG_BUSY);
    sst_parse_log(STR("FATAL: State transfer request failed: -113 (No route to host)"), &l);
    assert_int_equal(l.type, SST_LOG_REFUSED);
    sst_parse_log(STR("INFO: Received NON-PRIMARY."), &l);
    assert_int_equal(l.type, SST_LOG_NO_GROUP);
    sst_parse_log(STR("WARN: read_handler(): tlsv1 alert unknown ca (167773208: 'error:0A000418:SSL routines::tlsv1 "
                      "alert unknown ca')"),
                  &l);
    assert_int_equal(l.type, SST_LOG_TLS);
    assert_string_equal(l.text, "tlsv1 alert unknown ca");
    sst_parse_log(STR("Failed to establish connection: certificate verify failed: certificate has expired"), &l);
    assert_int_equal(l.type, SST_LOG_TLS);
    assert_string_equal(l.text, "certificate verify failed: certificate has expired");
    sst_parse_log(STR("INFO: State transfer from 1.0 (n2) complete."), &l);
    assert_int_equal(l.type, SST_LOG_OTHER);
    sst_parse_log(STR_NONE, &l);
    assert_int_equal(l.type, SST_LOG_OTHER);
}

/* ---- the donor ---- */

static void a_node_is_read_from_its_variables(void **state)
{
    struct galera_node n = {0};
    struct error e;

    (void)state;
    galera_parse_node(STR("wsrep_ready\tON\nwsrep_connected\tON\nwsrep_local_state_comment\tSynced\n"
                          "wsrep_cluster_status\tPrimary\nwsrep_local_commits\t12\nwsrep_node_name\tn1\n"
                          "version\t10.11.19-MariaDB\nwsrep_incoming_addresses\t10.0.0.1:3306,[fd00::2]:3307,AUTO\n"
                          "wsrep_provider_options\tbase_port = 4567; socket.ssl = YES; socket.ssl_ca = x; \n"),
                      &n);
    assert_string_equal(n.name, "n1");
    assert_true(n.group_tls);
    assert_int_equal(n.local_commits, 12);
    assert_int_equal(galera_check_node(&n, &e), 0);
    memcpy(n.state, "Donor/Desynced", 15);
    assert_int_equal(galera_check_node(&n, &e), ERR_INVALID);
    assert_string_equal(e.msg, "node n1 is Donor/Desynced, not Synced");
    assert_int_equal(galera_check_node(&(struct galera_node){0}, &e), ERR_INVALID);
}

static void a_group_in_change_is_no_place_to_come_to(void **state)
{
    static struct galera g = {.n = 2, .nodes = {{.name = "n1"}, {.name = "n2"}}};
    struct error e;

    (void)state;
    assert_int_equal(galera_check_rest(&g, &e), 0); /* servers that don't tell */
    galera_parse_node(STR("wsrep_evs_state\tOPERATIONAL\n"), &g.nodes[0]);
    galera_parse_node(STR("wsrep_evs_state\tGATHER\n"), &g.nodes[1]);
    assert_int_equal(galera_check_rest(&g, &e), ERR_INVALID);
    assert_string_equal(e.msg, "the group is in change: node n2 is in GATHER (wsrep_evs_state)");
    galera_parse_node(STR("wsrep_evs_state\tOPERATIONAL\n"), &g.nodes[1]);
    assert_int_equal(galera_check_rest(&g, &e), 0);
}

static void the_addresses_of_members_are_taken_apart(void **state)
{
    struct str rest = STR(",10.0.0.1:3306, [fd00::2]:3307,AUTO,x:99999,last:1");
    char host[256];
    uint16_t port;

    (void)state;
    assert_true(galera_next_address(&rest, host, &port));
    assert_string_equal(host, "10.0.0.1");
    assert_true(galera_next_address(&rest, host, &port));
    assert_string_equal(host, "fd00::2");
    assert_int_equal(port, 3307);
    assert_true(galera_next_address(&rest, host, &port));
    assert_string_equal(host, "last");
    assert_false(galera_next_address(&rest, host, &port));
}

static struct galera_node node(const char *name, const char *synced, uint64_t commits)
{
    struct galera_node n = {.ready = true, .connected = true, .local_commits = commits};

    (void)snprintf(n.name, sizeof(n.name), "%s", name);
    (void)snprintf(n.state, sizeof(n.state), "%s", synced);
    (void)snprintf(n.status, sizeof(n.status), "Primary");
    return n;
}

static void the_donor_is_the_synced_node_with_the_fewest_writes(void **state)
{
    struct galera_node nodes[4] = {node("w", "Synced", 900), node("a", "Donor/Desynced", 0), node("b", "Synced", 7),
                                   node("c", "Synced", 7)};

    (void)state;
    assert_int_equal(galera_choose(nodes, 4, "", -1), 2);
    assert_int_equal(galera_choose(nodes + 1, 1, "", -1), -1);
    nodes[0].name[0] = 0; /* without a name it can't be asked for */
    assert_int_equal(galera_choose(nodes, 1, "", -1), -1);
}

/* ---- the AppBinding ---- */

static void assert_place(const char *config, const char *host, int port)
{
    AUTO_FREE char *text =
        mem_printf("{\"metadata\":{\"name\":\"db\",\"namespace\":\"demo\"},\"spec\":{\"clientConfig\":%s}}", config);
    json_t *o = json_loads(text, 0, NULL);
    struct app a;
    struct error e = {0};
    int rc = app_init_plain(&a, o, &e);

    if (host) {
        assert_int_equal(rc, 0);
        assert_string_equal(a.host, host);
        assert_int_equal(a.port, port);
    } else {
        assert_int_equal(rc, ERR_INVALID);
    }
    app_done(&a);
    json_decref(o);
}

static void the_place_of_a_database_is_its_service_or_url(void **state)
{
    (void)state;
    assert_place("{\"service\":{\"name\":\"db\",\"port\":3306},\"url\":\"x\"}", "db.demo.svc", 3306);
    assert_place("{\"service\":{\"name\":\"db\",\"namespace\":\"other\"}}", "db.other.svc", 0);
    assert_place("{\"url\":\"mysql://u:p@db.example:3307/x?y\"}", "db.example", 3307);
    assert_place("{\"url\":\"mysql://[fd00::1]:3306\"}", "fd00::1", 3306);
    assert_place("{\"url\":\"tcp(db:3306)/\"}", "db", 3306);
    assert_place("{\"url\":\"tcp(db)/\"}", "db", 0);
    assert_place("{\"url\":\"mysql://db/\"}", NULL, 0);
    assert_place("{\"url\":\"db:3306\"}", NULL, 0);
    assert_place("{}", NULL, 0);
}

static void an_option_file_survives_any_password(void **state)
{
    struct app a = {.host = mem_strdup("db"), .port = 3306, .server_name = mem_strdup("db")};
    struct error e;
    struct buf b;

    (void)state;
    assert_int_equal(secrets_set(&a.secrets, "username", STR("app"), &e), 0);
    assert_int_equal(secrets_set(&a.secrets, "password", STR("a\"b\\n#;\n"), &e), 0);
    buf_init(&b, 4096);
    app_option_file(&a, APP_CLIENT_MYSQL, NULL, 0, "/ca", NULL, NULL, &b);
    assert_string_equal(b.data, "[client]\nuser=\"app\"\npassword=\"a\\\"b\\\\n#;\\n\"\nhost=\"db\"\nprotocol=tcp\n"
                                "port=3306\nssl-ca=\"/ca\"\nssl-mode=VERIFY_IDENTITY\n");
    buf_clear(&b);
    app_option_file(&a, APP_CLIENT_MYSQL, "10.0.0.1", 3307, "/ca", NULL, NULL, &b);
    assert_non_null(strstr(b.data, "port=3307\nssl-ca=\"/ca\"\nssl-mode=VERIFY_CA\n"));
    buf_clear(&b);
    app_option_file(&a, APP_CLIENT_MARIADB, "10.0.0.1", 3307, "/ca", NULL, NULL, &b);
    assert_non_null(strstr(b.data, "ssl-ca=\"/ca\"\nssl\nssl-verify-server-cert=0\n"));
    a.insecure_skip_verify = true; /* a client that is given a CA verifies all the same */
    buf_clear(&b);
    app_option_file(&a, APP_CLIENT_MARIADB, NULL, 0, "/ca", NULL, NULL, &b);
    assert_non_null(strstr(b.data, "port=3306\nssl\nssl-verify-server-cert=0\n"));
    buf_clear(&b);
    app_option_file(&a, APP_CLIENT_MYSQL, NULL, 0, "/ca", NULL, NULL, &b);
    assert_non_null(strstr(b.data, "port=3306\nssl-mode=REQUIRED\n"));
    buf_done(&b);
    app_done(&a);
}

static struct secrets *more_keys(void *ctx, size_t n, const json_t *ref, struct error *e)
{
    (void)n;
    (void)ref;
    (void)e;
    return ctx;
}

static void secret_transforms_run_in_order(void **state)
{
    static const char text[] =
        "[{\"renameKey\":{\"from\":\"user\",\"to\":\"username\"}},{\"addKeysFrom\":{\"secretRef\":"
        "{\"name\":\"x\"}}},{\"removeKey\":{\"key\":\"junk\"}},{\"addKey\":{\"key\":\"b\",\"value\":"
        "\"aGVsbG8=\"}},{\"addKey\":{\"key\":\"c\",\"value\":\"eA==\",\"stringValue\":\"s\"}}]";
    json_t *transforms = json_loads(text, 0, NULL), *bad = json_loads("[{\"a\":1,\"b\":2}]", 0, NULL);
    struct secrets s = {0}, more = {0};
    struct error e;

    (void)state;
    assert_int_equal(secrets_set(&s, "user", STR("me"), &e), 0);
    assert_int_equal(secrets_set(&more, "password", STR("pw"), &e), 0);
    assert_int_equal(secrets_set(&more, "junk", STR("j"), &e), 0);
    assert_int_equal(secrets_transform(&s, transforms, more_keys, &more, &e), 0);
    assert_true(str_is(secrets_get(&s, "username"), "me"));
    assert_null(secrets_get(&s, "user").p);
    assert_true(str_is(secrets_get(&s, "password"), "pw"));
    assert_null(secrets_get(&s, "junk").p);
    assert_true(str_is(secrets_get(&s, "b"), "hello"));
    assert_true(str_is(secrets_get(&s, "c"), "s"));
    assert_int_equal(secrets_transform(&s, bad, more_keys, &more, &e), ERR_INVALID);
    secrets_done(&s);
    secrets_done(&more);
    json_decref(transforms);
    json_decref(bad);
}

static void words_follow_the_shells_quotes(void **state)
{
    static const char *const expected[] = {"a b", "c\"d", "e\\f", "gh", "", "$x"};
    struct words w = {0};
    struct error e;

    (void)state;
    assert_int_equal(words_split(&w, STR("  'a b' \"c\\\"d\" \"e\\f\" g''h '' \\$x\n"), &e), 0);
    assert_int_equal(w.n, 6);
    for (size_t i = 0; i < w.n; i++)
        assert_string_equal(w.items[i], expected[i]);
    assert_int_equal(words_split(&w, STR("'open"), &e), ERR_INVALID);
    assert_int_equal(words_split(&w, STR("end\\"), &e), ERR_INVALID);
    words_done(&w);
}

/* ---- the receiver, with a donor played by the test ---- */

struct world {
    struct env *env;
    struct job job;
    struct receive receive;
    struct buf got;
    struct error error;
    struct cert ca, cert;
    struct tls_context *server, *client;
    int infos, begins;
    bool ended, closed, client_gone, silent_gone;
};

static void put_chunk(struct buf *b, char type, const char *path, const char *text)
{
    uint64_t n = strlen(text);
    uint32_t crc = (uint32_t)crc32(0, (const unsigned char *)text, (unsigned)n), len = (uint32_t)strlen(path);

    buf_puts(b, "XBSTCK01");
    buf_putc(b, 0);
    buf_putc(b, type);
    buf_add(b, &len, 4);
    buf_puts(b, path);
    if (type == 'E')
        return;
    buf_add(b, &n, 8);
    n = 0;
    buf_add(b, &n, 8);
    buf_add(b, &crc, 4);
    buf_puts(b, text);
}

static void put_file(struct buf *b, const char *path, const char *text)
{
    put_chunk(b, 'P', path, text);
    put_chunk(b, 'E', path, "");
}

static void put_info(struct buf *b, const char *secret)
{
    AUTO_FREE char *text = mem_printf(UUID ":744 1\n%s%s\n", secret ? "secret " : "", secret ? secret : "");

    put_file(b, "xtrabackup_galera_info", text);
    put_file(b, "donor_galera_info", text);
}

static void put_data(struct buf *b)
{
    put_file(b, "ibdata1", "pages");
    put_file(b, "xtrabackup_galera_info", UUID ":1013 1\n");
    put_file(b, "xtrabackup_checkpoints", "x");
    put_file(b, "backup-my.cnf", "x");
    put_file(b, "xtrabackup_info", "x");
}

static void on_info(struct receive *r, const struct sst_info *info)
{
    struct world *w = r->data;

    assert_string_equal(info->position, UUID ":744");
    w->infos++;
}

static bool on_data_begin(struct receive *r, struct error *e)
{
    (void)e;
    ((struct world *)r->data)->begins++;
    return true;
}

static bool on_data(struct receive *r, struct str bytes)
{
    buf_add_str(&((struct world *)r->data)->got, bytes);
    return true;
}

static void on_data_end(struct receive *r)
{
    ((struct world *)r->data)->ended = true;
    receive_stop(r);
}

static void on_failed(struct receive *r, const struct error *e)
{
    ((struct world *)r->data)->error = *e;
}

static void on_closed(struct receive *r)
{
    ((struct world *)r->data)->closed = true;
}

static void to_nowhere(void *ctx, struct str line)
{
    (void)ctx;
    (void)line;
}

static void world_start(struct world *w)
{
    *w = (struct world){.env = env_uv_new(), .silent_gone = true};
    job_init(&w->job, w->env, "/tmp", "/tmp");
    w->job.log.write = to_nowhere;
    buf_init(&w->got, 1 << 20);
}

/* ---- what could not be restored ---- */

static bool only_lz4(struct str library)
{
    return str_is(library, "provider_lz4");
}

static void a_node_with_plugins_that_a_restore_lacks_is_refused(void **state)
{
    struct galera_node n = node("n2", "Synced", 0);
    struct error e;

    (void)state;
    assert_int_equal(galera_check_plugins(&n, only_lz4, &e), 0);
    galera_parse_node(STR("version\t10.11.19-MariaDB\nplugins\t\n"), &n);
    assert_int_equal(galera_check_plugins(&n, only_lz4, &e), 0);
    galera_parse_node(STR("plugins\tprovider_lz4=provider_lz4.so\n"), &n);
    assert_int_equal(galera_check_plugins(&n, only_lz4, &e), 0);
    galera_parse_node(STR("plugins\tprovider_lz4=provider_lz4.so;provider_lzo=ours.so\n"), &n);
    assert_int_equal(galera_check_plugins(&n, only_lz4, &e), ERR_INVALID);
    assert_non_null(strstr(e.msg, "node n2 compresses pages by a plugin that a restore in this image would not have "
                                  "(provider_lzo, library ours): remove it from the nodes"));
    assert_non_null(strstr(e.msg, "dump the server instead"));
    galera_parse_node(STR("plugins\tprovider_lz4=provider_lz4.so;file_key_management=file_key_management.so\n"), &n);
    assert_int_equal(galera_check_plugins(&n, only_lz4, &e), ERR_INVALID);
    assert_non_null(strstr(e.msg, "node n2 encrypts data at rest (plugin file_key_management)"));
    assert_non_null(strstr(e.msg, "dump the server instead"));
    galera_parse_node(STR("plugins\tbuilt_in\n"), &n);
    assert_int_equal(galera_check_plugins(&n, only_lz4, &e), ERR_INVALID);
    assert_non_null(strstr(e.msg, "encrypts data at rest (plugin built_in)"));
}

static void assert_stream(enum xbstream_flavour flavour, const char *file, const char *text, const char *error)
{
    struct xbstream *x = xbstream_new();
    struct error e;
    struct buf b;

    buf_init(&b, 4096);
    put_file(&b, file, text);
    assert_int_equal(xbstream_feed(x, b.data, b.len, &e), 0);
    assert_int_equal(sst_check_stream(x, flavour, only_lz4, &e), error ? ERR_INVALID : 0);
    if (error)
        assert_non_null(strstr(e.msg, error));
    buf_done(&b);
    xbstream_free(x);
}

static void what_no_restore_can_read_is_seen_as_it_passes(void **state)
{
    (void)state;
    assert_stream(XBSTREAM_MARIADB, "shop/a.ibd", "pages", NULL);
    assert_stream(XBSTREAM_MARIADB, "shop/a.ibd.qp", "pages", "remove compress from [mariabackup]");
    assert_stream(XBSTREAM_PERCONA_57, "shop/a.ibd.qp", "pages", NULL);
    assert_stream(XBSTREAM_PERCONA_80, "shop/a.ibd.zst", "pages", NULL);
    assert_stream(XBSTREAM_PERCONA_80, "shop/a.ibd.zst.xbcrypt", "pages", "remove encrypt from [xtrabackup]");
    assert_stream(XBSTREAM_MARIADB, "backup-my.cnf", "[mysqld]\ninnodb_page_size=16384\n", NULL);
    assert_stream(XBSTREAM_MARIADB, "backup-my.cnf", "[mysqld]\nplugin_load=provider_lz4=provider_lz4\n", NULL);
    assert_stream(XBSTREAM_MARIADB, "backup-my.cnf",
                  "[mysqld]\nplugin_load=provider_lz4=provider_lz4;provider_lzo=provider_lzo\n",
                  "the donor compresses pages by a plugin that a restore in this image would not have (provider_lzo, ");
    assert_stream(XBSTREAM_MARIADB, "backup-my.cnf",
                  "[mysqld]\nplugin_dir=\"/p/\"\nplugin_load=provider_lz4=provider_lz4\n"
                  "plugin_load=provider_lz4=provider_lz4;file_key_management=file_key_management\n",
                  "encrypts data at rest (plugin file_key_management)");
}

static void a_backup_that_would_be_prepared_without_its_provider_is_refused(void **state)
{
    struct error e;

    (void)state;
    assert_int_equal(sst_check_prepare(STR_NONE, only_lz4, &e), 0);
    assert_int_equal(sst_check_prepare(STR("[mysqld]\nplugin_load=provider_lz4=provider_lz4;k=k\n"), only_lz4, &e), 0);
    assert_int_equal(sst_check_prepare(STR("plugin_load=k=k;provider_lzo=ours"), only_lz4, &e), ERR_INVALID);
    assert_non_null(strstr(e.msg, "a plugin that this image has not (provider_lzo, library ours)"));
    assert_non_null(strstr(e.msg, "restore with an image that has it"));
}

static void a_server_of_another_series_is_refused(void **state)
{
    static struct cluster c = {.galera.flavour = XBSTREAM_MARIADB};
    struct app app = {.ns = "demo", .name = "db"};
    struct backup b = {.app = &app};
    struct error e;

    (void)state;
    c.b = &b;
    assert_int_equal(backup_cluster_fits(&c, "11.4.2-MariaDB", &e), 0); /* an image that restores nothing at all */
    (void)snprintf(c.tool_version, sizeof(c.tool_version), "10.11.19-MariaDB");
    assert_int_equal(backup_cluster_fits(&c, "10.11.8-MariaDB-log", &e), 0);
    assert_int_equal(backup_cluster_fits(&c, "11.4.2-MariaDB", &e), ERR_INVALID);
    assert_non_null(strstr(e.msg, "AppBinding demo/db: this image could not restore it: "));
    assert_non_null(strstr(e.msg, "needs mariadb-backup 11.4"));
}

static void make_tls(struct world *w)
{
    struct cert_spec ca = {.common_name = "ca", .ca = true, .from_unix_s = 0, .to_unix_s = 4000000000};
    struct cert_spec leaf = {.common_name = "node", .from_unix_s = 0, .to_unix_s = 4000000000};
    struct tls_options server = {.server = true, .need_client_cert = true, .no_name_check = true};
    struct tls_options client = {.no_name_check = true};

    assert_int_equal(cert_make(&ca, NULL, &w->ca, &w->error), 0);
    assert_int_equal(cert_make(&leaf, &w->ca, &w->cert, &w->error), 0);
    server.ca_pem = client.ca_pem = str_of(w->ca.cert_pem);
    server.cert_pem = client.cert_pem = str_of(w->cert.cert_pem);
    server.key_pem = client.key_pem = str_of(w->cert.key_pem);
    w->server = tls_context_new(&server, &w->error);
    w->client = tls_context_new(&client, &w->error);
    assert_non_null(w->server);
    assert_non_null(w->client);
}

/* No donor is selected yet. */
static void world_wait(struct world *w, const char *secret)
{
    w->receive =
        (struct receive){.job = &w->job,
                         .address = "127.0.0.1",
                         .secret = secret,
                         .tls = w->server,
                         .complete = {.flavour = XBSTREAM_MARIADB, .galera = true},
                         .limits = {.first_ms = 20000, .gap_ms = 20000, .idle_ms = 20000, .unreadable_ms = 15000},
                         .on_info = on_info,
                         .on_data_begin = on_data_begin,
                         .on_data = on_data,
                         .on_data_end = on_data_end,
                         .on_failed = on_failed,
                         .on_closed = on_closed,
                         .data = w};
    assert_int_equal(receive_start(&w->receive, &w->error), 0);
}

static void world_expect(struct world *w, const char *donor)
{
    struct receive_addresses a = {.n = 1};

    (void)snprintf(a.items[0], sizeof(a.items[0]), "%s", donor);
    receive_expect(&w->receive, &a);
}

static void world_listen(struct world *w, const char *secret)
{
    world_wait(w, secret);
    world_expect(w, "127.0.0.1");
}

static void world_begin(struct world *w, const char *secret)
{
    world_start(w);
    world_listen(w, secret);
}

static void world_end(struct world *w)
{
    receive_stop(&w->receive);
    job_wait(&w->job, &w->closed);
    job_wait(&w->job, &w->silent_gone);
    tls_context_free(w->server);
    tls_context_free(w->client);
    cert_done(&w->ca);
    cert_done(&w->cert);
    buf_done(&w->got);
    job_done(&w->job);
    env_uv_free(w->env);
}

static void on_client_closed(struct tcp *c, int rc, const struct error *e)
{
    (void)rc;
    (void)e;
    ((struct world *)tcp_data(c))->client_gone = true;
}

static void on_silent_closed(struct tcp *c, int rc, const struct error *e)
{
    (void)rc;
    (void)e;
    ((struct world *)tcp_data(c))->silent_gone = true;
}

static const struct tcp_callbacks client_callbacks = {.on_closed = on_client_closed};
static const struct tcp_callbacks silent_callbacks = {.on_eof = tcp_close, .on_closed = on_silent_closed};

static struct tcp *connect_as(struct world *w, const struct tcp_callbacks *callbacks)
{
    uint16_t port = receive_port(&w->receive);

    assert_int_not_equal(port, 0);
    return tcp_connect(w->env, "127.0.0.1", port, w->client, 5000, callbacks, w);
}

/* One that stays; world_end waits for its end. */
static struct tcp *connect_silent(struct world *w)
{
    w->silent_gone = false;
    return connect_as(w, &silent_callbacks);
}

/* One connection that sends all this, ends in order, and is waited for. */
static void send_all(struct world *w, const struct buf *b)
{
    struct tcp *c = connect_as(w, &client_callbacks);

    w->client_gone = false;
    if (b->len)
        tcp_write(c, buf_str(b));
    tcp_shutdown(c);
    job_wait(&w->job, &w->client_gone);
}

/* Somebody at another address who sends this and stays. */
static int come_from(struct world *w, const char *address, const char *text)
{
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_port = htons(receive_port(&w->receive));
    assert_int_equal(inet_pton(AF_INET, address, &from.sin_addr), 1);
    assert_int_equal(inet_pton(AF_INET, "127.0.0.1", &to.sin_addr), 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    return fd;
}

static void send_text(struct world *w, const char *text)
{
    struct buf b;

    buf_init(&b, 4096);
    buf_puts(&b, text);
    send_all(w, &b);
    buf_done(&b);
}

static void send_info(struct world *w, const char *secret)
{
    struct buf b;

    buf_init(&b, 4096);
    put_info(&b, secret);
    send_all(w, &b);
    buf_done(&b);
}

static void send_data(struct world *w)
{
    struct buf b;

    buf_init(&b, 4096);
    put_data(&b);
    send_all(w, &b);
    if (w->ended) {
        assert_int_equal(w->got.len, b.len);
        assert_memory_equal(w->got.data, b.data, b.len);
    }
    buf_done(&b);
}

static void a_transfer_comes_over_two_connections(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, "s3cret");
    send_info(&w, "s3cret");
    assert_int_equal(w.infos, 1);
    send_data(&w);
    assert_true(w.ended);
    assert_int_equal(w.error.code, 0);
    world_end(&w);
}

static void strangers_change_nothing(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, "s3cret");
    send_text(&w, "hello");
    send_text(&w, "");
    send_info(&w, "wrong");
    send_info(&w, NULL);
    assert_int_equal(w.infos, 0);
    send_info(&w, "s3cret");
    send_text(&w, "GET / HTTP/1.0\r\n\r\n");
    send_text(&w, "XBSTCK01");
    send_data(&w);
    assert_true(w.ended);
    world_end(&w);
}

static void a_repeated_first_connection_is_fine(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, NULL);
    send_info(&w, NULL);
    send_info(&w, NULL);
    assert_int_equal(w.infos, 1);
    send_data(&w);
    assert_true(w.ended);
    world_end(&w);
}

static void data_before_the_first_connection_is_refused(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, NULL);
    send_data(&w);
    assert_int_equal(w.begins, 0);
    assert_int_equal(w.got.len, 0);
    assert_non_null(strstr(w.receive.seen, "a data stream, before its first connection"));
    world_end(&w);
}

/* Percona's donors try for 30 s to send, also what nobody wants any more. */
static void the_data_of_an_earlier_transfer_does_not_end_this_one(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, NULL);
    send_data(&w);
    send_info(&w, NULL);
    send_data(&w);
    assert_int_equal(w.error.code, 0);
    assert_true(w.ended);
    world_end(&w);
}

/* Percona's donors show nothing that only they have, so nobody's word counts before there is a donor. */
static void a_first_connection_waits_until_a_donor_is_selected(void **state)
{
    struct world w;
    struct tcp *c;
    struct buf b;

    (void)state;
    world_start(&w);
    world_wait(&w, NULL);
    buf_init(&b, 4096);
    put_info(&b, NULL);
    c = connect_silent(&w);
    tcp_write(c, buf_str(&b));
    tcp_shutdown(c);
    buf_done(&b);
    send_text(&w, "hello"); /* accepted after it */
    send_data(&w);
    assert_int_equal(w.infos, 0);
    assert_int_equal(w.begins, 0);
    world_expect(&w, "127.0.0.1");
    for (int i = 0; i < 500 && !w.infos; i++)
        send_text(&w, "hello");
    assert_int_equal(w.infos, 1);
    send_data(&w);
    assert_true(w.ended);
    world_end(&w);
}

static void a_stranger_can_not_play_a_donor_that_shows_nothing(void **state)
{
    struct world w;

    (void)state;
    world_start(&w);
    world_wait(&w, NULL);
    world_expect(&w, "127.0.0.2");
    send_info(&w, NULL);
    send_data(&w);
    assert_int_equal(w.infos, 0);
    assert_int_equal(w.begins, 0);
    assert_false(w.ended);
    assert_int_equal(w.error.code, 0); /* the donor may still come */
    assert_non_null(strstr(w.receive.seen, "before its first connection"));
    world_end(&w);
}

static void a_donor_that_proves_itself_may_come_from_anywhere(void **state)
{
    struct world w;

    (void)state;
    world_start(&w);
    world_wait(&w, "s3cret");
    world_expect(&w, "127.0.0.2");
    send_info(&w, "s3cret");
    send_data(&w);
    assert_true(w.ended);
    world_end(&w);
    world_start(&w);
    make_tls(&w);
    world_wait(&w, NULL);
    w.receive.tls_proves = true;
    world_expect(&w, "127.0.0.2");
    send_info(&w, NULL);
    send_data(&w);
    assert_true(w.ended);
    world_end(&w);
}

/* mariadb-backup opens all tablespaces before it writes a byte; its socat is connected long before that. */
static void a_donor_may_be_silent_before_its_first_byte(void **state)
{
    struct world w;
    struct tcp *c;
    struct buf b;

    (void)state;
    world_begin(&w, NULL);
    w.receive.limits.unreadable_ms = 1;
    send_info(&w, NULL);
    c = connect_silent(&w);
    send_text(&w, "hello"); /* accepted after it */
    send_text(&w, "Salted__12345678");
    for (int i = 0; i < 100 && !w.error.code; i++) /* the time that is left passes */
        send_text(&w, "hello");
    assert_int_equal(w.error.code, 0);
    buf_init(&b, 4096);
    put_data(&b);
    tcp_write(c, buf_str(&b));
    tcp_shutdown(c);
    buf_done(&b);
    job_wait(&w.job, &w.closed);
    assert_true(w.ended);
    world_end(&w);
}

static void a_donor_that_stays_silent_ends_the_transfer(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, NULL);
    w.receive.limits.unreadable_ms = w.receive.limits.idle_ms = 1;
    send_info(&w, NULL);
    (void)connect_silent(&w);
    send_text(&w, "Salted__12345678");
    for (int i = 0; i < 2000 && !w.error.code; i++) /* its limit is not that of strangers */
        send_text(&w, "hello");
    assert_int_equal(w.error.code, ERR_TIMEOUT);
    assert_non_null(strstr(w.error.msg, "second connection in time"));
    world_end(&w);
}

static void strangers_that_stay_do_not_keep_the_donor_out(void **state)
{
    int fds[2][20];
    struct world w;
    struct tcp *c;
    struct buf b;

    (void)state;
    world_begin(&w, NULL);
    for (int i = 0; i < 20; i++)
        fds[0][i] = come_from(&w, "127.0.0.2", "");
    send_info(&w, NULL);
    assert_int_equal(w.infos, 1);
    c = connect_silent(&w);
    send_text(&w, "hello"); /* accepted after it */
    for (int i = 0; i < 20; i++)
        fds[1][i] = come_from(&w, "127.0.0.2", "");
    send_text(&w, "hello");
    buf_init(&b, 4096);
    put_data(&b);
    tcp_write(c, buf_str(&b));
    tcp_shutdown(c);
    buf_done(&b);
    job_wait(&w.job, &w.closed);
    assert_true(w.ended);
    for (int i = 0; i < 40; i++)
        (void)close(fds[i / 20][i % 20]);
    world_end(&w);
}

static void a_stranger_does_not_shorten_the_wait(void **state)
{
    struct world w;
    int fd;

    (void)state;
    world_begin(&w, NULL);
    w.receive.limits.unreadable_ms = 1;
    fd = come_from(&w, "127.0.0.2", "Salted__12345678");
    for (int i = 0; i < 500 && !w.receive.seen[0]; i++)
        send_text(&w, "hello");
    for (int i = 0; i < 100 && !w.error.code; i++)
        send_text(&w, "hello");
    assert_int_equal(w.error.code, 0);
    send_info(&w, NULL);
    send_data(&w);
    assert_true(w.ended);
    (void)close(fd);
    world_end(&w);
}

static void a_short_stream_is_refused(void **state)
{
    struct world w;
    struct buf b;

    (void)state;
    world_begin(&w, NULL);
    send_info(&w, NULL);
    buf_init(&b, 4096);
    put_file(&b, "ibdata1", "pages");
    send_all(&w, &b);
    buf_done(&b);
    assert_int_equal(w.begins, 1);
    assert_false(w.ended);
    assert_non_null(
        strstr(w.error.msg, "the donor's backup is not complete: the stream has no xtrabackup_checkpoints"));
    world_end(&w);
}

static void limits_end_the_wait_and_name_what_was_seen(void **state)
{
    struct world w;

    (void)state;
    world_start(&w);
    world_listen(&w, NULL);
    send_text(&w, "Salted__12345678");
    w.receive.limits.gap_ms = 1;
    assert_non_null(strstr(w.receive.seen, "encryption by the donor"));
    send_info(&w, NULL);
    job_wait(&w.job, &w.closed);
    assert_int_equal(w.error.code, ERR_TIMEOUT);
    assert_non_null(strstr(w.error.msg, "second connection in time: it came from 127.0.0.1"));
    world_end(&w);
}

/* A donor that encrypts comes once; who comes again and again must not keep us waiting for ever. */
static void unreadable_connections_do_not_put_the_end_off(void **state)
{
    struct world w;
    struct error e;

    (void)state;
    world_start(&w);
    world_listen(&w, NULL);
    w.receive.limits.unreadable_ms = 300;
    for (int i = 0; i < 500 && !w.error.code; i++) {
        send_text(&w, "Salted__12345678");
        assert_int_equal(job_sleep(&w.job, 10, &e), 0);
    }
    assert_int_equal(w.error.code, ERR_TIMEOUT);
    world_end(&w);
}

/* A Service leads to any node: that another one answers says nothing against the donor. */
static void a_donor_behind_a_service_may_hide(void **state)
{
    struct galera_node n = node("n1", "Synced", 0);
    struct app app = {.host = mem_strdup("db"), .server_name = mem_strdup("")};
    char dir[] = "/tmp/test-sst-XXXXXX";
    AUTO_FREE char *old = mem_strdup(getenv("PATH")), *path = NULL, *script = NULL;
    struct world w;
    struct sql s;

    (void)state;
    world_start(&w);
    assert_non_null(mkdtemp(dir));
    path = mem_printf("%s:%s", dir, old);
    script = mem_printf("%s/mariadb", dir);
    assert_int_equal(setenv("PATH", path, 1), 0);
    assert_int_equal(env_uv_write_file(script, STR("#!/bin/sh\nprintf 'wsrep_node_name\\tn2\\n'\n"), 0755, false,
                                       &w.error),
                     0);
    assert_int_equal(sql_init(&s, &w.job, &app, &w.error), 0);
    assert_int_equal(galera_wait_synced(&n, &s, 0, &w.error), ERR_NOTFOUND);
    n = node("n1", "Synced", 0);
    (void)snprintf(n.host, sizeof(n.host), "10.0.0.1"); /* its own address */
    assert_int_equal(galera_wait_synced(&n, &s, 0, &w.error), ERR_NET);
    sql_done(&s);
    assert_int_equal(setenv("PATH", old, 1), 0);
    job_remove(dir);
    w.closed = true;
    app_done(&app);
    buf_done(&w.got);
    job_done(&w.job);
    env_uv_free(w.env);
}

/* A donor of Percona 8.0: sst_info first, more than once; its stream has a tail of its own and no galera position. */
static void percona_comes_with_sst_info(void **state)
{
    static const char ini[] = "[sst]\ngalera-gtid=" UUID ":744\nbinlog-name=binlog\nmysql-version=8.0.36-28.1\n";
    struct world w;
    struct buf b;

    (void)state;
    world_begin(&w, NULL);
    w.receive.complete = (struct xbstream_options){.flavour = XBSTREAM_PERCONA_80, .galera = true};
    buf_init(&b, 4096);
    put_file(&b, "sst_info", ini);
    send_all(&w, &b);
    send_all(&w, &b);
    assert_int_equal(w.infos, 1);
    assert_string_equal(w.receive.info.server_version, "8.0.36-28.1");
    buf_clear(&b);
    put_file(&b, "ibdata1", "pages");
    put_file(&b, "xtrabackup_checkpoints", "x");
    put_file(&b, "backup-my.cnf.zst", "x");
    put_file(&b, "xtrabackup_info.zst", "x");
    put_file(&b, "xtrabackup_tablespaces.zst", "x");
    send_all(&w, &b);
    assert_true(w.ended);
    buf_done(&b);
    world_end(&w);
}

static void assert_info(enum xbstream_flavour flavour, const char *version, const char *key, const char *error)
{
    struct sst_info info = {0};
    struct error e;

    (void)snprintf(info.server_version, sizeof(info.server_version), "%s", version);
    (void)snprintf(info.transition_key, sizeof(info.transition_key), "%s", key);
    assert_int_equal(sst_check_info(&info, flavour, &e), error ? ERR_INVALID : 0);
    if (error)
        assert_non_null(strstr(e.msg, error));
}

static void what_a_donor_announces_decides_early(void **state)
{
    (void)state;
    assert_info(XBSTREAM_MARIADB, "", "", NULL);
    assert_info(XBSTREAM_PERCONA_57, "5.7.19-29.22", "", NULL);
    assert_info(XBSTREAM_PERCONA_57, "5.7.44", "", NULL);
    assert_info(XBSTREAM_PERCONA_80, "8.0.36-28.1", "", NULL);
    assert_info(XBSTREAM_PERCONA_80, "8.4.0", "", NULL);
    assert_info(XBSTREAM_PERCONA_57, "", "", "donors before 5.7.19");
    assert_info(XBSTREAM_PERCONA_57, "5.7.18-29.20", "", "version is '5.7.18-29.20'");
    assert_info(XBSTREAM_PERCONA_57, "5.6.51", "", "donors before 5.7.19");
    assert_info(XBSTREAM_PERCONA_80, "x", "", "donors before 5.7.19");
    assert_info(XBSTREAM_PERCONA_80, "8.0.36-28.1", "0123456789", "transition key cannot be kept");
}

static void an_encrypted_percona_must_send_its_keys(void **state)
{
    struct world w;
    struct buf b;

    (void)state;
    world_begin(&w, NULL);
    w.receive.complete = (struct xbstream_options){.flavour = XBSTREAM_PERCONA_57, .galera = true};
    buf_init(&b, 4096);
    put_file(&b, "sst_info", "[sst]\ngalera-gtid=" UUID ":744\nmysql-version=5.7.44\ntransition-key=0123456789\n");
    send_all(&w, &b);
    buf_clear(&b);
    put_data(&b);
    send_all(&w, &b);
    assert_false(w.ended);
    assert_non_null(strstr(w.error.msg, "no xtrabackup_keys"));
    buf_done(&b);
    world_end(&w);
}

static void a_donor_with_tls_is_served(void **state)
{
    struct world w;

    (void)state;
    world_start(&w);
    make_tls(&w);
    world_listen(&w, NULL);
    send_info(&w, NULL);
    assert_int_equal(w.infos, 1);
    send_data(&w);
    assert_true(w.ended);
    world_end(&w);
}

static void tls_without_a_certificate_of_ours_is_named(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, NULL);
    send_text(&w, "\x16\x03\x01\x02");
    assert_non_null(strstr(w.receive.seen, "TLS, for which there is no certificate here"));
    world_end(&w);
}

static void a_plain_donor_is_refused_where_tls_is_demanded(void **state)
{
    struct world w;

    (void)state;
    world_start(&w);
    make_tls(&w);
    world_listen(&w, NULL);
    w.receive.tls_only = true;
    tls_context_free(w.client);
    w.client = NULL;
    send_text(&w, "hello"); /* a stranger: nothing changes */
    assert_false(w.receive.tls_refused);
    send_info(&w, NULL);
    assert_int_equal(w.infos, 0);
    assert_true(w.receive.tls_refused);
    assert_non_null(strstr(w.receive.seen, "set encrypt=3 in [sst] of the nodes"));
    world_end(&w);
}

/* socat looks at the name after the handshake, and leaves without a word. */
static void a_donor_that_says_nothing_inside_tls_wants_another_name(void **state)
{
    struct world w;

    (void)state;
    world_start(&w);
    make_tls(&w);
    world_listen(&w, NULL);
    send_text(&w, "");
    assert_true(w.receive.tls_refused);
    assert_non_null(strstr(w.receive.seen, "the donor wants another name in our certificate"));
    world_end(&w);
}

static void a_donor_of_a_foreign_ca_is_refused_by_name_of_the_field(void **state)
{
    struct cert_spec spec = {.common_name = "x", .ca = true, .from_unix_s = 0, .to_unix_s = 4000000000};
    struct tls_options client = {.no_name_check = true};
    struct cert foreign;
    struct world w;

    (void)state;
    world_start(&w);
    make_tls(&w);
    world_listen(&w, NULL);
    assert_int_equal(cert_make(&spec, NULL, &foreign, &w.error), 0);
    client.ca_pem = str_of(w.ca.cert_pem);
    client.cert_pem = str_of(foreign.cert_pem);
    client.key_pem = str_of(foreign.key_pem);
    tls_context_free(w.client);
    w.client = tls_context_new(&client, &w.error);
    send_info(&w, NULL);
    assert_int_equal(w.infos, 0);
    assert_non_null(strstr(w.receive.seen, "we refuse the donor's certificate: spec.clientConfig.caBundle"));
    cert_done(&foreign);
    world_end(&w);
}

int main(void)
{
#define T(f) cmocka_unit_test_teardown(f, tear_down)
    static const struct CMUnitTest tests[] = {
        T(a_request_names_method_address_and_version),
        T(the_method_fits_the_server),
        T(the_log_of_garbd_is_understood),
        T(a_node_is_read_from_its_variables),
        T(a_group_in_change_is_no_place_to_come_to),
        T(the_addresses_of_members_are_taken_apart),
        T(the_donor_is_the_synced_node_with_the_fewest_writes),
        T(the_place_of_a_database_is_its_service_or_url),
        T(an_option_file_survives_any_password),
        T(secret_transforms_run_in_order),
        T(words_follow_the_shells_quotes),
        T(a_transfer_comes_over_two_connections),
        T(strangers_change_nothing),
        T(a_repeated_first_connection_is_fine),
        T(data_before_the_first_connection_is_refused),
        T(the_data_of_an_earlier_transfer_does_not_end_this_one),
        T(a_first_connection_waits_until_a_donor_is_selected),
        T(a_stranger_can_not_play_a_donor_that_shows_nothing),
        T(a_donor_that_proves_itself_may_come_from_anywhere),
        T(a_donor_may_be_silent_before_its_first_byte),
        T(a_donor_that_stays_silent_ends_the_transfer),
        T(strangers_that_stay_do_not_keep_the_donor_out),
        T(a_stranger_does_not_shorten_the_wait),
        T(a_short_stream_is_refused),
        T(a_node_with_plugins_that_a_restore_lacks_is_refused),
        T(what_no_restore_can_read_is_seen_as_it_passes),
        T(a_backup_that_would_be_prepared_without_its_provider_is_refused),
        T(a_server_of_another_series_is_refused),
        T(limits_end_the_wait_and_name_what_was_seen),
        T(unreadable_connections_do_not_put_the_end_off),
        T(a_donor_behind_a_service_may_hide),
        T(percona_comes_with_sst_info),
        T(what_a_donor_announces_decides_early),
        T(an_encrypted_percona_must_send_its_keys),
        T(a_donor_with_tls_is_served),
        T(tls_without_a_certificate_of_ours_is_named),
        T(a_plain_donor_is_refused_where_tls_is_demanded),
        T(a_donor_that_says_nothing_inside_tls_wants_another_name),
        T(a_donor_of_a_foreign_ca_is_refused_by_name_of_the_field),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
