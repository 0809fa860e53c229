/* httpdate: see httpdate.h. The calendar is str_parse_time's and str_format_time's. */
#include "core/base/httpdate.h"

#include <stdio.h>
#include <string.h>

static const char days[] = "ThuFriSatSunMonTueWed"; /* from 1970-01-01 on */
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

int httpdate_parse(struct str text, int64_t *ret_s)
{
    static const char form[] = "Aaa, 00 Aaa 0000 00:00:00 GMT";
    const char *t = text.p;
    char time[32];

    if (text.n != sizeof(form) - 1)
        return -1;
    for (size_t i = 0; i < text.n; i++) {
        bool is_digit = t[i] >= '0' && t[i] <= '9', is_letter = (t[i] | 0x20) >= 'a' && (t[i] | 0x20) <= 'z';

        if (form[i] == '0' ? !is_digit : form[i] == 'A' || form[i] == 'a' ? !is_letter : t[i] != form[i])
            return -1;
    }
    for (int m = 0; m < 12; m++) {
        if (memcmp(months + m * 3, t + 8, 3) != 0)
            continue;
        (void)snprintf(time, sizeof(time), "%.4s-%02d-%.2sT%.8sZ", t + 12, m + 1, t + 5, t + 17);
        return str_parse_time(str_of(time), ret_s) < 0 ? -1 : 0;
    }
    return -1;
}

const char *httpdate_format(int64_t unix_s, char out[32])
{
    char time[32];
    int month;

    (void)str_format_time(unix_s, time); /* 2026-03-01T02:00:00Z */
    month = (time[5] - '0') * 10 + time[6] - '0';
    (void)snprintf(out, 32, "%.3s, %.2s %.3s %.4s %.8s GMT", days + unix_s / 86400 % 7 * 3, time + 8,
                   months + (month - 1) * 3, time, time + 11);
    return out;
}
