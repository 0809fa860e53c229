/* str: see str.h. Times and durations: str_time.c. Quantities, sizes, names: here. */
#include "core/base/str.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

bool str_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

bool str_ends(struct str s, struct str suffix)
{
    return s.n >= suffix.n && (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct str str_trim(struct str s)
{
    while (s.n && is_blank(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

bool str_cut(struct str *rest, char sep, struct str *part)
{
    const char *at;

    if (!rest->p)
        return false;
    at = rest->n ? memchr(rest->p, sep, rest->n) : NULL;
    if (!at) {
        *part = *rest;
        *rest = STR_NONE;
        return true;
    }
    *part = (struct str){rest->p, (size_t)(at - rest->p)};
    rest->n -= part->n + 1;
    rest->p = at + 1;
    return true;
}

int str_to_u64(struct str s, uint64_t *ret)
{
    uint64_t v = 0;

    if (!s.n)
        return ERR_INVALID;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return ERR_INVALID;
        if (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
            return ERR_INVALID;
    }
    *ret = v;
    return 0;
}

int str_to_i64(struct str s, int64_t *ret)
{
    bool minus = s.n && s.p[0] == '-';
    uint64_t v = 0;

    if (minus) {
        s.p++;
        s.n--;
    }
    if (str_to_u64(s, &v) < 0 || v > (uint64_t)INT64_MAX + minus)
        return ERR_INVALID;
    *ret = minus ? (int64_t)(0 - v) : (int64_t)v;
    return 0;
}

/* The suffixes of a Kubernetes quantity, as thousandths of one unit. */
static const struct {
    const char *suffix;
    double milli;
} quantity_units[] = {
    {"",   1e3                   }, {"n",  1e-6                  }, {"u",  1e-3           }, {"m",  1},
    {"k",  1e6                   }, {"M",  1e9                   }, {"G",  1e12           }, {"T",  1e15},
    {"P",  1e18                  }, {"Ki", 1e3 * 1024            }, {"Mi", 1e3 * 1048576.0}, {"Gi", 1e3 * 1073741824.0},
    {"Ti", 1e3 * 1099511627776.0 }, {"Pi", 1e3 * 1125899906842624.0},
};

int str_parse_quantity_milli(struct str s, int64_t *ret_milli)
{
    char number[64];
    size_t n = 0;
    char *end;
    double value, milli = 0;

    s = str_trim(s);
    while (n < s.n && n < sizeof(number) - 1 && (isdigit((unsigned char)s.p[n]) || strchr("+-.", s.p[n])))
        n++;
    /* An exponent is digits after 'e' or 'E'; a lone E is the suffix exa, which no claim here needs. */
    if (n < s.n && (s.p[n] == 'e' || s.p[n] == 'E')) {
        n++;
        while (n < s.n && n < sizeof(number) - 1 && (isdigit((unsigned char)s.p[n]) || strchr("+-", s.p[n])))
            n++;
    }
    if (!n || n >= sizeof(number) - 1)
        return ERR_INVALID;
    memcpy(number, s.p, n);
    number[n] = 0;
    value = strtod(number, &end);
    if (end != number + n)
        return ERR_INVALID;
    for (size_t i = 0; i < sizeof(quantity_units) / sizeof(quantity_units[0]); i++)
        if (str_is((struct str){s.p + n, s.n - n}, quantity_units[i].suffix))
            milli = quantity_units[i].milli;
    if (milli == 0)
        return ERR_INVALID;
    value *= milli;
    if (value > 9e18 || value < -9e18)
        return ERR_INVALID;
    *ret_milli = (int64_t)value;
    if ((double)*ret_milli < value)
        (*ret_milli)++; /* Kubernetes rounds up */
    return 0;
}

static const struct {
    const char *name;
    uint64_t bytes;
} sizes[] = {
    {"TiB", 1ull << 40}, {"GiB", 1ull << 30}, {"MiB", 1ull << 20}, {"KiB", 1ull << 10}, {"B", 1}};

const char *str_format_size(uint64_t bytes, char out[32])
{
    for (size_t i = 0; i < 4; i++)
        if (bytes > sizes[i].bytes) {
            (void)snprintf(out, 32, "%.3f %s", (double)bytes / (double)sizes[i].bytes, sizes[i].name);
            return out;
        }
    (void)snprintf(out, 32, "%llu B", (unsigned long long)bytes);
    return out;
}

int str_parse_size(struct str s, uint64_t *ret_bytes)
{
    char number[40];
    struct str value, unit = s;
    char *end;
    double v;

    if (!str_cut(&unit, ' ', &value) || !unit.p || value.n >= sizeof(number) || !value.n)
        return ERR_INVALID;
    memcpy(number, value.p, value.n);
    number[value.n] = 0;
    v = strtod(number, &end);
    if (*end || !(v >= 0))
        return ERR_INVALID;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        if (str_is(unit, sizes[i].name)) {
            v *= (double)sizes[i].bytes;
            if (v >= 1.8e19)
                return ERR_INVALID;
            *ret_bytes = (uint64_t)(v + 0.5);
            return 0;
        }
    return ERR_INVALID;
}

const char *str_format_clock(uint64_t seconds, char out[32])
{
    unsigned long long h = seconds / 3600, m = seconds / 60 % 60, s = seconds % 60;

    if (h)
        (void)snprintf(out, 32, "%llu:%02llu:%02llu", h, m, s);
    else
        (void)snprintf(out, 32, "%llu:%02llu", m, s);
    return out;
}

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool str_is_dns_label(struct str s)
{
    if (!s.n || s.n > 63 || !is_lower_alnum(s.p[0]) || !is_lower_alnum(s.p[s.n - 1]))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_lower_alnum(s.p[i]) && s.p[i] != '-')
            return false;
    return true;
}

bool str_is_dns_name(struct str s)
{
    struct str part;

    if (!s.n || s.n > 253)
        return false;
    while (str_cut(&s, '.', &part)) {
        if (!part.n || !is_lower_alnum(part.p[0]) || !is_lower_alnum(part.p[part.n - 1]))
            return false;
        for (size_t i = 0; i < part.n; i++)
            if (!is_lower_alnum(part.p[i]) && part.p[i] != '-')
                return false;
    }
    return true;
}

/* Both halves of the product: each bit of a text reaches each bit of the sum. */
static uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t str_hash(uint64_t seed, struct str s)
{
    const uint64_t odd = 0xd6e8feb86659fd93u;
    uint64_t h = seed ^ 0xcbf29ce484222325u ^ s.n, word;

    for (; s.n >= 8; s.p += 8, s.n -= 8) {
        memcpy(&word, s.p, 8);
        h = fold(h ^ word, odd);
    }
    word = 0;
    if (s.n)
        memcpy(&word, s.p, s.n);
    return fold(fold(h ^ word, odd), odd);
}

void str_hex(const unsigned char *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}

void str_sha256_hex(struct str s, char out[65])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    if (EVP_Digest(s.p ? s.p : "", s.n, digest, &n, EVP_sha256(), NULL) != 1 || n != 32)
        abort(); /* only without memory */
    str_hex(digest, n, out);
}

const char *str_shorten_name(struct str full, size_t max, bool no_dots, char out[256])
{
    char hex[65];
    size_t keep = full.n;

    if (max > 253)
        max = 253;
    if (full.n > max)
        keep = max - 9;
    memcpy(out, full.p, keep);
    out[keep] = 0;
    if (full.n > max) {
        while (keep && !is_lower_alnum(out[keep - 1]))
            keep--;
        str_sha256_hex(full, hex);
        (void)snprintf(out + keep, 256 - keep, "-%.8s", hex);
    }
    for (char *p = out; no_dots && *p; p++)
        if (*p == '.')
            *p = '-';
    return out;
}

#define EACH(byte) ((byte) * 0x0101010101010101u)

/* The high bit of the first byte that ends a plain run. Maybe bits of bytes after it. */
static uint64_t plain_ends(uint64_t word)
{
    uint64_t quote = word ^ EACH(0x22u), slash = word ^ EACH(0x5cu);

    return ((quote - EACH(1u)) | (slash - EACH(1u)) | (word - EACH(0x20u)) | word) & EACH(0x80u);
}

const char *str_plain_run(const char *p, const char *end)
{
    for (; end - p >= 8; p += 8) {
        uint64_t word, found;

        memcpy(&word, p, 8);
        if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
            word = __builtin_bswap64(word);
        found = plain_ends(word);
        if (found)
            return p + __builtin_ctzll(found) / 8;
    }
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80)
        p++;
    return p;
}

size_t str_utf8_first(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t n = !s.n || p[0] < 0xc2 ? s.n && p[0] < 0x80 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;

    if (n > s.n)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if (n > 1 && ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
                  (p[0] == 0xf4 && p[1] > 0x8f)))
        return 0;
    return n;
}

void str_mend_utf8(char *text)
{
    size_t left = strlen(text), n;

    for (char *p = text; left; p += n, left -= n) {
        n = str_utf8_first((struct str){p, left});
        if (!n) {
            *p = '?';
            n = 1;
        }
    }
}
