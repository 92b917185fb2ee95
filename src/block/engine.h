// SPDX-License-Identifier: Apache-2.0
// Engine: the block engine as the rest of the program sees it: open volumes, their exports and
// their bytes, cuts, and the way of contents into the image tier, by blocking calls with a
// Deadline. Behind it are reactors, each a thread that owns some of the open volumes; a call posts
// to the owner and waits.
//
// Errors: invalid_argument for bad sizes, offsets and ids; failed_precondition for the wrong state
// (open twice, not open); not_found for a layer without files; data_loss when files are not what
// they must be; out_of_space; io_error, from then on for that layer. deadline_exceeded leaves the
// outcome open: the operation goes on and its result is dropped. The destructor ends exports,
// flushes and closes every volume. Thread-safe. Never called from a completion (checked).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "block/content_store.h"
#include "block/data_page.h"
#include "block/geometry.h"
#include "block/ids.h"
#include "block/image/chunk_index.h"
#include "block/image/image_geometry.h"
#include "block/image/pack_use.h"
#include "block/image/repack.h"
#include "block/image/tree_diff.h"
#include "block/image/tree_usage.h"
#include "block/layer.h"
#include "block/space.h"
#include "block/verify_page.h"
#include "block/volume_limits.h"
#include "io/reactor.h"
#include "objects/object_store.h"
#include "util/bytes.h"
#include "util/deadline.h"
#include "util/result.h"

namespace kiln::block {

struct VolumeSpec {
    VolumeId id;
    std::uint64_t size_bytes = 0;  // multiple of 4096, at most 64 TiB, at least the base's size
    ContentId base;                // may be empty: zeros
    LayerId active;
    bool create_active =
        false;  // create the layer when it has no files yet; an existing one is opened as it is
};

// One volume of a cut: the layer that takes its writes from then on, and the content that what is
// below it becomes; the volume's base from then on.
struct CutMember {
    VolumeId volume;
    LayerId successor;  // without files, or empty
    ContentId content;
    // What takes its writes until then, by the catalog; the cut is refused when it is another one,
    // because an earlier cut failed that the catalog counts on. Empty: not asked.
    LayerId layer{};
};

// How a cut ended. Its instant either came for all members, or for none.
struct CutEnd {
    Status status = ok();
    // The volumes write to their successors, and what was below them is a content; with an error
    // one of those is not sealed. False: nothing changed but that successors may have files; with
    // deadline_exceeded, unless the instant comes later.
    bool happened = false;
};

// What destage made of a content. The caller commits `root_digest` in the transaction that checks
// that no pack of `packs_written` and `packs_hit` is condemned.
struct DestagedContent {
    std::string root_digest;  // hex
    std::vector<PackId> packs_written;
    std::vector<PackId> packs_hit;
    std::uint64_t chunks_written = 0;
    std::uint64_t chunks_hit = 0;
    std::uint64_t chunks_zero = 0;
    std::uint64_t stored_bytes = 0;
};

// Sealed layers that lie over each other, newest first, none larger than the one above it; and the
// layer that is to say what they say together. Files that it has are removed first.
struct LayerMerge {
    std::vector<SpareLayer> layers;
    LayerId target;
    VolumeId writer;  // stands in the new layer's files
};

// What the files of a layer say of themselves.
struct LayerFacts {
    VolumeId volume;  // that wrote it
    std::uint64_t size_bytes = 0;
    bool sealed = false;
    std::uint64_t data_bytes = 0;  // of a sealed one: what it has, not counting zeros
};

// An open volume that met what it should not have since it was opened.
struct VolumeTrouble {
    VolumeId volume;
    // Its active layer failed: nothing can be read or written until it is closed and opened. Else
    // an operation met damage or a failing device, and others go on.
    bool stopped = false;
    Error first;  // io_error, data_loss
};

// Counts of work done since the engine was created (SPECIFICATION: cost independent of size).
struct EngineCounters {
    std::uint64_t layers_created = 0;
    std::uint64_t layers_opened = 0;
    std::uint64_t chunk_reads = 0;  // entries read from packs: chunks and nodes
    // Plaintext of chunks that were read before anybody asked; of that, what was asked for then,
    // and what went out of the cache before. The rest is there.
    std::uint64_t read_ahead_bytes = 0;
    std::uint64_t read_ahead_used_bytes = 0;
    std::uint64_t read_ahead_wasted_bytes = 0;
    std::uint64_t packs_written = 0;
    std::uint64_t cuts = 0;
};

// Where the image tier lives. The makers are called for each reactor, on the creating thread before
// any of them runs. Only by what the first call made is anything put or removed.
struct ImageTier {
    std::function<Result<std::unique_ptr<objects::ObjectStore>>(io::Io&, io::Scheduler&)> objects;
    std::function<std::unique_ptr<ChunkIndex>(io::Scheduler&)> index;
    std::size_t cache_bytes = 64U << 20;  // decoded chunks and nodes of all volumes
    std::size_t worker_threads = 2;       // for hashing and compressing, for all reactors
    ImageGeometry geometry{};
};

struct EngineOptions {
    std::string directory;   // where layer files live; created if missing
    std::string store_uuid;  // written into every file; files of another store are refused. At most
                             // 39 bytes
    bool durable = true;     // false: no fsync anywhere (throw-away stores)
    Geometry geometry{};
    io::Backend backend = io::Backend::automatic;
    // Threads that guests' requests are worked on by, 1 to kMaxReactors; a volume has one of them.
    std::size_t reactors = 1;
    std::string boot_id{};  // empty: the kernel's. Tests set it to play a power loss
    // Writes that need new blocks are out_of_space when it refuses them. Outlives the engine; none:
    // without limit.
    SpaceReserve* space = nullptr;
    // How fast the exports of all volumes together may be; their rates alone, 0: without limit.
    VolumeLimits host_limits{};
};

class Engine {
  public:
    static Result<std::unique_ptr<Engine>> create(EngineOptions options, ImageTier images,
                                                  ContentStore& contents, io::Clock& clock,
                                                  io::Rng& rng);
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    Status open_volume(const VolumeSpec& spec, Deadline deadline);
    // Ends the exports, waits for what is in flight, flushes, closes the files. The volume is
    // closed even when this fails.
    Status close_volume(const VolumeId& id, Deadline deadline);

