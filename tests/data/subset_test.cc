#include "data/subset.h"

#include <algorithm>
#include <set>

#include "tests/support.h"

namespace lk {
namespace {

TEST_CASE("subset: a smaller one is the start of a larger one; the seed decides") {
  const auto large = subset(1000, 500, 3, "train.tsv"), small = subset(1000, 100, 3, "train.tsv");
  CHECK(std::set<size_t>(large.begin(), large.end()).size() == 500);
  CHECK(*std::max_element(large.begin(), large.end()) < 1000);
  CHECK(std::equal(small.begin(), small.end(), large.begin()));
  CHECK(subset(1000, 100, 3, "train.tsv") == small);
  CHECK(subset(1000, 100, 4, "train.tsv") != small);
  // From all of the file, not from its beginning.
  CHECK(*std::max_element(small.begin(), small.end()) > 800);
  CHECK(subset(3, 0, 3, "train.tsv") == std::vector<size_t>{0, 1, 2});
  auto whole = subset(7, 7, 1, "train.tsv");
  std::sort(whole.begin(), whole.end());
  CHECK(whole == subset(7, 0, 1, "train.tsv"));
}

TEST_CASE("subset: more than there are is refused") {
  CHECK(test::error_of([] { subset(5, 6, 0, "train.tsv"); }) ==
        "a limit of 6 records was asked for, but train.tsv has 5");
  CHECK(test::error_of([] { subset(5, -1, 0, "train.tsv"); }).find("limit of -1") !=
        std::string::npos);
}

}  // namespace
}  // namespace lk
