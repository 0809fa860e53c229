/*
 * sql: questions to the database through its own client program. Credentials go by an option file (mode 0600), never by
 * argv or environment.
 */
#ifndef STASHD_SQL_H
#define STASHD_SQL_H

#include "controllers/job/app.h"
#include "controllers/job/job.h"

struct sql {
    struct job *job;
    const struct app *app;
    enum app_client client;
    const char *program; /* "mariadb" or "mysql" */
    char *ca_path, *cert_path, *key_path; /* NULL: none */
};

/* Finds the client program and writes the TLS files. ERR_NOTFOUND: this image has no client. sql_done in either case.
 * */
int sql_init(struct sql *s, struct job *j, const struct app *app, struct error *e) NODISCARD;
void sql_done(struct sql *s); /* removes its files */

/* An option file for a server; host NULL: the AppBinding's. *ret_path is freed with mem_free; remove the file. */
int sql_option_file(struct sql *s, const char *name, const char *host, uint16_t port, char **ret_path,
                    struct error *e) NODISCARD;

/* Rows of one query: tab-separated columns, one row a line, in out (cap applies). ERR_DENIED: waiting will not help,
 * see refusal.h. */
int sql_query(struct sql *s, const char *host, uint16_t port, const char *query, struct buf *out,
              struct error *e) NODISCARD;

/* Asks each 5 s until the server answers, at most wait_s, or refuses us (ERR_DENIED). The last failure is the error's
 * text. */
int sql_wait(struct sql *s, uint64_t wait_s, struct error *e) NODISCARD;

#endif
