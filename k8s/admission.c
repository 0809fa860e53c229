/* admission: see admission.h. */
#include "k8s/admission.h"

#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"

int kube_admission_parse(struct str text, struct admission_request *ret, struct error *e)
{
    json_error_t why;
    json_t *root = json_read_strict(text);
    const json_t *r = json_at(root, "request");

    if (!root) { /* it can say why */
        json_decref(json_loadb(text.p ? text.p : "", text.n, JSON_REJECT_DUPLICATES, &why));
        return error_set(e, ERR_INVALID, "not JSON: %s", why.text);
    }
    *ret = (struct admission_request){.root = root,
                                      .api_version = json_text(root, "apiVersion"),
                                      .uid = json_text(r, "uid"),
                                      .group = json_text(r, "kind.group"),
                                      .version = json_text(r, "kind.version"),
                                      .kind = json_text(r, "kind.kind"),
                                      .subresource = json_text(r, "subResource"),
                                      .operation = json_text(r, "operation"),
                                      .ns = json_text(r, "namespace"),
                                      .name = json_text(r, "name"),
                                      .user = json_text(r, "userInfo.username")};
    if (json_is_object(json_at(r, "object")))
        ret->object = json_at(r, "object");
    if (json_is_object(json_at(r, "oldObject")))
        ret->old = json_at(r, "oldObject");
    if (strcmp(json_text(root, "kind"), "AdmissionReview") == 0 && *ret->uid &&
        (strcmp(ret->api_version, "admission.k8s.io/v1") == 0 ||
         strcmp(ret->api_version, "admission.k8s.io/v1beta1") == 0))
        return 0;
    kube_admission_done(ret);
    return error_set(e, ERR_INVALID, "not an AdmissionReview of admission.k8s.io/v1 with a request");
}

void kube_admission_done(struct admission_request *r)
{
    json_decref(r->root);
    *r = (struct admission_request){0};
}

static json_t *status_of(const struct admission_request *r, const struct admission_verdict *v)
{
    json_t *details = json_pack("{s:s, s:s, s:s}", "name", r->name, "group", r->group, "kind", r->kind);

    if (v->causes)
        json_object_set(details, "causes", v->causes);
    return json_pack("{s:s, s:s, s:s, s:i, s:o}", "status", "Failure", "message", v->refusal, "reason", "Forbidden",
                     "code", 403, "details", details);
}

void kube_admission_answer(const struct admission_request *r, const struct admission_verdict *v, struct buf *out)
{
    json_t *response = json_pack("{s:s, s:b}", "uid", r->uid, "allowed", !v->refusal);
    json_t *root = json_pack("{s:s, s:s, s:O}", "apiVersion", r->api_version, "kind", "AdmissionReview", "response",
                             response);
    char *text;

    if (v->refusal)
        json_object_set_new(response, "status", status_of(r, v));
    if (json_array_size(v->warnings))
        json_object_set(response, "warnings", v->warnings);
    text = json_compact(root);
    buf_puts(out, text);
    mem_free(text);
    json_decref(response);
    json_decref(root);
}
