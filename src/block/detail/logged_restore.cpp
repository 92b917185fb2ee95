// SPDX-License-Identifier: Apache-2.0
#include "block/detail/logged_restore.h"

#include "block/detail/join.h"
#include "io/buffer.h"

namespace kiln::block {
namespace {

constexpr std::size_t kBatch = 64;  // blocks on their way at a time

class Restore : public std::enable_shared_from_this<Restore> {
  public:
    Restore(const LayerContext& context, const LayerId& layer, const Superblock& superblock,
            const PresenceMap& presence, const std::map<std::uint64_t, ByteView>& logged, Done done)
        : context_(context),
          shards_(context, layer, superblock.size_bytes, superblock.shard_bytes, true, presence),
          next_(logged.begin()),
          end_(logged.end()),
          buffer_(kBatch * kBlockBytes),
          done_(std::move(done)) {}

    void run() {
        if (next_ == end_) {
            sync();
            return;
        }
        auto join = Join::create([self = shared_from_this()](Status status) {
            if (status) {
                self->run();
            } else {
                self->finish(std::move(status));
            }
        });
        for (std::size_t i = 0; i < kBatch && next_ != end_; ++i, ++next_) {
            std::uint8_t* const at = buffer_.data() + i * kBlockBytes;
            std::copy(next_->second.begin(), next_->second.end(), at);
            write(shards_.first_part({next_->first, 1}), at, join->arm());
        }
        join->ready();
    }

  private:
    void write(const ShardSet::Part& part, std::uint8_t* data, Done done) {
        shards_.mark_dirty(part.shard);
        shards_.use(part.shard, [this, part, data,
                                 done = std::move(done)](Result<io::FileId> file) mutable {
            if (!file) {
                context_.scheduler.post(
                    [done = std::move(done), error = std::move(file.error())]() mutable {
                        done(std::move(error));
                    });
                return;
            }
            context_.io.submit(io::Op::write(*file, part.file_offset, {data, kBlockBytes}),
                               [done = std::move(done)](Result<std::uint64_t> written) mutable {
                                   done(written ? ok() : Status(std::move(written.error())));
                               });
        });
    }

    void sync() {
        if (!context_.durable) {
            finish(ok());
            return;
        }
        shards_.sync_dirty(
            [self = shared_from_this()](Status status) { self->finish(std::move(status)); });
    }

    void finish(Status status) {
        shards_.close([self = shared_from_this(), status = std::move(status)](Status) mutable {
            self->done_(std::move(status));
        });
    }

    const LayerContext& context_;
    ShardSet shards_;
    std::map<std::uint64_t, ByteView>::const_iterator next_;
    const std::map<std::uint64_t, ByteView>::const_iterator end_;
    io::Buffer buffer_;
    Done done_;
};

}  // namespace

void restore_logged(const LayerContext& context, const LayerId& layer, const Superblock& superblock,
                    const PresenceMap& presence, const std::map<std::uint64_t, ByteView>& logged,
                    Done done) {
    std::make_shared<Restore>(context, layer, superblock, presence, logged, std::move(done))->run();
}

}  // namespace kiln::block
