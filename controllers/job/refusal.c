/*
 * refusal: see refusal.h. The client programs tell what happened in a text only: the last line of stderr has the
 * server's number ("ERROR 1045 (28000): …"), or for TLS the words of the TLS library. Donors tell by a TLS alert.
 */
#include "controllers/job/refusal.h"

#include <stdio.h>

enum need { ANY, WITHOUT_TLS, WITHOUT_CERT }; /* of the AppBinding: the row is for those only */

struct row {
    const char *number, *words; /* both are in the text; words NULL: any */
    enum need need;
    const char *remedy;
};

static const char no_tls[] = "give spec.clientConfig.caBundle (the CA of the servers' certificates) or spec.tlsSecret";

/* The first row that fits decides. */
static const struct row rows[] = {
    {"ERROR 1045", NULL, WITHOUT_TLS,
     "correct username and password in the Secret of spec.secret, or, if the user must come by TLS (REQUIRE SSL or "
     "X509), give spec.clientConfig.caBundle or spec.tlsSecret"},
    {"ERROR 1045", NULL, WITHOUT_CERT,
     "correct username and password in the Secret of spec.secret, or, if the user must show a certificate (REQUIRE "
     "X509), give spec.tlsSecret"},
    {"ERROR 1045", NULL, ANY, "correct username and password in the Secret of spec.secret"},
    {"ERROR 1698", NULL, ANY, "correct username and password in the Secret of spec.secret"},
    {"ERROR 1130", NULL, ANY, "let the user in from the pods' addresses, or name another in the Secret of spec.secret"},
    {"ERROR 1862", NULL, ANY, "renew the password in the server and in the Secret of spec.secret"},
    {"ERROR 4151", NULL, ANY, "unlock the account, or name another in the Secret of spec.secret"},
    {"ERROR 3118", NULL, ANY, "unlock the account, or name another in the Secret of spec.secret"},
    {"ERROR 3159", NULL, ANY, no_tls},
    {"ERROR 2026", "SSL is required", ANY,
     "the server offers no TLS: set ssl_cert and ssl_key there, or take caBundle and tlsSecret out of the AppBinding"},
    {"ERROR 2026", "expired", ANY, "renew the certificate of the server (ssl_cert), or ours in spec.tlsSecret"},
    {"ERROR 2026", "alert", ANY,
     "the server refuses our certificate: put one of a CA that it trusts (ssl_ca) into the Secret of spec.tlsSecret"},
    {"ERROR 2026", "Validation", ANY,
     "spec.clientConfig.serverName is no name in the server's certificate: correct it or leave it out"},
    {"ERROR 2026", "ertificate", ANY,
     "spec.clientConfig.caBundle, or ca.crt in the Secret of spec.tlsSecret, must be the CA of the server's "
     "certificate"},
    {"ERROR 2059", NULL, ANY, "the client program in this image has no such plugin: give the user another one"},
};

static bool fits(const struct row *row, const struct app *app, const char *text)
{
    bool tls = app->ca_pem.n || app->cert_pem.n || app->insecure_skip_verify;

    return strstr(text, row->number) && (!row->words || strstr(text, row->words)) &&
           (row->need != WITHOUT_TLS || !tls) && (row->need != WITHOUT_CERT || !app->cert_pem.n);
}

int refusal_of_client(const struct app *app, struct error *e)
{
    char text[200];

    for (size_t i = 0; e->code == ERR_INVALID && i < sizeof(rows) / sizeof(*rows); i++) {
        if (!fits(&rows[i], app, e->msg))
            continue;
        (void)snprintf(text, sizeof(text), "%.*s", (int)sizeof(text) - 1, e->msg);
        return error_set(e, ERR_DENIED, "AppBinding %s/%s: %s: %s", app->ns ? app->ns : "", app->name ? app->name : "",
                         text, rows[i].remedy);
    }
    return e->code;
}

void refusal_of_donor(const char *reason, char *out, size_t size)
{
    static const struct {
        const char *words, *meaning;
    } known[] = {
        {"alert unknown ca",
         "the donor refuses our certificate: spec.tlsSecret must hold one of the CA that the nodes trust ([sst] tca, "
         "or ssl_ca)"},
        {"alert certificate expired",
         "the donor refuses our certificate: renew tls.crt in the Secret of spec.tlsSecret"},
        {"alert", "the donor refuses our certificate: look at tls.crt in the Secret of spec.tlsSecret"},
        {"did not return a certificate", "the donor shows no certificate: set tcert and tkey in [sst] of the nodes"},
        {"certificate: certificate has expired",
         "we refuse the donor's certificate: renew it on the nodes ([sst] tcert, or ssl_cert)"},
        {"certificate: certificate is not yet valid", "we refuse the donor's certificate: look at the clocks"},
        {"certificate:",
         "we refuse the donor's certificate: spec.clientConfig.caBundle, or ca.crt in the Secret of spec.tlsSecret, "
         "must be the CA of the nodes' certificates"},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (strstr(reason, known[i].words)) {
            (void)snprintf(out, size, "%s: %s", reason, known[i].meaning);
            return;
        }
    }
    (void)snprintf(out, size, "%s", reason);
}

void refusal_of_group(const char *reason, char *out, size_t size)
{
    if (strstr(reason, "alert"))
        (void)snprintf(out, size,
                       "%s: the group channel refuses our certificate: spec.tlsSecret must hold one of the CA that the "
                       "nodes trust (socket.ssl_ca)",
                       reason);
    else
        (void)snprintf(out, size,
                       "%s: a node's certificate in the group channel (socket.ssl_cert) is not by the CA of "
                       "spec.clientConfig.caBundle, or ca.crt in the Secret of spec.tlsSecret",
                       reason);
}
