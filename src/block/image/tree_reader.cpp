// SPDX-License-Identifier: Apache-2.0
#include "block/image/tree_reader.h"

#include <algorithm>

#include "block/detail/join.h"
#include "block/limits.h"

namespace kiln::block {

void load_root(ChunkStore& store, const DomainId& domain, const RootDigest& digest,
               io::Callback<Result<RootRecord>> done) {
    store.fetch(domain, {digest}, EntryType::root,
                [domain, done = std::move(done)](Result<std::vector<BytesPtr>> bytes) mutable {
                    if (!bytes) {
                        done(std::move(bytes.error()));
                        return;
                    }
                    auto root = decode_root(*bytes->front());
                    if (root && root->domain != domain) {
                        done(Error(Code::data_loss, "a root record of another domain"));
                        return;
                    }
                    done(std::move(root));
                });
}

void TreeReader::open(ChunkStore& store, const DomainId& domain, const RootDigest& digest,
                      io::Callback<Result<std::shared_ptr<TreeReader>>> done) {
    load_root(store, domain, digest,
              [&store, done = std::move(done)](Result<RootRecord> root) mutable {
                  if (!root) {
                      done(std::move(root.error()));
                  } else {
                      done(std::make_shared<TreeReader>(store, *std::move(root)));
                  }
              });
}

// The part of one read that lies in one leaf. With a mark it is read ahead, and goes nowhere but
// into the cache.
class TreeReader::LeafRead : public std::enable_shared_from_this<LeafRead> {
  public:
    LeafRead(std::shared_ptr<TreeReader> reader, std::uint64_t offset, std::uint64_t length,
             MutableByteView into, AheadMarkPtr ahead, Done done)
        : reader_(std::move(reader)),
          offset_(offset),
          length_(length),
          into_(into),
          ahead_(std::move(ahead)),
          done_(std::move(done)) {}

    // Down from the top; goes on after each fetch. Not recursive: what is cached is a loop.
    void descend() {
        const ImageGeometry& geometry = reader_->root_.geometry;
        const std::uint64_t leaf = offset_ / geometry.leaf_bytes();
        if (!started_) {
            started_ = true;
            level_ = geometry.height;
            next_ = reader_->root_.top;
        }
        while (!next_.zero()) {
            const BytesPtr bytes = reader_->store_.find(reader_->root_.domain, next_);
            if (bytes == nullptr) {
                fetch_node();
                return;
            }
            if (!take(*bytes, leaf)) {
                return;
            }
        }
        if (!at_leaf_) {
            std::ranges::fill(into_, 0);
            done_(ok());
        } else {
            read_chunks();
        }
    }

