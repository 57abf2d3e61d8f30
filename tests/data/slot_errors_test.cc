#include "data/slot_errors.h"

#include <cmath>

#include "tests/support.h"

namespace lk {
namespace {

double rate(const std::string& input, const std::string& text) {
  const auto r = slot_error_rate({input}, {text});
  REQUIRE(r.has_value());
  return *r;
}

TEST_CASE("slot errors: missing and wrong values over the slots") {
  const std::string mill =
      "name : The Mill | Type : coffee shop | food : Italian | price : less than £20 | area : "
      "riverside | family friendly : no | near : The Sorrento";
  CHECK(rate(mill,
             "The Mill is a coffee shop near The Sorrento by the river. It serves Italian food "
             "under £20 and is not family-friendly.") == 0);
  // Price and area are missing.
  CHECK(rate(mill,
             "The Mill is a coffee shop near The Sorrento with Italian food, not for "
             "families.") == doctest::Approx(2.0 / 7));
  // Another food: the right one is missing, the other redundant.
  CHECK(rate("name : A | food : Italian", "A serves French food.") == doctest::Approx(2.0 / 2));
  CHECK(rate("name : A | food : Italian", "A serves Italian food.") == 0);
  // What the input does not say.
  CHECK(rate("name : A | food : Italian", "A serves Italian food in the city centre.") ==
        doctest::Approx(1.0 / 2));
  CHECK(rate("name : A | family friendly : yes", "A is family friendly.") == 0);
  CHECK(rate("name : A | family friendly : yes", "A is not family friendly.") ==
        doctest::Approx(2.0 / 2));
  CHECK(rate("name : A | family friendly : no", "A is family friendly.") ==
        doctest::Approx(2.0 / 2));
  CHECK(rate("name : A | customer rating : 5 out of 5", "A has five stars... a five star place") ==
        0);
  CHECK(rate("name : The English Rose", "The English Rose.") == 0);  // a name is no food
  CHECK(rate("name : A", "") == 1);
}

TEST_CASE("slot errors: over all texts; data of another kind have none") {
  const auto both = slot_error_rate({"name : A | area : riverside", "name : B"}, {"A", "B"});
  REQUIRE(both.has_value());
  CHECK(*both == doctest::Approx(1.0 / 3));
  CHECK(!slot_error_rate({"name : A", "What is it?"}, {"A", "it"}).has_value());
  CHECK(!slot_error_rate({"colour : red"}, {"red"}).has_value());
  CHECK(!slot_error_rate({}, {}).has_value());
  CHECK(test::error_of([] { slot_error_rate({"name : A"}, {}); }).find("1 inputs, but 0 texts") !=
        std::string::npos);
}

// People's own texts have few: E2E's crowd left out about a tenth of the slots.
TEST_CASE("slot errors: of texts of the demo that are right there are none") {
  CHECK(rate("name: The Quiet Fox | type: pub | food: Indian | rating: average | area: riverside | "
             "family: yes",
             "The Quiet Fox is a pub that serves Indian food by the riverside. It has an average "
             "rating and is family friendly.") == 0);
}

}  // namespace
}  // namespace lk
