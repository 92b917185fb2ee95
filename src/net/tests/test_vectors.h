// SPDX-License-Identifier: Apache-2.0
// Reads the files of test vectors (`=== WORDS... LENGTH`, that many bytes, a line feed) and the
// HTTP requests in them. Thread model: pure functions.
#pragma once

#include <string>
#include <vector>

#include "net/headers.h"

namespace kiln::net::testing {

struct Entry {
    std::vector<std::string> words;
    std::string content;
};
// Fails the test when the file is missing or malformed. `name` is relative to the data directory
// beside this file.
std::vector<Entry> read_entries(const std::string& name);

// A request as a text file shows it: lenient where the HTTP parser must not be (spaces in the
// target, bare line feeds).
struct TextRequest {
    std::string method;
    std::string path;
    std::string query;
    Headers headers;
    std::string body;
};
TextRequest parse_text_request(const std::string& text);

}  // namespace kiln::net::testing
