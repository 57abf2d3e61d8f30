#include "peft/methods_table.h"

#include "tests/support.h"

namespace lk {
namespace {

TEST_CASE("README: the table of methods is the registry's") {
  // Where it differs, put in what `bin/inspect --methods` prints.
  CHECK(test::read_file("README.md").find(methods_table()) != std::string::npos);
}

}  // namespace
}  // namespace lk
