// SPDX-License-Identifier: Apache-2.0
// Io: files, by completion. `submit` starts an operation and returns; the completion runs later on
// the owner thread, exactly once, never from inside `submit`. Operations in flight at the same time
// are not ordered against each other: who needs an order waits for the first completion before
// submitting the second.
//
//   read      value = bytes read; less than asked only at the end of the file
//   write     all bytes or an error; value = bytes written
//   open      value = the FileId. A file asked for with `direct` is opened with O_DIRECT where the
//   file system takes it and
//             buffered otherwise, so the caller always uses offsets, lengths and memory aligned to
//             Buffer::kAlignment
//   unlink    a missing file is not an error
//   punch     unsupported where the file system cannot; the bytes are then unchanged
//   allocate  reserves space and extends the size; unsupported where the file system cannot
//
// Completed operations survive the end of the process; only synced ones survive the loss of power,
// and a name only after `sync_dir`. Memory named by an operation must stay until it completes.
// Every disk access of the block engine goes through here, so that a simulated disk can stand in.
// Thread model: one owner thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/callback.h"
#include "util/bytes.h"
#include "util/result.h"

namespace kiln::io {

struct FileId {
    std::int64_t value = -1;
    bool valid() const { return value >= 0; }
    friend bool operator==(FileId, FileId) = default;
};

enum class OpKind {
    open,
    close,
    read,
    write,
    sync_data,  // fdatasync: contents and what is needed to read them back
    sync,       // fsync
    punch,
    allocate,
    truncate,
    size,
    unlink,
    rename,
    sync_dir,
    list,
};

struct OpenMode {
    bool write = false;
    bool create = false;    // if missing
    bool truncate = false;  // to length 0
    bool direct = false;
};

struct Op {
    OpKind kind;
    FileId file{};
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    std::uint8_t* data = nullptr;
    std::string path{};
    std::string new_path{};
    OpenMode mode{};
    std::vector<std::string>* names = nullptr;  // list: filled with the names in the directory

    static Op open(std::string path, OpenMode mode);
    static Op close(FileId file);
    static Op read(FileId file, std::uint64_t offset, MutableByteView into);
    static Op write(FileId file, std::uint64_t offset, ByteView from);
    static Op sync_data(FileId file);
    static Op sync(FileId file);
    static Op punch(FileId file, std::uint64_t offset, std::uint64_t length);
    static Op allocate(FileId file, std::uint64_t offset, std::uint64_t length);
    static Op truncate(FileId file, std::uint64_t length);
    static Op size(FileId file);
    static Op unlink(std::string path);
    static Op rename(std::string from, std::string to);
    static Op sync_dir(std::string path);
    static Op list(std::string path, std::vector<std::string>* names);
};

using IoDone = Callback<Result<std::uint64_t>>;

class Io {
  public:
    virtual ~Io() = default;
    virtual void submit(Op op, IoDone done) = 0;
};

}  // namespace kiln::io