    // Several per volume. The socket is bound, with mode 0600, when this returns. A left-over
    // socket file is replaced.
    Status export_volume(const VolumeId& id, const std::string& socket_path, bool read_only,
                         Deadline deadline);
    // The same as a vhost-user-blk device, for one front end at a time, which shares its guest's
    // memory; the guest reads `disk_name` as the disk's, at most 20 bytes.
    Status export_vhost_user(const VolumeId& id, const std::string& socket_path,
                             const std::string& disk_name, bool read_only, Deadline deadline);
    // Disconnects its clients and removes the socket file.
    Status unexport_volume(const VolumeId& id, const std::string& socket_path, Deadline deadline);

    // How fast the clients of its exports may be, from now on; until it is closed. Flushes are
    // never delayed.
    Status limit_volume(const VolumeId& id, const VolumeLimits& limits, Deadline deadline);

    Result<Bytes> read(const VolumeId& id, std::uint64_t offset, std::uint32_t length,
                       Deadline deadline);
    // Where there may be bytes other than zeros, from `offset` (whole block) on: at most `most`
    // ranges. Holes cost nothing, whatever the size.
    Result<DataPage> find_data(const VolumeId& id, std::uint64_t offset, std::size_t most,
                               Deadline deadline);
    Status write(const VolumeId& id, std::uint64_t offset, ByteView data, Deadline deadline);
    Status zero(const VolumeId& id, std::uint64_t offset, std::uint64_t length, Deadline deadline);
    Status flush(const VolumeId& id, Deadline deadline);

    // Flushes, seals the active layer durably and closes the volume; the layer may then back a
    // content.
    Status seal_volume(const VolumeId& id, Deadline deadline);
    // Cuts open volumes at one instant (D7). Makes the successors' files, flushes, then holds back
    // new requests to all members, lets reads and writes in flight end, and puts the successors on
    // top: memory only, no flush inside. After that the sealing: data, FREEZE{set, successor} and
    // journal durable. Completes when every member is sealed; the catalog has named the successors
    // before (create_active would make them at the next opening). After an error freeze_of() tells
    // what is not sealed, once the volume is closed: one that was sealed may be closed before the
    // cut is over.
    // Cuts of one volume take effect, and are sealed, in the order of the calls; after a failed
    // sealing the volume is not cut any more (failed_precondition) until it was closed and the
    // layer sealed by seal_layer().
    CutEnd cut_volumes(std::vector<CutMember> members, std::string set_id, Deadline deadline);
    // Two steps, so that the caller's catalog can say the new size between them and is never ahead
    // of the files: prepare_growth() makes room in the active layer, durably; the volume keeps its
    // size. Then grow_volume() gives it the size, at once: what is new reads as zeros, and the
    // connections of its exports end and are told the new size when they come back. A layer with
    // room to spare opens with the volume's old size. invalid_argument for a smaller size;
    // failed_precondition beside a cut of the volume, and for grow_volume() without room.
    Status prepare_growth(const VolumeId& id, std::uint64_t size_bytes, Deadline deadline);
    Status grow_volume(const VolumeId& id, std::uint64_t size_bytes, Deadline deadline);
    // The evidence a cut left in a layer: nothing when it is not sealed. Of a layer that no volume
    // has open for writing. not_found without files.
    Result<std::optional<Freeze>> freeze_of(const LayerId& id, Deadline deadline);
    // Of a layer that no volume has open for writing, after its map and journal were read through,
    // as an opening does. not_found without files.
    Result<LayerFacts> layer_facts(const LayerId& id, Deadline deadline);
    // Seals a layer that an interrupted cut left unsealed below its successor: replays it, makes it
    // durable and freezes it without naming a set. Fine if it is sealed.
    Status seal_layer(const LayerId& id, std::uint64_t size_bytes, Deadline deadline);

