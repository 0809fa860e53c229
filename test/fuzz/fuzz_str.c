/*
 * fuzz_str: durations, times, quantities and sizes: what is read is written so that it reads back the same. Texts: what
 * looks at eight bytes at a time sees what a loop over bytes sees.
 * Reads: core/base/str.c core/base/str_time.c
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/base/mem.h"
#include "core/base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void numbers(struct str s)
{
    struct error e = {0};
    int64_t i, again;
    uint64_t u;
    char out[32];

    if (str_to_u64(s, &u) == 0) {
        assert(s.n > 0 && (u <= INT64_MAX) == (str_to_i64(s, &i) == 0));
        assert(*str_format_size(u, out) && *str_format_clock(u, out));
    }
    if (str_to_i64(s, &i) == 0 && i > -62135596800 && i < 253402300800) {
        assert(str_parse_time(str_of(str_format_time(i, out)), &again) == 0 && again == i);
        assert(str_date_of(i / 86400).month >= 1 && str_date_of(i / 86400).month <= 12);
    }
    if (str_parse_duration_ns(s, &i, &e) < 0)
        assert(e.msg[0]);
    else
        assert(str_parse_duration_ns(str_of(str_format_duration(i, out)), &again, &e) == 0 && again == i);
    if (str_parse_time(s, &i) == 0)
        assert(str_parse_time(str_of(str_format_time(i, out)), &again) == 0 && again == i);
    if (str_parse_quantity_milli(s, &i) == 0) {
        AUTO_FREE char *text = mem_printf("%lldm", (long long)i);

        assert(str_parse_quantity_milli(str_of(text), &again) == 0 && again == i);
    }
    if (str_parse_size(s, &u) == 0 && u < 1024)
        assert(str_parse_size(str_of(str_format_size(u, out)), &u) == 0);
}

static void names(struct str s, char *text)
{
    char out[256], again[256];
    size_t max = 20 + s.n % 234;

    str_shorten_name(s, max, s.n % 2, out);
    assert(strlen(out) <= max);
    assert(str_same(str_shorten_name(str_of(out), max, s.n % 2, again), out)); /* short enough stays */
    assert(!str_is_dns_label(s) || (str_is_dns_name(s) && s.n <= 63));
    str_mend_utf8(text);
    str_sha256_hex(str_of(text), out);
    str_mend_utf8(text); /* mended once, it stays */
    str_sha256_hex(str_of(text), again);
    assert(str_same(out, again));
}

static void parts(struct str s)
{
    struct str rest = s, part;
    size_t n = 0, total = 0;

    while (str_cut(&rest, ',', &part)) {
        assert(part.n == 0 || (part.p >= s.p && part.p + part.n <= s.p + s.n));
        total += part.n;
        n++;
    }
    assert(total <= s.n && n <= s.n + 1);
    part = str_trim(s);
    assert(part.n <= s.n && str_eq(str_trim(part), part));
    assert(str_starts(s, (struct str){s.p, s.n / 2}) && str_ends(s, (struct str){s.p + s.n / 2, s.n - s.n / 2}));
}

static bool is_utf8(struct str s)
{
    for (size_t n; s.n; s.p += n, s.n -= n)
        if (!(n = str_utf8_first(s)))
            return false;
    return true;
}

static void bytes(struct str s, const char *mended)
{
    const char *end = s.p + s.n, *p = s.p, *run = str_plain_run(s.p, end);
    struct str part = {s.p + s.n / 3, s.n - s.n / 3};
    AUTO_FREE char *moved = mem_strndup(part.p, part.n);

    while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' && *p != '\\')
        p++;
    assert(run == p);
    assert(str_hash(7, part) == str_hash(7, (struct str){moved, part.n})); /* wherever it lies */
    assert(is_utf8(str_of(mended)));
    if (!memchr(s.p, '\0', s.n))
        assert(is_utf8(s) == str_eq(s, str_of(mended)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct str s = {text, size};

    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    numbers(s);
    parts(s);
    names(s, text);
    bytes((struct str){(const char *)data, size}, text);
    free(text);
    return 0;
}
