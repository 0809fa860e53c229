/*
 * receive: see receive.h.
 *
 * A connection is judged by its content (datapath.md 9 #6, #7; datapath-percona.md 2.3). Its bytes are held back until
 * its first chunk names a file: then it is connection 1 (an info file; may come again with Percona), or the data
 * stream, or nothing of ours. A stranger's connection is dropped and changes nothing. Who sends connection 1 must be
 * the donor, by the secret, by a certificate, else by its address; before one was selected there is none. A donor whose
 * bytes we cannot read (TLS without our having a certificate, encryption or compression around the stream) would wait
 * for ever: it is dropped too, and the time left for a better one is short.
 */
#include "controllers/job/receive.h"

#include <assert.h>
#include <stdio.h>

#include "controllers/job/refusal.h"
#include "core/base/mem.h"

enum {
    INFO_MAX = 64 * 1024,     /* connection 1 in full */
    HOLD_MAX = 1024 * 1024,   /* what comes at once with the first chunk header of the data */
    CONNS_MAX = 16,           /* at once; a donor has one */
    STRANGER_LIMIT_MS = 30000, /* for a connection to say what it is: connection 1 does at once */
    PLAIN_CHUNK = 64 * 1024,
};

struct receive_conn {
    struct receive *r;
    struct tcp *tcp;
    struct tls *tls; /* NULL: plain */
    struct list link;
    struct timer limit;
    struct xbstream *stream;
    struct buf held; /* decrypted bytes until it is known what this is */
    bool started;    /* the first bytes are judged */
    bool is_info, is_data, ended, dropped;
    bool waits; /* a whole connection 1, until a donor is selected */
    bool is_second; /* from where connection 1 came: its data may take their time */
};

static void judge(struct receive_conn *c, bool at_end);

/* ---- whose a connection is ---- */

static void address_of(const char *remote, char out[64])
{
    struct str s = str_of(remote);
    const char *colon = strrchr(remote, ':');

    if (colon)
        s.n = (size_t)(colon - remote);
    if (s.n > 2 && *s.p == '[') {
        s.p++;
        s.n -= 2;
    }
    (void)snprintf(out, 64, "%.*s", (int)s.n, s.p);
}

/* Connection 1, once it is there, says better than the cluster from where the donor comes. */
static bool is_from_donor(const struct receive_conn *c)
{
    const struct receive_addresses *donor = &c->r->donor;
    char address[64];

    address_of(tcp_remote(c->tcp), address);
    if (c->r->has_info)
        return str_same(address, c->r->peer);
    for (size_t i = 0; i < donor->n; i++)
        if (str_same(address, donor->items[i]))
            return true;
    return false;
}

/* ---- ends ---- */

static void conn_drop(struct receive_conn *c)
{
    c->waits = false;
    c->dropped = true;
    if (c->tcp)
        tcp_close(c->tcp);
}

static void fail(struct receive *r, const struct error *e)
{
    if (r->over)
        return;
    r->over = true;
    r->on_failed(r, e);
    receive_stop(r);
}

static void on_closed_turn(struct timer *t)
{
    struct receive *r = t->data;

    xbstream_free(r->stream);
    r->stream = NULL;
    r->on_closed(r);
}

/* on_closed comes in a turn of its own, once the last connection is gone. */
static void settle(struct receive *r)
{
    if (r->closing && r->n_conns == 0 && !timer_is_set(&r->closer))
        timer_set_in(r->job->env, &r->closer, 0);
}

static void close_listener(struct receive *r)
{
    if (r->listener)
        tcp_listen_close(r->listener);
    r->listener = NULL;
}

void receive_stop(struct receive *r)
{
    if (r->closing)
        return;
    r->closing = r->over = true;
    timer_clear(r->job->env, &r->limit);
    timer_clear(r->job->env, &r->selected);
    close_listener(r);
    LIST_EACH (l, &r->conns)
        conn_drop(LIST_ENTRY(l, struct receive_conn, link));
    settle(r);
}

static bool donor_is_silent(struct receive *r)
{
    LIST_EACH (l, &r->conns)
        if (LIST_ENTRY(l, struct receive_conn, link)->is_second)
            return true;
    return false;
}

static void on_limit(struct timer *t)
{
    struct receive *r = t->data;
    struct error e;

    r->late = !r->source && donor_is_silent(r);
    if (r->late)
        return; /* until that connection's own limit, or its end */
    if (r->source && r->held) { /* we do not read: the pipeline has a limit of its own for that */
        timer_set_in(r->job->env, &r->limit, r->limits.idle_ms);
        return;
    }
    if (r->source)
        (void)error_set(&e, ERR_TIMEOUT, "the donor sent nothing for %u s, after %llu bytes",
                        r->limits.idle_ms / 1000, (unsigned long long)xbstream_bytes(r->stream));
    else
        (void)error_set(&e, ERR_TIMEOUT, "the donor did not open its %s connection in time%s%s",
                        r->has_info ? "second" : "first", r->seen[0] ? ": " : "", r->seen);
    fail(r, &e);
}

