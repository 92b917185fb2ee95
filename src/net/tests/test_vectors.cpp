// SPDX-License-Identifier: Apache-2.0
#include "net/tests/test_vectors.h"

#include <doctest/doctest.h>

#include "util/fs.h"
#include "util/strings.h"

namespace kiln::net::testing {

std::vector<Entry> read_entries(const std::string& name) {
    const std::string here = __FILE__;
    const Result<std::string> text = read_file(here.substr(0, here.rfind('/')) + "/data/" + name);
    REQUIRE(text.has_value());
    std::vector<Entry> entries;
    std::string_view rest = *text;
    while (!rest.empty()) {
        const std::size_t line_end = rest.find('\n');
        REQUIRE(line_end != rest.npos);
        Entry entry;
        for (const std::string_view word : split(rest.substr(0, line_end), ' ')) {
            entry.words.emplace_back(word);
        }
        REQUIRE(entry.words.front() == "===");
        entry.words.erase(entry.words.begin());
        const auto length = parse_int<std::size_t>(entry.words.back());
        REQUIRE((length && *length + line_end + 2 <= rest.size()));
        entry.words.pop_back();
        entry.content = rest.substr(line_end + 1, *length);
        rest.remove_prefix(line_end + 1 + *length + 1);
        entries.push_back(std::move(entry));
    }
    return entries;
}

TextRequest parse_text_request(const std::string& text) {
    TextRequest request;
    std::string_view rest = text;
    std::string name;
    std::string value;
    bool first = true;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        std::string_view line = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        if (first) {
            const std::size_t space = line.find(' ');
            const std::string_view target =
                line.substr(space + 1, line.rfind(" HTTP/") - space - 1);
            request.method = line.substr(0, space);
            request.path = target.substr(0, target.find('?'));
            request.query =
                target.find('?') == target.npos ? "" : target.substr(target.find('?') + 1);
            first = false;
            continue;
        }
        if (!name.empty() && line.starts_with(' ')) {
            value.append(" ").append(trim(line));
            continue;
        }
        if (!name.empty()) {
            request.headers.add(name, value);
        }
        if (line.empty()) {
            name.clear();
            break;
        }
        name = line.substr(0, line.find(':'));
        value = trim(line.substr(line.find(':') + 1));
    }
    if (!name.empty()) {
        request.headers.add(name, value);
    }
    request.body = rest;
    return request;
}

}  // namespace kiln::net::testing
