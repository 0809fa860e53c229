/* text: see text.h. */
#include "metrics/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAME_MAX_BYTES = 1024 };

static const char *const type_names[] = {"untyped", "counter", "gauge", "histogram", "summary"};

struct parser {
    struct buf scratch; /* unescaped label values and help of the family */
    struct buf help;
    struct str family, help_of; /* names of the last TYPE and HELP lines */
    enum text_type type;
    unsigned line;
};

const char *text_type_name(enum text_type t)
{
    return type_names[t];
}

/* Bytes that a name may begin with, at most `most`. */
static size_t name_length(struct str s, bool label, size_t most)
{
    size_t n = 0;

    for (; n < s.n && n < most; n++) {
        char c = s.p[n];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c == ':' && !label);

        if (!letter && !(n > 0 && c >= '0' && c <= '9'))
            break;
    }
    return n;
}

bool text_name_ok(struct str name, bool label)
{
    return name.n > 0 && name.n <= NAME_MAX_BYTES && name_length(name, label, name.n) == name.n;
}

/* Go's 'g' with the shortest digits: an exponent is printed from 1e+06 up and under 1e-04. */
const char *text_format_value(double v, char out[32])
{
    char digits[32];
    const char *e;
    int precision = 0;
    int64_t exponent = 0;

    if (v == 0)
        v = 0; /* "-0" has no use */
    if (isnan(v) || isinf(v)) {
        (void)snprintf(out, 32, "%s", isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf");
        return out;
    }
    do
        (void)snprintf(digits, sizeof(digits), "%.*e", precision, v);
    while (strtod(digits, NULL) != v && ++precision < 17);
    e = strchr(digits, 'e');
    if (e && str_to_i64(str_of(e[1] == '+' ? e + 2 : e + 1), &exponent) == 0 && exponent >= -4 && exponent < 6)
        (void)snprintf(out, 32, "%.*f", precision > exponent ? (int)(precision - exponent) : 0, v);
    else
        (void)snprintf(out, 32, "%s", digits);
    return out;
}

void text_put_escaped(struct buf *out, struct str s, bool quotes)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\')
            buf_puts(out, "\\\\");
        else if (s.p[i] == '\n')
            buf_puts(out, "\\n");
        else if (s.p[i] == '"' && quotes)
            buf_puts(out, "\\\"");
        else
            buf_putc(out, s.p[i]);
    }
}

static struct str skip_blanks(struct str s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s.p++;
        s.n--;
    }
    return s;
}

static struct str take_word(struct str *rest)
{
    struct str word = {rest->p, 0};

    while (word.n < rest->n && rest->p[word.n] != ' ' && rest->p[word.n] != '\t')
        word.n++;
    rest->p += word.n;
    rest->n -= word.n;
    *rest = skip_blanks(*rest);
    return word;
}

static struct str take_name(struct str *rest)
{
    struct str name = {rest->p, name_length(*rest, false, NAME_MAX_BYTES)};

    rest->p += name.n;
    rest->n -= name.n;
    return name;
}

static int wrong(const struct parser *p, const char *what, struct error *e)
{
    return error_set(e, ERR_INVALID, "line %u: %s", p->line, what);
}

static int parse_comment(struct parser *p, struct str rest, struct error *e)
{
    struct str word = take_word(&rest), name;

    if (!str_is(word, "HELP") && !str_is(word, "TYPE"))
        return 0; /* any other comment */
    name = take_word(&rest);
    if (!text_name_ok(name, false))
        return wrong(p, "no metric name after HELP or TYPE", e);
    if (str_is(word, "HELP")) {
        buf_clear(&p->help);
        for (size_t i = 0; i < rest.n; i++) {
            bool escape = rest.p[i] == '\\' && i + 1 < rest.n && (rest.p[i + 1] == 'n' || rest.p[i + 1] == '\\');

            if (escape)
                i++;
            buf_putc(&p->help, escape && rest.p[i] == 'n' ? '\n' : rest.p[i]);
        }
        p->help_of = name;
        return 0;
    }
    word = take_word(&rest);
    for (size_t t = 0; t < sizeof(type_names) / sizeof(type_names[0]); t++)
        if (str_is(word, type_names[t])) {
            p->family = name;
            p->type = (enum text_type)t;
            return 0;
        }
    return wrong(p, "unknown type", e);
}

