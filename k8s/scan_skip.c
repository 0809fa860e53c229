/*
 * scan_skip: see scan_skip.h. A bit a byte: which are quotes, which of the brackets lie outside of strings. Behind an
 * odd number of quotes is a string: the exclusive or of all bits up to each.
 */
#include "k8s/scan_skip.h"

#include <stdint.h>

#ifdef __SSE2__
#include <emmintrin.h>

struct block {
    __m128i part[4];
};

/* Here and below loops of four would stay loops: the compiler unrolls none at -O2. */
static uint64_t equal_to(const struct block *b, char c)
{
    const __m128i wanted = _mm_set1_epi8(c);
    uint64_t low = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(b->part[0], wanted)) |
                   (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(b->part[1], wanted)) << 16;
    uint64_t high = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(b->part[2], wanted)) |
                    (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(b->part[3], wanted)) << 16;

    return low | high << 32;
}

static uint64_t up_to_each(uint64_t bits)
{
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    return bits ^ bits << 32;
}

static void load(struct block *b, const char *at)
{
    b->part[0] = _mm_loadu_si128((const __m128i *)(const void *)at);
    b->part[1] = _mm_loadu_si128((const __m128i *)(const void *)(at + 16));
    b->part[2] = _mm_loadu_si128((const __m128i *)(const void *)(at + 32));
    b->part[3] = _mm_loadu_si128((const __m128i *)(const void *)(at + 48));
}

/* '[' is '{' without 0x20, ']' is '}' without. */
static void brackets(struct block *b, uint64_t *ret_open, uint64_t *ret_close)
{
    const __m128i bit = _mm_set1_epi8(0x20);

    b->part[0] = _mm_or_si128(b->part[0], bit);
    b->part[1] = _mm_or_si128(b->part[1], bit);
    b->part[2] = _mm_or_si128(b->part[2], bit);
    b->part[3] = _mm_or_si128(b->part[3], bit);
    *ret_open = equal_to(b, '{');
    *ret_close = equal_to(b, '}');
}

static unsigned ones(uint64_t bits)
{
    bits -= bits >> 1 & 0x5555555555555555u;
    bits = (bits & 0x3333333333333333u) + (bits >> 2 & 0x3333333333333333u);
    bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (unsigned)(bits * 0x0101010101010101u >> 56);
}

/* Place of the bracket that closes the value; 64: none does. */
static unsigned count(uint64_t open, uint64_t close, size_t *depth)
{
    unsigned closed = ones(close);

    if (closed < *depth) { /* whatever their order */
        *depth = *depth - closed + ones(open);
        return SCAN_SKIP_BLOCK;
    }
    for (uint64_t all = open | close; all; all &= all - 1) {
        unsigned at = (unsigned)__builtin_ctzll(all);

        if (open >> at & 1)
            ++*depth;
        else if (*depth > 1)
            --*depth;
        else
            return at;
    }
    return SCAN_SKIP_BLOCK;
}

const char *scan_skip(const char *at, const char *end, size_t *depth, bool *ret_in_text)
{
    uint64_t in_text = 0; /* all bits or none */

    for (; end - at >= SCAN_SKIP_BLOCK; at += SCAN_SKIP_BLOCK) {
        struct block b;
        uint64_t text, open, close;
        unsigned last;

        load(&b, at);
        if (equal_to(&b, '\\'))
            break;
        text = up_to_each(equal_to(&b, '"')) ^ in_text;
        brackets(&b, &open, &close);
        last = count(open & ~text, close & ~text, depth);
        if (last < SCAN_SKIP_BLOCK) {
            *ret_in_text = false;
            return at + last;
        }
        in_text = 0 - (text >> 63);
    }
    *ret_in_text = in_text;
    return at;
}
#else
const char *scan_skip(const char *at, const char *end, size_t *depth, bool *ret_in_text)
{
    (void)end;
    (void)depth;
    *ret_in_text = false;
    return at;
}
#endif
