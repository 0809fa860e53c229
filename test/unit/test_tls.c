/* test_tls: two sessions joined by bytes in memory, cut as the test likes. */
#include "test.h"

#include <stdio.h>

#include "core/base/mem.h"
#include "test/unit/support_certs.h"

static struct certs certs;

struct end {
    struct tls *tls;
    struct buf got; /* plain bytes received */
    int rc;
    struct error e;
};

struct pair {
    struct tls_context *client_context, *server_context;
    struct end client, server;
};

static void end_init(struct end *x, struct tls_context *c)
{
    x->tls = tls_new(c);
    x->rc = 0;
    buf_init(&x->got, 8 << 20);
}

static void pair_init(struct pair *p, const struct tls_options *client, const struct tls_options *server)
{
    struct error e;

    p->client_context = tls_context_new(client, &e);
    assert_non_null(p->client_context);
    p->server_context = tls_context_new(server, &e);
    assert_non_null(p->server_context);
    end_init(&p->client, p->client_context);
    end_init(&p->server, p->server_context);
    /* Sessions keep what they need. */
    tls_context_free(p->client_context);
    tls_context_free(p->server_context);
}

static void pair_done(struct pair *p)
{
    tls_free(p->client.tls);
    tls_free(p->server.tls);
    buf_done(&p->client.got);
    buf_done(&p->server.got);
}

static size_t carry(struct end *from, struct end *to, size_t cut)
{
    struct buf wire, plain;
    size_t n;

    buf_init(&wire, 1 << 24);
    tls_pull(from->tls, &wire);
    n = wire.len;
    for (size_t at = 0; at < n && to->rc == 0; at += cut) {
        to->rc = tls_feed(to->tls, (struct str){wire.data + at, n - at < cut ? n - at : cut}, &to->e);
        buf_init(&plain, 1000); /* smaller than a record */
        while (to->rc == 0) {
            to->rc = tls_read(to->tls, &plain, &to->e);
            if (!plain.len)
                break;
            buf_add_str(&to->got, buf_str(&plain));
            buf_clear(&plain);
        }
        buf_done(&plain);
    }
    buf_done(&wire);
    return n;
}

static void exchange(struct pair *p, size_t cut)
{
    while (carry(&p->client, &p->server, cut) + carry(&p->server, &p->client, cut))
        ;
}

static struct tls_options client_options(void)
{
    return (struct tls_options){.ca_pem = str_of(certs.ca.cert_pem), .server_name = "localhost", .alpn = "h2"};
}

static struct tls_options server_options(void)
{
    return (struct tls_options){.server = true,
                                .ca_pem = str_of(certs.ca.cert_pem),
                                .want_client_cert = true,
                                .cert_pem = str_of(certs.server.cert_pem),
                                .key_pem = str_of(certs.server.key_pem),
                                .alpn = "h2"};
}

static void with_client_cert(struct tls_options *o, const struct cert *c)
{
    o->cert_pem = str_of(c->cert_pem);
    o->key_pem = str_of(c->key_pem);
}

static void both_sides_agree_however_the_bytes_are_cut(void **state)
{
    static const size_t cuts[] = {1, 7, 1000, 1 << 20};
    char *big = mem_alloc(200000);

    (void)state;
    memset(big, 'b', 200000);
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        struct tls_options co = client_options(), so = server_options();
        struct pair p;

        with_client_cert(&co, &certs.client);
        pair_init(&p, &co, &so);
        /* Written before the handshake: goes out after it. */
        assert_int_equal(tls_write(p.client.tls, STR("early "), NULL), 0);
        exchange(&p, cuts[i]);
        assert_true(tls_ready(p.client.tls) && tls_ready(p.server.tls));
        assert_int_equal(tls_write(p.client.tls, (struct str){big, 200000}, NULL), 0);
        assert_int_equal(tls_write(p.server.tls, STR("answer"), NULL), 0);
        exchange(&p, cuts[i]);
        assert_int_equal(p.server.got.len, 200006);
        assert_memory_equal(p.server.got.data, "early bbb", 9);
        assert_string_equal(p.client.got.data, "answer");
        assert_string_equal(tls_alpn(p.client.tls), "h2");
        assert_string_equal(tls_alpn(p.server.tls), "h2");
        assert_string_equal(tls_peer_subject(p.server.tls), "CN=admin,O=system:masters");
        assert_string_equal(tls_peer_subject(p.client.tls), "CN=server");
        pair_done(&p);
    }
    mem_free(big);
}