  private:
    // False when it ended the read.
    bool take(const Bytes& bytes, std::uint64_t leaf) {
        const ImageGeometry& geometry = reader_->root_.geometry;
        auto node = decode_node(bytes, level_, geometry);
        if (!node) {
            done_(std::move(node.error()));
            return false;
        }
        if (level_ == 0) {
            leaf_ = *std::move(node);
            at_leaf_ = true;
            next_ = {};
            return true;
        }
        next_ = node->slots[leaf / geometry.leaves_per_slot(level_) % geometry.fan_out];
        --level_;
        return true;
    }
    void fetch_node() {
        reader_->store_.fetch(
            reader_->root_.domain, {next_}, EntryType::node, ahead_,
            [self = shared_from_this()](Result<std::vector<BytesPtr>> bytes) {
                if (!bytes) {
                    self->done_(std::move(bytes.error()));
                    return;
                }
                // Used directly: a tiny cache may have dropped it already.
                const auto& geometry = self->reader_->root_.geometry;
                if (self->take(*bytes->front(), self->offset_ / geometry.leaf_bytes())) {
                    self->descend();
                }
            });
    }
    void read_chunks() {
        const ImageGeometry& geometry = reader_->root_.geometry;
        const std::uint64_t first = offset_ / geometry.chunk_bytes;
        const std::uint64_t last = (offset_ + length_ - 1) / geometry.chunk_bytes;
        std::vector<ChunkId> ids;
        for (std::uint64_t chunk = first; chunk <= last; ++chunk) {
            const ChunkId& id = leaf_.slots[chunk % geometry.leaf_chunks];
            if (!id.zero()) {
                ids.push_back(id);
                chunks_.push_back(chunk);
            } else if (!ahead_) {
                std::ranges::fill(part_of(chunk), 0);
            }
        }
        reader_->store_.fetch(reader_->root_.domain, std::move(ids), EntryType::chunk, ahead_,
                              [self = shared_from_this()](Result<std::vector<BytesPtr>> bytes) {
                                  if (!bytes) {
                                      self->done_(std::move(bytes.error()));
                                  } else {
                                      self->done_(self->ahead_ ? ok() : self->copy(*bytes));
                                  }
                              });
    }
    Status copy(const std::vector<BytesPtr>& all) {
        const std::uint64_t chunk_bytes = reader_->root_.geometry.chunk_bytes;
        for (std::size_t i = 0; i < all.size(); ++i) {
            if (all[i]->size() != chunk_bytes) {
                return Error(Code::data_loss, "a chunk of another length");
            }
            const std::uint64_t start = chunks_[i] * chunk_bytes;
            const MutableByteView to = part_of(chunks_[i]);
            const std::uint64_t skip = std::max(start, offset_) - start;
            std::memcpy(to.data(), all[i]->data() + skip, to.size());
        }
        return ok();
    }
    // Where the bytes of a chunk go.
    MutableByteView part_of(std::uint64_t chunk) const {
        const std::uint64_t bytes = reader_->root_.geometry.chunk_bytes;
        const std::uint64_t from = std::max(chunk * bytes, offset_);
        const std::uint64_t to = std::min((chunk + 1) * bytes, offset_ + length_);
        return into_.subspan(from - offset_, to - from);
    }

    const std::shared_ptr<TreeReader> reader_;
    const std::uint64_t offset_;
    const std::uint64_t length_;
    const MutableByteView into_;  // of that length; empty when it is read ahead
    const AheadMarkPtr ahead_;
    Done done_;
    bool started_ = false;
    bool at_leaf_ = false;
    unsigned level_ = 0;
    ChunkId next_;
    Node leaf_;
    std::vector<std::uint64_t> chunks_;
};

void TreeReader::read(std::uint64_t offset, MutableByteView into, Done done) {
    read_leaves(offset, into.size(), into, nullptr, std::move(done));
}

void TreeReader::read_ahead(std::uint64_t offset, std::uint64_t length, AheadMarkPtr mark,
                            Done done) {
    read_leaves(offset, length, {}, std::move(mark), std::move(done));
}

void TreeReader::read_leaves(std::uint64_t offset, std::uint64_t length, MutableByteView into,
                             AheadMarkPtr ahead, Done done) {
    const std::uint64_t capacity = root_.geometry.capacity_bytes();
    if (length > kMaxRequestBytes || offset > capacity || length > capacity - offset) {
        store_.context().scheduler.post([done = std::move(done)]() mutable {
            done(Error(Code::invalid_argument, "a read outside the image tree"));
        });
        return;
    }
    store_.context().scheduler.post([self = shared_from_this(), offset, length, into,
                                     ahead = std::move(ahead), done = std::move(done)]() mutable {
        const std::uint64_t leaf_bytes = self->root_.geometry.leaf_bytes();
        const auto join = Join::create(std::move(done));
        for (std::uint64_t at = 0; at < length;) {
            const std::uint64_t room = leaf_bytes - (offset + at) % leaf_bytes;
            const std::uint64_t count = std::min(room, length - at);
            std::make_shared<LeafRead>(self, offset + at, count,
                                       ahead ? into : into.subspan(at, count), ahead, join->arm())
                ->descend();
            at += count;
        }
        join->ready();
    });
}

}  // namespace kiln::block
