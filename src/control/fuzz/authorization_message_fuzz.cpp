// SPDX-License-Identifier: Apache-2.0
// Fuzz target: messages for DecodeAuthorizationMessage. What was not sealed here opens for nobody;
// what was sealed opens for its account as it was, and with any byte changed not at all. Thread
// model: pure function.
#include "control/authorization_messages.h"
#include "util/check.h"

namespace {

class FixedClock final : public kiln::io::Clock {
  public:
    kiln::UnixMillis now() override { return kiln::UnixMillis{1'800'000'000'000}; }
    std::chrono::nanoseconds monotonic() override { return {}; }
};

class FixedRng final : public kiln::io::Rng {
  public:
    void fill(kiln::MutableByteView out) override {
        for (std::uint8_t& byte : out) {
            byte = next_++;
        }
    }

  private:
    std::uint8_t next_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace kiln;
    using namespace kiln::control;
    FixedClock clock;
    FixedRng rng;
    const AuthorizationMessages messages(Bytes(32, 7), clock, rng);
    const model::AccountId account("111111111111");
    const std::string_view text = as_text({data, size});
    const auto opened = messages.open(account, text);
    INVARIANT(!opened && opened.error().api_code() == "InvalidAuthorizationMessageException");
    if (size == 0 || size > kMaxRefusalDocument) {
        return 0;
    }
    std::string sealed = messages.seal(account, text);
    INVARIANT(sealed.size() <= kMaxAuthorizationMessage);
    INVARIANT(messages.open(account, sealed).value() == text);
    INVARIANT(!messages.open(model::AccountId("222222222222"), sealed));
    // The last characters may be padding, and bits that Base64 does not look at.
    char& changed = sealed[data[0] % (sealed.size() - 4)];
    changed = changed == 'A' ? 'B' : 'A';
    INVARIANT(!messages.open(account, sealed));
    return 0;
}
