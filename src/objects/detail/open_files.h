// SPDX-License-Identifier: Apache-2.0
// OpenFiles: a bounded number of files kept open for reading. A file in use is never closed, so
// under many readers there may be more than `limit` for a while. Thread model: one owner thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/io.h"

namespace kiln::objects {

class OpenFiles : public std::enable_shared_from_this<OpenFiles> {
  public:
    OpenFiles(io::Io& io, std::size_t limit) : io_(io), limit_(limit) {}
    // Closes what is open; nothing may be in use.
    ~OpenFiles();

    using Ready = io::Callback<Result<io::FileId>>;
    // May call `ready` at once. Each success needs one release().
    void use(const std::string& path, Ready ready);
    void release(const std::string& path);
    // The file is about to go: later uses say not_found, those under way go on.
    void forget(const std::string& path);

  private:
    struct Entry {
        io::FileId file;
        bool doomed = false;
        std::size_t users = 0;
        std::uint64_t last_used = 0;
        std::vector<Ready> waiting;
    };
    void opened(const std::string& path, Result<std::uint64_t> result);
    void close(std::map<std::string, Entry>::iterator entry);
    void shrink();

    io::Io& io_;
    const std::size_t limit_;
    std::map<std::string, Entry> entries_;
    std::uint64_t uses_ = 0;
};

}  // namespace kiln::objects