    // A read-only look at a content, layered or rooted, under a name of the caller's: read(),
    // export_volume(read_only) and close_volume() work on it; the rest is failed_precondition. It
    // stays on the stack it found.
    Status open_content(const VolumeId& name, const ContentId& content, Deadline deadline);

    // Reads a piece of what a look opened by open_content() stands on, past every cache: the data
    // of its layers, every node and chunk of its tree, each checked as a read checks it. What is
    // damaged is told in the page; an error is what says nothing about the bytes. Begins at
    // VerifyPlace{} and goes on at the page's `next`. At most some MiB, one MiB or the chunks of
    // one leaf at a time, so that guests' requests go between.
    Result<VerifyPage> verify(const VolumeId& name, VerifyPlace place, Deadline deadline);

    // Stores what a layered content's chain says over its first rooted ancestor as a tree. The data
    // of its layers gets check sums before it is read for that; from then on whoever reads them
    // gets the bytes that were summed, or data_loss. One at a time (failed_precondition, as for a
    // content that is rooted already). `epoch` is written into the packs. cancel_destage() or a
    // missed deadline ends it with `cancelled`; started again it finds what it had stored.
    Result<DestagedContent> destage(const ContentId& content, std::uint64_t epoch,
                                    Deadline deadline);
    // Also cancels a merge.
    void cancel_destage();
    // Makes one sealed layer of several (D4), durable when this returns; on an error it has no
    // files. One at a time (failed_precondition). cancel_destage() or a missed deadline ends it
    // with `cancelled`.
    Status merge_layers(LayerMerge merge, Deadline deadline);
    // The content became rooted in the catalog: volumes that stand on it are given their stacks
    // anew (active, layers not yet rooted, its layer if the catalog still names one, tree), and
    // layers that fell out are closed when this completes. Reads and writes in flight end on the
    // old stack. To be called again when the catalog stops naming the content's layer, before it is
    // dropped.
    Status content_rooted(const ContentId& content, Deadline deadline);

    // The packs that hold what the trees of `roots` (hex) reach, and what of them. An id counts for
    // one pack: an uncondemned one if such a one has it.
    Result<PackUses> mark(std::vector<std::string> roots, Deadline deadline);
    // Copies entries of packs into new packs of this epoch (Repack). A missed deadline ends it with
    // `cancelled`.
    Result<Repacked> repack(std::vector<RepackPiece> pieces, std::uint64_t epoch,
                            Deadline deadline);
    // How much of a tree is allocated, and how much of that no tree of `others` has at the same
    // place; those that share the most with it first. Digests are hex.
    Result<TreeUsage> measure_tree(const std::string& root, const std::vector<std::string>& others,
                                   Deadline deadline);
    // Which leaves (512 KiB) of two trees differ, from one on, at most `limit`. An empty digest is
    // zeros throughout.
    Result<LeafPage> diff_trees(const std::string& a, const std::string& b, std::uint64_t from_leaf,
                                std::size_t limit, Deadline deadline);
    // A pack's object, whole, as it is.
    Result<Bytes> read_pack(const PackId& pack, Deadline deadline);
    // Removes the pack's object. Its index entries are gone already. Fine if it is missing.
    Status remove_pack(const PackId& pack, Deadline deadline);

    EngineCounters counters();
    // Sorted by volume. Memory only.
    Result<std::vector<VolumeTrouble>> troubles(Deadline deadline);

    // Unlinks the files of a layer that no open volume, view, destage or sealing uses
    // (failed_precondition otherwise). Fine if they are missing.
    Status drop_layer(const LayerId& id, Deadline deadline);
    // Every layer with at least one file in the directory, sorted.
    Result<std::vector<LayerId>> list_layers(Deadline deadline = Deadline::never());

    bool is_open(const VolumeId& id);
    // "io_uring" or "threads".
    std::string backend_name() const;

  private:
    class Impl;
    explicit Engine(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace kiln::block
