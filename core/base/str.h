/*
 * str: a view of bytes that somebody else owns, and the small grammars of Kubernetes: durations, quantities,
 * times, sizes.
 */
#ifndef STASHD_STR_H
#define STASHD_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/base/error.h"

struct str {
    const char *p;
    size_t n;
};

#define STR(lit) ((struct str){(lit), sizeof(lit) - 1})
#define STR_NONE ((struct str){NULL, 0})

/* s may be NULL: an empty view. */
static inline struct str str_of(const char *s)
{
    return s ? (struct str){s, strlen(s)} : STR_NONE;
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_is(struct str a, const char *s)
{
    return str_eq(a, str_of(s));
}

/* NULL equals NULL and "". */
static inline bool str_same(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
struct str str_trim(struct str s); /* blanks, tabs, line ends at both ends */

/* Cuts the part before the first `sep` off *rest into *part. False when nothing is left; an empty last part counts:
 * "a," gives "a" and "". */
bool str_cut(struct str *rest, char sep, struct str *part);

/* Whole view as a decimal number without sign, blanks or leading '+': ERR_INVALID otherwise. */
int str_to_u64(struct str s, uint64_t *ret) NODISCARD;
int str_to_i64(struct str s, int64_t *ret) NODISCARD;

/* Go's time.ParseDuration: "1h30m", "350ms", "-1.5s", "0". ERR_INVALID with a text naming what is wrong. */
int str_parse_duration_ns(struct str s, int64_t *ret_ns, struct error *e) NODISCARD;
/* Go's Duration.String: "1h2m3.5s", "0s", "350ms". out is NUL-terminated; 32 bytes always suffice. */
const char *str_format_duration(int64_t ns, char out[32]);

/* RFC 3339 to Unix seconds; fractions are dropped, offsets applied. */
int str_parse_time(struct str s, int64_t *ret_unix_s) NODISCARD;
/* "2026-03-01T02:00:00Z"; any year 1 to 9999. */
const char *str_format_time(int64_t unix_s, char out[32]);

/* The civil date (UTC) of a day counted from 1970-01-01, and how long its month is. */
struct str_date {
    int64_t year;
    unsigned month, day, days_in_month;
};
struct str_date str_date_of(int64_t days);

/* Kubernetes quantity ("1Gi", "500m", "1e3", "2.5G") to milli-units; ERR_INVALID. */
int str_parse_quantity_milli(struct str s, int64_t *ret_milli) NODISCARD;

/* "304.165 MiB": over 2^40, 2^30, 2^20, 2^10 with three places, else "%d B" (worker.md 8.1). */
const char *str_format_size(uint64_t bytes, char out[32]);
/* The inverse, exact to what the text holds. */
int str_parse_size(struct str s, uint64_t *ret_bytes) NODISCARD;

/* "0:05", "1:02:03" (worker.md 8.1). */
const char *str_format_clock(uint64_t seconds, char out[32]);

/* True for a DNS-1123 label / subdomain. */
bool str_is_dns_label(struct str s);
bool str_is_dns_name(struct str s);

/* For tables of this process: who does not know the seed can't choose texts that meet. */
uint64_t str_hash(uint64_t seed, struct str s);

/* Lower-case hex; out has 2 n + 1 bytes. */
void str_hex(const unsigned char *bytes, size_t n, char *out);
/* Lower-case hex of SHA-256 over s. */
void str_sha256_hex(struct str s, char out[65]);

/* Up to the first byte that ends a run of plain ASCII in a string of JSON: a quote, a backslash, a control or no ASCII;
 * end when there is none. */
const char *str_plain_run(const char *p, const char *end);

/* Bytes of the character in UTF-8 that s begins with; 0: it begins with none. */
size_t str_utf8_first(struct str s);
/* In place: bytes that are no UTF-8, such as what a cut left of a character, become '?'. JSON takes nothing else. */
void str_mend_utf8(char *text);

/*
 * A name of at most `max` (<= 253) bytes from `full`: unchanged when it fits, else cut and ended with '-' and the
 * first 8 hex digits of SHA-256 over the whole (controllers.md 2 NEW). '.' becomes '-' when no_dots.
 */
const char *str_shorten_name(struct str full, size_t max, bool no_dots, char out[256]);

#endif
