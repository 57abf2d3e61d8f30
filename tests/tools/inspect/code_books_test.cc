#include "tools/inspect/code_books.h"

#include <doctest/doctest.h>

#include <numeric>

#include "engine/error.h"
#include "tests/support.h"
#include "tests/tiny_models.h"
#include "tests/tools/tool_run.h"

namespace lk {
namespace {

TEST_CASE("code books: every weight of the linear layers but the head is counted once") {
  const auto model = test::tiny_model("llama", DType::f32);
  int64_t weights = 0, layers = 0;
  model->visit_linears([&](Linear& linear) {
    if (linear.role() == Role::head) return;
    weights += linear.in_features() * linear.out_features();
    ++layers;
  });
  const CodeBookReport report = compare_code_books(*model, 32);
  CHECK(report.weights == weights);
  CHECK(std::accumulate(report.histogram.begin(), report.histogram.end(), int64_t{0}) == weights);
  // Each block has a weight at -1 or 1, its largest.
  CHECK(report.histogram.front() + report.histogram.back() >= weights / 32);
  REQUIRE(report.rows.size() == 5);
  for (const CodeBookReport::Row& row : report.rows) CHECK(row.error.layers == layers);
}

TEST_CASE(
    "code books: errors are those of quantize and dequantize; NF4 is best of normal weights") {
  const auto model = test::tiny_model("gpt2", DType::f32);
  model->visit_linears([](Linear& linear) {
    linear.weight().assign(
        test::random_tensor({linear.out_features(), linear.in_features()}, DType::f32, 3, 0.02));
  });
  const CodeBookReport report = compare_code_books(*model, 64);
  std::map<std::string, double> error, bits;
  for (const CodeBookReport::Row& row : report.rows) {
    const std::string name = row.spec.type + (row.spec.double_quant ? "+" : "");
    error[name] = row.error.mean, bits[name] = row.bits;
    double mean = 0;
    model->visit_linears([&](Linear& linear) {
      if (linear.role() == Role::head) return;
      const Tensor w = linear.weight().dense(DType::f32);
      const auto exact = w.to_vector<double>(),
                 held = dequantize(quantize(w, row.spec), DType::f32).to_vector<double>();
      double difference = 0, size = 0;
      for (size_t i = 0; i < exact.size(); ++i) {
        difference += (held[i] - exact[i]) * (held[i] - exact[i]);
        size += exact[i] * exact[i];
      }
      mean += std::sqrt(difference / size) / static_cast<double>(row.error.layers);
    });
    CHECK(row.error.mean == doctest::Approx(mean).epsilon(1e-9));
  }
  CHECK(error["nf4"] < error["int4"]);
  CHECK(error["int4"] < error["fp4"]);
  CHECK(error["int8"] < error["nf4"] / 8);
  CHECK(bits["nf4"] == 4.5);
  CHECK(bits["nf4+"] == doctest::Approx(4.127).epsilon(1e-4));  // the paper's 0.127 bits
}

TEST_CASE("code books: the picture has a tick for each value, and inspect shows it") {
  const auto model = test::tiny_model("bert", DType::f32);
  const std::string text = text_of(compare_code_books(*model, 64));
  const size_t line = text.find("nf4   |");
  REQUIRE(line != std::string::npos);
  const std::string ticks = text.substr(line, text.find('\n', line) - line);
  CHECK(std::count(ticks.begin(), ticks.end(), '|') == 16);
  CHECK(ticks.size() == 6 + kHistogramBins);
  CHECK_THROWS_AS(compare_code_books(*model, 48), Error);

  const test::TempDir dir;
  test::make_llama_folder(dir);
  const std::string inspect = test::tool("inspect") + " " + (dir / "model").string();
  const test::Outcome shown = run(dir, inspect + " --code-books 64");
  CHECK(shown.code == 0);
  CHECK(shown.says("mean relative error"));
  const test::Outcome odd = run(dir, inspect + " --code-books 100");
  CHECK(odd.code == 1);
  CHECK(odd.says("--code-books"));
}

}  // namespace
}  // namespace lk
