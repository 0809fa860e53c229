/*
 * dump_scan: how many tables and rows a dump holds, counted while it passes: CREATE TABLE statements, and the groups
 * of values of INSERT and REPLACE statements. Routines (between lines "DELIMITER") do not count. Pure; any cut of the
 * input gives the same result.
 */
#ifndef STASHD_DUMP_SCAN_H
#define STASHD_DUMP_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/str.h"

enum { DUMP_SCAN_WORD = 16 };

struct dump_scan { /* all zero at the start */
    uint64_t tables, rows; /* readable */
    /* private */
    char word[DUMP_SCAN_WORD]; /* the first bytes of a line */
    unsigned char n_word, n_values;
    char quote; /* in an INSERT: inside such quotes; 0: outside */
    bool in_insert, in_routine, escaped, values_seen;
    uint32_t depth;
};

void dump_scan_feed(struct dump_scan *s, struct str bytes);

#endif
