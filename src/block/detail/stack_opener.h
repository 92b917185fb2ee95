// SPDX-License-Identifier: Apache-2.0
// StackOpener: from a content's name to an open stack: its chain from the catalog, checked; the
// active layer, the sealed layers, the tree below them. Closes what it opened when it fails. Thread
// model: one owner thread.
#pragma once

#include "block/content_store.h"
#include "block/detail/layer_uses.h"
#include "block/detail/stack.h"
#include "block/detail/streams.h"

namespace kiln::block {

// The image tier as the engine uses it.
struct ImageSide {
    ChunkStore& store;
    ImageGeometry geometry{};      // of new trees
    ReadAheadLimits read_ahead{};  // of each volume and look
};

// What all parts of the engine share.
struct EngineParts {
    io::Scheduler& scheduler;
    ContentStore& contents;
    LayerUses& layers;
    ImageSide images;
    std::size_t layers_asked;  // Geometry
};

// The part of a base content's chain that a stack is made of: down to the first rooted one. Refuses
// what cannot be read. A rooted content that still has its layer keeps it in the stack, and its
// spare ones below.
Result<std::vector<ContentRecord>> check_chain(std::vector<ContentRecord> chain,
                                               const ContentId& base, std::uint64_t volume_bytes);

struct StackQuery {
    ContentId base;                     // may be empty: zeros
    std::uint64_t volume_bytes = 0;     // 0: as the base
    std::optional<LayerOpen> active{};  // none: read-only
    bool rooted_layers = true;          // take the layers of the rooted one, if it has any
    std::vector<std::shared_ptr<UsedLayer>> at_hand{};  // taken rather than opened
};

struct OpenedStack {
    Stack stack;
    std::shared_ptr<UsedLayer> active;               // that of the stack
    std::vector<std::shared_ptr<UsedLayer>> layers;  // those of stack.sealed
    std::vector<ContentRecord> chain;
};

class StackOpener : public std::enable_shared_from_this<StackOpener> {
  public:
    using Opened = io::Callback<Result<OpenedStack>>;
    // The parts outlive it.
    static void start(const EngineParts& parts, StackQuery query, Opened done);

  private:
    StackOpener(const EngineParts& parts, StackQuery query, Opened done)
        : parts_(parts), query_(std::move(query)), done_(std::move(done)) {}
    void ask();
    void check(Result<std::vector<ContentRecord>> chain);
    void list_layers();
    void open_active();
    void open_next();
    void not_opened(bool spare, Error error);
    void open_base();
    void finish();
    void fail(Error error);

    const EngineParts& parts_;
    const StackQuery query_;
    Opened done_;
    struct Wanted {
        SpareLayer layer;
        bool spare;  // the tree has it all
    };
    std::vector<Wanted> wanted_;
    std::vector<LayerPin> pins_;  // what is still to be opened stays
    std::size_t next_ = 0;
    OpenedStack result_;
    std::vector<std::shared_ptr<Layer>> mine_;  // opened here
};

// The digest a catalog names: 64 hex digits, else data_loss.
Result<RootDigest> parse_root_digest(const std::string& hex);

}  // namespace kiln::block
