/* test_refusal: what the refusals of servers and donors mean, and that they end the waiting. */
#include "test.h"

#include <stdlib.h>

#include "controllers/job/pem.h"
#include "controllers/job/refusal.h"
#include "controllers/job/sql.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"
#include "core/net/cert.h"

static int tear_down(void **state)
{
    (void)state;
    return mem_live() ? -1 : 0;
}

static struct app plain_app(void)
{
    return (struct app){.name = "db", .ns = "demo", .host = mem_strdup("127.0.0.1"), .server_name = mem_strdup("")};
}

static void assert_client(const struct app *app, const char *said, const char *remedy)
{
    struct error e;

    (void)error_set(&e, ERR_INVALID, "mariadb ended with status 1: %s", said);
    assert_int_equal(refusal_of_client(app, &e), remedy ? ERR_DENIED : ERR_INVALID);
    assert_non_null(strstr(e.msg, said));
    if (remedy) {
        assert_non_null(strstr(e.msg, "AppBinding demo/db: "));
        assert_non_null(strstr(e.msg, remedy));
    }
}

static void a_refused_login_names_the_field_that_cures_it(void **state)
{
    static const char denied[] = "ERROR 1045 (28000): Access denied for user 'stash'@'10.0.0.1' (using password: YES)";
    struct app a = plain_app();

    (void)state;
    assert_client(&a, denied, "REQUIRE SSL or X509), give spec.clientConfig.caBundle or spec.tlsSecret");
    secret_set(&a.ca_pem, STR("ca"));
    assert_client(&a, denied, "(REQUIRE X509), give spec.tlsSecret");
    secret_set(&a.cert_pem, STR("cert"));
    assert_client(&a, denied, "correct username and password in the Secret of spec.secret");
    assert_client(&a, "ERROR 3159 (08004): Connections using insecure transport are prohibited", "caBundle");
    assert_client(&a, "ERROR 1130 (HY000): Host '10.0.0.1' is not allowed to connect", "spec.secret");
    app_done(&a);
}

static void a_tls_that_does_not_come_about_is_explained(void **state)
{
    struct app a = plain_app();

    (void)state;
    assert_client(&a, "ERROR 2026 (HY000): TLS/SSL error: self-signed certificate in certificate chain",
                  "must be the CA of the server's certificate");
    assert_client(&a, "ERROR 2026 (HY000): TLS/SSL error: Validation of SSL server certificate failed",
                  "spec.clientConfig.serverName");
    assert_client(&a, "ERROR 2026 (HY000): TLS/SSL error: certificate has expired", "renew");
    assert_client(&a, "ERROR 2026 (HY000): TLS/SSL error: tlsv1 alert unknown ca", "server refuses our certificate");
    assert_client(&a, "ERROR 2026 (HY000): TLS/SSL error: SSL is required, but the server does not support it",
                  "the server offers no TLS");
    app_done(&a);
}

static void what_time_may_cure_is_no_refusal(void **state)
{
    struct app a = plain_app();
    struct error e;

    (void)state;
    assert_client(&a, "ERROR 2002 (HY000): Can't connect to server on '127.0.0.1' (115)", NULL);
    assert_client(&a, "ERROR 1047 (08S01): WSREP has not yet prepared node for application use", NULL);
    assert_client(&a, "ERROR 2026 (HY000): TLS/SSL error: unexpected eof while reading", NULL);
    (void)error_set(&e, ERR_TIMEOUT, "ERROR 1045");
    assert_int_equal(refusal_of_client(&a, &e), ERR_TIMEOUT);
    app_done(&a);
}

static void assert_donor(void (*say)(const char *, char *, size_t), const char *reason, const char *meaning)
{
    char out[240];

    say(reason, out, sizeof(out));
    assert_non_null(strstr(out, reason));
    assert_non_null(strstr(out, meaning));
}

static void a_handshake_tells_who_refuses_whom(void **state)
{
    char out[240];

    (void)state;
    assert_donor(refusal_of_donor, "TLS handshake: tlsv1 alert unknown ca", "the donor refuses our certificate");
    assert_donor(refusal_of_donor, "TLS handshake: sslv3 alert certificate expired", "renew tls.crt");
    assert_donor(refusal_of_donor, "TLS handshake: sslv3 alert bad certificate", "spec.tlsSecret");
    assert_donor(refusal_of_donor, "TLS handshake: peer did not return a certificate", "donor shows no certificate");
    assert_donor(refusal_of_donor, "TLS handshake: certificate: certificate has expired", "renew it on the nodes");
    assert_donor(refusal_of_donor, "TLS handshake: certificate: unable to get local issuer certificate",
                 "spec.clientConfig.caBundle");
    assert_donor(refusal_of_group, "tlsv1 alert unknown ca", "the group channel refuses our certificate");
    assert_donor(refusal_of_group, "certificate verify failed", "spec.clientConfig.caBundle");
    refusal_of_donor("TLS handshake: unexpected eof while reading", out, sizeof(out));
    assert_string_equal(out, "TLS handshake: unexpected eof while reading");
}

/* ---- with a client program that refuses ---- */

struct world {
    struct env *env;
    struct job job;
    struct app app;
    struct sql sql;
    struct error e;
    char dir[32];
    char *old_path;
};

static void to_nowhere(void *ctx, struct str line)
{
    (void)ctx;
    (void)line;
}

