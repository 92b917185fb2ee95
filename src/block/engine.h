// SPDX-License-Identifier: Apache-2.0
// Engine: the block engine as the rest of the program sees it: open volumes, their exports and
// their bytes, by blocking calls with a Deadline. Behind it one reactor thread owns every open
// volume; a call posts to the owner and waits.
//
// Errors: invalid_argument for bad sizes, offsets and ids; failed_precondition for the wrong state
// (open twice, not open); not_found for a layer without files; data_loss when files are not what
// they must be; out_of_space; io_error, from then on for that layer. deadline_exceeded leaves the
// outcome open: the operation goes on and its result is dropped. The destructor ends exports,
// flushes and closes every volume. Thread-safe. Never called from a completion (checked).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "block/content_store.h"
#include "block/geometry.h"
#include "block/ids.h"
#include "io/reactor.h"
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

struct EngineOptions {
    std::string directory;   // where layer files live; created if missing
    std::string store_uuid;  // written into every file; files of another store are refused. At most
                             // 39 bytes
    bool durable = true;     // false: no fsync anywhere (throw-away stores)
    Geometry geometry{};
    io::Backend backend = io::Backend::automatic;
    std::string boot_id{};  // empty: the kernel's. Tests set it to play a power loss
};

class Engine {
  public:
    static Result<std::unique_ptr<Engine>> create(EngineOptions options, ContentStore& contents,
                                                  io::Clock& clock, io::Rng& rng);
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
    // Disconnects its clients and removes the socket file.
    Status unexport_volume(const VolumeId& id, const std::string& socket_path, Deadline deadline);

    Result<Bytes> read(const VolumeId& id, std::uint64_t offset, std::uint32_t length,
                       Deadline deadline);
    Status write(const VolumeId& id, std::uint64_t offset, ByteView data, Deadline deadline);
    Status zero(const VolumeId& id, std::uint64_t offset, std::uint64_t length, Deadline deadline);
    Status flush(const VolumeId& id, Deadline deadline);

    // Flushes, seals the active layer durably and closes the volume; the layer may then back a
    // content.
    Status seal_volume(const VolumeId& id, Deadline deadline);
    // Unlinks the files of a layer that no open volume uses (failed_precondition otherwise). Fine
    // if they are missing.
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
