/*
 * fuzz_admission: any bytes as an AdmissionReview: no crash, and an answer is JSON with the request's uid.
 * Reads: controllers/admission.c k8s/admission.c
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "controllers/admission.h"
#include "controllers/world.h"
#include "core/base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct operator_settings settings = {.own_namespace = "stash"};
    struct str text = {(const char *)data, size};
    struct admission_verdict verdict;
    struct admission_request r;
    struct arena arena;
    struct world world;
    struct cache *cache;
    struct buf out;
    struct error e;
    json_t *answer;

    if (kube_admission_parse(text, &r, &e) < 0)
        return 0;
    arena_init(&arena);
    cache = cache_new(1, NULL, NULL);
    controllers_index(cache);
    world_init(&world, &settings, cache, &arena, 0, 0);
    admission_decide(&world, &r, true, &verdict);
    buf_init(&out, 1 << 24);
    kube_admission_answer(&r, &verdict, &out);
    answer = json_loads(out.data, 0, NULL);
    assert(answer && strcmp(json_text(answer, "response.uid"), r.uid) == 0);
    assert(json_flag(answer, "response.allowed", false) == !verdict.refusal);
    json_decref(answer);
    buf_done(&out);
    cache_free(cache);
    arena_done(&arena);
    kube_admission_done(&r);
    return 0;
}
