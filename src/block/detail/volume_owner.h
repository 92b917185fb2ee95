// SPDX-License-Identifier: Apache-2.0
// VolumeOwner: the open volumes of one reactor and their exports; the asynchronous half of Engine,
// whose header says what the calls mean. Works without threads, on any Io. An engine has one for
// each of its reactors (OwnerGroup); what they share is in EngineShared.
//
// Each volume goes opening -> open -> closing; in `opening` and `closing` every call is
// failed_precondition. Completions may run inside the call. Thread model: one owner thread.
// Destroyed after close_all() completed.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>

#include "block/detail/cut.h"
#include "block/detail/destage_run.h"
#include "block/detail/layer_care.h"
#include "block/detail/layer_files.h"
#include "block/detail/merge_run.h"
#include "block/detail/open_volume.h"
#include "block/detail/owner_directory.h"
#include "block/engine.h"

namespace kiln::block {

// What all owners of an engine share. Outlives them.
struct EngineShared {
    explicit EngineShared(std::size_t owners) : directory(owners) {}
    OwnerDirectory directory;
    LayerRegister layers;
    std::optional<HostLimit> host_limit;  // none: as fast as they can
};

// The part of a cut that one owner has.
struct CutPart {
    std::vector<CutMember> members;  // each volume and successor once in all parts
    std::string set_id;
    std::shared_ptr<Meeting> instant;  // of all parts
    bool leads = true;                 // counts the cut
};

class VolumeOwner {
  public:
    // `number`: in the directory.
    VolumeOwner(EngineShared& shared, std::size_t number, io::Sockets& sockets,
                ContentStore& contents, LayerContext context, ImageSide images)
        : shared_(shared),
          number_(number),
          sockets_(sockets),
          context_(std::move(context)),
          layers_(context_, shared.layers),
          parts_{context_.scheduler, contents, layers_, images, context_.geometry.layers_asked} {}
    ~VolumeOwner();

    void open(VolumeSpec spec, Done done);
    void open_content(const VolumeId& name, const ContentId& content, Done done);
    // `seal`: the active layer is sealed on the way.
    void close(const VolumeId& id, bool seal, Done done);
    // Also ends destage and merge, waits for volumes being opened, and closes them.
    void close_all(io::Callback<> done);
    void add_export(const VolumeId& id, const std::string& socket_path, bool read_only, Done done);
    void add_vhost_export(const VolumeId& id, const std::string& socket_path,
                          const std::string& disk_name, bool read_only, Done done);
    void remove_export(const VolumeId& id, const std::string& socket_path, Done done);

    void cut(CutPart part, Done done);
    void prepare_growth(const VolumeId& id, std::uint64_t size_bytes, Done done);
    Status grow(const VolumeId& id, std::uint64_t size_bytes);
    void freeze_of(const LayerId& layer, io::Callback<Result<std::optional<Freeze>>> done) {
        read_freeze(layers_, layer, std::move(done));
    }
    void layer_facts(const LayerId& layer, io::Callback<Result<LayerFacts>> done) {
        read_facts(layers_, layer, [done = std::move(done)](Result<LayerOrigin> origin) mutable {
            if (origin) {
                done(LayerFacts{origin->volume, origin->size_bytes, origin->sealed,
                                origin->data_bytes});
            } else {
                done(std::move(origin.error()));
            }
        });
    }
    void seal_layer(const LayerId& layer, std::uint64_t size_bytes, Done done) {
        block::seal_layer(layers_, layer, size_bytes, std::move(done));
    }
    void destage(const ContentId& content, std::uint64_t epoch,
                 io::Callback<Result<DestagedContent>> done);
    void cancel_destage();  // and a merge
    void merge(LayerMerge merge, Done done);
    void content_rooted(const ContentId& content, Done done);
    void verify(const VolumeId& id, VerifyPlace place, io::Callback<Result<VerifyPage>> done);

    void drop_layer(const LayerId& layer, Done done);
    void list_layers(io::Callback<Result<std::vector<LayerId>>> done) {
        list_layer_files(context_, std::move(done));
    }
    EngineCounters counters() const;  // of this owner; nothing of the cache

    void add_troubles(std::vector<VolumeTrouble>& list) const;

    Result<Volume*> find(const VolumeId& id);
    bool is_open(const VolumeId& id) const { return volumes_.contains(id); }

  private:
    using State = OpenVolume::State;
    // A cut whose instant is still to come.
    struct PendingCut {
        std::vector<Cut::Member> members;
        CutPart part;
        Done done;
        bool started = false;
    };

    // volume_owner.cpp
    Result<OpenVolume*> find_open(const VolumeId& id);
    // A new name of this owner's, or why it cannot be.
    Result<OpenVolume*> enter(const VolumeId& id);
    Status refuse_new(const VolumeId& id, Error error);
    void opened(const VolumeId& id, std::uint64_t size_bytes, Result<OpenedStack> stack, Done done);
    void closing(OpenVolume& volume, bool seal, Done done);
    void erase(const VolumeId& id);
    void close_exports(OpenVolume& volume, io::Callback<> done);
    using MakeExport = std::function<Result<std::unique_ptr<VolumeExport>>(Volume&)>;
    void add_export(const VolumeId& id, const std::string& socket_path, bool read_only,
                    const MakeExport& make, Done done);

    // volume_owner_contents.cpp
    Result<std::vector<Cut::Member>> check_cut(const std::vector<CutMember>& members);
    // An open volume that may have this size from now on, or whose layer may.
    Result<OpenVolume*> check_growth(const VolumeId& id, std::uint64_t size_bytes);
    void tell_background_ended();
    void start_cuts();
    void start_cut(std::list<PendingCut>::iterator cut);
    void restack_if_on(const VolumeId& id, const ContentId& content, Done done);
    void restack(OpenVolume& volume, Done done);
    void take_stack(OpenVolume& volume, OpenedStack opened, Done done);

    EngineShared& shared_;
    const std::size_t number_;
    io::Sockets& sockets_;
    const LayerContext context_;
    LayerUses layers_;
    const EngineParts parts_;
    std::map<VolumeId, std::unique_ptr<OpenVolume>> volumes_;
    std::list<PendingCut> cuts_;  // in the order of the calls
    std::shared_ptr<DestageRun> destage_;
    std::shared_ptr<MergeRun> merge_;
    io::Callback<> background_ended_;
    std::uint64_t cut_count_ = 0;
    std::uint64_t packs_written_ = 0;
};

}  // namespace kiln::block
