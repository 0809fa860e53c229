/*
 * grastate: the position of a restored node: from the file that --prepare has written to the grastate.dat that Galera
 * reads at its start. Pure.
 *
 * Only the prepared position may go in (datapath.md 4.1): that of the stream itself is some transactions ahead of the
 * data, and a node that joins with it hangs for ever. Without a grastate.dat a node takes a whole state transfer and
 * claims that it is safe to bootstrap from.
 */
#ifndef STASHD_GRASTATE_H
#define STASHD_GRASTATE_H

#include <stdbool.h>

#include "core/base/buf.h"

struct grastate {
    char uuid[37];
    int64_t seqno;
};

/* "UUID:SEQNO" with an optional " DOMAIN" (MariaDB) and line end.
 * ERR_INVALID for anything else, and for a seqno below 0. */
int grastate_parse(struct str text, struct grastate *out, struct error *e) NODISCARD;
/* The whole file. safe_to_bootstrap: for exactly one node of a cluster. */
void grastate_format(const struct grastate *g, bool safe_to_bootstrap, struct buf *out);

#endif
