// SPDX-License-Identifier: Apache-2.0
// Content and LayerRecord: which bytes there are (D1, D31), as the catalog knows them.
//
// Snapshots, the bases of volumes and copies name a content, never a layer or a root. A *layered*
// content is one sealed layer over its parent; destage turns the same row into *rooted*: same
// bytes, now a tree in the image tier. `layer` stays set while rooted until that layer is dropped,
// and `spares` names the layers below it that say what the tree says as well (D4).
// The root digest is an attribute: nothing may need it. Thread model: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/ids.h"
#include "model/names.h"
#include "util/bytes.h"
#include "util/time.h"

namespace kiln::model {

enum class ContentState { layered, rooted };
constexpr auto enum_names(ContentState) {
    return std::to_array<EnumName<ContentState>>(
        {{ContentState::layered, "layered"}, {ContentState::rooted, "rooted"}});
}

struct Content {
    ContentId id;
    ContentState state = ContentState::layered;
    ContentId parent;             // empty: over nothing but zeros
    LayerId layer;                // empty: no layer any more
    std::vector<LayerId> spares;  // rooted: newest first; none without `layer`
    std::string root_digest;      // hex; empty until destaged
    std::string key_id;           // empty: not encrypted
    std::uint64_t size_bytes = 0;
    UnixMillis created;
    friend bool operator==(const Content&, const Content&) = default;
};

// `planned`: the row came first, its files are made at the first opening. Only then may they be
// made: files of an `open` layer that are missing are lost.
enum class LayerState { planned, open, sealed, dropping };
constexpr auto enum_names(LayerState) {
    return std::to_array<EnumName<LayerState>>({{LayerState::planned, "planned"},
                                                {LayerState::open, "open"},
                                                {LayerState::sealed, "sealed"},
                                                {LayerState::dropping, "dropping"}});
}

struct LayerRecord {
    LayerId id;
    LayerState state = LayerState::planned;
    std::uint64_t size_bytes = 0;
    std::uint32_t key_algorithm = 0;  // D11: 0 is plain
    Bytes key_record_id;              // 16 bytes, or none
    Bytes key_check_value;            // 8 bytes, or none
    UnixMillis created;
    friend bool operator==(const LayerRecord&, const LayerRecord&) = default;
};

}  // namespace kiln::model
