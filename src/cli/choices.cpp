// SPDX-License-Identifier: Apache-2.0
#include "cli/choices.h"

#include <CLI/CLI.hpp>

namespace kiln::cli {

void add_choices(CLI::App* command, const std::shared_ptr<ClientChoices>& choices) {
    command->add_option("--data", choices->data_directory,
                        "data directory of a service on this host");
    command->add_option("--endpoint-url", choices->endpoint_url, "URL of the service");
    command->add_option("--profile", choices->profile, "profile of the AWS configuration files");
    command->add_option("--region", choices->region, "region");
    command->add_option("--ca-bundle", choices->ca_bundle,
                        "PEM file of certificates to trust, for https");
}

}  // namespace kiln::cli
