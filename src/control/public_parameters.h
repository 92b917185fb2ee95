// SPDX-License-Identifier: Apache-2.0
// PublicParameters: parameters by name: the caller's own (control/stored_parameters.h), and the SSM
// parameters under /aws/service/ that name the provided images (PAR-1 to PAR-4). They are not
// stored: a parameter is what the provider's images of a region say of themselves. Each image that
// was ever provided under a name is one version of it, in the order of their making; the
// parameter's value is the newest one that is not deregistered.
//
// Thread-safe, blocking.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/store.h"
#include "control/caller.h"
#include "control/pagination.h"
#include "model/image.h"

namespace kiln::control {

// D28: who owns the provided images.
inline constexpr char kProviderAccount[] = "137112412989";
inline constexpr char kProviderAlias[] = "amazon";

inline constexpr std::int64_t kMaxParametersPerPage = 10;

struct Parameter {
    std::string name;
    std::string selector;  // ":3" when a version was asked for
    std::string value;
    std::string data_type = "aws:ec2:image";
    std::string image_name;  // of public ones
    std::int64_t version = 0;
    UnixMillis modified;
    std::string arn;
};

struct ParametersByPathInput {
    std::string path;
    bool recursive = false;
    PageRequest page;
};

class PublicParameters {
  public:
    explicit PublicParameters(catalog::Store& store) : store_(store) {}

    // `name` may end in a version (":3"). ParameterNotFound, ParameterVersionNotFound.
    Result<Parameter> get(const Caller& caller, const std::string& name);
    // By name.
    Result<Page<Parameter>> by_path(const Caller& caller, const ParametersByPathInput& input);
    // All public ones of the region, by name.
    Result<std::vector<Parameter>> list(const Caller& caller);
    // RUN-14: the id a launch means by `image`, which may be "resolve:ssm:NAME[:VERSION]".
    Result<std::string> resolve(const Caller& caller, const std::string& image);

  private:
    catalog::Store& store_;
};

}  // namespace kiln::control
