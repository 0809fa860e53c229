/*
 * substitute_check: what a tenant's value may not be, whatever field allows it in: mounts over the system's and our own
 * folders, paths that climb, and options that lead the database client to another server, file or plugin. The words are
 * read by the rules that the worker splits them by (quotes and backslash), and long options by those of the client: '_'
 * is '-', and a unique beginning is enough.
 */
#include "controllers/substitute.h"

#include "core/base/buf.h"
#include "core/base/limits.h"

/* Ours, the kernel's, and those that programs come from: a volume there would bring its own restic along. */
static const char *const closed_folders[] = {
    "stash", "stash-secrets", "stash-credentials", "var/run/secrets", "run/secrets", "proc", "sys",
    "bin",   "sbin",          "lib",               "lib32",           "lib64",       "usr",  "etc", "dev",
};

static bool has_dotdot(struct str path)
{
    struct str part;

    while (str_cut(&path, '/', &part))
        if (str_is(part, ".."))
            return true;
    return false;
}

/* path without doubled, leading and trailing '/' and "." elements. */
static void clean(const char *path, struct buf *out)
{
    struct str rest = str_of(path), part;

    while (str_cut(&rest, '/', &part)) {
        if (!part.n || str_is(part, "."))
            continue;
        if (out->len)
            buf_putc(out, '/');
        buf_add_str(out, part);
    }
}

int substitute_check_mount(const char *path, struct error *e)
{
    struct buf b;
    int rc = 0;

    if (path[0] != '/')
        return error_set(e, ERR_INVALID, "mountPath \"%s\" is not absolute", path);
    if (has_dotdot(str_of(path)))
        return error_set(e, ERR_INVALID, "mountPath \"%s\" has a \"..\" element", path);
    buf_init(&b, LIMIT_STRING);
    clean(path, &b);
    if (!b.len)
        rc = error_set(e, ERR_INVALID, "mountPath \"%s\" is the root", path);
    for (size_t i = 0; rc == 0 && i < sizeof(closed_folders) / sizeof(closed_folders[0]); i++) {
        struct str closed = str_of(closed_folders[i]), at = buf_str(&b);

        if (str_starts(at, closed) && (at.n == closed.n || at.p[closed.n] == '/'))
            rc = error_set(e, ERR_INVALID, "mountPath \"%s\" may not be at or under /%s", path, closed_folders[i]);
    }
    buf_done(&b);
    return rc;
}

int substitute_check_subpath(const char *path, struct error *e)
{
    if (path[0] == '/')
        return error_set(e, ERR_INVALID, "subPath \"%s\" is not relative", path);
    if (has_dotdot(str_of(path)))
        return error_set(e, ERR_INVALID, "subPath \"%s\" has a \"..\" element", path);
    return 0;
}

/* ---- client words ---- */

static const char *const refused_options[] = {
    "defaults-file", "defaults-extra-file", "plugin-dir", "result-file", "tab", "host", "socket",
};
static const char refused_letters[] = "hSTr"; /* their short forms */
static const char letters_with_value[] = "uPpwD"; /* what follows in the word is a value */

/* Cuts the next word off *rest by shell rules without expansion; false at the end. */
static bool next_word(const char **rest, struct buf *out)
{
    const char *at = *rest + strspn(*rest, " \t\r\n");
    char quote = '\0';

    buf_clear(out);
    if (!*at)
        return false;
    for (; *at && (quote || !strchr(" \t\r\n", *at)); at++) {
        if (quote ? *at == quote : (*at == '\'' || *at == '"'))
            quote = quote ? '\0' : *at;
        else if (*at == '\\' && quote != '\'' && at[1])
            buf_putc(out, *++at);
        else
            buf_putc(out, *at);
    }
    *rest = at;
    return true;
}

static const char *long_option(struct str word)
{
    struct str name = {word.p + 2, word.n - 2};
    char text[64];
    size_t n = 0;

    if (str_starts(name, STR("loose-")) || str_starts(name, STR("loose_")))
        name = (struct str){name.p + 6, name.n - 6};
    for (; n < name.n && n < sizeof(text) - 1 && name.p[n] != '='; n++)
        text[n] = name.p[n] == '_' ? '-' : name.p[n];
    text[n] = '\0';
    for (size_t i = 0; n >= 2 && i < sizeof(refused_options) / sizeof(refused_options[0]); i++)
        if (strncmp(text, refused_options[i], n) == 0)
            return refused_options[i];
    return NULL;
}

static int check_word(struct str word, struct error *e)
{
    if (word.n > 2 && word.p[0] == '-' && word.p[1] == '-') {
        const char *option = long_option(word);

        return option ? error_set(e, ERR_INVALID, "option --%s is not allowed", option) : 0;
    }
    if (word.n < 2 || word.p[0] != '-')
        return 0;
    for (size_t i = 1; i < word.n && word.p[i] && !strchr(letters_with_value, word.p[i]); i++)
        if (strchr(refused_letters, word.p[i]))
            return error_set(e, ERR_INVALID, "option -%c is not allowed", word.p[i]);
    return 0;
}

int substitute_check_client_args(const char *words, struct error *e)
{
    struct buf word;
    int rc = 0;

    buf_init(&word, LIMIT_STRING);
    while (rc == 0 && next_word(&words, &word))
        rc = check_word(buf_str(&word), e);
    buf_done(&word);
    return rc;
}
