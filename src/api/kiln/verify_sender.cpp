// SPDX-License-Identifier: Apache-2.0
#include "api/kiln/verify_sender.h"

#include <chrono>
#include <nlohmann/json.hpp>

#include "api/codec/errors.h"

namespace kiln::api {
namespace {

using control::Verified;
using control::VerifyTarget;
using nlohmann::json;

constexpr std::chrono::milliseconds kProgressEvery{500};

json to_json(const block::Damage& damage) {
    json out{{"content", damage.content.str()},
             {"offset", damage.offset},
             {"length", damage.length},
             {"part", damage.part},
             {"why", damage.why}};
    if (!damage.id.empty()) {
        out["id"] = damage.id;
    }
    if (!damage.pack.empty()) {
        out["pack"] = damage.pack;
        out["packOffset"] = damage.pack_offset;
    }
    if (!damage.layer.empty()) {
        out["layer"] = damage.layer.str();
    }
    return out;
}

json to_json(const VerifyTarget& target, const Verified& result) {
    json damage = json::array();
    for (const block::Damage& range : result.damage) {
        damage.push_back(to_json(range));
    }
    return {{"type", "result"},
            {"id", target.id},
            {"device", target.device},
            {"sizeBytes", target.size_bytes},
            {"checkedBytes", result.bytes},
            {"checkedChunks", result.chunks},
            {"checkedNodes", result.nodes},
            {"checkedBlocks", result.blocks},
            {"rootDigest", result.root_digest},
            {"damagedRanges", result.unreadable},
            {"damage", std::move(damage)}};
}

class Sender {
  public:
    Sender(net::ResponseWriter& response, Deadline deadline)
        : response_(response), deadline_(deadline) {}

    Status send(const json& line) {
        const std::string text = line.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
        return response_.write(as_bytes(text), deadline_);
    }
    Status progress(const VerifyTarget& target, const Verified& so_far) {
        const auto now = std::chrono::steady_clock::now();
        if (now < next_progress_) {
            return ok();
        }
        next_progress_ = now + kProgressEvery;
        return send({{"type", "progress"},
                     {"id", target.id},
                     {"checkedBytes", so_far.bytes},
                     {"sizeBytes", target.size_bytes}});
    }

  private:
    net::ResponseWriter& response_;
    const Deadline deadline_;
    std::chrono::steady_clock::time_point next_progress_{};
};

}  // namespace

Status send_verification(control::Verifications& verifications,
                         const std::vector<VerifyTarget>& targets, net::ResponseWriter& response,
                         Deadline deadline) {
    TRY(response.begin(std::nullopt));
    Sender sender(response, deadline);
    bool damaged = false;
    for (const VerifyTarget& target : targets) {
        const auto result = verifications.run(
            target, [&](const Verified& so_far) { return sender.progress(target, so_far); });
        if (!result) {
            const WireError wire = to_wire(result.error());
            TRY(sender.send({{"type", "error"}, {"code", wire.code}, {"message", wire.message}}));
            TRY(response.finish(deadline));
            return result.error();
        }
        damaged = damaged || result->unreadable > 0;
        TRY(sender.send(to_json(target, *result)));
    }
    TRY(sender.send({{"type", "end"}, {"damaged", damaged}}));
    return response.finish(deadline);
}

}  // namespace kiln::api
