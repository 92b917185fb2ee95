// SPDX-License-Identifier: Apache-2.0
#include "block/detail/layer_check.h"

#include <algorithm>

#include "block/geometry.h"
#include "block/image/tree_check.h"
#include "io/buffer.h"

namespace kiln::block {
namespace {

constexpr std::uint64_t kPieceBlocks = (1U << 20) / kBlockBytes;
constexpr std::uint64_t kPageBlocks = 8 * kPieceBlocks;
// Looks at the presence map a page may take, each at 1 GiB at most.
constexpr unsigned kStepsPerPage = 1024;
constexpr std::uint64_t kStepBlocks = (1ULL << 30) / kBlockBytes;

class LayerCheck : public std::enable_shared_from_this<LayerCheck> {
  public:
    LayerCheck(LayerCheckQuery query, io::Callback<Result<VerifyPage>> done)
        : query_(std::move(query)),
          next_(query_.offset / kBlockBytes),
          done_(std::move(done)),
          buffer_(kPieceBlocks * kBlockBytes) {}

    void next() {
        Layer& layer = *query_.layer;
        for (unsigned steps = 0; steps < kStepsPerPage && seen_ < kPageBlocks; ++steps) {
            if (next_ >= layer.blocks()) {
                done_(std::move(page_));
                return;
            }
            const std::uint64_t left = layer.blocks() - next_;
            const BlockRun run = layer.presence(next_, std::min(left, kStepBlocks));
            if (run.state == BlockState::data) {
                read(std::min(run.count, next_ < single_to_ ? 1 : kPieceBlocks));
                return;
            }
            next_ += run.count;
        }
        page_.next = VerifyPlace{0, next_ * kBlockBytes};
        done_(std::move(page_));
    }

  private:
    void read(std::uint64_t count) {
        query_.layer->read({next_, count}, buffer_.mutable_view().first(count * kBlockBytes),
                           [self = shared_from_this(), count](Status status) {
                               self->take(count, std::move(status));
                           });
    }

    void take(std::uint64_t count, Status status) {
        if (!status && !is_damage(status.error())) {
            done_(std::move(status.error()));
            return;
        }
        if (!status && count > 1) {
            single_to_ = next_ + count;  // again, block by block: which of them it is
            next();
            return;
        }
        if (status) {
            page_.blocks += count;
            page_.bytes += count * kBlockBytes;
        } else {
            note(status.error());
        }
        seen_ += count;
        next_ += count;
        next();
    }

    void note(const Error& error) {
        const std::uint64_t offset = next_ * kBlockBytes;
        auto& damage = page_.damage;
        if (!damage.empty() && damage.back().offset + damage.back().length == offset) {
            damage.back().length += kBlockBytes;
            return;
        }
        damage.push_back({.content = query_.content,
                          .offset = offset,
                          .length = kBlockBytes,
                          .part = "block",
                          .layer = query_.id,
                          .why = error.message()});
    }

    const LayerCheckQuery query_;
    std::uint64_t next_;      // block
    std::uint64_t seen_ = 0;  // blocks, damaged ones included
    std::uint64_t single_to_ = 0;
    io::Callback<Result<VerifyPage>> done_;
    io::Buffer buffer_;
    VerifyPage page_;
};

}  // namespace

void check_layer(io::Scheduler& scheduler, LayerCheckQuery query,
                 io::Callback<Result<VerifyPage>> done) {
    const auto check = std::make_shared<LayerCheck>(std::move(query), std::move(done));
    scheduler.post([check] { check->next(); });
}

}  // namespace kiln::block
