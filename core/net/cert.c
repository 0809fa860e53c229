/* cert: see cert.h. */
#include "core/net/cert.h"

#include <arpa/inet.h>
#include <assert.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "core/base/buf.h"
#include "core/base/mem.h"

enum { SERIAL_BYTES = 16, NAMES_MAX = 16 * 1024 };

static int fail(struct error *e, const char *what)
{
    unsigned long code = ERR_peek_last_error();
    const char *why = code ? ERR_reason_error_string(code) : NULL;

    (void)error_set(e, ERR_INVALID, "%s: %s", what, why ? why : "refused");
    ERR_clear_error();
    return ERR_INVALID;
}

static int no_password(char *out, int size, int writing, void *ctx)
{
    (void)out, (void)size, (void)writing, (void)ctx;
    return -1;
}

static bool add_entry(X509_NAME *name, const char *field, const char *value)
{
    return !value || X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0);
}

static bool add_extension(X509 *x, X509V3_CTX *ctx, int nid, const char *value)
{
    X509_EXTENSION *ext = X509V3_EXT_nconf_nid(NULL, ctx, nid, value);
    bool ok = ext && X509_add_ext(x, ext, -1);

    X509_EXTENSION_free(ext);
    return ok;
}

static bool add_names(X509 *x, X509V3_CTX *ctx, const char *const *names)
{
    struct buf b;
    bool ok;

    if (!names || !names[0])
        return true;
    buf_init(&b, NAMES_MAX);
    for (; *names; names++) {
        unsigned char ip[16];
        bool is_address = inet_pton(AF_INET, *names, ip) == 1 || inet_pton(AF_INET6, *names, ip) == 1;

        if (strchr(*names, ',')) { /* the end of a name in OpenSSL's notation */
            buf_done(&b);
            return false;
        }
        buf_printf(&b, "%s%s:%s", b.len ? "," : "", is_address ? "IP" : "DNS", *names);
    }
    ok = buf_error(&b) == 0 && add_extension(x, ctx, NID_subject_alt_name, b.data);
    buf_done(&b);
    return ok;
}

static bool fill(X509 *x, const struct cert_spec *spec, EVP_PKEY *key, X509 *issuer)
{
    unsigned char serial[SERIAL_BYTES];
    X509_NAME *name = X509_get_subject_name(x);
    BIGNUM *number;
    const char *usage = spec->ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature";
    X509V3_CTX ctx;
    bool ok;

    if (RAND_bytes(serial, sizeof(serial)) != 1)
        return false;
    serial[0] = (serial[0] & 0x7f) | 0x40; /* positive, and never short */
    number = BN_bin2bn(serial, sizeof(serial), NULL);
    ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x));
    BN_free(number);
    X509V3_set_ctx(&ctx, issuer ? issuer : x, x, NULL, NULL, 0);
    /* O before CN, as Kubernetes' own: RFC 2253 turns the order round to CN=...,O=... */
    return ok && X509_set_version(x, X509_VERSION_3) && add_entry(name, "O", spec->organization) &&
           add_entry(name, "CN", spec->common_name) &&
           X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer) : name) &&
           ASN1_TIME_set(X509_getm_notBefore(x), (time_t)spec->from_unix_s) &&
           ASN1_TIME_set(X509_getm_notAfter(x), (time_t)spec->to_unix_s) && X509_set_pubkey(x, key) &&
           add_extension(x, &ctx, NID_basic_constraints, spec->ca ? "critical,CA:TRUE" : "critical,CA:FALSE") &&
           add_extension(x, &ctx, NID_key_usage, usage) &&
           (spec->ca || add_extension(x, &ctx, NID_ext_key_usage, "serverAuth,clientAuth")) &&
           add_extension(x, &ctx, NID_subject_key_identifier, "hash") &&
           add_extension(x, &ctx, NID_authority_key_identifier, "keyid") && add_names(x, &ctx, spec->names);
}

static char *text_of(BIO *b)
{
    char *p;
    long n = BIO_get_mem_data(b, &p);
    char *text = mem_strndup(p, n > 0 ? (size_t)n : 0);

    BIO_free(b);
    return text;
}

static void write_out(X509 *x, EVP_PKEY *key, struct cert *ret)
{
    BIO *b = BIO_new(BIO_s_mem()), *k = BIO_new(BIO_s_secmem());

    assert(b && k);
    if (!PEM_write_bio_X509(b, x) || !PEM_write_bio_PrivateKey(k, key, NULL, NULL, 0, NULL, NULL))
        assert(!"out of memory");
    ret->cert_pem = text_of(b);
    ret->key_pem = text_of(k);
}

static int load_issuer(const struct cert *issuer, X509 **ret_cert, EVP_PKEY **ret_key, struct error *e)
{
    BIO *b;

    if (!issuer)
        return 0;
    b = BIO_new_mem_buf(issuer->cert_pem, -1);
    *ret_cert = PEM_read_bio_X509(b, NULL, NULL, NULL);
    BIO_free(b);
    b = BIO_new_mem_buf(issuer->key_pem, -1);
    *ret_key = PEM_read_bio_PrivateKey(b, NULL, no_password, NULL);
    BIO_free(b);
    return *ret_cert && *ret_key ? 0 : fail(e, "issuer");
}

int cert_make(const struct cert_spec *spec, const struct cert *issuer, struct cert *ret, struct error *e)
{
    EVP_PKEY *key = EVP_EC_gen("P-256"), *issuer_key = NULL;
    X509 *x = X509_new(), *issuer_cert = NULL;
    int rc = load_issuer(issuer, &issuer_cert, &issuer_key, e);

    assert(key && x);
    if (rc == 0 && (!fill(x, spec, key, issuer_cert) || !X509_sign(x, issuer ? issuer_key : key, EVP_sha256())))
        rc = fail(e, spec->common_name);
    if (rc == 0)
        write_out(x, key, ret);
    X509_free(x);
    X509_free(issuer_cert);
    EVP_PKEY_free(key);
    EVP_PKEY_free(issuer_key);
    return rc;
}

static int64_t seconds_of(const ASN1_TIME *t)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0, seconds = 0;

    (void)ASN1_TIME_diff(&days, &seconds, epoch, t); /* fails for malformed times only: 1970 then */
    ASN1_TIME_free(epoch);
    return (int64_t)days * 86400 + seconds;
}

int cert_times(const char *pem, int64_t *ret_from_s, int64_t *ret_to_s, struct error *e)
{
    BIO *b = BIO_new_mem_buf(pem, -1);
    X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);

    BIO_free(b);
    if (!x)
        return fail(e, "certificate");
    *ret_from_s = seconds_of(X509_get0_notBefore(x));
    *ret_to_s = seconds_of(X509_get0_notAfter(x));
    X509_free(x);
    return 0;
}

void cert_done(struct cert *c)
{
    if (c->key_pem)
        mem_wipe(c->key_pem, strlen(c->key_pem));
    mem_free(c->key_pem);
    mem_free(c->cert_pem);
    *c = (struct cert){0};
}
