/*
 * receive: the receiving end of a state transfer: one listening socket for both connections of the donor, who is told
 * from strangers by what he sends. Checks the data stream while it passes.
 *
 * Life:   a handle. receive_start once; free it after on_closed, which follows receive_stop or the end.
 * Order:  on_info (connection 1 was understood), on_data_begin, on_data…, on_data_end: the stream has ended and is a
 *         complete backup. Or on_failed once, at any point; nothing but on_closed follows.
 */
#ifndef STASHD_RECEIVE_H
#define STASHD_RECEIVE_H

#include "controllers/job/job.h"
#include "controllers/job/sst.h"
#include "core/net/tcp_uv.h"

struct receive_limits {
    uint32_t first_ms; /* from receive_expect (a donor was selected) to connection 1 */
    uint32_t gap_ms;   /* from connection 1 to connection 2; donors sleep 10 s in between */
    uint32_t idle_ms;  /* without a byte in connection 2, while we do read; before its first byte, too */
    uint32_t unreadable_ms; /* left once a donor came whose bytes can't be read */
};

/* Addresses of nodes, without ports; IPv6 without brackets. */
struct receive_addresses {
    char items[32][64];
    size_t n;
};

struct receive_conn;

struct receive {
    /* The caller's, set before the start. */
    struct job *job;
    const char *address;
    uint16_t port; /* 0: any, see receive_port */
    struct tls_context *tls; /* NULL: a donor that speaks TLS can't be served */
    bool tls_only;
    bool tls_proves; /* tls wants a certificate, which strangers do not have */
    const char *secret; /* that connection 1 must show; NULL: none */
    struct xbstream_options complete; /* flavour and galera; transition_key is filled from connection 1 */
    struct receive_limits limits;
    void (*on_info)(struct receive *r, const struct sst_info *info);
    bool (*on_data_begin)(struct receive *r, struct error *e); /* false: it can't be taken, e says why */
    bool (*on_data)(struct receive *r, struct str bytes);      /* false: hold until receive_resume */
    void (*on_data_end)(struct receive *r);
    void (*on_failed)(struct receive *r, const struct error *e);
    void (*on_closed)(struct receive *r);
    void *data;

    /* Readable. */
    struct sst_info info;
    struct xbstream *stream; /* of the data; NULL before */
    bool tls_refused;        /* a donor came and one side did not take the other's certificate, or TLS at all */

    /* private */
    struct tcp_listen *listener;
    struct list conns;
    struct receive_conn *source; /* connection 2 */
    struct timer limit, selected, closer;
    unsigned n_conns;
    struct receive_addresses donor; /* where it is by what the cluster says */
    char peer[64]; /* address of connection 1 */
    char seen[320]; /* what a connection was that could not be used: for the error */
    bool expecting, has_info, over, closing, held, hurried;
    bool late; /* gap_ms has passed, and a connection of the donor is still silent */
};

int receive_start(struct receive *r, struct error *e) NODISCARD;
uint16_t receive_port(const struct receive *r);
/* A donor was selected: from now on the limits count, and connection 1 is taken. Who can show neither the secret nor a
 * certificate must come from one of these addresses. */
void receive_expect(struct receive *r, const struct receive_addresses *donor);
void receive_resume(struct receive *r);
/* Drops everything. on_closed follows. Fine to call several times. */
void receive_stop(struct receive *r);

#endif
