// SPDX-License-Identifier: Apache-2.0
// What the tests of quotas share: a service without quotas, in which a test sets those it is about.
// Thread model: create() may be called by many threads; else one owner.
#pragma once

#include <string>

#include "control/quotas.h"
#include "control/tests/test_service.h"
#include "control/volumes.h"

namespace kiln::control::testing {

struct QuotaWorld {
    QuotaWorld() {
        service.recover();
        service.settings.quotas = kNoQuotas;
    }

    void allow(Quota quota, std::uint32_t most) {
        service.settings.quotas = service.settings.quotas.with(quota, most);
    }
    // Asks for a volume of Alice's.
    std::string create(std::uint32_t gib, model::VolumeType type = model::VolumeType::gp2,
                       bool dry_run = false) {
        CreateVolumeInput input;
        input.availability_zone = "us-east-1a";
        input.ebs.volume_size_gib = gib;
        input.ebs.volume_type = type;
        input.dry_run = dry_run;
        return code_of(requests.create(kAlice, input));
    }

    TempDir directory;
    TestService service{directory.path()};
    Volumes requests{*service.parts, *service.volumes, [] {}};
};

}  // namespace kiln::control::testing