static void world_start(struct world *w, const char *script)
{
    AUTO_FREE char *path = NULL, *program = NULL;

    *w = (struct world){.env = env_uv_new(), .app = plain_app(), .dir = "/tmp/test-refusal-XXXXXX"};
    assert_non_null(mkdtemp(w->dir));
    job_init(&w->job, w->env, w->dir, w->dir);
    w->job.log.write = to_nowhere;
    w->old_path = mem_strdup(getenv("PATH"));
    path = mem_printf("%s:%s", w->dir, w->old_path);
    program = mem_printf("%s/mariadb", w->dir);
    assert_int_equal(setenv("PATH", path, 1), 0);
    assert_int_equal(env_uv_write_file(program, str_of(script), 0755, false, &w->e), 0);
}

static void world_end(struct world *w)
{
    sql_done(&w->sql);
    assert_int_equal(setenv("PATH", w->old_path, 1), 0);
    mem_free(w->old_path);
    job_remove(w->dir);
    app_done(&w->app);
    job_done(&w->job);
    env_uv_free(w->env);
}

static void a_wrong_password_is_not_tried_again(void **state)
{
    struct world w;

    (void)state;
    world_start(&w, "#!/bin/sh\necho \"ERROR 1045 (28000): Access denied\" >&2\nexit 1\n");
    assert_int_equal(sql_init(&w.sql, &w.job, &w.app, &w.e), 0);
    assert_int_equal(sql_wait(&w.sql, 3600, &w.e), ERR_DENIED); /* else it waits an hour */
    assert_non_null(strstr(w.e.msg, "spec.secret"));
    world_end(&w);
}

static void assert_own_certificate(int64_t from_s, int64_t to_s, const char *error)
{
    struct cert_spec spec = {.common_name = "stash", .from_unix_s = from_s, .to_unix_s = to_s};
    struct cert cert;
    struct world w;
    int rc;

    world_start(&w, "#!/bin/sh\n");
    assert_int_equal(cert_make(&spec, NULL, &cert, &w.e), 0);
    secret_set(&w.app.cert_pem, str_of(cert.cert_pem));
    rc = sql_init(&w.sql, &w.job, &w.app, &w.e);
    assert_int_equal(rc, error ? ERR_INVALID : 0);
    if (error)
        assert_string_equal(w.e.msg, error);
    cert_done(&cert);
    world_end(&w);
}

static void our_own_certificate_must_be_valid_now(void **state)
{
    (void)state;
    assert_own_certificate(0, 4000000000, NULL);
    assert_own_certificate(0, 1000000000,
                           "AppBinding demo/db: tls.crt in the Secret of spec.tlsSecret: it has expired: renew it");
    assert_own_certificate(
        4000000000, 4100000000,
        "AppBinding demo/db: tls.crt in the Secret of spec.tlsSecret: it is not valid yet: look at the clocks");
}

/* An empty subject; the names 10.0.0.1, backup.demo and other.demo. */
static const char nameless[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBgDCCASagAwIBAgITIka7V4zf3W1Y6BBQqzl8mUuoODAKBggqhkjOPQQDAjAA\n"
    "MCAXDTI2MTEyNTIzNDEwN1oYDzIxMjYxMTAxMjM0MTA3WjAAMFkwEwYHKoZIzj0C\n"
    "AQYIKoZIzj0DAQcDQgAE2Otyl2Zum5vIsm1cAS+27Ctqx+zuIkWxcYqMfhnxlgGt\n"
    "6MRV27DYovmCYR/kv5/8b1xxXl7UOuIDGGUdYLu+4aN9MHswHQYDVR0OBBYEFMN0\n"
    "Y75R+s4kkYzIZ4se7fxGqnWrMB8GA1UdIwQYMBaAFMN0Y75R+s4kkYzIZ4se7fxG\n"
    "qnWrMA8GA1UdEwEB/wQFMAMBAf8wKAYDVR0RBCEwH4cECgAAAYILYmFja3VwLmRl\n"
    "bW+CCm90aGVyLmRlbW8wCgYIKoZIzj0EAwIDSAAwRQIhAPH+72Png7BF731sYFUn\n"
    "mPqLDnJYdzGuRBCwSzPDPLksAiAwctu8ofo4XLBe71rKGH031/EQL2lY9BDQ2+ln\n"
    "GAEoBw==\n"
    "-----END CERTIFICATE-----\n";

static void a_certificate_without_a_common_name_has_its_first_dns_name(void **state)
{
    char name[64];

    (void)state;
    pem_common_name(str_of(nameless), name, sizeof(name));
    assert_string_equal(name, "backup.demo");
    pem_common_name(str_of(nameless), name, 5); /* no part of a name is a name */
    assert_string_equal(name, "");
    pem_common_name(STR_NONE, name, sizeof(name));
    assert_string_equal(name, "");
}

int main(void)
{
#define T(f) cmocka_unit_test_teardown(f, tear_down)
    static const struct CMUnitTest tests[] = {
        T(a_refused_login_names_the_field_that_cures_it),
        T(a_tls_that_does_not_come_about_is_explained),
        T(what_time_may_cure_is_no_refusal),
        T(a_handshake_tells_who_refuses_whom),
        T(a_wrong_password_is_not_tried_again),
        T(our_own_certificate_must_be_valid_now),
        T(a_certificate_without_a_common_name_has_its_first_dns_name),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
