/*
 * unpack: the files of an xbstream into a folder that is ours alone, as mbstream -x does it, but by who reads the
 * stream anyway: no second program takes the bytes through another pipe and checks them again.
 */
#ifndef STASHD_UNPACK_H
#define STASHD_UNPACK_H

#include "controllers/job/xbstream.h"

struct unpack; /* opaque */

/* The folder is there, and empty. ERR_INVALID when it can't be opened. */
int unpack_new(const char *folder, struct unpack **ret, struct error *e) NODISCARD;
/* For xbstream_set_sink; it lives as long as u. Its errors name the file: ERR_INVALID, also of a full disk. Names are
 * those that xbstream lets through: relative, without "..". */
const struct xbstream_sink *unpack_sink(struct unpack *u);
void unpack_free(struct unpack *u);

#endif
