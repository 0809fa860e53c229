/* pem: see pem.h. */
#include "controllers/job/pem.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

/* Certificates of today often have no common name. The first DNS name of subjectAltName. */
static int dns_name(X509 *cert, char *out, size_t size)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    int n = -1;

    for (int i = 0; n < 0 && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type == GEN_DNS && (size_t)ASN1_STRING_length(name->d.dNSName) < size)
            n = snprintf(out, size, "%.*s", ASN1_STRING_length(name->d.dNSName),
                         (const char *)ASN1_STRING_get0_data(name->d.dNSName));
    }
    GENERAL_NAMES_free(names);
    return n;
}

void pem_common_name(struct str pem, char *out, size_t size)
{
    BIO *in = BIO_new_mem_buf(pem.n ? pem.p : "", (int)pem.n);
    X509 *cert = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
    int n = -1;

    if (cert)
        n = X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, out, (int)size);
    if (cert && n <= 0)
        n = dns_name(cert, out, size);
    if (n < 0 || (size_t)n >= size - 1)
        out[0] = 0;
    X509_free(cert);
    BIO_free(in);
}
