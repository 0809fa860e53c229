/* support_xbstream: xbstreams for tests, chunk by chunk. */
#ifndef STASHD_SUPPORT_XBSTREAM_H
#define STASHD_SUPPORT_XBSTREAM_H

#include "core/base/buf.h"

extern struct buf stream; /* what the calls below append to; the test's to init and to end */

void put_number(uint64_t n, int bytes);
void put_head(char type, const char *path);
void put_payload(const char *path, uint64_t offset, const char *text);
void put_file(const char *path, const char *text); /* a payload chunk and an end */

#endif
