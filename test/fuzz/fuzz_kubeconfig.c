/*
 * fuzz_kubeconfig: any text gives a whole configuration, twice the same, or a message and nothing. Its first two lines
 * are the two variables of a process in a cluster, too.
 * Reads: k8s/kubeconfig.c
 */
#include <assert.h>

#include "core/base/mem.h"
#include "k8s/kubeconfig.h"

static void in_cluster(struct str text)
{
    struct kubeconfig c = {0};
    struct error e = {0};
    struct str host = STR_NONE, port = STR_NONE;

    AUTO_FREE char *h = NULL;
    AUTO_FREE char *p = NULL;

    (void)str_cut(&text, '\n', &host);
    (void)str_cut(&text, '\n', &port);
    h = mem_strndup(host.n ? host.p : "", host.n);
    p = mem_strndup(port.n ? port.p : "", port.n);
    if (kubeconfig_in_cluster(&c, h, p, &e) < 0) {
        assert(e.code == ERR_NOTFOUND && (!*h || !*p));
        return;
    }
    assert(*h && *p && str_starts(str_of(c.server), STR("https://")) && str_ends(str_of(c.server), str_of(p)));
    kubeconfig_done(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kubeconfig c = {0}, again = {0};
    struct str text = {(const char *)data, size};
    struct error e = {0};
    static bool installed;
    size_t live;

    if (!installed)
        mem_install(1);
    installed = true;
    live = mem_live();
    in_cluster(text);
    if (kubeconfig_parse(&c, text, NULL, &e) < 0) {
        static const struct kubeconfig empty;

        assert(e.code == ERR_INVALID && e.msg[0]);
        assert(memcmp(&c, &empty, sizeof(c)) == 0);
        assert(mem_live() == live);
        return 0;
    }
    assert(c.server && str_starts(str_of(c.server), STR("http")));
    assert(!c.exec_argv || (c.exec_argv[0] && c.exec_env && c.exec_env[0]));
    assert((c.cert_pem || c.cert_file) == (c.key_pem || c.key_file));
    assert(kubeconfig_parse(&again, text, NULL, &e) == 0);
    assert(str_same(c.server, again.server) && str_same(c.token, again.token) && str_same(c.ca_pem, again.ca_pem));
    kubeconfig_done(&c);
    kubeconfig_done(&again);
    assert(mem_live() == live);
    return 0;
}
