// SPDX-License-Identifier: Apache-2.0
#include "block/sim/oracle.h"

#include <algorithm>

#include "util/check.h"
#include "util/encoding.h"

namespace kiln::block::sim {

Oracle::Oracle(Moments& moments, const std::vector<Value>& content)
    : moments_(&moments), cells_(content.size()) {
    for (std::size_t i = 0; i < content.size(); ++i) {
        cells_[i].push_back(Version{.value = content[i], .begun = 1, .ended = 1, .ok = true});
    }
}

void Oracle::grow(std::uint64_t cells) {
    for (std::uint64_t i = cells_.size(); i < cells; ++i) {
        cells_.push_back({Version{.value = 0, .begun = 1, .ended = 1, .ok = true}});
    }
}

Oracle::ChangeId Oracle::begin(std::uint64_t first_cell, std::uint64_t count, Value value) {
    const ChangeId id = next_change_++;
    const std::uint64_t now = moment();
    in_flight_[id] = {first_cell, count};
    for (std::uint64_t i = first_cell; i < first_cell + count; ++i) {
        cells_[i].push_back(Version{.value = value, .change = id, .begun = now});
    }
    tell([&](Window& window) { window.begin(id, first_cell, count, value, now); });
    return id;
}

void Oracle::end(ChangeId id, bool ok, bool is_durable) {
    const Change change = in_flight_.at(id);
    in_flight_.erase(id);
    const std::uint64_t now = moment();
    tell([&](Window& window) { window.end(id, change.first, change.count, ok, now); });
    for (std::uint64_t i = change.first; i < change.first + change.count; ++i) {
        Cell& cell = cells_[i];
        const auto own = std::find_if(cell.begin(), cell.end(),
                                      [id](const Version& v) { return v.change == id; });
        INVARIANT(own != cell.end());
        own->ended = now;
        own->ok = ok;
        if (!ok) {
            continue;
        }
        for (Version& other : cell) {
            if (other.ended != 0 && other.ended < own->begun) {
                other.visible = false;
            }
        }
        if (is_durable) {
            durable(cell, Version(*own));
        }
    }
}

// Nothing that had ended before the winner began can come back.
void Oracle::durable(Cell& cell, const Version& winner) {
    std::erase_if(cell, [&](const Version& v) { return v.ended != 0 && v.ended < winner.begun; });
}

void Oracle::flushed(std::uint64_t begun) {
    for (Cell& cell : cells_) {
        for (std::size_t i = cell.size(); cell.size() > 1 && i-- > 0;) {
            const Version version = i < cell.size() ? cell[i] : cell.back();
            if (version.ok && version.ended != 0 && version.ended < begun) {
                durable(cell, version);
            }
        }
    }
}

void Oracle::process_ended() {
    const std::uint64_t now = moment();
    for (const auto& write : in_flight_) {
        const auto& change = write.second;
        tell([&](Window& window) {
            window.end(write.first, change.first, change.count, false, now);
        });
    }
    in_flight_.clear();
    for (Cell& cell : cells_) {
        for (Version& version : cell) {
            version.ended = version.ended == 0 ? now : version.ended;
        }
    }
}

void Oracle::power_lost() {
    process_ended();
    for (Cell& cell : cells_) {
        for (Version& version : cell) {
            version.visible = true;
            // Acknowledged or not: whether it is there is open again, and no later flush brings it.
            version.ok = version.ok && cell.size() == 1;
        }
    }
}

std::string Oracle::check(std::uint64_t first_cell, ByteView bytes, bool medium) {
    INVARIANT(in_flight_.empty());
    const std::uint64_t now = moment();
    for (std::uint64_t i = 0; i < bytes.size() / kCellBytes; ++i) {
        const std::uint64_t index = first_cell + i;
        const std::uint8_t* at = bytes.data() + i * kCellBytes;
        Cell& cell = cells_[index];
        const auto found = std::find_if(cell.rbegin(), cell.rend(), [&](const Version& v) {
            return v.visible && cell_holds(at, index, v.value);
        });
        if (found == cell.rend()) {
            return complain(cell, index, {at, kCellBytes});
        }
        if (cell.size() == 1) {
            continue;
        }
        // As if it had been written just now: no other version may be seen any more.
        Version seen = *found;
        seen.begun = seen.ended = now;
        seen.ok = true;
        if (medium) {
            cell.clear();
        } else {
            cell.erase(std::next(found).base());
            for (Version& other : cell) {
                other.visible = false;
            }
        }
        cell.push_back(seen);
    }
    return {};
}

std::string Oracle::complain(const Cell& cell, std::uint64_t index, ByteView bytes) {
    std::string text = describe_cell(index, bytes);
    text += "; versions:";
    for (const Version& v : cell) {
        text += " " + std::to_string(v.value) + (v.visible ? "" : "(gone)") +
                (v.ok ? "" : "(not acknowledged)");
    }
    return text;
}

template <class F>
void Oracle::tell(F work) {
    std::erase_if(windows_, [](const auto& window) { return window.expired(); });
    for (const auto& window : windows_) {
        work(*window.lock());
    }
}

std::shared_ptr<Window> Oracle::watch(std::uint64_t first_cell, std::uint64_t count) {
    auto window = std::make_shared<Window>(first_cell, count);
    for (std::uint64_t i = first_cell; i < first_cell + count; ++i) {
        for (const Version& v : cells_[i]) {
            if (v.visible) {
                window->add(i, {v.value, v.change, v.begun, v.ended, v.ok});
            }
        }
    }
    windows_.push_back(window);
    return window;
}

std::vector<Value> Oracle::settled() const {
    std::vector<Value> values;
    values.reserve(cells_.size());
    for (const Cell& cell : cells_) {
        values.push_back(cell.back().value);
    }
    return values;
}

}  // namespace kiln::block::sim
