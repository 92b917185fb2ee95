// SPDX-License-Identifier: Apache-2.0
// SimDisk: the kernel and the disk of a simulated machine. Each file is what the kernel shows
// (cache) and what the medium holds (durable), with the changes between them in the order they were
// made; names likewise. docs/internals/simulation.md says what the model allows and why.
//
// After a loss of power each change that no sync covered is kept, lost, or kept in some of its
// sectors of 512 bytes; each name likewise, also against the order they were made in. After the end
// of a process everything that reached the kernel is there. A sync covers what had taken effect
// when it was *submitted*. A sync that fails leaves the medium as a loss of power would, and the
// next one says that all is well, as Linux does.
//
// Beside what a crash forgets there is what no device should do (sim_damage.cpp): bits that flip,
// sectors that cannot be read until they are written again, writes that land elsewhere, files that
// changed places. Nothing reports it; a test asks for it.
//
// Directories are not modelled but as prefixes of names; every directory exists. Thread model: one
// owner thread.
#pragma once

#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "io/io.h"
#include "io/sim_random.h"

namespace kiln::io {

enum class Crash { process_kill, power_loss };

// What becomes of the changes of a file that nothing made durable.
enum class SimFate { kept, lost, mixed };

// How many of 1000 operations fail. An operation that fails may have been done in part.
struct SimFaults {
    std::uint32_t read_error = 0;
    std::uint32_t write_error = 0;  // also punch, truncate
    std::uint32_t sync_error = 0;
    std::uint32_t no_space = 0;  // wherever something needs new blocks
};

// A place in a file.
struct SimPlace {
    std::string path;
    std::uint64_t offset = 0;
};

class SimDisk {
  public:
    static constexpr std::uint64_t kSectorBytes = 512;
    // Files are kept in memory whole.
    static constexpr std::uint64_t kMaxFileBytes = 256ULL << 20;

    explicit SimDisk(SimRandom& random) : random_(random) {}

    void set_faults(const SimFaults& faults) { faults_ = faults; }
    // Failed syncs since the last loss of power: what the kernel shows may never reach the medium.
    std::uint64_t failed_syncs() const { return failed_syncs_; }

    // Everything so far that needed new blocks: names, writes to holes, preallocation. From `first`
    // (counted from 1) `count` of them find the device full, beside what chance refuses.
    std::uint64_t allocations() const { return allocations_; }
    void fill_at(std::uint64_t first, std::uint64_t count) {
        full_from_ = first;
        full_until_ = count > kNever - first ? kNever : first + count;
    }

    // What a loss of power does to all files and names; none: each has a fate by chance.
    void force_fate(std::optional<SimFate> fate) { forced_fate_ = fate; }

    // --- damage ---
    // By name, as the kernel shows them.
    std::vector<std::string> files() const;
    ByteView content(const std::string& path) const;
    // What is left of it when the power goes and takes all that no sync covered; none: nothing.
    std::optional<ByteView> on_medium(const std::string& path) const;
    // The byte changes on the medium and in what is read from now on.
    void rot(const SimPlace& place, std::uint8_t mask);
    // Reads that touch these bytes fail, until all of a sector is written, punched or cut off.
    void spoil(const SimPlace& place, std::uint64_t length);
    // Asked at each write; where it names a place, the bytes land there instead, as far as that
    // file reaches, and nobody is told.
    using Misdirect =
        std::function<std::optional<SimPlace>(const std::string& path, std::uint64_t offset)>;
    void set_misdirection(Misdirect where) { misdirect_ = std::move(where); }
    // Each has the other's content.
    void exchange(const std::string& one, const std::string& other);
    // The name under which an open file was opened; empty: not open.
    std::string path_of(FileId file) const;

    // The moment of a submission, for execute().
    std::uint64_t mark() const { return effects_; }
    // Does the operation, as the kernel would, now.
    Result<std::uint64_t> execute(const Op& op, std::uint64_t submitted);
    // The first `bytes` of a write, which the end of the process cut short.
    void execute_part(const Op& write, std::uint64_t bytes);
    // The process ended, or the power went. Open files are closed.
    void crash(Crash kind);

  private:
    enum class ChangeKind { write, punch, resize, extend };
    struct Change {
        std::uint64_t at = 0;  // number of the effect
        ChangeKind kind = ChangeKind::write;
        std::uint64_t offset = 0;
        std::uint64_t length = 0;
        Bytes data{};
    };
    struct File {
        Bytes cache;
        Bytes durable;
        std::deque<Change> changes;
        std::vector<bool> allocated;       // 4 KiB blocks that need no new space
        std::set<std::uint64_t> spoilt{};  // sectors
    };
    using FileRef = std::shared_ptr<File>;
    using Names = std::map<std::string, FileRef>;
    // One change of names. `from` goes, `to` names the file.
    struct NameChange {
        std::uint64_t at = 0;
        std::string from;
        std::string to;
        FileRef file;
    };
    struct Handle {
        FileRef file;
        std::string path;
        bool write = false;
        bool direct = false;
    };
    using Fate = SimFate;

    Result<std::uint64_t> open(const Op& op);
    Result<std::uint64_t> read(const Op& op, const Handle& handle);
    Result<std::uint64_t> write(const Op& op, const Handle& handle);
    Result<std::uint64_t> resize(const Op& op, const Handle& handle);
    Result<std::uint64_t> sync(const Op& op, const Handle& handle, std::uint64_t submitted);
    Result<std::uint64_t> sync_dir(const Op& op, std::uint64_t submitted);
    Result<std::uint64_t> rename(const Op& op);
    Result<std::uint64_t> list(const Op& op) const;

    bool needs_space(const File& file, std::uint64_t offset, std::uint64_t length) const;
    // Once for each thing that needs space: whether there is none.
    bool full();
    static bool unreadable(const File& file, std::uint64_t offset, std::uint64_t length);
    static void mend(File& file, const Change& change);
    File& named(const std::string& path) const;
    void change(File& file, Change change);
    void change_name(std::string from, std::string to, FileRef file);
    Fate random_fate();
    void settle(File& file, const Change& change, Fate fate);
    void lose_power();

    SimRandom& random_;
    SimFaults faults_;
    std::uint64_t effects_ = 0;
    std::uint64_t failed_syncs_ = 0;
    static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t allocations_ = 0;
    std::uint64_t full_from_ = kNever;
    std::uint64_t full_until_ = kNever;
    Misdirect misdirect_;
    std::optional<SimFate> forced_fate_;
    Names names_;          // as the kernel shows them
    Names durable_names_;  // as the medium has them
    std::deque<NameChange> name_changes_;
    std::map<std::int64_t, Handle> handles_;
    std::int64_t next_handle_ = 3;
};

}  // namespace kiln::io
