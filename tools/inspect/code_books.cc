#include "tools/inspect/code_books.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "engine/codebook.h"

namespace lk {
namespace {

size_t bin_of(float value) {
  const auto bin = static_cast<int>((value + 1) / 2 * kHistogramBins);
  return static_cast<size_t>(std::clamp(bin, 0, kHistogramBins - 1));
}

void count(CodeBookReport& report, const Tensor& w) {
  const float* x = w.data<float>();
  for (int64_t begin = 0; begin < w.numel(); begin += report.block_size) {
    const int64_t end = std::min(w.numel(), begin + report.block_size);
    float absmax = 0;
    for (int64_t i = begin; i < end; ++i) absmax = std::max(absmax, std::fabs(x[i]));
    if (!(absmax > 0 && std::isfinite(absmax))) continue;
    for (int64_t i = begin; i < end; ++i) ++report.histogram[bin_of(x[i] / absmax)];
  }
  report.weights += w.numel();
}

// Bars of eighths, `height` lines high.
std::string bars(const std::array<int64_t, kHistogramBins>& histogram, int height) {
  static constexpr const char* kEighths[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const int64_t most = std::max<int64_t>(1, *std::max_element(histogram.begin(), histogram.end()));
  std::string out;
  for (int line = height - 1; line >= 0; --line) {
    std::string text(6, ' ');
    for (const int64_t n : histogram) {
      const auto eighths = static_cast<int64_t>(
          std::lround(8.0 * height * static_cast<double>(n) / static_cast<double>(most)));
      text += kEighths[std::clamp<int64_t>(eighths - 8 * line, 0, 8)];
    }
    out += text.substr(0, text.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

}  // namespace

CodeBookReport compare_code_books(Model& model, int64_t block_size) {
  CodeBookReport report;
  report.block_size = block_size;
  for (const QuantSpec& spec : {QuantSpec{"nf4", block_size, false},
                                {"nf4", block_size, true},
                                {"fp4", block_size, false},
                                {"int4", block_size, false},
                                {"int8", block_size, false}}) {
    check_spec(spec, "--code-books");
    const auto block = static_cast<double>(block_size);
    const double factor = spec.double_quant ? 8 / block + 32 / (block * kNestedBlock) : 32 / block;
    report.rows.push_back({spec, bits_of(spec) + factor, {}});
  }
  const Quantizer quantizer(report.rows[0].spec);
  model.visit_linears([&](Linear& linear) {
    if (!dynamic_cast<DenseWeight*>(&linear.weight()) || !quantizer.wants(linear)) return;
    const Tensor w = linear.weight().dense(DType::f32);
    count(report, w);
    for (CodeBookReport::Row& row : report.rows)
      row.error.add(linear.name(), quantize(w, row.spec), w);
  });
  require(report.weights > 0, "--code-books: the model has no dense linear layers to quantize");
  return report;
}

std::string text_of(const CodeBookReport& report) {
  std::string out = fmt::format(
      "{} weights of {} linear layers over the largest magnitude of their block of {}\n",
      report.weights, report.rows[0].error.layers, report.block_size);
  out += bars(report.histogram, 8);
  for (const char* name : {"nf4", "fp4", "int4"}) {
    std::string line(kHistogramBins, '-');
    for (const float value : codebook4(name).values) line[bin_of(value)] = '|';
    out += fmt::format("{:<6}{}\n", name, line);
  }
  const int half = kHistogramBins / 2;
  out += fmt::format("{:>7}{:>{}}{:>{}}\n\n", "-1", 0, half, 1, half);
  out += fmt::format("{:<14} {:>13} {:>20} {:>8}\n", "type", "bits a weight", "mean relative error",
                     "worst");
  for (const CodeBookReport::Row& row : report.rows)
    out += fmt::format("{:<14} {:>13.3f} {:>20.5f} {:>8.5f} ({})\n",
                       row.spec.type + (row.spec.double_quant ? ", double" : ""), row.bits,
                       row.error.mean, row.error.worst, row.error.worst_layer);
  return out;
}

}  // namespace lk
