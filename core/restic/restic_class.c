/*
 * restic_class: which kind of failure an end of restic was. From 0.17.1 on its exit codes say it; before, every failure
 * is 1 and the stable parts of its texts decide, kept here in one table with the versions they were seen in.
 *
 * "Is there a repository at the following location?" is not in the table: 0.14 prints it after *any* failure to read
 * the config file, a refused connection included. Only the backend's own words for "no such object" mean absence, and
 * an unknown text is never absence: nobody's repository is initialised over because of a network fault.
 */
#include "core/restic/restic_json.h"

#include <ctype.h>
#include <stdio.h>

struct text_class {
    const char *text;
    const char *also; /* must be there too; NULL */
    enum restic_class class;
    const char *seen; /* versions; "source": read there */
};

#define CONFIG "unable to open config file"

/* In order: the first row that fits decides. */
static const struct text_class texts[] = {
    {"wrong password or no key found", NULL, RESTIC_WRONG_PASSWORD, "0.14.0"},
    {"config file already exists", NULL, RESTIC_PRESENT, "0.14.0"},
    {"repository master key and config already initialized", NULL, RESTIC_PRESENT, "source"},
    {"is damaged", "config or key", RESTIC_UNREADABLE, "0.14.0"},
    {"unable to create lock", NULL, RESTIC_LOCKED, "0.14.0"},
    {"already locked", NULL, RESTIC_LOCKED, "0.14.0"},
    {"no such file or directory", CONFIG, RESTIC_ABSENT, "0.14.0"},
    {"The specified key does not exist", CONFIG, RESTIC_ABSENT, "source"},
    {"The specified bucket does not exist", CONFIG, RESTIC_ABSENT, "source"},
    {"NoSuchKey", CONFIG, RESTIC_ABSENT, "source"},
    {"storage: object doesn't exist", CONFIG, RESTIC_ABSENT, "source"},
    {"BlobNotFound", CONFIG, RESTIC_ABSENT, "source"},
    {"The specified blob does not exist", CONFIG, RESTIC_ABSENT, "source"},
    {"Object Not Found", CONFIG, RESTIC_ABSENT, "source"},
    {"<config/> does not exist", CONFIG, RESTIC_ABSENT, "source"},
    {"unexpected HTTP response (404)", CONFIG, RESTIC_ABSENT, "source"},
    {"not found (404)", CONFIG, RESTIC_ABSENT, "source"},
    {"file does not exist", CONFIG, RESTIC_ABSENT, "source"},
    {"Access Denied", NULL, RESTIC_DENIED, "source"},
    {"SignatureDoesNotMatch", NULL, RESTIC_DENIED, "source"},
    {"The request signature we calculated does not match", NULL, RESTIC_DENIED, "source"},
    {"InvalidAccessKeyId", NULL, RESTIC_DENIED, "source"},
    {"The Access Key Id you provided does not exist", NULL, RESTIC_DENIED, "source"},
    {"Unauthorized", NULL, RESTIC_DENIED, "source"},
    {"Forbidden", NULL, RESTIC_DENIED, "source"},
    {"HTTP response (401)", NULL, RESTIC_DENIED, "source"},
    {"HTTP response (403)", NULL, RESTIC_DENIED, "source"},
    {"permission denied", NULL, RESTIC_DENIED, "0.14.0"},
    {"connection refused", NULL, RESTIC_BUSY, "0.14.0"},
    {"connection reset", NULL, RESTIC_BUSY, "source"},
    {"Connection closed by foreign host", NULL, RESTIC_BUSY, "source"},
    {"i/o timeout", NULL, RESTIC_BUSY, "source"},
    {"TLS handshake timeout", NULL, RESTIC_BUSY, "source"},
    {"context deadline exceeded", NULL, RESTIC_BUSY, "source"},
    {"Temporary failure in name resolution", NULL, RESTIC_BUSY, "source"},
    {"server misbehaving", NULL, RESTIC_BUSY, "source"},
    {"unexpected EOF", NULL, RESTIC_BUSY, "source"},
    {"Too Many Requests", NULL, RESTIC_BUSY, "source"},
    {"SlowDown", NULL, RESTIC_BUSY, "source"},
    {"Service Unavailable", NULL, RESTIC_BUSY, "source"},
    {"Internal Server Error", NULL, RESTIC_BUSY, "source"},
    {"Bad Gateway", NULL, RESTIC_BUSY, "source"},
    {"Gateway Time", NULL, RESTIC_BUSY, "source"},
};

static bool has(struct str s, const char *part)
{
    return s.n && memmem(s.p, s.n, part, strlen(part));
}

static enum restic_class by_text(struct str err)
{
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        if (has(err, texts[i].text) && (!texts[i].also || has(err, texts[i].also)))
            return texts[i].class;
    return RESTIC_FAILED;
}

enum restic_class restic_classify(int version, int status, int sig, struct str err)
{
    enum restic_class class;

    if (sig)
        return RESTIC_INTERRUPTED;
    if (status == 0)
        return RESTIC_OK;
    if (status == 130)
        return RESTIC_INTERRUPTED;
    if (restic_has_exit_codes(version)) {
        if (status == 10)
            return RESTIC_ABSENT;
        if (status == 11)
            return RESTIC_LOCKED;
        if (status == 12)
            return RESTIC_WRONG_PASSWORD;
    }
    if (status == 3)
        return RESTIC_INCOMPLETE;
    class = by_text(err);
    /* A version that has a code for it did not mean it when it gave another code. */
    if (restic_has_exit_codes(version) && class == RESTIC_ABSENT)
        return RESTIC_FAILED;
    return class;
}

int restic_parse_version(struct str text)
{
    static const char word[] = "restic ", key[] = "\"version\":\"";
    const char *p = text.n ? memmem(text.p, text.n, key, sizeof(key) - 1) : NULL, *end = text.p + text.n;
    int part[3] = {0};

    p = p ? p + sizeof(key) - 1 : str_starts(text, STR("restic ")) ? text.p + sizeof(word) - 1 : NULL;
    if (!p)
        return 0;
    for (int i = 0; i < 3 && p < end && isdigit((unsigned char)*p); i++) {
        for (; p < end && isdigit((unsigned char)*p); p++)
            part[i] = part[i] < 999 ? part[i] * 10 + (*p - '0') : part[i];
        if (p == end || *p != '.')
            break;
        p++;
    }
    return RESTIC_VERSION(part[0] % 1000, part[1] % 1000, part[2] % 1000);
}

/* Lines worth showing: not empty, and not the hint with the location that follows an error. */
static bool tells_something(struct str line)
{
    return line.n && line.p[0] != '{' && !str_starts(line, STR("Is there a repository"));
}

/* exit_error's message, else the last line that says Fatal, else the last line that tells something. */
void restic_error_text(struct str err, char *out, size_t size)
{
    struct str rest = err, line, last = STR_NONE;
    struct restic_line parsed;
    bool fatal = false;

    out[0] = 0;
    while (str_cut(&rest, '\n', &line)) {
        line = str_trim(line);
        restic_parse_line(line, &parsed);
        if (parsed.type == RESTIC_LINE_EXIT && parsed.message[0])
            (void)snprintf(out, size, "%s", parsed.message);
        if (tells_something(line) && (!fatal || str_starts(line, STR("Fatal:")))) {
            fatal = str_starts(line, STR("Fatal:"));
            last = line;
        }
    }
    if (out[0] == 0 && last.n)
        (void)snprintf(out, size, "%.*s", (int)last.n, last.p);
}
