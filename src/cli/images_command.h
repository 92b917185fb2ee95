// SPDX-License-Identifier: Apache-2.0
// `kiln images`: the images every account is offered. `list` shows them, `build` makes one from the
// packages of a distribution by a recipe that comes with the program (guests/NAME/build) and
// provides it. Thread model: one thread.
#pragma once

#include <string>

#include "cli/client.h"

namespace kiln::cli {

struct BuildImageRequest {
    std::string name;    // of a recipe: "tiny-linux", "debian-12"
    std::string mirror;  // URL of a package mirror; empty: the host's own
    bool refresh = false;
};

// Exit statuses.
int run_list_images(const ClientChoices& choices, bool as_json);
int run_build_image(const ClientChoices& choices, const BuildImageRequest& request);

}  // namespace kiln::cli