/* {a="x",b="y"}; values go to scratch, whose place may move: offsets first, pointers when all are there. */
static int parse_labels(struct parser *p, struct str *rest, struct text_label *labels, size_t *n, struct error *e)
{
    size_t starts[TEXT_LABELS_MAX];

    buf_clear(&p->scratch);
    for (*n = 0;; (*n)++) {
        *rest = skip_blanks(*rest);
        if (rest->n && rest->p[0] == '}')
            break;
        if (*n == TEXT_LABELS_MAX)
            return wrong(p, "more than 64 labels", e);
        labels[*n].name = take_name(rest);
        *rest = skip_blanks(*rest);
        if (!text_name_ok(labels[*n].name, true) || rest->n < 2 || rest->p[0] != '=')
            return wrong(p, "a label is not name=\"value\"", e);
        *rest = skip_blanks((struct str){rest->p + 1, rest->n - 1});
        if (!rest->n || rest->p[0] != '"')
            return wrong(p, "a label's value is not quoted", e);
        starts[*n] = p->scratch.len;
        size_t i = 1;
        for (; i < rest->n && rest->p[i] != '"'; i++) {
            bool escape = rest->p[i] == '\\' && i + 1 < rest->n;

            if (escape)
                i++;
            buf_putc(&p->scratch, escape && rest->p[i] == 'n' ? '\n' : rest->p[i]);
        }
        if (i >= rest->n)
            return wrong(p, "a label's value has no end", e);
        labels[*n].value.n = p->scratch.len - starts[*n];
        *rest = skip_blanks((struct str){rest->p + i + 1, rest->n - i - 1});
        if (rest->n && rest->p[0] == ',')
            *rest = (struct str){rest->p + 1, rest->n - 1};
        else if (!rest->n || rest->p[0] != '}')
            return wrong(p, "labels have no end", e);
    }
    *rest = (struct str){rest->p + 1, rest->n - 1};
    for (size_t i = 0; i < *n; i++)
        labels[i].value.p = p->scratch.data + starts[i];
    return buf_error(&p->scratch) < 0 ? wrong(p, "labels are too long", e) : 0;
}

/* Does a sample's name belong to the family of the last TYPE line? */
static bool in_family(const struct parser *p, struct str name)
{
    static const char *const suffixes[] = {"_bucket", "_sum", "_count"};

    if (str_eq(name, p->family))
        return true;
    if ((p->type != TEXT_HISTOGRAM && p->type != TEXT_SUMMARY) || !str_starts(name, p->family))
        return false;
    for (int i = 0; i < 3; i++)
        if (str_is((struct str){name.p + p->family.n, name.n - p->family.n}, suffixes[i]))
            return true;
    return false;
}

static int parse_value(struct str word, double *ret)
{
    char text[64];
    char *end;

    if (!word.n || word.n >= sizeof(text))
        return ERR_INVALID;
    memcpy(text, word.p, word.n);
    text[word.n] = 0;
    *ret = strtod(text, &end); /* takes Inf and NaN in any case, as the format does */
    return *end ? ERR_INVALID : 0;
}

static int parse_sample(struct parser *p, struct str line, text_sample_fn *fn, void *ctx, struct error *e)
{
    struct text_label labels[TEXT_LABELS_MAX];
    struct text_sample s = {.labels = labels};
    struct str word;
    int rc;

    s.name = take_name(&line);
    if (!text_name_ok(s.name, false))
        return wrong(p, "no metric name", e);
    line = skip_blanks(line);
    if (line.n && line.p[0] == '{') {
        line = (struct str){line.p + 1, line.n - 1};
        rc = parse_labels(p, &line, labels, &s.n_labels, e);
        if (rc < 0)
            return rc;
    }
    line = skip_blanks(line);
    word = take_word(&line);
    if (parse_value(word, &s.value) < 0)
        return wrong(p, "the value is not a number", e);
    s.has_timestamp = line.n > 0;
    s.family = s.name;
    if (in_family(p, s.name)) {
        s.family = p->family;
        s.type = p->type;
    }
    if (str_eq(s.family, p->help_of))
        s.help = buf_str(&p->help);
    rc = fn(ctx, &s, e);
    return rc < 0 ? error_wrap(e, rc, "line %u", p->line) : 0;
}

int text_parse(struct str body, text_sample_fn *fn, void *ctx, struct error *e)
{
    struct parser p = {0};
    struct str line;
    int rc = 0;

    buf_init(&p.scratch, 64 * 1024);
    buf_init(&p.help, 64 * 1024);
    while (rc == 0 && body.n && str_cut(&body, '\n', &line)) {
        p.line++;
        line = str_trim(line);
        if (line.n && line.p[0] == '#')
            rc = parse_comment(&p, skip_blanks((struct str){line.p + 1, line.n - 1}), e);
        else if (line.n)
            rc = parse_sample(&p, line, fn, ctx, e);
    }
    buf_done(&p.scratch);
    buf_done(&p.help);
    return rc;
}
