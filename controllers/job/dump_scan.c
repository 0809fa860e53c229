/*
 * dump_scan: see dump_scan.h. Outside of an INSERT only the beginning of each line is looked at: what a dump program
 * writes between quotes has no line ends, but for the texts of routines.
 */
#include "controllers/job/dump_scan.h"

static const char values[] = "VALUES";

/* Is that all of the line so far? */
static bool line_is(const struct dump_scan *s, const char *word)
{
    return s->n_word == strlen(word) && memcmp(s->word, word, s->n_word) == 0;
}

static void begin_insert(struct dump_scan *s)
{
    s->in_insert = true;
    s->values_seen = s->escaped = false;
    s->n_values = 0;
    s->quote = 0;
    s->depth = 0;
    s->n_word = DUMP_SCAN_WORD; /* what follows it is no beginning of a line */
}

static void end_line(struct dump_scan *s)
{
    if (s->n_word > 10 && memcmp(s->word, "DELIMITER ", 10) == 0)
        s->in_routine = !line_is(s, "DELIMITER ;\n");
    s->n_word = 0;
}

static void in_line(struct dump_scan *s, char c)
{
    if (s->n_word < DUMP_SCAN_WORD)
        s->word[s->n_word++] = c;
    if (c == '\n')
        end_line(s);
    else if (s->in_routine)
        return;
    else if (line_is(s, "CREATE TABLE "))
        s->tables++;
    else if (line_is(s, "INSERT ") || line_is(s, "REPLACE "))
        begin_insert(s);
}

/* In an INSERT and outside of quotes. */
static void in_statement(struct dump_scan *s, char c)
{
    if (!s->values_seen && s->depth == 0) {
        s->n_values = c == values[s->n_values] ? s->n_values + 1 : c == values[0];
        s->values_seen = !values[s->n_values];
    }
    if (c == '\'' || c == '`' || c == '"') {
        s->quote = c;
    } else if (c == '(') {
        s->rows += s->depth == 0 && s->values_seen;
        s->depth++;
    } else if (c == ')' && s->depth) {
        s->depth--;
    } else if (c == ';' && s->depth == 0) {
        s->in_insert = false;
    }
}

/* A doubled quote ends and begins again, which comes to the same. */
static void in_quotes(struct dump_scan *s, char c)
{
    if (s->escaped)
        s->escaped = false;
    else if (c == '\\' && s->quote != '`')
        s->escaped = true;
    else if (c == s->quote)
        s->quote = 0;
}

void dump_scan_feed(struct dump_scan *s, struct str bytes)
{
    for (size_t i = 0; i < bytes.n; i++) {
        char c = bytes.p[i];

        if (!s->in_insert)
            in_line(s, c);
        else if (s->quote)
            in_quotes(s, c);
        else
            in_statement(s, c);
    }
}
