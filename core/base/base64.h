/* base64: RFC 4648 with padding, as in Secrets and kubeconfigs. */
#ifndef STASHD_BASE64_H
#define STASHD_BASE64_H

#include <stdbool.h>

#include "core/base/buf.h"

void base64_encode(struct buf *out, struct str bytes);
/* Line ends between groups are allowed. False on anything else that is not base64; out then holds what came before. */
bool base64_decode(struct buf *out, struct str text);

#endif
