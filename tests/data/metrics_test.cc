// Expected values by scikit-learn 1.9 (accuracy, F1, Matthews) and by hand (BLEU, ROUGE-L).
#include "data/metrics.h"

#include <doctest/doctest.h>

#include <cmath>

#include "engine/error.h"

namespace lk {
namespace {

TEST_CASE("classification metrics") {
  const std::vector<int32_t> p{0, 1, 2, 2, 1, 0, 1}, e{0, 1, 1, 2, 1, 2, 0};
  CHECK(std::abs(accuracy(p, e) - 4.0 / 7) <= 1e-12);
  // f1: class 0: 2*1/(2+2), class 1: 2*2/(3+3), class 2: 2*1/(2+2)
  CHECK(std::abs(macro_f1(p, e) - (0.5 + 2.0 / 3 + 0.5) / 3) <= 1e-12);
  // (7*4 - (2*2+3*3+2*2)) / sqrt((49-17)(49-17))
  CHECK(std::abs(matthews(p, e) - 11.0 / 32) <= 1e-12);
  CHECK(matthews(std::vector<int32_t>{1, 1}, std::vector<int32_t>{0, 1}) == 0);
  CHECK_THROWS_AS(accuracy({}, {}), Error);
}

TEST_CASE("text metrics") {
  CHECK(exact_match({" a b ", "c"}, {{"a b"}, {"d", "e"}}) == 0.5);
  CHECK(std::abs(bleu({"the cat sat on the mat"}, {{"The cat sat on the mat"}}) - 100) <= 1e-9);
  CHECK(bleu({"dog"}, {{"the cat sat on the mat"}}) == 0);
  // No run of four words is right, and nothing is smoothed.
  CHECK(bleu({"the cat sat in the mat"}, {{"the cat sat on the mat"}}) == 0);
  // 5 of 6 words, 3 of 5 pairs, 2 of 4 triples, 1 of 3 fours.
  CHECK(std::abs(bleu({"the cat sat on a mat"}, {{"the cat sat on the mat"}}) -
                 100 * std::pow(5.0 / 6 * 3 / 5 * 2 / 4 * 1 / 3, 0.25)) <= 1e-9);
  // Half as long: brevity exp(1 - 8 / 4), all four grams right.
  CHECK(std::abs(bleu({"a b c d"}, {{"a b c d e f g h"}}) - 100 * std::exp(-1.0)) <= 1e-9);
  CHECK(std::abs(rouge_l({"a x b c"}, {{"a b c d"}}) - 75) <= 1e-9);
  CHECK(std::abs(rouge_l({"q"}, {{"a"}}) - 0) <= 1e-9);
}

}  // namespace
}  // namespace lk