/* It may be idle for hours then. */
static void what_has_been_read_holds_no_memory(void **state)
{
    struct tls_options co = client_options(), so = server_options();
    char *big = mem_zalloc(60000);
    struct pair p;
    size_t live;

    (void)state;
    pair_init(&p, &co, &so);
    exchange(&p, 1 << 20);
    assert_int_equal(tls_write(p.client.tls, STR("small"), NULL), 0);
    exchange(&p, 1 << 20);
    live = mem_live();
    assert_int_equal(tls_write(p.client.tls, (struct str){big, 60000}, NULL), 0);
    exchange(&p, 1 << 20);
    assert_int_equal(p.server.got.len, 60005);
    assert_int_equal(mem_live(), live - 1); /* what holds a small one is kept */
    pair_done(&p);
    mem_free(big);
}

static void a_close_is_told_and_the_other_direction_lives_on(void **state)
{
    struct tls_options co = client_options(), so = server_options();
    struct pair p;

    (void)state;
    pair_init(&p, &co, &so);
    exchange(&p, 1 << 20);
    assert_int_equal(tls_write(p.client.tls, STR("last"), NULL), 0);
    tls_close(p.client.tls);
    assert_false(tls_closed(p.server.tls));
    exchange(&p, 1 << 20);
    assert_true(tls_closed(p.server.tls));
    assert_false(tls_closed(p.client.tls));
    assert_string_equal(p.server.got.data, "last");
    assert_int_equal(tls_write(p.server.tls, STR("reply"), NULL), 0);
    exchange(&p, 1 << 20);
    assert_string_equal(p.client.got.data, "reply");
    pair_done(&p);
}

/* Runs a handshake that must fail at `who` with a text that has `why` in it. */
static void assert_refused(const struct tls_options *co, const struct tls_options *so, bool by_client, const char *why)
{
    struct pair p;
    struct end *who;

    pair_init(&p, co, so);
    who = by_client ? &p.client : &p.server;
    exchange(&p, 1 << 20);
    assert_int_equal(who->rc, ERR_NET);
    if (!strstr(who->e.msg, why))
        fail_msg("\"%s\" does not say \"%s\"", who->e.msg, why);
    /* The other side hears of it by the alert. */
    assert_int_equal(p.client.rc, ERR_NET);
    assert_int_equal(p.server.rc, ERR_NET);
    assert_string_equal(tls_peer_subject(who->tls), "");
    assert_int_equal(tls_feed(who->tls, STR("x"), &who->e), ERR_NET); /* it stays failed */
    pair_done(&p);
}

static void a_client_refuses_a_certificate_of_another_ca(void **state)
{
    struct tls_options co = client_options(), so = server_options();

    (void)state;
    co.ca_pem = str_of(certs.other_ca.cert_pem);
    assert_refused(&co, &so, true, "certificate of localhost");
}

static void a_client_refuses_another_name(void **state)
{
    struct tls_options co = client_options(), so = server_options();

    (void)state;
    co.server_name = "elsewhere.example";
    assert_refused(&co, &so, true, "ostname mismatch");
    co.server_name = "127.0.0.2";
    assert_refused(&co, &so, true, "IP address mismatch");
    co.server_name = "admin"; /* a common name does not count, though there is no other */
    so = server_options();
    with_client_cert(&so, &certs.client);
    assert_refused(&co, &so, true, "ostname mismatch");
}

static void a_client_refuses_an_expired_certificate(void **state)
{
    struct tls_options co = client_options(), so = server_options();

    (void)state;
    with_client_cert(&so, &certs.expired);
    assert_refused(&co, &so, true, "expired");
}

static void a_server_refuses_a_client_without_a_certificate_it_needs(void **state)
{
    struct tls_options co = client_options(), so = server_options();

    (void)state;
    so.need_client_cert = true;
    assert_refused(&co, &so, false, "peer did not return a certificate");
}

