/* answer: the form of an answer. */
#ifndef STASHD_MODEL_ANSWER_H
#define STASHD_MODEL_ANSWER_H

#include "k8s/model/request.h"

/* By the Accept header. */
enum shape answer_shape(struct str accept);
/* As one tree, a new reference. */
json_t *answer_tree(struct request *q, int status);
/* Writes head and body to q->serve, unless a watch or log has it. */
void answer_send(struct request *q, int status);

#endif
