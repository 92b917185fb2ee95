// SPDX-License-Identifier: Apache-2.0
#include "control/content_view.h"

#include "control/contents.h"
#include "util/log.h"

namespace kiln::control {
namespace {

constexpr std::chrono::seconds kCallTime{120};

}  // namespace

Result<std::unique_ptr<ContentView>> ContentView::open(const Parts& parts,
                                                       std::function<void()> work_added,
                                                       const model::ContentId& content,
                                                       std::string_view prefix) {
    std::array<std::uint8_t, model::kIdRandomBytes> random{};
    parts.rng.fill(random);
    block::VolumeId name(model::make_id_text(prefix, random));
    TRY(parts.engine.open_content(name, block_id(content), Deadline::after(kCallTime)));
    return std::unique_ptr<ContentView>(
        new ContentView(parts, std::move(work_added), std::move(name), content));
}

ContentView::~ContentView() {
    const Status closed = parts_.engine.close_volume(name_, Deadline::after(kCallTime));
    if (!closed) {
        log_warn("contents", "closing " + name_.str() + ": " + closed.error().to_string());
    }
    const Status woken = wake_waiting();
    if (!woken) {
        log_warn("contents", "waiting jobs are left to their time: " + woken.error().to_string());
    }
    work_added_();
}

// Layers that could not be dropped while the view read them, and the content that could not give
// up its own.
Status ContentView::wake_waiting() {
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        const UnixMillis now = parts_.clock.now();
        TRY(tx.jobs().wake_kinds({kDropLayerJob}, now));
        TRY_ASSIGN(const auto content, tx.contents().find(content_));
        if (!content) {
            return ok();
        }
        TRY_ASSIGN(const auto chain, content_chain(tx, content_));
        TRY(tx.jobs().wake(chain.back().id.str(), now));
        return ok();
    });
}

}  // namespace kiln::control
