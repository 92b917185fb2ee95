// SPDX-License-Identifier: Apache-2.0
#include "io/reactor.h"

#include "io/detail/thread_reactor.h"
#include "io/detail/uring_reactor.h"

namespace kiln::io {

Result<std::unique_ptr<Reactor>> Reactor::create(Backend backend, Clock& clock) {
    switch (backend) {
        case Backend::threads:
            return ThreadReactor::create(clock);
        case Backend::uring:
            return create_uring_reactor(clock);
        case Backend::automatic:
            break;
    }
    auto uring = create_uring_reactor(clock);
    if (uring) {
        return uring;
    }
    return ThreadReactor::create(clock);
}

}  // namespace kiln::io
