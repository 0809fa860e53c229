/* devkube_pki: see devkube_pki.h. ECDSA P-256, ten years: the folder goes long before that. */
#include "core/cmd/devkube_pki.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/mem.h"
#include "core/loop/env_uv.h"

enum { PEM_MAX = 64 * 1024, YEARS = 10 };

struct identity {
    X509 *cert;
    EVP_PKEY *key;
};

static int bio_to_buf(BIO *bio, struct buf *out)
{
    char *data;
    long n = BIO_get_mem_data(bio, &data);

    buf_clear(out);
    if (n > 0)
        buf_add(out, data, (size_t)n);
    BIO_free(bio);
    return buf_error(out);
}

static int write_pem(const struct identity *id, struct buf *cert, struct buf *key)
{
    BIO *c = BIO_new(BIO_s_mem()), *k = BIO_new(BIO_s_mem());
    bool good = PEM_write_bio_X509(c, id->cert) && PEM_write_bio_PrivateKey(k, id->key, NULL, NULL, 0, NULL, NULL);

    return bio_to_buf(c, cert) | bio_to_buf(k, key) | (good ? 0 : ERR_BUG);
}

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *extension;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    if (extension)
        X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
}

/* A certificate for (o, cn), signed by `by` (itself when NULL). names: subjectAltName; NULL for a client or the CA. */
static int make(struct identity *out, const struct identity *by, const char *o, const char *cn, const char *names,
                struct error *e)
{
    X509 *issuer;
    uint64_t serial;
    X509_NAME *subject;

    out->key = EVP_EC_gen("P-256");
    out->cert = X509_new();
    if (!out->key || !out->cert || RAND_bytes((unsigned char *)&serial, sizeof(serial)) != 1)
        return error_set(e, ERR_BUG, "cannot make a key for %s", cn);
    issuer = by ? by->cert : out->cert;
    X509_set_version(out->cert, X509_VERSION_3);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(out->cert), serial >> 1);
    X509_gmtime_adj(X509_getm_notBefore(out->cert), -3600);
    X509_time_adj_ex(X509_getm_notAfter(out->cert), 365 * YEARS, 0, NULL);
    X509_set_pubkey(out->cert, out->key);
    subject = X509_get_subject_name(out->cert);
    if (o)
        X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8, (const unsigned char *)o, -1, -1, 0);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0);
    X509_set_issuer_name(out->cert, X509_get_subject_name(issuer));
    add_extension(out->cert, issuer, NID_basic_constraints, by ? "critical,CA:FALSE" : "critical,CA:TRUE");
    add_extension(out->cert, issuer, NID_key_usage,
                  by ? "critical,digitalSignature" : "critical,keyCertSign,cRLSign,digitalSignature");
    if (by)
        add_extension(out->cert, issuer, NID_ext_key_usage, names ? "serverAuth" : "clientAuth");
    if (names)
        add_extension(out->cert, issuer, NID_subject_alt_name, names);
    if (!X509_sign(out->cert, by ? by->key : out->key, EVP_sha256()))
        return error_set(e, ERR_BUG, "cannot sign the certificate of %s", cn);
    return 0;
}

static void drop(struct identity *id)
{
    X509_free(id->cert);
    EVP_PKEY_free(id->key);
}

static int save(const char *state, const char *name, const struct buf *b, mode_t mode, struct error *e)
{
    char path[4096];

    (void)snprintf(path, sizeof(path), "%s/pki/%s", state, name);
    return env_uv_write_file(path, buf_str(b), mode, true, e);
}

static int save_all(const struct devkube_pki *p, const char *state, struct error *e)
{
    const struct {
        const char *name;
        const struct buf *pem;
    } files[] = {{"server.crt", &p->server_cert},
                 {"server.key", &p->server_key},
                 {"admin.crt", &p->admin_cert},
                 {"admin.key", &p->admin_key},
                 {"ca.crt", &p->ca}}; /* last: its presence says that all are there */
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < sizeof(files) / sizeof(files[0]); i++)
        rc = save(state, files[i].name, files[i].pem, 0600, e);
    return rc;
}

static int make_all(struct devkube_pki *p, const char *state, const char *address, struct error *e)
{
    struct identity ca = {0}, server = {0}, admin = {0};
    struct buf ca_key;
    char names[256];
    int rc;

    buf_init(&ca_key, PEM_MAX);
    (void)snprintf(names, sizeof(names),
                   "DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:%s",
                   address);
    rc = make(&ca, NULL, NULL, "devkube-ca", NULL, e);
    if (rc == 0)
        rc = make(&server, &ca, NULL, "devkube", names, e);
    if (rc == 0)
        rc = make(&admin, &ca, "system:masters", "devkube-admin", NULL, e);
    if (rc == 0 && (write_pem(&ca, &p->ca, &ca_key) || write_pem(&server, &p->server_cert, &p->server_key) ||
                    write_pem(&admin, &p->admin_cert, &p->admin_key)))
        rc = error_set(e, ERR_BUG, "cannot write certificates as PEM");
    drop(&ca);
    drop(&server);
    drop(&admin);
    mem_wipe(ca_key.data, ca_key.len); /* nothing is signed later: the authority's key is not kept */
    buf_done(&ca_key);
    return rc ? rc : save_all(p, state, e);
}

int devkube_pki_load(struct devkube_pki *p, const char *state, const char *address, struct error *e)
{
    const struct {
        const char *name;
        struct buf *to;
    } files[] = {{"ca.crt", &p->ca},
                 {"server.crt", &p->server_cert},
                 {"server.key", &p->server_key},
                 {"admin.crt", &p->admin_cert},
                 {"admin.key", &p->admin_key}};
    char path[4096];

    (void)snprintf(path, sizeof(path), "%s/pki", state);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        buf_init(files[i].to, PEM_MAX);
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return error_set(e, ERR_DENIED, "folder %s: %s", path, strerror(errno));
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        int rc;

        (void)snprintf(path, sizeof(path), "%s/pki/%s", state, files[i].name);
        rc = env_uv_read_file(path, files[i].to, e);
        if (rc == ERR_NOTFOUND && i == 0)
            return make_all(p, state, address, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

void devkube_pki_done(struct devkube_pki *p)
{
    struct buf *all[] = {&p->ca, &p->server_cert, &p->server_key, &p->admin_cert, &p->admin_key};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (all[i]->len)
            mem_wipe(all[i]->data, all[i]->len);
        buf_done(all[i]);
    }
}
