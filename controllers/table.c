/* table: all controllers, one row each. A new kind is a new row. */
#include "controllers/controller.h"
#include "controllers/backupconfiguration.h"
#include "controllers/backupsession.h"
#include "controllers/cronjob.h"
#include "controllers/identity.h"
#include "controllers/repository.h"
#include "controllers/restoresession.h"
#include "controllers/schedule.h"
#include "controllers/target_lock.h"

const struct controller *const controllers[] = {
    &repository_controller,
    &backupconfiguration_controller,
    &backupsession_controller,
    &restoresession_controller,
    &schedule_controller,
    &cronjob_controller,
    &identity_controller,
};

const size_t n_controllers = sizeof(controllers) / sizeof(controllers[0]);

void controllers_index(struct cache *c)
{
    static const enum kind_id invokers[] = {KIND_BACKUPCONFIGURATION, KIND_RESTORESESSION, KIND_BACKUPBATCH,
                                            KIND_RESTOREBATCH};

    cache_index_owners(c, kind_get(KIND_JOB));
    cache_index_owners(c, kind_get(KIND_POD));
    cache_index_owners(c, kind_get(KIND_CRONJOB));
    for (size_t i = 0; i < sizeof(invokers) / sizeof(invokers[0]); i++)
        cache_index_ref(c, kind_get(invokers[i]), "spec.repository.name", "spec.repository.namespace");
    cache_index_ref(c, kind_get(KIND_BACKUPCONFIGURATION), "spec.target.ref.name", "spec.target.ref.namespace");
    cache_index(c, kind_get(KIND_RESTORESESSION), "spec.target.ref.name", false);
    cache_index(c, kind_get(KIND_BACKUPSESSION), "spec.invoker.name", true);
    cache_index(c, kind_get(KIND_JOB), "annotation:" TARGET_LOCK_ANNOTATION, false);
    cache_index(c, kind_get(KIND_POD), "annotation:" TARGET_LOCK_ANNOTATION, false);
    cache_index(c, kind_get(KIND_POD), "annotation:" REPOSITORY_JOB_ANNOTATION, false);
}
