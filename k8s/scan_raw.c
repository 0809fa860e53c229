/* scan_raw: see scan_raw.h. What stands between two calls is copied as it is, blanks included. */
#include "k8s/scan_raw.h"

#include "core/base/limits.h"

void scan_raw_init(struct scan_raw *r)
{
    *r = (struct scan_raw){.state = SCAN_RAW_OFF};
    buf_init(&r->text, LIMIT_WATCH_LINE);
}

void scan_raw_done(struct scan_raw *r)
{
    buf_done(&r->text);
}

static void copy_to(struct scan_raw *r, const char *at)
{
    buf_add(&r->text, r->from, (size_t)(at - r->from));
    r->from = at;
}

void scan_raw_begin(struct scan_raw *r, const char *at, int depth)
{
    buf_clear(&r->text);
    r->state = SCAN_RAW_ON;
    r->from = at;
    r->depth = depth;
    r->done = false;
}

void scan_raw_leave_out(struct scan_raw *r, const char *at)
{
    copy_to(r, at);
    buf_puts(&r->text, "null");
    r->state = SCAN_RAW_LEAVES_OUT;
}

void scan_raw_follow(struct scan_raw *r, const char *at, int depth, bool value_ended)
{
    if (r->state == SCAN_RAW_LEAVES_OUT && value_ended) {
        r->state = SCAN_RAW_ON;
        r->from = at;
    }
    if (r->state == SCAN_RAW_ON && depth < r->depth) {
        copy_to(r, at);
        r->state = SCAN_RAW_OFF;
        r->done = true;
    }
}

void scan_raw_chunk_begin(struct scan_raw *r, const char *at)
{
    r->from = at;
}

void scan_raw_chunk_end(struct scan_raw *r, const char *at)
{
    if (r->state == SCAN_RAW_ON)
        copy_to(r, at);
}

struct str scan_raw_text(const struct scan_raw *r)
{
    return r->done && buf_error(&r->text) == 0 ? buf_str(&r->text) : STR_NONE;
}