/* ---- what a connection is ---- */

static void note_seen(struct receive_conn *c, const char *what)
{
    struct receive *r = c->r;

    (void)snprintf(r->seen, sizeof(r->seen), "it came from %s with %s", tcp_remote(c->tcp), what);
}

static void unreadable(struct receive_conn *c, const char *what)
{
    struct receive *r = c->r;

    note_seen(c, what);
    log_warn(&r->job->log, "connection can't be read", F_STR("remote", tcp_remote(c->tcp)), F_STR("what", what));
    /* Once: somebody who comes again and again must not put the end off for ever. */
    if (r->expecting && !r->source && !r->hurried && is_from_donor(c)) {
        r->hurried = true;
        timer_set_in(r->job->env, &r->limit, r->limits.unreadable_ms);
    }
    conn_drop(c);
}

/* A donor, as it seems, and a TLS that did not come about. */
static void tls_refused(struct receive_conn *c, const char *reason)
{
    char what[240];

    c->r->tls_refused = true;
    refusal_of_donor(reason, what, sizeof(what));
    unreadable(c, what);
}

static void stranger(struct receive_conn *c, const char *why)
{
    log_warn(&c->r->job->log, "stray connection dropped", F_STR("remote", tcp_remote(c->tcp)), F_STR("why", why));
    conn_drop(c);
}

/* Connection 1 has ended in order and is a whole small stream. */
static void take_info(struct receive_conn *c)
{
    static const char elsewhere[] = "a first connection, but not from an address of the donor; with spec.tlsSecret its "
                                    "certificate would tell";
    struct receive *r = c->r;
    struct sst_info info;
    struct error e;

    c->waits = !r->expecting;
    if (c->waits)
        return;
    if (sst_read_info(c->stream, &info, &e) < 0) {
        stranger(c, e.msg);
        return;
    }
    if (r->secret && !str_same(info.secret, r->secret)) {
        stranger(c, "it did not show the secret of our request");
        return;
    }
    if (!r->secret && !(c->tls && r->tls_proves) && !is_from_donor(c)) {
        note_seen(c, elsewhere);
        stranger(c, elsewhere);
        return;
    }
    if (info.bypass) {
        (void)error_set(&e, ERR_INVALID, "the donor wants to send no data (xtrabackup_ist)");
        fail(r, &e);
        return;
    }
    conn_drop(c);
    if (r->has_info)
        return; /* Percona's donors repeat it */
    r->has_info = true;
    r->info = info;
    r->complete.transition_key = info.transition_key[0] != 0;
    address_of(tcp_remote(c->tcp), r->peer);
    timer_set_in(r->job->env, &r->limit, r->limits.gap_ms);
    r->on_info(r, &r->info);
}

static void pass_on(struct receive_conn *c, struct str bytes)
{
    struct receive *r = c->r;

    timer_set_in(r->job->env, &r->limit, r->limits.idle_ms);
    if (!r->on_data(r, bytes) && !r->over) {
        r->held = true;
        tcp_pause(c->tcp, true);
    }
}

/* Connection 2 begins: nobody else is listened to from now on. */
static void take_data(struct receive_conn *c)
{
    struct receive *r = c->r;
    char peer[64];
    struct error e;

    address_of(tcp_remote(c->tcp), peer);
    if (!r->has_info) { /* perhaps of an earlier transfer that failed: Percona's donors try for 30 s */
        note_seen(c, "a data stream, before its first connection");
        stranger(c, "a data stream, before its first connection");
        return;
    }
    if (!str_same(peer, r->peer)) {
        stranger(c, "a stream from another address than the donor's");
        return;
    }
    c->is_data = true;
    r->source = c;
    r->stream = c->stream;
    c->stream = NULL;
    close_listener(r);
    LIST_EACH (l, &r->conns)
        if (LIST_ENTRY(l, struct receive_conn, link) != c)
            conn_drop(LIST_ENTRY(l, struct receive_conn, link));
    if (buf_error(&c->held) < 0) { /* bytes would be missing */
        (void)error_set(&e, ERR_TOOBIG, "the stream began with over %d bytes at once", HOLD_MAX);
        fail(r, &e);
        return;
    }
    if (!r->on_data_begin(r, &e)) {
        fail(r, &e);
        return;
    }
    pass_on(c, buf_str(&c->held));
    buf_clear(&c->held);
}

/* socat, which sends for the donors, looks at our name after the handshake only. */
static const char silent_donor[] =
    "TLS and then nothing: the donor wants another name in our certificate, tls.crt in the Secret of spec.tlsSecret";

