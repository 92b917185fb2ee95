// SPDX-License-Identifier: Apache-2.0
// Neighbours: the instances of one VPC whose networks run, by address, with the groups they are in.
// The daemon writes one file per VPC, replacing it whole; NeighbourFile is the reader's side, which
// sees by itself when there is another. Format: docs/internals/guest-network.md.
// Thread model: plain values and pure functions; one owner thread for a NeighbourFile.
#pragma once

#include <map>

#include "compute/network/guest_network.h"
#include "util/fs.h"

namespace kiln::compute {

inline constexpr std::size_t kMaxNeighbours = 16384;
inline constexpr std::size_t kMaxGroupsOfNeighbour = 64;
inline constexpr std::size_t kMaxNeighboursBytes = 16U << 20;

class Neighbours {
  public:
    Neighbours() = default;
    // Of two with one address the later counts.
    explicit Neighbours(std::vector<Neighbour> list);

    // Nothing when nobody has the address. Valid as long as this object.
    const Neighbour* find(Ipv4 address) const;
    bool is_member(const std::string& group, Ipv4 address) const;
    bool has_user(uid_t user) const;
    std::size_t size() const { return by_address_.size(); }

    friend bool operator==(const Neighbours&, const Neighbours&) = default;

  private:
    std::map<Ipv4, Neighbour> by_address_;
};

std::string encode_neighbours(const std::vector<Neighbour>& neighbours);
// invalid_argument; unsupported for another version.
Result<std::vector<Neighbour>> decode_neighbours(std::string_view text);

// Writes what NeighbourFile reads, for every user to read; leaves a file alone that says the same.
// An empty list removes it.
Status write_neighbours(const std::string& path, const std::vector<Neighbour>& neighbours);

class NeighbourFile {
  public:
    // Nobody is in the file with the empty path.
    explicit NeighbourFile(std::string path) : path_(std::move(path)) {}

    // The neighbours, when they are others than at the last call. Costs one stat() when they are
    // not. What cannot be read is logged, once, and changes nothing.
    std::optional<Neighbours> changed();

  private:
    Result<Neighbours> read();

    const std::string path_;
    // The file that was read last. Held open, no other file can have its number.
    UniqueFd held_;
};

}  // namespace kiln::compute
