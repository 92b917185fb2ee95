// SPDX-License-Identifier: Apache-2.0
#include "cli/diff_command.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/print.h"

namespace kiln::cli {
namespace {

using nlohmann::json;
using Number = unsigned long long;

// A range at a time, so that one that goes on over the end of a page is one.
class Ranges {
  public:
    explicit Ranges(bool as_json) : as_json_(as_json) {}

    void add(Number offset, Number length) {
        if (length_ > 0 && offset_ + length_ == offset) {
            length_ += length;
            return;
        }
        give();
        offset_ = offset;
        length_ = length;
    }
    void give() {
        if (length_ == 0) {
            return;
        }
        bytes += length_;
        if (as_json_) {
            list.push_back({{"offset", offset_}, {"length", length_}});
        } else {
            std::printf("%llu %llu\n", offset_, length_);
        }
        length_ = 0;
    }

    Number bytes = 0;
    json list = json::array();

  private:
    const bool as_json_;
    Number offset_ = 0;
    Number length_ = 0;
};

}  // namespace

int run_diff(const ClientChoices& choices, const DiffRequest& request) {
    auto client = Client::create(choices);
    if (!client) {
        return fail(client.error());
    }
    Ranges ranges(request.json);
    json page;
    std::string offset = "0";
    do {
        const auto answer = (*client)->call("GET", "/kiln/v1/diff?from=" + request.from +
                                                       "&to=" + request.to + "&offset=" + offset);
        if (!answer) {
            return fail(answer.error());
        }
        page = json::parse(*answer);
        for (const json& range : page["ranges"]) {
            ranges.add(range["offset"].get<Number>(), range["length"].get<Number>());
        }
        offset = page.contains("next") ? page["next"].dump() : "";
    } while (!offset.empty());
    ranges.give();
    if (request.json) {
        page["ranges"] = std::move(ranges.list);
        page["differentBytes"] = ranges.bytes;
        std::puts(page.dump(2).c_str());
    } else {
        std::fprintf(stderr, "%llu blocks of %llu bytes differ\n",
                     ranges.bytes / page["blockBytes"].get<Number>(),
                     page["blockBytes"].get<Number>());
    }
    return 0;
}

}  // namespace kiln::cli
