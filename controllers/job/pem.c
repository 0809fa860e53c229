/* pem: see pem.h. */
#include "controllers/job/pem.h"

#include <openssl/pem.h>
#include <openssl/x509.h>

void pem_common_name(struct str pem, char *out, size_t size)
{
    BIO *in = BIO_new_mem_buf(pem.n ? pem.p : "", (int)pem.n);
    X509 *cert = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
    int n = -1;

    if (cert)
        n = X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, out, (int)size);
    if (n < 0 || (size_t)n >= size - 1)
        out[0] = 0;
    X509_free(cert);
    BIO_free(in);
}
