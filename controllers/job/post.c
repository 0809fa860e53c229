/* post: see post.h. */
#include "controllers/job/post.h"

#include <stdio.h>

#include "controllers/job/job.h"
#include "core/base/http.h"
#include "core/base/mem.h"
#include "core/net/tcp_uv.h"

enum { ANSWER_MAX = 16 * 1024 };

struct post {
    struct job *job;
    struct job_op op;
    struct timer limit;
    struct tcp *tcp;
    struct buf out, in;
    struct error error;
    int rc;
    bool timed_out, done;
};

bool post_split_url(const char *url, char host[256], uint16_t *port, bool *tls, struct str *path)
{
    struct str rest = str_of(url), name;
    size_t n;
    uint64_t number;

    *tls = str_starts(rest, STR("https://"));
    if (!*tls && !str_starts(rest, STR("http://")))
        return false;
    rest.p += *tls ? 8 : 7;
    rest.n -= *tls ? 8 : 7;
    n = strcspn(rest.p, "/?#");
    *path = (struct str){rest.p + n, strcspn(rest.p + n, "?#")};
    while (path->n && path->p[path->n - 1] == '/')
        path->n--;
    rest.n = n;
    *port = *tls ? 443 : 80;
    if (rest.n && *rest.p == '[') {
        rest.p++, rest.n--;
        if (!str_cut(&rest, ']', &name) || (rest.n && *rest.p != ':'))
            return false;
        if (rest.n)
            rest.p++, rest.n--;
    } else if (!str_cut(&rest, ':', &name)) {
        return false;
    }
    if (rest.n && (str_to_u64(rest, &number) < 0 || number == 0 || number > 65535))
        return false;
    if (rest.n)
        *port = (uint16_t)number;
    if (!name.n || name.n > 255 || memchr(name.p, '@', name.n)) /* credentials in a URL are not for logs */
        return false;
    memcpy(host, name.p, name.n);
    host[name.n] = 0;
    return true;
}

/* ---- the connection ---- */

static void on_open(struct tcp *c)
{
    struct post *p = tcp_data(c);

    tcp_write(c, buf_str(&p->out));
}

static void on_data(struct tcp *c, struct str bytes)
{
    struct post *p = tcp_data(c);

    if (bytes.n > ANSWER_MAX - p->in.len)
        bytes.n = ANSWER_MAX - p->in.len; /* the head and the start of a text are all we look at */
    buf_add_str(&p->in, bytes);
}

static void on_eof(struct tcp *c)
{
    tcp_close(c);
}

static void on_closed(struct tcp *c, int rc, const struct error *e)
{
    struct post *p = tcp_data(c);

    p->rc = rc;
    if (e)
        p->error = *e;
    p->tcp = NULL;
    p->done = true;
}

static const struct tcp_callbacks callbacks = {
    .on_open = on_open, .on_data = on_data, .on_eof = on_eof, .on_closed = on_closed};

static void on_limit(struct timer *t)
{
    struct post *p = t->data;

    p->timed_out = true;
    if (p->tcp)
        tcp_close(p->tcp);
}

static void cancel(struct job_op *op)
{
    struct post *p = LIST_ENTRY(op, struct post, op);

    if (p->tcp)
        tcp_close(p->tcp);
}

/* ---- the exchange ---- */

static int verdict(struct post *p, struct error *e)
{
    int status = http_parse_status(buf_str(&p->in));
    const char *text;

    if (status >= 200 && status < 300)
        return 0;
    if (p->job->canceled)
        return job_check(p->job, e);
    if (status == 0 && p->timed_out)
        return error_set(e, ERR_TIMEOUT, "no answer in time");
    if (status == 0 && p->rc < 0) {
        *e = p->error;
        return p->rc;
    }
    if (status <= 0)
        return error_set(e, ERR_NET, "the answer is no HTTP");
    text = memmem(p->in.data, p->in.len, "\r\n\r\n", 4);
    return error_set(e, status >= 500 || status == 429 ? ERR_NET : ERR_INVALID, "HTTP %d: %.200s", status,
                     text ? text + 4 : "");
}

static void write_request(struct post *p, const struct post_request *r, const char *host, uint16_t port,
                          struct str path)
{
    buf_printf(&p->out, "POST %.*s%s HTTP/1.1\r\n", (int)path.n, path.n ? path.p : "", r->path);
    buf_printf(&p->out, strchr(host, ':') ? "host: [%s]:%u\r\n" : "host: %s:%u\r\n", host, port);
    buf_printf(&p->out, "user-agent: stash-job/%s\r\ncontent-type: %s\r\ncontent-length: %zu\r\nconnection: close\r\n",
               STASHD_VERSION, r->content_type, r->body.n);
    if (r->bearer)
        buf_printf(&p->out, "authorization: Bearer %s\r\n", r->bearer);
    buf_puts(&p->out, "\r\n");
    buf_add_str(&p->out, r->body);
}

static int exchange(struct post *p, const char *host, uint16_t port, struct tls_context *tls, uint32_t timeout_ms,
                    struct error *e)
{
    timer_init(&p->limit, on_limit, p);
    timer_set_in(p->job->env, &p->limit, timeout_ms);
    p->tcp = tcp_connect(p->job->env, host, port, tls, timeout_ms, &callbacks, p);
    job_op_add(p->job, &p->op);
    job_wait(p->job, &p->done);
    job_op_del(&p->op);
    timer_clear(p->job->env, &p->limit);
    return verdict(p, e);
}

int post_send(struct job *j, const struct post_request *r, struct error *e)
{
    struct post p = {.job = j, .op.cancel = cancel};
    struct tls_context *tls = NULL;
    struct str path;
    char host[256];
    uint16_t port;
    bool use_tls;
    int rc;

    if ((rc = job_check(j, e)) < 0)
        return rc;
    if (!post_split_url(r->url, host, &port, &use_tls, &path))
        return error_set(e, ERR_INVALID, "\"%s\" is no http or https URL", r->url);
    if (use_tls) {
        struct tls_options o = {.server_name = host, .alpn = "http/1.1"};

        if (!(tls = tls_context_new(&o, e)))
            return (int)e->code;
    }
    buf_init(&p.out, 4 * 1024 * 1024);
    buf_init(&p.in, ANSWER_MAX);
    write_request(&p, r, host, port, path);
    rc = buf_error(&p.out) < 0 ? error_set(e, ERR_TOOBIG, "the request is too big")
                               : exchange(&p, host, port, tls, r->timeout_ms, e);
    buf_done(&p.out);
    buf_done(&p.in);
    if (tls)
        tls_context_free(tls);
    return rc;
}
