// SPDX-License-Identifier: Apache-2.0
// Texts of policies that are compared with what a call brings: resources, and the values of
// conditions. In policies of the version 2012-10-17 they may hold variables (IAM-33):
//
//   ${KEY}  ${KEY, 'instead'}   the value of a condition key; instead, where the call has none
//   ${*}  ${?}  ${$}            the character, which then stands for itself alone
//
// What a variable brings is never a wildcard, and its colons divide no ARN: a tag may hold "*" and
// means that character.
//
// Errors: of parse(), what is wrong, as the message of MalformedPolicyDocument. Thread model: plain
// values, pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/policy_facts.h"
#include "util/result.h"

namespace kiln::control {

// A byte each. '*' is any run of characters, '?' any one, ':' divides an ARN; but for those with
// kItself added, which are a byte of the text and nothing else.
using Pattern = std::u16string;
inline constexpr char16_t kItself = 0x100;

Pattern pattern_of(std::string_view text);
// Without what makes it a pattern: for operators that know no wildcards.
std::string plain_text(const Pattern& pattern);

bool wildcard_match(std::u16string_view pattern, std::string_view text, bool ignore_case);
// Of a text without variables.
bool wildcard_match(std::string_view pattern, std::string_view text, bool ignore_case);
// Part by part, of the six that colons divide: '*' and '?' do not reach over a colon.
bool arn_match(std::u16string_view pattern, std::string_view arn);

class PolicyText {
  public:
    // Every character as it stands, "${" too: of policies of the version 2008-10-17.
    static PolicyText plain(std::string text);
    static Result<PolicyText> parse(std::string text);

    const std::string& text() const { return text_; }
    // Of its variables, in lower case.
    std::vector<std::string_view> keys() const;
    // How many colons divide it, and whether a variable comes before the `nth` of them.
    std::size_t colons() const;
    bool has_variable_before_colon(std::size_t nth) const;

    // Nothing where a variable has no value, or several: then the text equals nothing.
    std::optional<Pattern> resolve(const FindFact& find) const;

  private:
    struct Piece {
        Pattern fixed;
        std::string key{};  // of the variable behind it, in lower case; empty: the end
        std::optional<std::string> instead{};
    };
    static Status take_variable(std::string_view inner, std::vector<Piece>& pieces);

    std::string text_;
    std::vector<Piece> pieces_;
};

}  // namespace kiln::control
