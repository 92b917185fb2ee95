// SPDX-License-Identifier: Apache-2.0
// ThroughStore: an object store that hands every call to another one, for tests that watch or
// change some of them. The other one outlives it. Thread model: that of the other one.
#pragma once

#include "objects/object_store.h"

namespace kiln::block::testing {

class ThroughStore : public objects::ObjectStore {
  public:
    explicit ThroughStore(objects::ObjectStore& below) : below_(below) {}
    objects::CallPtr put(std::string name, objects::SharedBytes content,
                         objects::CallOptions options, io::Callback<Status> done) override {
        return below_.put(std::move(name), std::move(content), options, std::move(done));
    }
    objects::CallPtr get(std::string name, std::uint64_t offset, std::uint64_t length,
                         objects::CallOptions options, io::Callback<Result<Bytes>> done) override {
        return below_.get(std::move(name), offset, length, options, std::move(done));
    }
    objects::CallPtr get_tail(std::string name, std::uint64_t length, objects::CallOptions options,
                              io::Callback<Result<objects::Tail>> done) override {
        return below_.get_tail(std::move(name), length, options, std::move(done));
    }
    objects::CallPtr remove(std::string name, objects::CallOptions options,
                            io::Callback<Status> done) override {
        return below_.remove(std::move(name), options, std::move(done));
    }
    void forget(const std::string& name) override { below_.forget(name); }

  private:
    objects::ObjectStore& below_;
};

}  // namespace kiln::block::testing
