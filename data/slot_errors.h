// Slot errors of texts that say what a table holds, as E2E's restaurants.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace lk {

// Wen et al. 2015 (arXiv:1508.01745), section 5.1: (missing + redundant) / slots, over all texts.
//   inputs: "name : The Mill | food : Italian | price : less than £20 | family friendly : no"
// A slot is missing where the text says none of the ways to put its value; it is redundant where
// the text says another value of an attribute with few values (Type, food, price, customer rating,
// area, family friendly), be the attribute in the input or not. Ways to put values are matched as
// lower-case words, so that this counts what a person would with some error (Dusek et al. 2020,
// arXiv:1901.07931, do the same by regular expressions).
// None where an input is not of this kind or has an attribute that is not E2E's.
std::optional<double> slot_error_rate(const std::vector<std::string>& inputs,
                                      const std::vector<std::string>& texts);

}  // namespace lk
