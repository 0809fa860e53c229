/* sql: see sql.h. */
#include "controllers/job/sql.h"

#include <unistd.h>

#include "controllers/job/refusal.h"
#include "controllers/job/words.h"
#include "core/base/mem.h"
#include "core/net/cert.h"

enum { QUERY_TIMEOUT_MS = 30000, RETRY_MS = 5000, OPTION_FILE_MAX = 64 * 1024 };

static int write_pem(struct job *j, const char *name, const struct secret *pem, char **ret, struct error *e)
{
    return pem->n ? job_write_credential(j, name, secret_str(pem), ret, e) : 0;
}

/* The server, the group and donors would refuse it too, but in fewer words. */
static int check_own_certificate(const struct sql *s, struct error *e)
{
    const struct app *app = s->app;
    AUTO_FREE char *pem = mem_strndup(secret_str(&app->cert_pem).p, app->cert_pem.n);
    int64_t from, to, now = env_wall_ms(s->job->env) / 1000;
    int rc = cert_times(pem, &from, &to, e);

    if (rc == 0 && now > to)
        rc = error_set(e, ERR_INVALID, "it has expired: renew it");
    else if (rc == 0 && now < from)
        rc = error_set(e, ERR_INVALID, "it is not valid yet: look at the clocks");
    return rc ? error_wrap(e, rc, "AppBinding %s/%s: tls.crt in the Secret of spec.tlsSecret", app->ns, app->name) : 0;
}

int sql_init(struct sql *s, struct job *j, const struct app *app, struct error *e)
{
    static const char *const mariadb[] = {"mariadb", NULL}, *const mysql[] = {"mysql", NULL};
    int rc;

    *s = (struct sql){.job = j, .app = app};
    s->program = job_find_program(mariadb);
    s->client = s->program ? APP_CLIENT_MARIADB : APP_CLIENT_MYSQL;
    if (!s->program)
        s->program = job_find_program(mysql);
    if (!s->program)
        return error_set(e, ERR_NOTFOUND, "this image has no database client (mariadb or mysql)");
    if (app->cert_pem.n && check_own_certificate(s, e) < 0)
        return e->code;
    rc = write_pem(j, "app-ca.crt", &app->ca_pem, &s->ca_path, e);
    if (rc == 0)
        rc = write_pem(j, "app-tls.crt", &app->cert_pem, &s->cert_path, e);
    if (rc == 0)
        rc = write_pem(j, "app-tls.key", &app->key_pem, &s->key_path, e);
    return rc;
}

static void drop_file(char **path)
{
    if (*path)
        (void)unlink(*path); /* it may be gone */
    mem_free(*path);
    *path = NULL;
}

void sql_done(struct sql *s)
{
    drop_file(&s->ca_path);
    drop_file(&s->cert_path);
    drop_file(&s->key_path);
}

int sql_option_file(struct sql *s, const char *name, const char *host, uint16_t port, char **ret_path, struct error *e)
{
    struct buf text;
    int rc;

    buf_init(&text, OPTION_FILE_MAX);
    app_option_file(s->app, s->client, host, port, s->ca_path, s->cert_path, s->key_path, &text);
    rc = buf_error(&text) < 0 ? error_set(e, ERR_TOOBIG, "the credentials are over %d bytes", OPTION_FILE_MAX)
                              : job_write_credential(s->job, name, buf_str(&text), ret_path, e);
    if (text.len)
        mem_wipe(text.data, text.len);
    buf_done(&text);
    return rc;
}

static int ask(struct sql *s, const char *option_file, const char *query, struct buf *out, struct error *e)
{
    struct words w = {0};
    struct job_result r;
    struct job_command c;
    int rc;

    words_add(&w, s->program);
    words_addf(&w, "--defaults-extra-file=%s", option_file); /* must come first */
    words_add(&w, "--batch");
    words_add(&w, "--skip-column-names");
    words_add(&w, "--connect-timeout=10");
    words_addf(&w, "--execute=%s", query);
    c = (struct job_command){.argv = words_argv(&w),
                             .envp = job_environment(s->job),
                             .out_max = out->max,
                             .timeout_ms = QUERY_TIMEOUT_MS,
                             .quiet = true};
    rc = job_run_ok(s->job, &c, &r, e);
    if (rc == 0)
        buf_add_str(out, buf_str(&r.out));
    job_result_done(&r);
    words_done(&w);
    return rc;
}

int sql_query(struct sql *s, const char *host, uint16_t port, const char *query, struct buf *out, struct error *e)
{
    char *path = NULL;
    int rc = sql_option_file(s, "client.cnf", host, port, &path, e);

    if (rc == 0)
        rc = ask(s, path, query, out, e);
    drop_file(&path);
    if (rc == ERR_INVALID)
        rc = refusal_of_client(s->app, e);
    return rc;
}

int sql_wait(struct sql *s, uint64_t wait_s, struct error *e)
{
    uint64_t end = env_now_ns(s->job->env) + wait_s * 1000000000u;
    struct buf out;
    int rc;

    for (;;) {
        buf_init(&out, 4096);
        rc = sql_query(s, NULL, 0, "SELECT 1", &out, e);
        buf_done(&out);
        if (rc == 0 || rc == ERR_CANCELED || rc == ERR_NOTFOUND || rc == ERR_DENIED)
            return rc;
        if (env_now_ns(s->job->env) >= end)
            return error_wrap(e, ERR_TIMEOUT, "the database did not answer within %llu s", (unsigned long long)wait_s);
        log_info(&s->job->log, "database does not answer yet", F_ERR(e));
        if ((rc = job_sleep(s->job, RETRY_MS, e)) < 0)
            return rc;
    }
}
