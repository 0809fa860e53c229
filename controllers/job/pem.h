/*
 * pem: the name that a certificate has: MariaDB's donors ask for it when they encrypt.
 */
#ifndef STASHD_PEM_H
#define STASHD_PEM_H

#include <stddef.h>

#include "core/base/str.h"

/* Common name of the first certificate, else its first DNS name; "" when there is none or it does not fit. */
void pem_common_name(struct str pem, char *out, size_t size);

#endif
