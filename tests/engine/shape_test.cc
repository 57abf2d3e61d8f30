#include "engine/shape.h"

#include "tests/support.h"

namespace lk {
namespace {

TEST_CASE("shape: dimensions, counts, text and what is refused") {
  const Shape s{2, 3, 5};
  CHECK(s.rank() == 3);
  CHECK(s[0] == 2);
  CHECK(s[-1] == 5);
  CHECK(s.numel() == 30);
  CHECK(s.str() == "[2, 3, 5]");
  CHECK(fmt::format("{}", s) == s.str());
  CHECK(Shape{}.numel() == 1);
  CHECK(Shape{}.str() == "[]");
  CHECK(Shape{4, 0}.numel() == 0);
  CHECK(s != Shape{2, 3});
  CHECK(s == Shape{2, 3, 5});
  CHECK(test::error_of([] { Shape{1, 1, 1, 1, 1}; }).find("more than 4") != std::string::npos);
  CHECK(test::error_of([] { Shape{-1}; }).find("this one is -1") != std::string::npos);
}

}  // namespace
}  // namespace lk
