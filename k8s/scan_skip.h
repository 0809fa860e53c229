/*
 * scan_skip: over a value that nobody wants, 64 bytes at a time: three quarters of an object's text is managedFields,
 * which is short strings and brackets, and a step a string costs more than all the rest of the object.
 */
#ifndef STASHD_SCAN_SKIP_H
#define STASHD_SCAN_SKIP_H

#include <stdbool.h>
#include <stddef.h>

enum { SCAN_SKIP_BLOCK = 64 };

/*
 * at: outside of a string, *depth open brackets. Answers where to go on byte by byte: a block with an escape in it,
 * less than a block, or the bracket that closes the value (*depth is 1 then). *ret_in_text: that is inside a string.
 * Where the processor has no such instructions: at.
 */
const char *scan_skip(const char *at, const char *end, size_t *depth, bool *ret_in_text);

#endif
