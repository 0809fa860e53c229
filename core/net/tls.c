/*
 * tls: see tls.h. OpenSSL between two BIOs in memory: tls_feed fills the one, tls_pull empties the other.
 *
 * No session tickets: a ticket would carry a client's identity past the end of its certificate, and a connection to an
 * API server lives for hours. Names are looked for in subjectAltName only, as Kubernetes does.
 */
#include "core/net/tls.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "core/base/mem.h"

enum {
    WAITING_MAX = 1024 * 1024, /* plain bytes that wait for the end of the handshake */
    IN_KEPT_MAX = 16 * 1024,   /* an idle connection holds about so much */
};

/* In the order of the API server and its other clients: 10 rounds of AES a block where OpenSSL's own order has 14. */
#define SUITES "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

struct tls_context {
    SSL_CTX *ssl;
    unsigned refs; /* the owner's and one a session */
    BIO_METHOD *wire;
    bool server, verify;
    char *server_name;      /* client: SNI and name to verify; NULL */
    bool check_name;
    unsigned char alpn[64]; /* as on the wire: a length byte and the name */
    unsigned alpn_len;
};

struct tls {
    struct tls_context *context;
    SSL *ssl;
    BIO *out;      /* the SSL's */
    struct buf in; /* from the wire, from in_at on */
    size_t in_at;
    struct buf waiting;
    char *subject;
    char alpn[64];
    bool ready, failed, close_wanted;
};

/* ---- errors ---- */

static const char *openssl_reason(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;

    return reason ? reason : "unknown error";
}

static int bad_pem(struct error *e, const char *what)
{
    (void)error_set(e, ERR_INVALID, "%s: %s", what, openssl_reason());
    ERR_clear_error();
    return ERR_INVALID;
}

/* ---- what comes from the wire ---- */

/* OpenSSL's own BIO of memory clears what it grows by and copies once more. */
static int wire_read(BIO *b, char *to, size_t room, size_t *ret)
{
    struct tls *t = BIO_get_data(b);
    size_t n = t->in.len - t->in_at;

    BIO_clear_retry_flags(b);
    if (!n) {
        BIO_set_retry_read(b);
        return -1;
    }
    n = n < room ? n : room;
    memcpy(to, t->in.data + t->in_at, n);
    t->in_at += n;
    *ret = n;
    return 1;
}

static long wire_ctrl(BIO *b, int what, long n, void *p)
{
    (void)b, (void)n, (void)p;
    return what == BIO_CTRL_FLUSH; /* nothing else is asked of one that is only read */
}

static BIO_METHOD *wire_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "wire");

    assert(m);
    (void)BIO_meth_set_read_ex(m, wire_read); /* these only note it */
    (void)BIO_meth_set_ctrl(m, wire_ctrl);
    return m;
}

static BIO *wire_of(struct tls *t)
{
    BIO *b = BIO_new(t->context->wire);

    assert(b);
    BIO_set_data(b, t);
    BIO_set_init(b, 1);
    return b;
}

/* ---- context ---- */

static BIO *reader_of(struct str pem)
{
    BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);

    assert(b);
    return b;
}

/* Adds every certificate of a PEM text by add, which does not take the reference; the count, or a negative error. */
static int each_cert(struct str pem, int (*add)(void *to, X509 *cert), void *to, const char *what, struct error *e)
{
    BIO *b = reader_of(pem);
    int n = 0, rc = 0;
    X509 *cert;

    while (rc == 0 && (cert = PEM_read_bio_X509(b, NULL, NULL, NULL))) {
        if (!add(to, cert))
            rc = bad_pem(e, what);
        X509_free(cert);
        n++;
    }
    BIO_free(b);
    if (rc < 0)
        return rc;
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) /* the end of the text; else a broken block */
        return bad_pem(e, what);
    ERR_clear_error();
    return n ? n : error_set(e, ERR_INVALID, "%s: no certificate in it", what);
}

static int add_root(void *to, X509 *cert)
{
    return X509_STORE_add_cert(SSL_CTX_get_cert_store(to), cert);
}

static int add_client_root(void *to, X509 *cert)
{
    return add_root(to, cert) && SSL_CTX_add_client_CA(to, cert);
}

static int add_own(void *to, X509 *cert)
{
    return SSL_CTX_get0_certificate(to) ? SSL_CTX_add1_chain_cert(to, cert) : SSL_CTX_use_certificate(to, cert);
}

