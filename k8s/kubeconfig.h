/*
 * kubeconfig: YAML (or JSON) text to what is needed to connect; in-cluster files to the same. Pure: files are named in
 * the result, or their data is in it; the caller reads them.
 */
#ifndef STASHD_KUBECONFIG_H
#define STASHD_KUBECONFIG_H

#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/base/str.h"

struct kubeconfig {
    char *server;      /* "https://127.0.0.1:6443" */
    char *tls_name;    /* tls-server-name; NULL: the server's host */
    bool insecure;     /* insecure-skip-tls-verify */
    char *ns;          /* the context's namespace; NULL: "default" */
    char *ca_pem, *cert_pem, *key_pem;    /* inline data, decoded; NULL */
    char *ca_file, *cert_file, *key_file; /* as written; relative to the kubeconfig's folder */
    char *token, *token_file;
    /* NULL-terminated lists; NULL: no plugin. exec_env "K=V": what the kubeconfig asks for and KUBERNETES_EXEC_INFO;
     * the caller adds what else the plugin needs of our own environment (PATH, HOME). */
    char **exec_argv, **exec_env;
};

/* context NULL: current-context. ERR_INVALID names what is missing or wrong. *out is untouched then. */
int kubeconfig_parse(struct kubeconfig *out, struct str text, const char *context, struct error *e) NODISCARD;
/* In-cluster: from KUBERNETES_SERVICE_HOST and _PORT (NULL: not in a cluster, ERR_NOTFOUND) and the usual files. */
int kubeconfig_in_cluster(struct kubeconfig *out, const char *host, const char *port, struct error *e) NODISCARD;
void kubeconfig_done(struct kubeconfig *c); /* wipes credentials; c is as zeroed then */

#endif
