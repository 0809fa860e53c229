/* httpdate: the header Date of an HTTP answer, "Sun, 01 Mar 2026 02:00:00 GMT", as all servers send it today. */
#ifndef STASHD_HTTPDATE_H
#define STASHD_HTTPDATE_H

#include <stdint.h>

#include "core/base/str.h"

/* Unix seconds. 0, or -1 for anything else. */
int httpdate_parse(struct str text, int64_t *ret_s);
/* out, for a time from 1970 to 9999. */
const char *httpdate_format(int64_t unix_s, char out[32]);

#endif
