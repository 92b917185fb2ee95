// SPDX-License-Identifier: Apache-2.0
// MemoryObjectStore: an ObjectStore in memory, for tests and simulation: small and real, by the
// rules of the contract suite. Thread model: one owner thread.
#pragma once

#include <map>

#include "io/scheduler.h"
#include "objects/object_store.h"

namespace kiln::objects {

class MemoryObjectStore final : public ObjectStore {
  public:
    explicit MemoryObjectStore(io::Scheduler& scheduler) : scheduler_(scheduler) {}

    CallPtr put(std::string name, SharedBytes content, CallOptions options,
                io::Callback<Status> done) override;
    CallPtr get(std::string name, std::uint64_t offset, std::uint64_t length, CallOptions options,
                io::Callback<Result<Bytes>> done) override;
    CallPtr get_tail(std::string name, std::uint64_t length, CallOptions options,
                     io::Callback<Result<Tail>> done) override;
    CallPtr remove(std::string name, CallOptions options, io::Callback<Status> done) override;
    void forget(const std::string&) override {}  // nothing is kept

    // For tests that damage or drop objects.
    std::map<std::string, SharedBytes> contents;

  private:
    io::Scheduler& scheduler_;
};

}  // namespace kiln::objects
