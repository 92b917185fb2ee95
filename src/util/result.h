// SPDX-License-Identifier: Apache-2.0
// Result<T>: a value or an Error. Everything of ours that can fail returns one; nothing of ours
// throws.
//
//   Result<int> f() {
//       TRY(check());                              // returns the error of check(), if any
//       TRY_ASSIGN(auto volume, open(id));         // declares volume, or returns the error
//       TRY_ASSIGN(size, length(path), "import");  // the third argument is context added to the
//       error return 3;
//   }
//
// TRY and TRY_ASSIGN are statements, not expressions: the expression form needs a compiler
// extension.
#pragma once

#include <tl/expected.hpp>
#include <type_traits>
#include <utility>

#include "util/error.h"

namespace kiln {

template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
  public:
    using Base = tl::expected<T, Error>;
    using Base::Base;
    Result(Error error) : Base(tl::unexpect, std::move(error)) {}
};

using Status = Result<void>;

inline Status ok() {
    return {};
}

}  // namespace kiln

#define KILN_CONCAT_(a, b) a##b
#define KILN_CONCAT(a, b) KILN_CONCAT_(a, b)
#define KILN_TRY_CONTEXT_0(r) std::move((r).error())
#define KILN_TRY_CONTEXT_1(r, context) std::move((r).error()).with(context)
#define KILN_TRY_SELECT(_1, _2, NAME, ...) NAME
#define KILN_TRY_IMPL(r, expr, ...)                                                     \
    do {                                                                                \
        auto r = (expr);                                                                \
        if (!r) {                                                                       \
            return KILN_TRY_SELECT(r __VA_OPT__(, ) __VA_ARGS__, KILN_TRY_CONTEXT_1,    \
                                   KILN_TRY_CONTEXT_0, )(r __VA_OPT__(, ) __VA_ARGS__); \
        }                                                                               \
    } while (0)
#define TRY(expr, ...) \
    KILN_TRY_IMPL(KILN_CONCAT(try_result_, __LINE__), expr __VA_OPT__(, ) __VA_ARGS__)
#define KILN_TRY_ASSIGN_IMPL(r, target, expr, ...)                                  \
    auto r = (expr);                                                                \
    if (!r) {                                                                       \
        return KILN_TRY_SELECT(r __VA_OPT__(, ) __VA_ARGS__, KILN_TRY_CONTEXT_1,    \
                               KILN_TRY_CONTEXT_0, )(r __VA_OPT__(, ) __VA_ARGS__); \
    }                                                                               \
    target = std::move(*r)
#define TRY_ASSIGN(target, expr, ...)                                \
    KILN_TRY_ASSIGN_IMPL(KILN_CONCAT(try_result_, __LINE__), target, \
                         expr __VA_OPT__(, ) __VA_ARGS__)
