/* grastate: see grastate.h. */
#include "controllers/job/grastate.h"

#include <ctype.h>

static bool is_uuid(struct str s)
{
    if (s.n != 36)
        return false;
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? s.p[i] != '-' : !isxdigit((unsigned char)s.p[i]))
            return false;
    }
    return true;
}

int grastate_parse(struct str text, struct grastate *out, struct error *e)
{
    struct str line = str_trim(text), uuid, seqno;
    int64_t n;

    if (memchr(line.n ? line.p : "", '\n', line.n))
        return error_set(e, ERR_INVALID, "the Galera position has several lines");
    if (!str_cut(&line, ':', &uuid) || !is_uuid(uuid))
        return error_set(e, ERR_INVALID, "\"%.*s\" is no Galera position", (int)(text.n < 60 ? text.n : 60),
                         text.n ? text.p : "");
    if (!str_cut(&line, ' ', &seqno) || str_to_i64(seqno, &n) < 0)
        return error_set(e, ERR_INVALID, "the Galera position has no seqno");
    if (n < 0)
        return error_set(e, ERR_INVALID, "the backup has no Galera position (seqno %lld)", (long long)n);
    memcpy(out->uuid, uuid.p, 36);
    out->uuid[36] = 0;
    out->seqno = n;
    return 0;
}

void grastate_format(const struct grastate *g, bool safe_to_bootstrap, struct buf *out)
{
    buf_printf(out, "# GALERA saved state\nversion: 2.1\nuuid:    %s\nseqno:   %lld\nsafe_to_bootstrap: %d\n", g->uuid,
               (long long)g->seqno, safe_to_bootstrap);
}
