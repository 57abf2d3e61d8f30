// What the quantized types make of a model's weights: their code books under the weights'
// histogram, and the error of each (Dettmers et al. 2023, section 3 and figure 3).
#pragma once

#include <array>
#include <string>
#include <vector>

#include "quant/quantizer.h"

namespace lk {

inline constexpr int kHistogramBins = 79;  // odd: one is about 0

struct CodeBookReport {
  int64_t block_size = 0, weights = 0;
  // How many weights over their block's largest magnitude fall into each of the equal parts of
  // [-1, 1].
  std::array<int64_t, kHistogramBins> histogram{};
  struct Row {
    QuantSpec spec;
    double bits = 0;  // a weight, factors and all
    QuantError error;
  };
  std::vector<Row> rows;
};

// Of the linear layers, but the head, whose weights are dense; none is changed. Error for a block
// size that is not known and a model without such layers.
CodeBookReport compare_code_books(Model& model, int64_t block_size);

// For a terminal: the histogram, where the values of the 4-bit code books lie, and a table of
// errors.
std::string text_of(const CodeBookReport& report);

}  // namespace lk