static void a_server_refuses_a_client_certificate_of_another_ca(void **state)
{
    struct tls_options co = client_options(), so = server_options();

    (void)state;
    with_client_cert(&co, &certs.other_client);
    assert_refused(&co, &so, false, "certificate");
}

static void a_server_refuses_a_client_that_offers_other_protocols_only(void **state)
{
    struct tls_options co = client_options(), so = server_options();

    (void)state;
    co.alpn = "http/1.1";
    assert_refused(&co, &so, false, "no application protocol");
}

static void bytes_that_are_no_tls_are_refused(void **state)
{
    struct tls_options so = server_options();
    struct error e;
    struct tls_context *c = tls_context_new(&so, &e);
    struct tls *t = tls_new(c);

    (void)state;
    assert_int_equal(tls_feed(t, STR("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), &e), ERR_NET);
    assert_non_null(strstr(e.msg, "http request"));
    tls_free(t);
    tls_context_free(c);
}

static void names_are_checked_as_asked(void **state)
{
    static const char *const good[] = {"localhost", "127.0.0.1", "::1"};
    struct tls_options so = server_options();

    (void)state;
    for (int i = 0; i < 5; i++) {
        struct tls_options co = client_options();
        struct pair p;

        if (i < 3)
            co.server_name = good[i];
        co.no_name_check = i == 3;
        if (i == 3)
            co.server_name = "elsewhere.example";
        if (i == 4)
            co = (struct tls_options){.insecure = true};
        pair_init(&p, &co, &so);
        exchange(&p, 1 << 20);
        assert_true(tls_ready(p.client.tls) && tls_ready(p.server.tls));
        assert_string_equal(tls_peer_subject(p.client.tls), i == 4 ? "" : "CN=server");
        assert_string_equal(tls_peer_subject(p.server.tls), ""); /* wanted, not needed */
        assert_string_equal(tls_alpn(p.server.tls), i == 4 ? "" : "h2");
        pair_done(&p);
    }
}

static void bad_pem_is_told_at_once(void **state)
{
    struct tls_options so = server_options(), co = client_options();
    struct error e;

    (void)state;
    co.ca_pem = STR("no pem");
    assert_null(tls_context_new(&co, &e));
    assert_int_equal(e.code, ERR_INVALID);
    assert_non_null(strstr(e.msg, "CA"));
    so.key_pem = str_of(certs.client.key_pem); /* another certificate's */
    assert_null(tls_context_new(&so, &e));
    assert_non_null(strstr(e.msg, "private key"));
    so = server_options();
    so.cert_pem = STR("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    assert_null(tls_context_new(&so, &e));
    so.cert_pem = STR_NONE;
    assert_null(tls_context_new(&so, &e));
    so = server_options();
    so.ca_pem = STR_NONE;
    so.need_client_cert = true;
    assert_null(tls_context_new(&so, &e));
    co = client_options();
    co.server_name = NULL;
    assert_null(tls_context_new(&co, &e));
}

static int all_done(void **state)
{
    (void)state;
    support_certs_done(&certs);
    assert_int_equal(mem_live(), 0);
    return 0;
}

static int all_new(void **state)
{
    (void)state;
    support_certs_make(&certs);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_agree_however_the_bytes_are_cut),
        cmocka_unit_test(what_has_been_read_holds_no_memory),
        cmocka_unit_test(a_close_is_told_and_the_other_direction_lives_on),
        cmocka_unit_test(a_client_refuses_a_certificate_of_another_ca),
        cmocka_unit_test(a_client_refuses_another_name),
        cmocka_unit_test(a_client_refuses_an_expired_certificate),
        cmocka_unit_test(a_server_refuses_a_client_without_a_certificate_it_needs),
        cmocka_unit_test(a_server_refuses_a_client_certificate_of_another_ca),
        cmocka_unit_test(a_server_refuses_a_client_that_offers_other_protocols_only),
        cmocka_unit_test(bytes_that_are_no_tls_are_refused),
        cmocka_unit_test(names_are_checked_as_asked),
        cmocka_unit_test(bad_pem_is_told_at_once),
    };

    return cmocka_run_group_tests(tests, all_new, all_done);
}
