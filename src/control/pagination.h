// SPDX-License-Identifier: Apache-2.0
// Pages of the Describe operations (PAG-1 .. PAG-6). A token names the last item seen and is bound
// to caller, region, action and the other parameters, so that it cannot be taken elsewhere. Thread
// model: pure functions, plain values.
#pragma once

#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/queries.h"
#include "control/caller.h"
#include "util/result.h"

namespace kiln::control {

struct PageRequest {
    std::optional<std::int64_t> max_results;
    std::string next_token;
    // What the token is bound to besides the caller: the action and its other parameters, as any
    // text.
    std::string binding;
};

struct PageLimits {
    std::int64_t min = 5;
    std::int64_t max = 1000;
};

// Where the page begins, and how many items it holds (nothing: all).
struct PageStart {
    std::optional<catalog::Cursor> after;
    std::optional<std::size_t> limit;
};

// PAG-2, PAG-3, PAG-5.
Result<PageStart> open_page(const Caller& caller, const PageRequest& request,
                            const PageLimits& limits);
// For lists that are put together here instead of by the catalog: the order, and whether an item
// comes after the page before.
bool is_before(const catalog::Cursor& a, const catalog::Cursor& b);
bool is_after(const catalog::Cursor& item, const PageStart& start);
std::string make_token(const Caller& caller, const PageRequest& request,
                       const catalog::Cursor& last);

template <class T>
struct Page {
    std::vector<T> items;
    std::string next_token;  // empty: the last page
};

// Looked at together where filters or a missing page size do not say how many there will be.
inline constexpr std::size_t kRowsAtOnce = 1000;

// Reads rows piece by piece until there are as many items as the page shows and one more, which
// says that there is another page. list(piece) reads at most *piece.limit rows that come after
// piece.after, in their order; views(rows) makes items of them and leaves some out, none unless
// `filtered`; cursor_of gives a row's place.
template <class Item, class List, class CursorOf, class Views>
Result<std::vector<Item>> read_page(const PageStart& start, bool filtered, List list,
                                    CursorOf cursor_of, Views views) {
    std::vector<Item> found;
    PageStart piece = start;
    piece.limit = start.limit && !filtered ? *start.limit + 1 : kRowsAtOnce;
    for (bool last = false; !last && (!start.limit || found.size() <= *start.limit);) {
        TRY_ASSIGN(auto rows, list(piece));
        last = rows.size() < *piece.limit;
        if (!last) {
            piece.after = cursor_of(rows.back());
        }
        TRY_ASSIGN(auto items, views(std::move(rows)));
        found.insert(found.end(), std::make_move_iterator(items.begin()),
                     std::make_move_iterator(items.end()));
    }
    return found;
}

// Cuts `items`, which are ordered and begin after `start.after`, to one page. `cursor_of` gives an
// item's place.
template <class T, class CursorOf>
Page<T> cut_page(const Caller& caller, const PageRequest& request, const PageStart& start,
                 std::vector<T> items, CursorOf cursor_of) {
    Page<T> page;
    if (start.limit && items.size() > *start.limit) {
        items.erase(items.begin() + static_cast<std::ptrdiff_t>(*start.limit), items.end());
        page.next_token = make_token(caller, request, cursor_of(items.back()));
    }
    page.items = std::move(items);
    return page;
}

}  // namespace kiln::control
