// SPDX-License-Identifier: Apache-2.0
// StoredParameter: a text under a name, of an account in a region, with its last versions (PAR-5).
// The parameters that everybody is offered are not stored (control/public_parameters.h).
// Thread model: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/ids.h"
#include "util/time.h"

namespace kiln::model {

struct ParameterVersion {
    std::int64_t number = 1;
    std::string value;
    UnixMillis modified;
    friend bool operator==(const ParameterVersion&, const ParameterVersion&) = default;
};

struct ParameterIdTag {};
using ParameterId = StrongId<ParameterIdTag>;

struct StoredParameter {
    AccountId owner_id;
    std::string region;
    std::string name;
    std::string data_type;  // "text" or "aws:ec2:image"
    std::string description;
    UnixMillis created;
    std::vector<ParameterVersion> versions;  // the oldest first, at least one

    ParameterId id() const { return ParameterId(owner_id.str() + "/" + region + "/" + name); }
    // The image that the newest version names; empty: it is none of images.
    ImageId image() const {
        return ImageId(data_type == "aws:ec2:image" && !versions.empty() ? versions.back().value
                                                                         : std::string());
    }
    friend bool operator==(const StoredParameter&, const StoredParameter&) = default;
};

}  // namespace kiln::model
