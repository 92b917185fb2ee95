// SPDX-License-Identifier: Apache-2.0
#include "objects/detail/open_files.h"

namespace kiln::objects {

OpenFiles::~OpenFiles() {
    while (!entries_.empty()) {
        close(entries_.begin());
    }
}

void OpenFiles::use(const std::string& path, Ready ready) {
    const auto [at, fresh] = entries_.try_emplace(path);
    Entry& entry = at->second;
    entry.last_used = ++uses_;
    if (entry.doomed) {
        ready(Error(Code::not_found, path + " was removed"));
        return;
    }
    if (entry.file.valid()) {
        ++entry.users;
        ready(entry.file);
        return;
    }
    entry.waiting.push_back(std::move(ready));
    if (fresh) {
        io_.submit(io::Op::open(path, {}),
                   [self = shared_from_this(), path](Result<std::uint64_t> result) {
                       self->opened(path, std::move(result));
                   });
    }
}

void OpenFiles::opened(const std::string& path, Result<std::uint64_t> result) {
    const auto at = entries_.find(path);
    std::vector<Ready> waiting = std::move(at->second.waiting);
    at->second.waiting.clear();
    if (!result) {
        entries_.erase(at);
        for (Ready& ready : waiting) {
            ready(result.error());
        }
        return;
    }
    const io::FileId file{static_cast<std::int64_t>(*result)};
    at->second.file = file;
    at->second.users = waiting.size();
    for (Ready& ready : waiting) {
        ready(file);
    }
    shrink();
}

void OpenFiles::release(const std::string& path) {
    const auto at = entries_.find(path);
    INVARIANT(at != entries_.end() && at->second.users > 0);
    --at->second.users;
    if (at->second.users == 0 && at->second.doomed) {
        close(at);
    }
    shrink();
}

void OpenFiles::forget(const std::string& path) {
    const auto at = entries_.find(path);
    if (at == entries_.end()) {
        return;
    }
    if (at->second.file.valid() && at->second.users == 0) {
        close(at);
    } else {
        at->second.doomed = true;
    }
}

void OpenFiles::close(std::map<std::string, Entry>::iterator entry) {
    if (entry->second.file.valid()) {
        io_.submit(io::Op::close(entry->second.file), [](Result<std::uint64_t>) {});
    }
    entries_.erase(entry);
}

// At most `limit` entries are looked at, and files are opened far less often than read.
void OpenFiles::shrink() {
    while (entries_.size() > limit_) {
        auto oldest = entries_.end();
        for (auto at = entries_.begin(); at != entries_.end(); ++at) {
            if (at->second.users == 0 && at->second.file.valid() &&
                (oldest == entries_.end() || at->second.last_used < oldest->second.last_used)) {
                oldest = at;
            }
        }
        if (oldest == entries_.end()) {
            return;
        }
        close(oldest);
    }
}

}  // namespace kiln::objects
