/*
 * app: an AppBinding as a worker needs it: where the database is, who we are there, its Galera group, TLS material.
 */
#ifndef STASHD_APP_H
#define STASHD_APP_H

#include <jansson.h>

#include "controllers/job/guard_settings.h"
#include "controllers/job/secrets.h"
#include "core/base/buf.h"

struct app {
    const char *name, *ns; /* of the AppBinding */
    char *host;
    uint16_t port;    /* 0: the client's default */
    char *address;    /* "gcomm://…"; "" */
    char *group;      /* wsrep cluster name; "": a standalone server, dumped */
    char *sst_method; /* "" when not given */
    char *server_name;
    bool insecure_skip_verify;
    struct guard_settings guard;
    struct secrets secrets;                /* after the transforms: username, password, … */
    struct secret ca_pem, cert_pem, key_pem; /* empty when not given */
};

/* Where its Secrets are: mounted folders, or the API. */
struct app_sources {
    const char *app_dir, *tls_dir; /* "/stash-secrets/app", … */
    const char *extra_dir;         /* prefix: "/stash-secrets/app-extra-" */
    /* Through the API; NULL: none. ERR_NOTFOUND when there is no such Secret. */
    int (*fetch)(void *ctx, const char *ns, const char *name, struct secrets *out, struct error *e);
    void *ctx;
};

/* ERR_INVALID, ERR_NOTFOUND with a text that names what is missing. app_done in either case. The object must outlive
 * the app. */
int app_init(struct app *a, const json_t *appbinding, const struct app_sources *from, struct error *e) NODISCARD;
/* Only what needs no Secret: host, port, group, method. */
int app_init_plain(struct app *a, const json_t *appbinding, struct error *e) NODISCARD;
void app_done(struct app *a);
/* Calls fn for each credential, for redaction. */
void app_each_secret(const struct app *a, void (*fn)(void *ctx, struct str value), void *ctx);

enum app_client { APP_CLIENT_MARIADB, APP_CLIENT_MYSQL };

/* Option file of the database's client programs: user, password, host, port, TLS. ca_path etc.: files with the PEMs;
 * NULL: none. host NULL: the AppBinding's; a member's own address otherwise. */
void app_option_file(const struct app *a, enum app_client client, const char *host, uint16_t port, const char *ca_path,
                     const char *cert_path, const char *key_path, struct buf *out);

#endif
