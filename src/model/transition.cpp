// SPDX-License-Identifier: Apache-2.0
#include "model/transition.h"

namespace kiln::model {

Error to_error(const Refusal& refusal, std::string_view id) {
    std::string text(refusal.text);
    const std::size_t at = text.find("{}");
    if (at != std::string::npos) {
        text.replace(at, 2, id);
    }
    if (refusal.api_code.empty()) {
        return Error(refusal.code, std::move(text));
    }
    return Error::api(refusal.code, std::string(refusal.api_code), std::move(text));
}

}  // namespace kiln::model
