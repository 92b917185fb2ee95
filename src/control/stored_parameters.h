// SPDX-License-Identifier: Apache-2.0
// StoredParameters: the SSM parameters that accounts make for themselves, of type String (PAR-5 ..
// PAR-7). A parameter keeps its last versions; one of images names an image that its owner could
// use when it was put. Reading is done with the public ones (control/public_parameters.h).
// Thread-safe, blocking.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "catalog/store.h"
#include "control/caller.h"
#include "control/public_parameters.h"
#include "io/clock.h"

namespace kiln::control {

struct PutParameterInput {
    std::string name;
    std::string value;
    std::string data_type = "text";
    bool data_type_given = false;
    std::string description;
    bool overwrite = false;
};

class StoredParameters {
  public:
    StoredParameters(catalog::Store& store, io::Clock& clock) : store_(store), clock_(clock) {}

    // The number of the version it made. ParameterAlreadyExists, ValidationException.
    Result<std::int64_t> put(const Caller& caller, const PutParameterInput& input);
    Status remove(const Caller& caller, const std::string& name);  // ParameterNotFound

  private:
    catalog::Store& store_;
    io::Clock& clock_;
};

// Names that are the service's: "/aws/...".
bool is_reserved_parameter(std::string_view name);

// `selector`: ":3", or empty for the newest version.
Result<Parameter> find_stored_parameter(catalog::Transaction& tx, const Caller& caller,
                                        const std::string& name, const std::string& selector);
// All of the caller whose names begin with this, in their newest versions, by name.
Result<std::vector<Parameter>> list_stored_parameters(catalog::Transaction& tx,
                                                      const Caller& caller,
                                                      const std::string& start);

}  // namespace kiln::control
