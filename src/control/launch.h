// SPDX-License-Identifier: Apache-2.0
// Launch: the transaction behind RunInstances (RUN-1 .. RUN-13): checks the request against the
// catalog, then writes the instances, their volumes with fresh layers over the image's contents,
// tags, the idempotency token, and a job for each instance. Nothing outside the catalog is touched.
// One owner thread: the one that runs the transaction.
#pragma once

#include "control/idempotency.h"
#include "control/instances.h"
#include "control/volume_plan.h"

namespace kiln::control {

class Launch {
  public:
    Launch(const Parts& parts, const Caller& caller, const RunInstancesInput& input)
        : parts_(parts), caller_(caller), input_(input) {}

    // What can be said without the catalog.
    Status check() const;
    Result<std::vector<model::Instance>> run(catalog::Transaction& tx);
    // What this token launched before; nothing if it is new (IDM-2, IDM-5).
    Result<std::optional<std::vector<model::Instance>>> replay(catalog::Transaction& tx);

  private:
    Result<ClientToken> client_token(catalog::Transaction& tx) const;
    Result<std::vector<VolumePlan>> plan_volumes(catalog::Transaction& tx,
                                                 const model::Image& image,
                                                 const model::BlockDeviceMappings& mappings) const;
    model::Instance draft(const model::Image& image, const InstanceType& type,
                          const model::BlockDeviceMappings& mappings) const;
    Status insert_instance(catalog::Transaction& tx, const model::Instance& instance,
                           const std::vector<VolumePlan>& volumes) const;

    const Parts& parts_;
    const Caller& caller_;
    const RunInstancesInput& input_;
};

}  // namespace kiln::control
