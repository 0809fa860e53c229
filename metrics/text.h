/*
 * text: the text exposition format 0.0.4, in both directions. The parser is pure and bounded: it reads one whole body
 * and calls back for each sample; names and values are borrowed from the body or its own scratch memory for the call.
 */
#ifndef STASHD_METRICS_TEXT_H
#define STASHD_METRICS_TEXT_H

#include "core/base/buf.h"
#include "core/base/error.h"

struct text_label {
    struct str name, value; /* value without escapes */
};

enum text_type { TEXT_UNTYPED, TEXT_COUNTER, TEXT_GAUGE, TEXT_HISTOGRAM, TEXT_SUMMARY };

struct text_sample {
    struct str family; /* of the TYPE line that it belongs to, else its own name */
    struct str name;   /* with _bucket, _sum, _count where it has one */
    struct str help;   /* of the HELP line, without escapes; empty when none */
    enum text_type type;
    const struct text_label *labels;
    size_t n_labels;
    double value;
    bool has_timestamp;
};

enum { TEXT_LABELS_MAX = 64 };

/* Returns < 0 to stop with that code. */
typedef int text_sample_fn(void *ctx, const struct text_sample *s, struct error *e);

/* 0; ERR_INVALID with the line's number and what is wrong with it; or what fn returned. */
int text_parse(struct str body, text_sample_fn *fn, void *ctx, struct error *e) NODISCARD;

const char *text_type_name(enum text_type t);
/* "1", "0.25", "1.7723304e+09", "+Inf", "NaN": the shortest
 * text that reads back as the same number, as Go prints it. */
const char *text_format_value(double v, char out[32]);
void text_put_escaped(struct buf *out, struct str s, bool quotes); /* \\ and \n, with quotes \" too */
bool text_name_ok(struct str name, bool label);

#endif
