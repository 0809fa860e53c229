/* base64: see base64.h. */
#include "core/base/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct buf *out, struct str bytes)
{
    for (size_t i = 0; i < bytes.n; i += 3) {
        size_t n = bytes.n - i < 3 ? bytes.n - i : 3;
        uint32_t v = 0;

        for (size_t k = 0; k < 3; k++)
            v = v << 8 | (k < n ? (unsigned char)bytes.p[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            buf_putc(out, k <= n ? digits[v >> (18 - 6 * k) & 63] : '=');
    }
}

static int value_of(char c)
{
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

bool base64_decode(struct buf *out, struct str text)
{
    uint32_t v = 0;
    size_t n = 0, pads = 0;

    for (size_t i = 0; i < text.n; i++) {
        int d = value_of(text.p[i]);

        if (text.p[i] == '\n' || text.p[i] == '\r')
            continue;
        if (text.p[i] == '=' && n % 4 >= 2)
            pads++;
        else if (d < 0 || pads)
            return false;
        v = v << 6 | (uint32_t)(d < 0 ? 0 : d);
        if (++n % 4)
            continue;
        for (size_t k = 0; k < 3 - pads; k++)
            buf_putc(out, (char)(v >> (16 - 8 * k) & 0xff));
        v = 0;
    }
    return n % 4 == 0 && pads <= 2;
}
