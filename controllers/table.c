/* table: all controllers, one row each. A new kind is a new row. */
#include "controllers/controller.h"
#include "controllers/identity.h"

const struct controller *const controllers[] = {
    &identity_controller,
};

const size_t n_controllers = sizeof(controllers) / sizeof(controllers[0]);
