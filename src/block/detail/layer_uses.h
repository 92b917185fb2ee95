// SPDX-License-Identifier: Apache-2.0
// LayerUses: the layers that one owner has open, by the rules of the register that all owners
// share; the closing of those that nobody uses any more; and the check sums of their data, which
// all handles of a layer must know of.
//
// Every stack has handles of its own. A handle that is let go without close() is closed behind the
// scenes: a stack that was replaced lives until the last operation on it ends, and whoever ends
// last does not know it. Destroyed when idle. Thread model: one owner thread; completions never run
// inside the call.
#pragma once

#include <map>

#include "block/detail/data_crc_maker.h"
#include "block/detail/layer_register.h"
#include "block/local_layer.h"

namespace kiln::block {

class LayerUses;

// Counts as a use of a layer while it lives.
class LayerPin {
  public:
    LayerPin() = default;
    LayerPin(LayerUses& uses, LayerId layer);
    // Of what the register has pinned already.
    static LayerPin adopt(LayerUses& uses, LayerId layer);
    ~LayerPin() { release(); }
    LayerPin(LayerPin&& other) noexcept
        : uses_(std::exchange(other.uses_, nullptr)), layer_(std::move(other.layer_)) {}
    LayerPin& operator=(LayerPin&& other) noexcept;
    const LayerId& layer() const { return layer_; }
    void release();

  private:
    LayerUses* uses_ = nullptr;
    LayerId layer_;
};

// An open layer.
class UsedLayer final : public Layer {
  public:
    UsedLayer(LayerUses& uses, LayerPin pin, bool writer, std::shared_ptr<Layer> below);
    ~UsedLayer() override;

    const LayerId& id() const { return id_; }
    // Runs once the layer is closed.
    void on_closed(io::Callback<> task) { use_->on_closed.push_back(std::move(task)); }

    std::uint64_t blocks() const override { return use_->below->blocks(); }
    BlockRun presence(std::uint64_t first, std::uint64_t limit) const override {
        return use_->below->presence(first, limit);
    }
    std::uint64_t version() const override { return use_->below->version(); }
    bool failed() const override { return use_->below->failed(); }
    void read(BlockRange range, MutableByteView into, Done done) override {
        use_->below->read(range, into, std::move(done));
    }
    void write(BlockRange range, ByteView from, Done done) override {
        use_->below->write(range, from, std::move(done));
    }
    void zero(BlockRange range, Done done) override { use_->below->zero(range, std::move(done)); }
    void flush(std::uint64_t through, Done done) override {
        use_->below->flush(through, std::move(done));
    }
    void extend(std::uint64_t blocks, Done done) override {
        use_->below->extend(blocks, std::move(done));
    }
    void seal(Freeze freeze, Done done) override;
    void close(Done done) override;
    void drop(Done done) override;

    struct Use {
        LayerPin pin;
        bool writer = false;
        std::shared_ptr<Layer> below;
        std::vector<io::Callback<>> on_closed;
    };

  private:
    LayerUses& uses_;
    const LayerId id_;
    std::shared_ptr<Use> use_;
    bool closed_ = false;
};

class LayerUses {
  public:
    LayerUses(const LayerContext& context, LayerRegister& layers);
    ~LayerUses();

    const LayerContext& context() const { return context_; }
    bool being_written(const LayerId& layer) const { return register_.being_written(layer); }

    // As open_local_layer, with the register's refusals.
    using Opened = io::Callback<Result<std::shared_ptr<UsedLayer>>>;
    void open(LayerOpen open, Opened done);
    // Makes the check sums of a sealed layer's data, unless it has them; from the completion on
    // every handle of the layer, those opened later included, checks what it reads; those of other
    // owners once they were told. One at a time for a layer; the handle stays until then. An error
    // leaves the layer as it was.
    std::shared_ptr<DataCrcMaker> protect(const std::shared_ptr<UsedLayer>& layer, Done done);
    // Thread-safe: the handles of the layer check what they read, soon.
    void tell_checked(const LayerId& layer);
    // Unlinks the files; failed_precondition when it is in use.
    void drop(const LayerId& layer, Done done);
    // When every handle of this owner is closed.
    void when_idle(io::Callback<> done);

    std::uint64_t created() const { return created_; }
    std::uint64_t opened() const { return opened_; }

  private:
    friend class LayerPin;
    friend class UsedLayer;
    void open_or_create(LayerOpen open, bool create, LayerPin pin, Opened done);
    void close(const std::shared_ptr<UsedLayer::Use>& use, Done done);
    void check_reads(const LayerId& layer);
    void release(const LayerId& layer);

    const LayerContext& context_;
    LayerRegister& register_;
    std::map<LayerId, std::vector<UsedLayer::Use*>> handles_;
    std::size_t pins_ = 0;
    std::vector<io::Callback<>> idle_;
    std::uint64_t created_ = 0;
    std::uint64_t opened_ = 0;
    // What was posted for this must not outlive it.
    const std::shared_ptr<LayerUses*> self_ = std::make_shared<LayerUses*>(this);
};

}  // namespace kiln::block