static int no_password(char *out, int size, int writing, void *ctx)
{
    (void)out, (void)size, (void)writing, (void)ctx;
    return -1; /* OpenSSL's own would ask at the terminal */
}

static int load_own(SSL_CTX *ssl, const struct tls_options *o, struct error *e)
{
    EVP_PKEY *key;
    BIO *b;
    int rc = each_cert(o->cert_pem, add_own, ssl, "certificate", e);

    if (rc < 0)
        return rc;
    b = reader_of(o->key_pem);
    key = PEM_read_bio_PrivateKey(b, NULL, no_password, NULL);
    BIO_free(b);
    if (!key)
        return bad_pem(e, "private key");
    rc = SSL_CTX_use_PrivateKey(ssl, key) && SSL_CTX_check_private_key(ssl);
    EVP_PKEY_free(key);
    return rc ? 0 : bad_pem(e, "private key of the certificate");
}

static int load_roots(SSL_CTX *ssl, const struct tls_options *o, struct error *e)
{
    if (o->ca_pem.n)
        return each_cert(o->ca_pem, o->server ? add_client_root : add_root, ssl, "CA", e);
    if (o->server) /* comes here without a CA when it needs client certificates only */
        return error_set(e, ERR_INVALID, "client certificates are needed, but no CA is given");
    return SSL_CTX_set_default_verify_paths(ssl) ? 0 : bad_pem(e, "system's CAs");
}