static const char plain_donor[] = "no TLS, though the group channel has it (socket.ssl): set encrypt=3 in [sst] of the "
                                  "nodes, with tcert, tkey and tca";

/* Looks at what has come while it is not known what this is. */
static void judge(struct receive_conn *c, bool at_end)
{
    const char *what = "";

    if (!c->started) {
        switch (sst_start_of(buf_str(&c->held), &what)) {
        case SST_START_XBSTREAM:
            c->started = true;
            break;
        case SST_START_WRAPPED:
            unreadable(c, what);
            return;
        case SST_START_TLS:
            tls_refused(c, "TLS, for which there is no certificate here: give spec.tlsSecret");
            return;
        case SST_START_OTHER:
            stranger(c, "unknown bytes");
            return;
        case SST_START_SHORT:
            if (at_end && c->tls && !c->held.len)
                tls_refused(c, silent_donor);
            else if (at_end)
                stranger(c, c->held.len ? "it sent too little" : "it sent nothing");
            return;
        }
    }
    if (!c->is_info && xbstream_first(c->stream)[0]) {
        c->is_info = sst_is_info_file(xbstream_first(c->stream));
        if (!c->is_info) {
            take_data(c);
            return;
        }
    }
    if (c->is_info && at_end)
        take_info(c);
    else if (at_end)
        stranger(c, "it ended in its first chunk");
    else if (xbstream_bytes(c->stream) > INFO_MAX)
        stranger(c, "too much for a first connection");
}

/* ---- bytes ---- */

static void on_plain(struct receive_conn *c, struct str bytes)
{
    struct receive *r = c->r;
    struct error e;
    int rc;

    if (r->over || c->ended || !bytes.n)
        return;
    if (c->is_data) {
        if (xbstream_feed(r->stream, bytes.p, bytes.n, &e) < 0) {
            (void)error_wrap(&e, ERR_INVALID, "the donor's stream is broken");
            fail(r, &e);
            return;
        }
        pass_on(c, bytes);
        return;
    }
    rc = xbstream_feed(c->stream, bytes.p, bytes.n, &e); /* judge says what is no xbstream at all */
    buf_add_str(&c->held, bytes);
    if (rc < 0 && c->started)
        stranger(c, e.msg);
    else
        judge(c, false);
}

static void on_end_of_stream(struct receive_conn *c)
{
    struct receive *r = c->r;
    struct error e;

    if (r->over || c->ended)
        return;
    c->ended = true;
    if (!c->is_data) {
        judge(c, true);
        return;
    }
    timer_clear(r->job->env, &r->limit);
    if (xbstream_complete(r->stream, &r->complete, &e) < 0) {
        (void)error_wrap(&e, ERR_INVALID, "the donor's backup is not complete");
        fail(r, &e);
        return;
    }
    r->over = true;
    r->on_data_end(r);
}

/* ---- TLS, when the donor begins with it ---- */

static void pull_tls(struct receive_conn *c)
{
    struct buf wire;

    buf_init(&wire, SIZE_MAX / 2);
    tls_pull(c->tls, &wire);
    if (wire.len)
        tcp_write(c->tcp, buf_str(&wire));
    buf_done(&wire);
}

static void feed_tls(struct receive_conn *c, struct str bytes)
{
    struct buf plain;
    struct error e;
    int rc = tls_feed(c->tls, bytes, &e);

    pull_tls(c);
    buf_init(&plain, 4 * PLAIN_CHUNK);
    while (rc == 0 && !c->r->over) {
        buf_clear(&plain);
        rc = tls_read(c->tls, &plain, &e);
        if (plain.len == 0)
            break;
        on_plain(c, buf_str(&plain));
    }
    buf_done(&plain);
    if (rc < 0 && !c->r->over) {
        if (c->is_data) {
            (void)error_wrap(&e, ERR_NET, "the donor's connection");
            fail(c->r, &e);
        } else {
            tls_refused(c, e.msg);
        }
        return;
    }
    if (rc == 0 && tls_closed(c->tls))
        on_end_of_stream(c);
}

/* ---- the connection's callbacks ---- */

static void on_data(struct tcp *tcp, struct str bytes)
{
    struct receive_conn *c = tcp_data(tcp);
    struct receive *r = c->r;

    if (r->over || !bytes.n)
        return;
    if (!c->tls && !c->held.len && !c->started && bytes.p[0] == 0x16 && r->tls)
        c->tls = tls_new(r->tls);
    if (c->tls)
        feed_tls(c, bytes);
    else if (r->tls_only && bytes.p[0] == 'X')
        tls_refused(c, plain_donor);
    else if (r->tls_only)
        stranger(c, "no TLS, which this cluster demands");
    else
        on_plain(c, bytes);
}

