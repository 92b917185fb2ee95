// SPDX-License-Identifier: Apache-2.0
// VolumeOwner: the open volumes of one reactor and their exports; the asynchronous half of Engine.
// Opening builds the stack: the active layer, then the sealed layers of the base content's chain.
//
// Each volume goes opening -> open -> closing; in `opening` and `closing` every call is
// failed_precondition. Thread model: one owner thread. Destroyed after close_all() completed.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "block/detail/layer_files.h"
#include "block/engine.h"
#include "block/export/nbd_export.h"
#include "block/volume.h"

namespace kiln::block {

class VolumeOwner {
  public:
    VolumeOwner(io::Sockets& sockets, ContentStore& contents, LayerContext context)
        : sockets_(sockets), contents_(contents), context_(std::move(context)) {}
    ~VolumeOwner();

    void open(VolumeSpec spec, Done done);
    // `seal`: the active layer is sealed on the way.
    void close(const VolumeId& id, bool seal, Done done);
    // Also waits for volumes being opened, and closes them.
    void close_all(io::Callback<> done);
    void add_export(const VolumeId& id, const std::string& socket_path, bool read_only, Done done);
    void remove_export(const VolumeId& id, const std::string& socket_path, Done done);
    void drop_layer(const LayerId& layer, Done done);
    void list_layers(io::Callback<Result<std::vector<LayerId>>> done) {
        list_layer_files(context_, std::move(done));
    }

    Result<Volume*> find(const VolumeId& id);
    bool is_open(const VolumeId& id) const { return volumes_.contains(id); }

  private:
    enum class State { opening, open, closing };
    struct Entry {
        State state = State::opening;
        std::vector<LayerId> layers;  // that this volume uses
        std::unique_ptr<Volume> volume;
        std::map<std::string, std::unique_ptr<nbd::Export>> exports;
        std::vector<io::Callback<>> settled;  // run once it is open, or gone
    };
    struct Opening;

    void open_chain(std::shared_ptr<Opening> opening, Result<std::vector<ContentRecord>> chain);
    void open_active(std::shared_ptr<Opening> opening);
    void open_next(std::shared_ptr<Opening> opening);
    void open_failed(std::shared_ptr<Opening> opening, Error error);
    void opened(std::shared_ptr<Opening> opening);
    void erase(const VolumeId& id);
    void close_exports(Entry& entry, io::Callback<> done);

    io::Sockets& sockets_;
    ContentStore& contents_;
    const LayerContext context_;
    std::map<VolumeId, std::unique_ptr<Entry>> volumes_;
};

// Which layers the chain of a base content stands for, top first. Refuses what cannot be read.
Result<std::vector<ContentRecord>> check_chain(std::vector<ContentRecord> chain,
                                               const ContentId& base, std::uint64_t volume_bytes);

}  // namespace kiln::block
