// SPDX-License-Identifier: Apache-2.0
// Callback<Args...>: a move-only callable, the completion of one asynchronous operation.
//
// std::function cannot hold what a completion owns (buffers, other completions), because it must be
// copyable. Small callables are stored in place, so that a disk request costs no allocation for its
// completion. An empty Callback must not be called. Thread model: plain value, moved between
// threads like any other.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

#include "util/check.h"

namespace kiln::io {

template <class... Args>
class Callback {
  public:
    Callback() = default;
    template <class F>
    requires(!std::is_same_v<std::decay_t<F>, Callback> &&
             std::is_invocable_v<std::decay_t<F>&, Args...>)
        Callback(F&& callable) {  // NOLINT: implicit on purpose, lambdas are passed where a
                                  // Callback is taken
        using Stored = std::decay_t<F>;
        if constexpr (kFits<Stored>) {
            ::new (static_cast<void*>(storage_)) Stored(std::forward<F>(callable));
            table_ = &kInPlace<Stored>;
        } else {
            ::new (static_cast<void*>(storage_)) Stored*(new Stored(std::forward<F>(callable)));
            table_ = &kOnHeap<Stored>;
        }
    }
    Callback(Callback&& other) noexcept { take(other); }
    Callback& operator=(Callback&& other) noexcept {
        if (this != &other) {
            reset();
            take(other);
        }
        return *this;
    }
    ~Callback() { reset(); }

    explicit operator bool() const { return table_ != nullptr; }
    void operator()(Args... args) {
        INVARIANT(table_ != nullptr);
        table_->call(storage_, std::forward<Args>(args)...);
    }

  private:
    struct Table {
        void (*call)(void*, Args&&...);
        void (*move)(void* from, void* to);  // leaves nothing to destroy in `from`
        void (*destroy)(void*);
    };
    static constexpr std::size_t kInPlaceBytes = 64;
    template <class F>
    static constexpr bool kFits =
        sizeof(F) <= kInPlaceBytes &&
        alignof(F) <= alignof(std::max_align_t) && std::is_nothrow_move_constructible_v<F>;
    template <class F>
    static constexpr Table kInPlace{
        [](void* at, Args&&... args) { (*static_cast<F*>(at))(std::forward<Args>(args)...); },
        [](void* from, void* to) {
            ::new (to) F(std::move(*static_cast<F*>(from)));
            static_cast<F*>(from)->~F();
        },
        [](void* at) { static_cast<F*>(at)->~F(); }};
    template <class F>
    static constexpr Table kOnHeap{
        [](void* at, Args&&... args) { (**static_cast<F**>(at))(std::forward<Args>(args)...); },
        [](void* from, void* to) { ::new (to) F*(*static_cast<F**>(from)); },
        [](void* at) { delete *static_cast<F**>(at); }};

    void take(Callback& other) noexcept {
        table_ = std::exchange(other.table_, nullptr);
        if (table_ != nullptr) {
            table_->move(other.storage_, storage_);
        }
    }
    void reset() {
        if (table_ != nullptr) {
            std::exchange(table_, nullptr)->destroy(storage_);
        }
    }

    const Table* table_ = nullptr;
    alignas(std::max_align_t) unsigned char storage_[kInPlaceBytes];
};

}  // namespace kiln::io
