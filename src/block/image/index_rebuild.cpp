// SPDX-License-Identifier: Apache-2.0
#include "block/image/index_rebuild.h"

namespace kiln::block {
namespace {

class Rebuild : public std::enable_shared_from_this<Rebuild> {
  public:
    Rebuild(const ImageContext& context, std::vector<PackId> packs, Done done)
        : context_(context), packs_(std::move(packs)), done_(std::move(done)) {}

    void next() {
        if (at_ == packs_.size()) {
            done_(ok());
            return;
        }
        context_.objects.get_tail(
            pack_name(context_.store_uuid, packs_[at_]), kPackTailBytes,
            {.timeout = kObjectTimeout},
            [self = shared_from_this()](Result<objects::Tail> tail) { self->take(tail); });
    }

  private:
    void take(Result<objects::Tail>& tail) {
        Result<PackFooter> footer = tail ? decode_pack_tail(tail->bytes, tail->object_bytes)
                                         : Result<PackFooter>(std::move(tail.error()));
        if (footer && (footer->header.pack != packs_[at_] ||
                       footer->header.store_uuid != context_.store_uuid)) {
            footer = Error(Code::data_loss, "it is another pack");
        }
        if (!footer) {
            done_(std::move(footer.error()).with("pack " + packs_[at_].hex()));
            return;
        }
        context_.index.insert(footer->header, tail->object_bytes, std::move(footer->entries),
                              [self = shared_from_this()](Status status) {
                                  if (!status) {
                                      self->done_(std::move(status));
                                      return;
                                  }
                                  ++self->at_;
                                  self->next();
                              });
    }
    const ImageContext& context_;
    const std::vector<PackId> packs_;
    Done done_;
    std::size_t at_ = 0;
};

}  // namespace

void rebuild_index(const ImageContext& context, std::vector<PackId> packs, Done done) {
    const auto rebuild = std::make_shared<Rebuild>(context, std::move(packs), std::move(done));
    context.scheduler.post([rebuild] { rebuild->next(); });
}

}  // namespace kiln::block
