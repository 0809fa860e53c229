/*
 * schema_format: texts that a schema constrains: patterns, formats, validation rules.
 *
 * Patterns are ECMA's; libc knows POSIX extended expressions. The two differ in escapes (\d, \w, \s, and every escape
 * inside brackets), in groups that catch nothing, and in what we refuse: look-around, back references, lazy repetition.
 */
#include <ctype.h>

#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/base/mem.h"
#include "k8s/model/schema_node.h"

static const char *class_of(char escape)
{
    switch (escape) {
    case 'd':
        return "0-9";
    case 'w':
        return "A-Za-z0-9_";
    case 's':
        return " \t\r\n\f\v";
    default:
        return NULL;
    }
}

static int escape_outside(struct buf *out, char c, struct error *e)
{
    const char *class = class_of((char)tolower((unsigned char)c));

    if (class)
        buf_printf(out, "[%s%s]", isupper((unsigned char)c) ? "^" : "", class);
    else if (c == 't' || c == 'n' || c == 'r')
        buf_putc(out, c == 't' ? '\t' : c == 'n' ? '\n' : '\r');
    else if (c == '\0' || isalnum((unsigned char)c))
        return error_set(e, ERR_INVALID, "escape \\%c is not supported", c);
    else if (strchr(".[]{}()*+?^$|\\", c))
        buf_printf(out, "\\%c", c);
    else
        buf_putc(out, c);
    return 0;
}

/* POSIX takes a backslash in brackets for itself, ']' only in the first place and '-' only at an end. */
static int translate_brackets(const char **at, struct buf *out, struct error *e)
{
    bool negated = **at == '^', close = false, dash = false, caret = false;
    struct buf set;
    const char *p = *at + negated;
    int rc = 0;

    buf_init(&set, LIMIT_STRING);
    for (; *p && *p != ']' && rc == 0; p++) {
        const char *class = *p == '\\' ? class_of(p[1]) : NULL;

        if (*p == '\\')
            p++;
        if (class)
            buf_puts(&set, class);
        else if (*p == '\0' || (p[-1] == '\\' && isalnum((unsigned char)*p) && !strchr("tnr", *p)))
            rc = error_set(e, ERR_INVALID, "escape in brackets is not supported");
        else if (p[-1] == '\\' && strchr("tnr", *p))
            buf_putc(&set, *p == 't' ? '\t' : *p == 'n' ? '\n' : '\r');
        else if (*p == ']')
            close = true;
        else if (*p == '-' && (p[-1] == '\\' || p[1] == ']' || set.len == 0))
            dash = true;
        else if (*p == '^')
            caret = true;
        else
            buf_putc(&set, *p);
        if (rc < 0 && *p == '\0')
            break;
    }
    if (rc == 0 && *p != ']')
        rc = error_set(e, ERR_INVALID, "missing ]");
    if (rc == 0 && caret && !negated && !close && !dash && set.len == 0)
        buf_puts(out, "\\^"); /* a lone caret would negate nothing */
    else if (rc == 0)
        buf_printf(out, "[%s%s%s%s%s]", negated ? "^" : "", close ? "]" : "", set.data, caret ? "^" : "",
                   dash ? "-" : "");
    buf_done(&set);
    *at = *p ? p + 1 : p;
    return rc;
}

static int translate(const char *p, struct buf *out, int *flags, struct error *e)
{
    int rc = 0;

    if (strncmp(p, "(?i)", 4) == 0) {
        *flags |= REG_ICASE;
        p += 4;
    }
    while (*p && rc == 0) {
        if (*p == '\\') {
            rc = escape_outside(out, p[1], e);
            p += p[1] ? 2 : 1;
        } else if (*p == '[') {
            p++;
            rc = translate_brackets(&p, out, e);
        } else if (strncmp(p, "(?:", 3) == 0) {
            buf_putc(out, '(');
            p += 3;
        } else if (p[0] == '(' && p[1] == '?') {
            rc = error_set(e, ERR_INVALID, "group (?%c is not supported", p[2]);
        } else if (strchr("*+?}", p[0]) && (p[1] == '?' || p[1] == '+')) {
            rc = error_set(e, ERR_INVALID, "lazy repetition is not supported");
        } else {
            buf_putc(out, *p++);
        }
    }
    return rc < 0 ? rc : buf_error(out);
}

