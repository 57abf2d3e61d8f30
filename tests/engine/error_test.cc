#include "engine/error.h"

#include "tests/support.h"

namespace lk {
namespace {

TEST_CASE("errors: the message is the formatted sentence") {
  CHECK(test::error_of([] { fail("{}: {} of {}", "f", 1, 2.5); }) == "f: 1 of 2.5");
  CHECK(test::error_of([] { require(false, "found {}", "x"); }) == "found x");
  CHECK_NOTHROW(require(true, "found {}", "x"));
}

TEST_CASE("a broken invariant ends the process and says where") {
  const std::string text =
      test::abort_message_of([] { invariant(1 + 1 == 3, "the sum is {}", 1 + 1); });
  CHECK(text.find("error_test.cc:") != std::string::npos);
  CHECK(text.find("broken invariant: the sum is 2") != std::string::npos);
}

}  // namespace
}  // namespace lk
