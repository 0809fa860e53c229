/*
 * selector_labels: the language of label selectors, "a=b,c!=d,e in (f,g),!k,n>3", read as Kubernetes reads it, so that
 * what is no selector is refused in the same words.
 */
#include "k8s/model/selector_parts.h"

enum token { TOKEN_END, TOKEN_WORD, TOKEN_NOT, TOKEN_COMMA, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_OPERATOR, TOKEN_ODD };

struct scan {
    struct str rest;
    struct str text; /* of the token read last */
    struct selector *found;
    struct error *e;
    int rc;
};

static bool is_special(char c)
{
    return c == '=' || c == '!' || c == '(' || c == ')' || c == ',' || c == '>' || c == '<';
}

static enum token special(struct scan *s)
{
    static const struct {
        const char *text;
        enum token token;
    } known[] = {{"==", TOKEN_OPERATOR}, {"!=", TOKEN_OPERATOR}, {"=", TOKEN_OPERATOR}, {">", TOKEN_OPERATOR},
                 {"<", TOKEN_OPERATOR},  {"!", TOKEN_NOT},       {"(", TOKEN_OPEN},     {")", TOKEN_CLOSE},
                 {",", TOKEN_COMMA}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        struct str symbol = str_of(known[i].text);

        if (!str_starts(s->rest, symbol))
            continue;
        s->text = (struct str){s->rest.p, symbol.n};
        s->rest = (struct str){s->rest.p + symbol.n, s->rest.n - symbol.n};
        return known[i].token;
    }
    return TOKEN_ODD;
}

static enum token next(struct scan *s)
{
    size_t n = 0;

    s->rest = str_trim(s->rest);
    s->text = STR_NONE;
    if (!s->rest.n)
        return TOKEN_END;
    if (is_special(s->rest.p[0]))
        return special(s);
    while (n < s->rest.n && !is_special(s->rest.p[n]) && s->rest.p[n] != ' ' && s->rest.p[n] != '\t')
        n++;
    s->text = (struct str){s->rest.p, n};
    s->rest = (struct str){s->rest.p + n, s->rest.n - n};
    return TOKEN_WORD;
}

/* The next token without taking it. */
static enum token peek(struct scan *s)
{
    struct scan copy = *s;
    enum token token = next(&copy);

    s->text = copy.text;
    return token;
}

/* where: "unable to parse requirement: " inside of one, "" between them. */
static bool refuse(struct scan *s, const char *where, const char *wanted)
{
    s->rc = error_set(s->e, ERR_INVALID, "%sfound '%.*s'%s", where, (int)s->text.n, s->text.n ? s->text.p : "", wanted);
    return false;
}

#define INSIDE "unable to parse requirement: "

/* What stands in parentheses; "(a,,b)" and "(a,)" hold an empty text. */
static bool read_list(struct scan *s, struct term *t)
{
    enum token token = next(s), last = TOKEN_COMMA;

    if (token != TOKEN_OPEN)
        return refuse(s, INSIDE, " expected: '('");
    while ((token = next(s)) != TOKEN_CLOSE) {
        if (token == TOKEN_COMMA && last == TOKEN_COMMA)
            selector_value(t, STR_NONE);
        else if (token == TOKEN_WORD && last == TOKEN_COMMA)
            selector_value(t, s->text);
        else if (token != TOKEN_COMMA)
            return refuse(s, INSIDE, last == TOKEN_WORD ? ", expected: ',' or ')'" : ", expected: ',', or identifier");
        last = token;
    }
    if (last == TOKEN_COMMA && t->n_values > 0)
        selector_value(t, STR_NONE);
    return true;
}

static bool read_number(struct scan *s, struct term *t)
{
    int64_t number;

    if (str_to_i64(str_of(t->values[0]), &number) == 0)
        return true;
    s->rc = error_set(s->e, ERR_INVALID,
                      INSIDE "values[0]: Invalid value: \"%s\": for 'Gt', 'Lt' operators, the value must be an integer",
                      t->values[0]);
    return false;
}

static bool read_value(struct scan *s, struct term *t)
{
    enum token token = peek(s);

    if (token == TOKEN_END || token == TOKEN_COMMA) {
        selector_value(t, STR_NONE);
    } else {
        if (next(s) != TOKEN_WORD)
            return refuse(s, INSIDE, ", expected: identifier");
        selector_value(t, s->text);
    }
    return (t->op != OP_GREATER && t->op != OP_LESS) || read_number(s, t);
}

static bool read_operator(struct scan *s, struct str key)
{
    static const struct {
        const char *text;
        enum op op;
    } known[] = {{"in", OP_IN}, {"notin", OP_NOT_IN},  {"=", OP_IN}, {"==", OP_IN},
                 {"!=", OP_NOT_IN}, {">", OP_GREATER}, {"<", OP_LESS}};
    enum token token = next(s);

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if ((token != TOKEN_WORD && token != TOKEN_OPERATOR) || !str_is(s->text, known[i].text))
            continue;
        return (i < 2 ? read_list : read_value)(s, selector_term(&s->found, key, known[i].op));
    }
    return refuse(s, INSIDE, ", expected: in, notin, =, ==, !=, gt, lt");
}

static bool read_requirement(struct scan *s)
{
    enum token token = next(s);
    bool absent = token == TOKEN_NOT;
    struct str key;

    if (absent)
        token = next(s);
    if (token != TOKEN_WORD)
        return refuse(s, INSIDE, ", expected: identifier");
    key = s->text;
    token = peek(s);
    if (!absent && token != TOKEN_END && token != TOKEN_COMMA)
        return read_operator(s, key);
    selector_term(&s->found, key, absent ? OP_ABSENT : OP_EXISTS);
    return true;
}

static bool read_all(struct scan *s)
{
    enum token token = peek(s);

    if (token == TOKEN_END)
        return true;
    if (token != TOKEN_WORD && token != TOKEN_NOT)
        return refuse(s, "", ", expected: !, identifier, or 'end of string'");
    while (read_requirement(s)) {
        token = next(s);
        if (token == TOKEN_END)
            return true;
        if (token != TOKEN_COMMA)
            return refuse(s, "", ", expected: ',' or 'end of string'");
        token = peek(s);
        if (token != TOKEN_WORD && token != TOKEN_NOT)
            return refuse(s, "", ", expected: identifier after ','");
    }
    return false;
}

int selector_parse_labels(struct selector **ret, const char *text, struct error *e)
{
    struct scan s = {.rest = str_of(text), .e = e};

    *ret = NULL;
    if (!read_all(&s)) {
        selector_free(s.found);
        return s.rc;
    }
    *ret = s.found;
    return 0;
}
