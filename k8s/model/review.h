/* review: the kinds that are only asked: TokenReview, SubjectAccessReview and its kin, TokenRequest. */
#ifndef STASHD_MODEL_REVIEW_H
#define STASHD_MODEL_REVIEW_H

#include "k8s/model/request.h"

int review_create(struct request *q);
int review_token_request(struct request *q); /* serviceaccounts/<name>/token */

#endif
