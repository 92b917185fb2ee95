// SPDX-License-Identifier: Apache-2.0
// The types of which generated request and response structs are made. In a request a parameter is
// one of three things: absent, given with an empty value (`NoDevice=`, `SubnetId=`), or set; every
// member can tell them apart.
//
//   std::optional<std::string>  absent; given as ""; set          std::optional<Struct>  absent;
//   given (maybe all absent inside) Scalar<T>                   absent; given empty; set List<T>
//   absent; given empty; items
//
// In a response an absent member is not written, an empty list that was given is written as an
// empty element. All are standard-layout, so that the descriptor tables may hold offsets. Thread
// model: plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "util/bytes.h"
#include "util/time.h"

namespace kiln::api {

// A number, boolean, time or blob. There is no conversion to bool on purpose: `if
// (request.dry_run)` would ask for presence where the value is meant. Use value_or(), or
// has_value() and *.
template <class T>
class Scalar {
  public:
    Scalar() = default;
    Scalar(T value) : value_(std::move(value)), state_(State::set) {}
    template <class U>
    requires(std::is_same_v<T, bool> && !std::is_same_v<U, bool>) Scalar(U)
    = delete;  // a pointer or a number is no boolean
    static Scalar empty_value() {
        Scalar scalar;
        scalar.state_ = State::empty;
        return scalar;
    }

    bool has_value() const { return state_ == State::set; }
    bool given_empty() const { return state_ == State::empty; }
    bool given() const { return state_ != State::absent; }
    const T& operator*() const { return value_; }  // the default of T unless has_value()
    T& emplace() {
        state_ = State::set;
        return value_ = T{};
    }
    T value_or(T other) const { return has_value() ? value_ : std::move(other); }
    friend bool operator==(const Scalar&, const Scalar&) = default;

  private:
    enum class State : std::uint8_t { absent, empty, set };
    T value_{};
    State state_ = State::absent;
};

// A list. Adding an item, or assigning a vector (an empty one too), gives it.
template <class T>
class List {
  public:
    using value_type = T;

    List() = default;
    List(std::vector<T> items) : items_(std::move(items)), given_(true) {}
    List(std::initializer_list<T> items) : items_(items), given_(true) {}

    bool given() const { return given_; }
    List& give() {
        given_ = true;
        return *this;
    }
    bool empty() const { return items_.empty(); }
    std::size_t size() const { return items_.size(); }
    const T& operator[](std::size_t index) const { return items_[index]; }
    T& operator[](std::size_t index) { return items_[index]; }
    const T& front() const { return items_.front(); }
    auto begin() const { return items_.begin(); }
    auto end() const { return items_.end(); }
    auto begin() { return items_.begin(); }
    auto end() { return items_.end(); }
    void reserve(std::size_t count) { items_.reserve(count); }
    void push_back(T item) {
        given_ = true;
        items_.push_back(std::move(item));
    }
    T& emplace_back() {
        given_ = true;
        return items_.emplace_back();
    }
    const std::vector<T>& items() const { return items_; }

  private:
    std::vector<T> items_;
    bool given_ = false;
};

// The value of a parameter for which clients send an empty one to mean "absent" (ids, names,
// locations): null unless given and not empty.
inline const std::string* non_empty(const std::optional<std::string>& text) {
    return text && !text->empty() ? &*text : nullptr;
}

}  // namespace kiln::api
