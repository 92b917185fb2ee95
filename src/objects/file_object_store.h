// SPDX-License-Identifier: Apache-2.0
// FileObjectStore: one file per object in one directory (docs/formats/objects.md): temporary file,
// fsync, rename, fsync of the directory. The directory exists and belongs to this process alone.
// Other stores of the process may read what this one puts; the file of an object that they have
// open keeps its space until they forget it.
//
// `clean` removes what writers that died left behind; call it before the first put. A put that is
// cancelled or late before its rename leaves nothing. May be destroyed with calls in flight; these
// then go on in the Io, which must outlive them. Thread model: one owner thread.
#pragma once

#include "io/io.h"
#include "io/scheduler.h"
#include "objects/object_store.h"

namespace kiln::objects {

struct FileStoreOptions {
    std::string directory;
    bool durable = true;  // false: no fsync anywhere (throw-away stores)
    // Files kept open for reading. A snapshot being read touches few packs at a time.
    std::size_t open_files = 64;
};

class FileObjectStore final : public ObjectStore {
  public:
    FileObjectStore(io::Io& io, io::Scheduler& scheduler, FileStoreOptions options);
    ~FileObjectStore() override;

    void clean(io::Callback<Status> done);

    CallPtr put(std::string name, SharedBytes content, CallOptions options,
                io::Callback<Status> done) override;
    CallPtr get(std::string name, std::uint64_t offset, std::uint64_t length, CallOptions options,
                io::Callback<Result<Bytes>> done) override;
    CallPtr get_tail(std::string name, std::uint64_t length, CallOptions options,
                     io::Callback<Result<Tail>> done) override;
    CallPtr remove(std::string name, CallOptions options, io::Callback<Status> done) override;
    void forget(const std::string& name) override;

  private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace kiln::objects
