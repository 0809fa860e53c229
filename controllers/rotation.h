/*
 * rotation: the webhook's own certificates and their life in one Secret (multitenancy.md 11). Each serving certificate
 * has a CA of its own, whose key is thrown away once it has signed. Data of the Secret:
 *
 *   tls.crt, tls.key, ca.crt                  what is served, and what its clients have to trust
 *   next-tls.crt, next-tls.key, next-ca.crt   made, not served yet: clients are told of its CA first
 *   old-ca.crt, old-ca.until                  of what was served before: some replicas may still serve it; Unix seconds
 *
 * The Secret is the whole state: the leader may be killed between any two writes, the next one goes on from it. Clients
 * get all CAs in it. Pure: the Secret and a time in, what to write and what to publish out.
 */
#ifndef STASHD_ROTATION_H
#define STASHD_ROTATION_H

#include <jansson.h>
#include <stdbool.h>

#include "core/base/arena.h"
#include "core/base/error.h"

struct rotation_pair { /* PEM, to be wiped and freed by its maker's done */
    char *ca_pem, *cert_pem, *key_pem;
};

struct rotation_rules {
    int64_t lifetime_s; /* of a serving certificate; renewed after two thirds */
    /* Makes a CA and a serving certificate under it. */
    int (*make)(void *ctx, int64_t from_s, int64_t to_s, struct rotation_pair *ret, struct error *e);
    void (*done)(struct rotation_pair *pair);
    int (*times)(const char *pem, int64_t *ret_from_s, int64_t *ret_to_s, struct error *e);
    void *ctx;
};

/* Texts are in the arena. */
struct rotation_pair_text {
    const char *ca, *cert, *key; /* "" without one */
    int64_t made_s, expires_s;   /* 0: no readable certificate */
};

struct rotation {
    struct rotation_pair_text current, next;
    const char *old_ca; /* "" */
    int64_t old_until_s;
    const char *bundle; /* CAs for clients, PEM; "" without any */
};

/* What a Secret (NULL: none) holds. */
void rotation_read(const json_t *secret, const struct rotation_rules *rules, struct arena *a, struct rotation *ret);

/*
 * The next write of the Secret as {"data": {key: base64 or null}}, one reference, in *ret; NULL: nothing to do now.
 * *ret_what says it in a word for the log. published: all clients were seen to have r's bundle.
 */
int rotation_next(const struct rotation *r, const struct rotation_rules *rules, int64_t now_s, bool published,
                  json_t **ret, const char **ret_what, struct error *e) NODISCARD;

#endif
