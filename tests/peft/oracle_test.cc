// The `peft` cases of the reference's indices, a line for each.
#include "tests/peft/oracle_case.h"

#include <doctest/doctest.h>

namespace lk {
namespace {

TEST_CASE("the reference's adapters: logits, loss, gradients, files, merged weights") {
  CHECK(test::walk_oracle("peft", test::check_adapter) == 0);
}

}  // namespace
}  // namespace lk
