/*
 * scan_raw: the text of the object that is being scanned, put together from the chunks, without its managedFields:
 * those are half of some objects, and nobody reads them. Private to scan.
 */
#ifndef STASHD_SCAN_RAW_H
#define STASHD_SCAN_RAW_H

#include "core/base/buf.h"
#include "core/base/str.h"

struct scan_raw {
    struct buf text;
    bool wanted;
    enum { SCAN_RAW_OFF, SCAN_RAW_ON, SCAN_RAW_LEAVES_OUT } state;
    const char *from; /* ON: what is not copied yet begins here, in the chunk at hand */
    int depth;        /* of the object's frame */
    bool done;        /* whole, until the next one begins */
};

void scan_raw_init(struct scan_raw *r);
void scan_raw_done(struct scan_raw *r);

void scan_raw_begin(struct scan_raw *r, const char *at, int depth); /* at its '{' */
void scan_raw_leave_out(struct scan_raw *r, const char *at);        /* the value that begins here becomes null */
/* After each step. value_ended: the scanner stands behind a value, in a container of that depth. */
void scan_raw_follow(struct scan_raw *r, const char *at, int depth, bool value_ended);
void scan_raw_chunk_begin(struct scan_raw *r, const char *at);
void scan_raw_chunk_end(struct scan_raw *r, const char *at);
struct str scan_raw_text(const struct scan_raw *r); /* STR_NONE: not whole, not wanted, or over LIMIT_WATCH_LINE */

#endif
