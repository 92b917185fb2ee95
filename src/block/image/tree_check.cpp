// SPDX-License-Identifier: Apache-2.0
#include "block/image/tree_check.h"

#include <algorithm>

#include "block/image/stored_chunks.h"

namespace kiln::block {
namespace {

constexpr std::uint64_t kPageBytes = 8U << 20;
// A sparse tree has many nodes for few chunks.
constexpr std::uint64_t kPageNodes = 256;

class TreeCheck : public std::enable_shared_from_this<TreeCheck> {
  public:
    TreeCheck(const ImageContext& context, TreeCheckQuery query,
              io::Callback<Result<VerifyPage>> done)
        : context_(context),
          query_(std::move(query)),
          geometry_(query_.root.geometry),
          from_leaf_(query_.offset / geometry_.leaf_bytes()),
          done_(std::move(done)) {
        if (!query_.root.top.zero()) {
            to_read_.push_back({query_.root.top, geometry_.height, 0});
        }
    }

    void start() {
        if (from_leaf_ > 0) {
            context_.scheduler.post([self = shared_from_this()] { self->next(); });
            return;
        }
        const RootDigest digest = plain_id(encode_root(query_.root));
        read_stored(context_, query_.root.domain, {digest}, EntryType::root,
                    [self = shared_from_this(), digest](std::vector<StoredChunk> read) {
                        ++self->page_.nodes;
                        if (!read.front().plain) {
                            self->note({"root record", digest, 0, self->query_.root.size_bytes},
                                       read.front(), read.front().plain.error());
                        }
                        self->next();
                    });
    }

  private:
    struct Step {
        ChunkId id;
        unsigned level = 0;
        std::uint64_t first_leaf = 0;
    };
    // What is damaged, and the bytes it stands for.
    struct Part {
        const char* name;
        ChunkId id;
        std::uint64_t offset;
        std::uint64_t length;
    };

    void note(const Part& part, const StoredChunk& read, const Error& error) {
        if (!is_damage(error)) {
            failed_ = error;
            return;
        }
        const std::uint64_t offset = std::max(part.offset, query_.offset);
        const std::uint64_t end = std::min(part.offset + part.length, query_.root.size_bytes);
        page_.damage.push_back({.content = query_.content,
                                .offset = offset,
                                .length = end > offset ? end - offset : 0,
                                .part = part.name,
                                .id = part.id.hex(),
                                .pack = read.at ? read.at->pack.hex() : "",
                                .pack_offset = read.at ? read.at->entry.offset : 0,
                                .why = error.message()});
    }

    void next() {
        if (failed_) {
            done_(std::move(*failed_));
            return;
        }
        if (to_read_.empty()) {
            done_(std::move(page_));
            return;
        }
        const Step step = to_read_.back();
        if (page_.bytes >= kPageBytes || page_.nodes >= kPageNodes) {
            const std::uint64_t leaf = std::max(step.first_leaf, from_leaf_);
            page_.next = VerifyPlace{0, leaf * geometry_.leaf_bytes()};
            done_(std::move(page_));
            return;
        }
        to_read_.pop_back();
        read_stored(context_, query_.root.domain, {step.id}, EntryType::node,
                    [self = shared_from_this(), step](std::vector<StoredChunk> read) {
                        self->take_node(step, read.front());
                    });
    }

    std::uint64_t leaves_under(unsigned level) const {
        return geometry_.leaves_per_slot(level + 1);
    }

    void take_node(const Step& step, const StoredChunk& read) {
        // Those above the page's first leaf were counted by the page they began in.
        if (step.first_leaf >= from_leaf_) {
            ++page_.nodes;
        }
        Result<Node> node = read.plain ? decode_node(*read.plain, step.level, geometry_)
                                       : Result<Node>(read.plain.error());
        if (!node) {
            const std::uint64_t leaf_bytes = geometry_.leaf_bytes();
            note({"node", step.id, step.first_leaf * leaf_bytes,
                  leaves_under(step.level) * leaf_bytes},
                 read, node.error());
            next();
            return;
        }
        if (step.level == 0) {
            read_chunks(step, std::move(node->slots));
            return;
        }
        // The last first, so that the stack stays short and gives them in order.
        const std::uint64_t span = leaves_under(step.level - 1);
        for (std::size_t i = node->slots.size(); i-- > 0;) {
            const std::uint64_t first = step.first_leaf + i * span;
            if (!node->slots[i].zero() && first + span > from_leaf_) {
                to_read_.push_back({node->slots[i], step.level - 1, first});
            }
        }
        next();
    }

    void read_chunks(const Step& step, std::vector<ChunkId> slots) {
        std::vector<ChunkId> ids;
        std::vector<std::size_t> places;
        for (std::size_t i = 0; i < slots.size(); ++i) {
            if (!slots[i].zero()) {
                ids.push_back(slots[i]);
                places.push_back(i);
            }
        }
        read_stored(context_, query_.root.domain, ids, EntryType::chunk,
                    [self = shared_from_this(), step, ids, places](std::vector<StoredChunk> read) {
                        for (std::size_t i = 0; i < read.size(); ++i) {
                            self->take_chunk(step.first_leaf, places[i], ids[i], read[i]);
                        }
                        self->next();
                    });
    }

    void take_chunk(std::uint64_t leaf, std::size_t place, const ChunkId& id,
                    const StoredChunk& read) {
        const Part part{"chunk", id, leaf * geometry_.leaf_bytes() + place * geometry_.chunk_bytes,
                        geometry_.chunk_bytes};
        if (!read.plain) {
            note(part, read, read.plain.error());
        } else if (read.plain->size() != geometry_.chunk_bytes) {
            note(part, read, Error(Code::data_loss, "it has another length"));
        } else {
            ++page_.chunks;
            page_.bytes += read.plain->size();
        }
    }

    const ImageContext& context_;
    const TreeCheckQuery query_;
    const ImageGeometry geometry_;
    const std::uint64_t from_leaf_;
    io::Callback<Result<VerifyPage>> done_;
    std::vector<Step> to_read_;
    VerifyPage page_;
    std::optional<Error> failed_;
};

}  // namespace

bool is_damage(const Error& error) {
    return error.code() == Code::data_loss || error.code() == Code::io_error;
}

void check_tree(const ImageContext& context, TreeCheckQuery query,
                io::Callback<Result<VerifyPage>> done) {
    std::make_shared<TreeCheck>(context, std::move(query), std::move(done))->start();
}

}  // namespace kiln::block