/* Server: our only protocol or none. A client that offers others only gets the alert that says so. */
static int on_alpn(SSL *ssl, const unsigned char **ret, unsigned char *ret_n, const unsigned char *in, unsigned n,
                   void *arg)
{
    struct tls_context *c = arg;
    unsigned char *chosen;

    (void)ssl;
    if (SSL_select_next_proto(&chosen, ret_n, c->alpn, c->alpn_len, in, n) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static void set_alpn(struct tls_context *c, const char *name)
{
    size_t n = strlen(name);

    assert(n < sizeof(c->alpn));
    c->alpn[0] = (unsigned char)n;
    memcpy(c->alpn + 1, name, n);
    c->alpn_len = (unsigned)n + 1;
    if (c->server)
        SSL_CTX_set_alpn_select_cb(c->ssl, on_alpn, c);
    else
        (void)SSL_CTX_set_alpn_protos(c->ssl, c->alpn, c->alpn_len); /* fails for a malformed list only */
}

static void set_verify(struct tls_context *c, const struct tls_options *o)
{
    int mode = SSL_VERIFY_NONE;

    if (o->server ? o->ca_pem.n && (o->want_client_cert || o->need_client_cert) : !o->insecure)
        mode = SSL_VERIFY_PEER;
    c->verify = mode == SSL_VERIFY_PEER;
    if (o->server && c->verify && o->need_client_cert)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(c->ssl, mode, NULL);
    c->check_name = c->verify && !o->server && !o->no_name_check;
}

struct tls_context *tls_context_new(const struct tls_options *o, struct error *e)
{
    struct tls_context *c = mem_zalloc(sizeof(*c));
    int rc = 0;

    c->refs = 1;
    c->server = o->server;
    c->wire = wire_method();
    c->ssl = SSL_CTX_new(o->server ? TLS_server_method() : TLS_client_method());
    assert(c->ssl); /* no memory, or no OpenSSL */
    (void)SSL_CTX_set_min_proto_version(c->ssl, TLS1_2_VERSION);
    (void)SSL_CTX_set_ciphersuites(c->ssl, SUITES); /* fails for unknown names only */
    (void)SSL_CTX_set_options(c->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
    (void)SSL_CTX_set_num_tickets(c->ssl, 0);
    (void)SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_mode(c->ssl, SSL_MODE_RELEASE_BUFFERS);
    set_verify(c, o);
    if (o->alpn)
        set_alpn(c, o->alpn);
    if (o->server_name)
        c->server_name = mem_strdup(o->server_name);
    if (c->check_name && !o->server_name)
        rc = error_set(e, ERR_INVALID, "no server name to verify");
    if (rc == 0 && o->server && !o->cert_pem.n)
        rc = error_set(e, ERR_INVALID, "a server needs a certificate");
    if (rc == 0 && (c->verify || o->need_client_cert))
        rc = load_roots(c->ssl, o, e);
    if (rc >= 0 && o->cert_pem.n)
        rc = load_own(c->ssl, o, e);
    if (rc >= 0)
        return c;
    tls_context_free(c);
    return NULL;
}

void tls_context_free(struct tls_context *c)
{
    if (!c || --c->refs)
        return;
    SSL_CTX_free(c->ssl);
    BIO_meth_free(c->wire);
    mem_free(c->server_name);
    mem_free(c);
}

void tls_context_use(struct tls_context *c, struct ssl_st *session)
{
    (void)SSL_set_SSL_CTX(session, c->ssl); /* takes a reference */
}

/* ---- session ---- */

static void set_name(struct tls *t)
{
    const char *name = t->context->server_name;
    X509_VERIFY_PARAM *param = SSL_get0_param(t->ssl);
    bool is_address = false;

    if (!name)
        return;
    ASN1_OCTET_STRING *ip = a2i_IPADDRESS(name);

    if (ip)
        is_address = true;
    ASN1_OCTET_STRING_free(ip);
    ERR_clear_error();
    if (!is_address)
        (void)SSL_set_tlsext_host_name(t->ssl, name);
    if (!t->context->check_name)
        return;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (is_address ? !X509_VERIFY_PARAM_set1_ip_asc(param, name) : !X509_VERIFY_PARAM_set1_host(param, name, 0))
        assert(!"out of memory");
}

struct tls *tls_new(struct tls_context *c)
{
    struct tls *t = mem_zalloc(sizeof(*t));

    c->refs++;
    t->context = c;
    buf_init(&t->waiting, WAITING_MAX);
    t->ssl = SSL_new(c->ssl);
    t->out = BIO_new(BIO_s_mem());
    assert(t->ssl && t->out);
    buf_init(&t->in, SIZE_MAX / 4);
    SSL_set_bio(t->ssl, wire_of(t), t->out);
    if (c->server) {
        SSL_set_accept_state(t->ssl);
    } else {
        SSL_set_connect_state(t->ssl);
        set_name(t);
        ERR_clear_error();
        (void)SSL_do_handshake(t->ssl); /* the first flight; it wants to read then */
    }
    return t;
}

void tls_free(struct tls *t)
{
    if (!t)
        return;
    SSL_free(t->ssl);
    buf_done(&t->in);
    mem_wipe(t->waiting.data, t->waiting.len);
    buf_done(&t->waiting);
    mem_free(t->subject);
    tls_context_free(t->context);
    mem_free(t);
}

static int fail(struct tls *t, struct error *e)
{
    long verify = SSL_get_verify_result(t->ssl);
    const char *step = t->ready ? "TLS" : "TLS handshake";

    t->failed = true;
    if (!t->ready && t->context->verify && verify != X509_V_OK) {
        const char *why = X509_verify_cert_error_string(verify);

        if (t->context->server_name && !t->context->server)
            (void)error_set(e, ERR_NET, "%s: certificate of %s: %s", step, t->context->server_name, why);
        else
            (void)error_set(e, ERR_NET, "%s: certificate: %s", step, why);
    } else {
        (void)error_set(e, ERR_NET, "%s: %s", step, openssl_reason());
    }
    ERR_clear_error();
    return ERR_NET;
}

static int refused(const struct tls *t, struct error *e)
{
    (void)t;
    return error_set(e, ERR_NET, "TLS: the session has failed already");
}

/* 0 also when more bytes are wanted. */
static int result(struct tls *t, int ret, struct error *e)
{
    int why = SSL_get_error(t->ssl, ret);

    if (why == SSL_ERROR_NONE || why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ||
        why == SSL_ERROR_ZERO_RETURN)
        return 0;
    return fail(t, e);
}

static void remember_peer(struct tls *t)
{
    const unsigned char *alpn;
    unsigned n;
    X509 *cert = SSL_get1_peer_certificate(t->ssl);

    SSL_get0_alpn_selected(t->ssl, &alpn, &n);
    if (n < sizeof(t->alpn) && n)
        memcpy(t->alpn, alpn, n);
    if (cert && t->context->verify && SSL_get_verify_result(t->ssl) == X509_V_OK) {
        /* UTF-8 as it is: a name is compared, not printed to an old terminal. */
        const unsigned long form = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
        BIO *b = BIO_new(BIO_s_mem());
        char *text;
        long len;

        assert(b);
        (void)X509_NAME_print_ex(b, X509_get_subject_name(cert), 0, form);
        len = BIO_get_mem_data(b, &text);
        t->subject = mem_strndup(text, len > 0 ? (size_t)len : 0);
        BIO_free(b);
    }
    X509_free(cert);
}

static int encrypt(struct tls *t, struct str plain, struct error *e)
{
    while (plain.n) {
        size_t done = 0;
        int ret;

        ERR_clear_error();
        ret = SSL_write_ex(t->ssl, plain.p, plain.n, &done);
        if (!ret)
            return fail(t, e); /* a memory BIO takes all: what is not taken is an error */
        plain.p += done;
        plain.n -= done;
    }
    return 0;
}

static int handshake(struct tls *t, struct error *e)
{
    int ret, rc;

    ERR_clear_error();
    ret = SSL_do_handshake(t->ssl);
    rc = result(t, ret, e);
    if (rc < 0 || ret != 1)
        return rc;
    t->ready = true;
    remember_peer(t);
    rc = encrypt(t, buf_str(&t->waiting), e);
    mem_wipe(t->waiting.data, t->waiting.len);
    buf_done(&t->waiting);
    if (rc == 0 && t->close_wanted)
        tls_close(t);
    return rc;
}

/* Once all has been read: what was big goes at once, for the next bytes may come in an hour. */
static void let_go(struct tls *t)
{
    if (t->in_at < t->in.len)
        return;
    if (t->in.len > IN_KEPT_MAX)
        buf_done(&t->in);
    buf_clear(&t->in);
    t->in_at = 0;
}

int tls_feed(struct tls *t, struct str wire, struct error *e)
{
    if (t->failed)
        return refused(t, e);
    let_go(t);
    buf_add_str(&t->in, wire);
    return t->ready ? 0 : handshake(t, e);
}

/* Asked for more than there is, OpenSSL goes a long way to say so. */
static bool has_more(const struct tls *t)
{
    return t->in_at < t->in.len || SSL_has_pending(t->ssl);
}

int tls_read(struct tls *t, struct buf *plain, struct error *e)
{
    int rc = 0;

    if (t->failed)
        return refused(t, e);
    if (!t->ready || !has_more(t))
        return 0;
    ERR_clear_error();
    do {
        size_t left = plain->max - plain->len, room = left < SSL3_RT_MAX_PLAIN_LENGTH ? left : SSL3_RT_MAX_PLAIN_LENGTH;
        char *to = room ? buf_reserve(plain, room) : NULL;
        size_t done = 0;
        int ret;

        if (!to)
            break;
        ret = SSL_read_ex(t->ssl, to, room, &done);
        if (!ret) {
            rc = result(t, ret, e);
            break;
        }
        buf_commit(plain, done);
    } while (has_more(t));
    let_go(t);
    return rc;
}

int tls_write(struct tls *t, struct str plain, struct error *e)
{
    if (t->failed)
        return refused(t, e);
    if (t->ready)
        return encrypt(t, plain, e);
    buf_add_str(&t->waiting, plain);
    return buf_error(&t->waiting) < 0 ? error_set(e, ERR_TOOBIG, "TLS: too much written before the handshake") : 0;
}

void tls_pull(struct tls *t, struct buf *out)
{
    size_t n = BIO_ctrl_pending(t->out), room = out->max - out->len, done = 0;
    char *to;

    if (n > room)
        n = room;
    if (!n || !(to = buf_reserve(out, n)))
        return;
    (void)BIO_read_ex(t->out, to, n, &done);
    buf_commit(out, done);
}

bool tls_ready(const struct tls *t)
{
    return t->ready;
}

bool tls_closed(const struct tls *t)
{
    return SSL_get_shutdown(t->ssl) & SSL_RECEIVED_SHUTDOWN;
}

void tls_close(struct tls *t)
{
    t->close_wanted = true; /* before the end of the handshake: after it */
    if (!t->ready || t->failed)
        return;
    ERR_clear_error();
    (void)SSL_shutdown(t->ssl); /* only writes the alert: the other side's may come or not */
    ERR_clear_error();
}

const char *tls_alpn(const struct tls *t)
{
    return t->alpn;
}

const char *tls_peer_subject(const struct tls *t)
{
    return t->subject ? t->subject : "";
}
