/*
 * fuzz_kubeconfig: any text gives a whole configuration, twice the same, or a message and nothing.
 * Reads: k8s/kubeconfig.c
 */
#include <assert.h>

#include "core/base/mem.h"
#include "k8s/kubeconfig.h"

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