regex_t *schema_pattern_compile(const char *pattern, struct error *e)
{
    int flags = REG_EXTENDED | REG_NOSUB, rc;
    struct buf posix;
    regex_t *r = NULL;
    char why[128];

    buf_init(&posix, LIMIT_STRING);
    if (translate(pattern, &posix, &flags, e) == 0) {
        r = mem_zalloc(sizeof(*r));
        rc = regcomp(r, posix.data, flags);
        if (rc != 0) {
            (void)regerror(rc, r, why, sizeof(why));
            (void)error_set(e, ERR_INVALID, "%s", why);
            mem_free(r);
            r = NULL;
        }
    }
    buf_done(&posix);
    return r;
}

void schema_pattern_free(regex_t *r)
{
    if (r)
        regfree(r);
    mem_free(r);
}

static const struct {
    const char *name;
    enum schema_format format;
} formats[] = {
    {"int32",     FORMAT_INT32    },
    {"int64",     FORMAT_INT64    },
    {"date-time", FORMAT_DATE_TIME},
    {"date",      FORMAT_DATE     },
    {"byte",      FORMAT_BYTE     },
    {"duration",  FORMAT_DURATION },
};

enum schema_format schema_format_find(const char *name)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (strcmp(name, formats[i].name) == 0)
            return formats[i].format;
    return FORMAT_NONE;
}

const char *schema_format_name(enum schema_format f)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (f == formats[i].format)
            return formats[i].name;
    return "";
}

static bool is_base64(struct str s)
{
    size_t pad = 0;

    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '=')
            pad++;
        else if (pad > 0 || (!isalnum((unsigned char)s.p[i]) && s.p[i] != '+' && s.p[i] != '/'))
            return false;
    }
    return s.n % 4 == 0 && pad <= 2;
}

static bool is_date(struct str s)
{
    char whole[32];
    int64_t ignored;

    if (s.n != 10)
        return false;
    memcpy(whole, s.p, 10);
    memcpy(whole + 10, "T00:00:00Z", 11);
    return str_parse_time(str_of(whole), &ignored) == 0;
}

bool schema_format_fits(enum schema_format f, struct str text)
{
    int64_t ignored;

    switch (f) {
    case FORMAT_DATE_TIME:
        return str_parse_time(text, &ignored) == 0;
    case FORMAT_DATE:
        return is_date(text);
    case FORMAT_BYTE:
        return is_base64(text);
    case FORMAT_DURATION:
        return str_parse_duration_ns(text, &ignored, NULL) == 0;
    case FORMAT_NONE:
    case FORMAT_INT32:
    case FORMAT_INT64:
        break;
    }
    return true;
}

static bool is_rule_path(struct str path)
{
    struct str first, rest = path;

    if (!str_cut(&rest, '.', &first) || (!str_is(first, "self") && !str_is(first, "oldSelf")))
        return false;
    for (size_t i = 0; i < path.n; i++)
        if (!isalnum((unsigned char)path.p[i]) && path.p[i] != '_' && path.p[i] != '.')
            return false;
    return true;
}

/* Of the rule language we know what immutable fields need: two paths, == or !=. Other rules are stored with the CRD and
 * hold always: only a real API server evaluates them. */
int schema_rule_parse(struct schema_rule *out, const json_t *rule, struct error *e)
{
    const char *text = json_text(rule, "rule"), *op = strstr(text, "==");
    const char *message = json_text(rule, "message");
    struct str left, right;

    out->differ = !op;
    op = op ? op : strstr(text, "!=");
    left = op ? str_trim((struct str){text, (size_t)(op - text)}) : STR_NONE;
    right = op ? str_trim(str_of(op + 2)) : STR_NONE;
    if (!*text)
        return error_set(e, ERR_INVALID, "a validation rule has no text");
    if (!is_rule_path(left) || !is_rule_path(right))
        return 0;
    out->left = mem_strndup(left.p, left.n);
    out->right = mem_strndup(right.p, right.n);
    out->needs_old = str_starts(left, STR("oldSelf")) || str_starts(right, STR("oldSelf"));
    out->message = message[0] ? mem_strdup(message) : mem_printf("failed rule: %s", text);
    return 0;
}

static const json_t *rule_value(const char *path, const json_t *self, const json_t *old)
{
    const json_t *root = strncmp(path, "oldSelf", 7) == 0 ? old : self;
    const char *dot = strchr(path, '.');

    return dot ? json_at(root, dot + 1) : root;
}

bool schema_rule_holds(const struct schema_rule *r, const json_t *self, const json_t *old)
{
    const json_t *left, *right;
    bool same;

    if (!r->left || (r->needs_old && !old))
        return true;
    left = rule_value(r->left, self, old);
    right = rule_value(r->right, self, old);
    same = left == right || (left && right && json_equal(left, right));
    return same != r->differ;
}
