/*
 * fuzz_patch: a line with an object, a line with a patch. No type of patch changes what it is applied to; a merge patch
 * done twice is as good as done once.
 * Reads: k8s/model/patch.c
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "k8s/model/patch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {"application/merge-patch+json", "application/json-patch+json",
                                        "application/strategic-merge-patch+json", "application/apply-patch+yaml"};
    struct str rest = {(const char *)data, size}, line;
    struct resource r = {.builtin = true};
    json_t *from, *patch;

    if (!str_cut(&rest, '\n', &line))
        return 0;
    from = json_loadb(line.n ? line.p : "", line.n, 0, NULL);
    patch = json_loadb(rest.n ? rest.p : "", rest.n, 0, NULL);
    for (size_t i = 0; json_is_object(from) && patch && i < 4; i++) {
        json_t *before = json_deep_copy(from), *once = NULL, *twice = NULL;
        struct error e = {.msg = ""};
        int rc = patch_apply(&r, str_of(types[i]), from, patch, &once, &e);

        assert(json_equal(before, from));
        assert(rc == 0 ? once != NULL : *e.msg != 0);
        if (rc == 0 && i == 0) {
            assert(patch_apply(&r, str_of(types[i]), once, patch, &twice, &e) == 0);
            assert(json_equal(once, twice));
        }
        json_decref(before);
        json_decref(once);
        json_decref(twice);
    }
    json_decref(from);
    json_decref(patch);
    return 0;
}