static void on_eof(struct tcp *tcp)
{
    struct receive_conn *c = tcp_data(tcp);
    struct error e;

    if (c->r->over)
        return;
    if (!c->tls) {
        on_end_of_stream(c);
    } else if (!c->ended && c->is_data) {
        (void)error_set(&e, ERR_NET, "the donor's connection ended without TLS's close_notify: data may be missing");
        fail(c->r, &e);
    } else if (!c->ended && tls_ready(c->tls) && !c->held.len) {
        tls_refused(c, silent_donor);
    }
    if (!c->waits)
        conn_drop(c);
}

static void on_conn_closed(struct tcp *tcp, int rc, const struct error *why)
{
    struct receive_conn *c = tcp_data(tcp);
    struct receive *r = c->r;
    struct error e;

    c->tcp = NULL;
    if (c->is_data && !c->ended && !r->over) {
        (void)error_set(&e, ERR_NET, "the donor's connection broke after %llu bytes: %s",
                        (unsigned long long)xbstream_bytes(r->stream), rc ? why->msg : "closed");
        fail(r, &e);
    }
    if (r->source == c)
        r->source = NULL;
    timer_clear(r->job->env, &c->limit);
    list_del(&c->link);
    tls_free(c->tls);
    xbstream_free(c->stream);
    buf_done(&c->held);
    mem_free(c);
    r->n_conns--;
    if (r->late && !r->source && !r->over)
        on_limit(&r->limit);
    settle(r);
}

static const struct tcp_callbacks callbacks = {.on_data = on_data, .on_eof = on_eof, .on_closed = on_conn_closed};

static void on_conn_limit(struct timer *t)
{
    struct receive_conn *c = t->data;

    if (c->is_data)
        return;
    if (c->is_second)
        note_seen(c, "nothing that tells what it is");
    stranger(c, "it did not say what it is");
}

/* Who holds connections open must not keep the donor out: the oldest one that is not his makes room. */
static bool make_room(struct receive *r)
{
    struct receive_conn *oldest = NULL;
    unsigned n = 0;

    LIST_EACH (l, &r->conns) {
        struct receive_conn *c = LIST_ENTRY(l, struct receive_conn, link);

        n += !c->dropped;
        if (!oldest && !c->dropped && !is_from_donor(c))
            oldest = c;
    }
    if (n >= CONNS_MAX && oldest)
        stranger(oldest, "there are too many");
    return n < CONNS_MAX || oldest;
}

static void on_accept(struct tcp_listen *l, struct tcp *tcp)
{
    struct receive *r = tcp_listen_data(l);
    struct receive_conn *c;

    if (r->over || !make_room(r))
        return; /* closed by the listener */
    c = mem_zalloc(sizeof(*c));
    c->r = r;
    c->tcp = tcp;
    c->stream = xbstream_new();
    buf_init(&c->held, HOLD_MAX);
    timer_init(&c->limit, on_conn_limit, c);
    /* Its tool opens all tablespaces before it writes a byte; socat connects before that. */
    c->is_second = r->has_info && !r->late && is_from_donor(c);
    timer_set_in(r->job->env, &c->limit, c->is_second ? r->limits.idle_ms : STRANGER_LIMIT_MS);
    list_add_tail(&r->conns, &c->link);
    r->n_conns++;
    tcp_set_data(tcp, &callbacks, c);
}

/* Those that came before a donor was selected: its script may be faster than garbd's line. */
static void on_selected(struct timer *t)
{
    struct receive *r = t->data;

    LIST_EACH (l, &r->conns) {
        struct receive_conn *c = LIST_ENTRY(l, struct receive_conn, link);

        if (!r->over && c->waits)
            take_info(c);
    }
}

/* ---- public ---- */

int receive_start(struct receive *r, struct error *e)
{
    list_init(&r->conns);
    timer_init(&r->limit, on_limit, r);
    timer_init(&r->selected, on_selected, r);
    timer_init(&r->closer, on_closed_turn, r);
    r->listener = tcp_listen(r->job->env, r->address, r->port, NULL, on_accept, r, e);
    return r->listener ? 0 : e->code;
}

uint16_t receive_port(const struct receive *r)
{
    return r->listener ? tcp_listen_port(r->listener) : 0;
}

void receive_expect(struct receive *r, const struct receive_addresses *donor)
{
    if (r->expecting || r->over)
        return;
    r->expecting = true;
    r->donor = *donor;
    timer_set_in(r->job->env, &r->selected, 0);
    timer_set_in(r->job->env, &r->limit, r->limits.first_ms);
}

void receive_resume(struct receive *r)
{
    if (!r->held || r->over || !r->source)
        return;
    r->held = false;
    timer_set_in(r->job->env, &r->limit, r->limits.idle_ms);
    tcp_pause(r->source->tcp, false);
}
