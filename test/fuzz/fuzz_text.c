/*
 * fuzz_text: a pushed page is refused with the number of a line, or its samples, printed again, give the same samples.
 * Reads: metrics/text.c
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/base/buf.h"
#include "metrics/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One line with all that a reader learns; without type and help, which only their own lines can tell. */
static int print(void *ctx, const struct text_sample *s, struct error *e)
{
    struct buf *out = ctx;
    char value[32];

    (void)e;
    assert(text_name_ok(s->name, false) && s->n_labels <= TEXT_LABELS_MAX);
    assert(*text_type_name(s->type));
    buf_add_str(out, s->name);
    for (size_t i = 0; i < s->n_labels; i++) {
        assert(text_name_ok(s->labels[i].name, true));
        buf_puts(out, i ? "," : "{");
        buf_add_str(out, s->labels[i].name);
        buf_puts(out, "=\"");
        text_put_escaped(out, s->labels[i].value, true);
        buf_puts(out, "\"");
    }
    buf_printf(out, "%s %s%s\n", s->n_labels ? "}" : "", text_format_value(s->value, value),
               s->has_timestamp ? " 1" : "");
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str body = {(const char *)data, size};
    struct buf first, second;
    struct error e = {0};

    buf_init(&first, 16 * size + 4096);
    buf_init(&second, 16 * size + 4096);
    if (text_parse(body, print, &first, &e) < 0) {
        assert(e.msg[0]);
    } else if (buf_error(&first) == 0) {
        assert(text_parse(buf_str(&first), print, &second, &e) == 0);
        assert(str_eq(buf_str(&first), buf_str(&second)));
    }
    buf_done(&first);
    buf_done(&second);
    return 0;
}
