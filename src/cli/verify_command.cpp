// SPDX-License-Identifier: Apache-2.0
#include "cli/verify_command.h"

#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "cli/print.h"
#include "util/encoding.h"

namespace kiln::cli {
namespace {

using nlohmann::json;

// A result lists a thousand ranges at most, of some 300 bytes each.
constexpr std::size_t kMaxLine = 4U << 20;

Error not_understood() {
    return Error(Code::internal, "the service's answer is not understood");
}

std::string text(const json& from, const char* name) {
    const auto found = from.find(name);
    return found != from.end() && found->is_string() ? found->get<std::string>() : "";
}

unsigned long long number(const json& from, const char* name) {
    const auto found = from.find(name);
    return found != from.end() && found->is_number_unsigned() ? found->get<unsigned long long>()
                                                              : 0;
}

class Reader {
  public:
    Status feed(ByteView piece) {
        buffer_.append(as_text(piece));
        std::size_t from = 0;
        for (std::size_t end = buffer_.find('\n'); end != std::string::npos;
             end = buffer_.find('\n', from)) {
            TRY(take(buffer_.substr(from, end - from)));
            from = end + 1;
        }
        buffer_.erase(0, from);
        return buffer_.size() > kMaxLine ? Status(not_understood()) : ok();
    }
    Status finish() {
        hide_progress();
        if (error_) {
            return *error_;
        }
        return over_ ? ok()
                     : Status(Error(Code::unavailable,
                                    "the answer ends early; the service's log may say why"));
    }
    const std::vector<json>& results() const { return results_; }
    bool damaged() const { return damaged_; }

  private:
    Status take(const std::string& line) {
        json message = json::parse(line, nullptr, false);
        if (!message.is_object()) {
            return not_understood();
        }
        const std::string type = text(message, "type");
        if (type == "progress") {
            show_progress(message);
        } else if (type == "result") {
            damaged_ = damaged_ || number(message, "damagedRanges") > 0;
            results_.push_back(std::move(message));
        } else if (type == "error") {
            error_ = Error::api(Code::unavailable, text(message, "code"), text(message, "message"));
        } else if (type == "end") {
            over_ = true;
        }
        return ok();
    }
    void show_progress(const json& message) {
        if (::isatty(STDERR_FILENO) == 1) {
            std::fprintf(stderr, "\rverifying %s: %.1f MiB read ", text(message, "id").c_str(),
                         static_cast<double>(number(message, "checkedBytes")) / (1 << 20));
            std::fflush(stderr);
            shown_ = true;
        }
    }
    void hide_progress() {
        if (shown_) {
            std::fputc('\n', stderr);
        }
    }

    std::string buffer_;
    std::vector<json> results_;
    std::optional<Error> error_;
    bool over_ = false;
    bool damaged_ = false;
    bool shown_ = false;
};

void print_damage(const json& damage) {
    std::printf("  bytes %llu to %llu of %s: %s", number(damage, "offset"),
                number(damage, "offset") + number(damage, "length"),
                text(damage, "content").empty() ? "the volume" : text(damage, "content").c_str(),
                text(damage, "part").c_str());
    if (!text(damage, "id").empty()) {
        std::printf(" %s", text(damage, "id").c_str());
    }
    if (!text(damage, "pack").empty()) {
        std::printf(", pack %s, entry at %llu", text(damage, "pack").c_str(),
                    number(damage, "packOffset"));
    }
    if (!text(damage, "layer").empty()) {
        std::printf(", layer %s", text(damage, "layer").c_str());
    }
    std::printf(": %s\n", text(damage, "why").c_str());
}

void print_result(const json& result) {
    const std::string device = text(result, "device");
    const unsigned long long ranges = number(result, "damagedRanges");
    std::printf("%s%s%s: %s; %.1f MiB read of %.1f GiB: %llu chunks, %llu nodes, %llu blocks\n",
                text(result, "id").c_str(), device.empty() ? "" : " ", device.c_str(),
                ranges == 0 ? "whole" : "DAMAGED",
                static_cast<double>(number(result, "checkedBytes")) / (1 << 20),
                static_cast<double>(number(result, "sizeBytes")) / (1 << 30),
                number(result, "checkedChunks"), number(result, "checkedNodes"),
                number(result, "checkedBlocks"));
    if (!text(result, "rootDigest").empty()) {
        std::printf("  root digest %s\n", text(result, "rootDigest").c_str());
    }
    const auto damage = result.find("damage");
    if (damage == result.end() || !damage->is_array()) {
        return;
    }
    for (const json& range : *damage) {
        print_damage(range);
    }
    if (ranges > damage->size()) {
        std::printf("  and %llu ranges more\n", ranges - damage->size());
    }
}

}  // namespace

int run_verify(const ClientChoices& choices, const VerifyRequest& request) {
    const auto client = Client::create(choices);
    if (!client) {
        return fail(client.error());
    }
    Reader reader;
    Status got = (*client)->download("/kiln/v1/verify/" + percent_encode(request.id),
                                     [&](ByteView piece) { return reader.feed(piece); });
    if (got) {
        got = reader.finish();
    }
    if (request.json && got) {
        std::puts(
            json{{"damaged", reader.damaged()}, {"results", reader.results()}}.dump(2).c_str());
    } else if (!request.json) {
        for (const json& result : reader.results()) {
            print_result(result);
        }
    }
    if (!got) {
        return fail(got.error());
    }
    if (reader.damaged()) {
        std::fputs(
            "kiln: what is damaged cannot be read; nothing else is affected. Keep the store as it "
            "is, restore it from a backup in another directory or take a copy of the image made "
            "elsewhere, and look at the device (smartctl, the kernel's log).\n",
            stderr);
        return 1;
    }
    return 0;
}

}  // namespace kiln::cli
