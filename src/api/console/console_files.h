// SPDX-License-Identifier: Apache-2.0
// ConsoleFile: one file of the web console as it was built into the program. Thread model: plain
// values over memory that lives as long as the program.
#pragma once

#include <span>
#include <string_view>

#include "util/bytes.h"

namespace kiln::api {

struct ConsoleFile {
    std::string_view path;  // "index.html", "assets/index-1a2b.js"
    std::string_view type;  // Content-Type
    std::string_view etag;  // with its quotes
    ByteView plain;
    ByteView gzip;
};

// Made at build time by tools/build-console and linked into the program alone, so that nothing else
// waits for it. Ascending by path; empty in a build without the console.
std::span<const ConsoleFile> built_in_console();

}  // namespace kiln::api
