#include <doctest/doctest.h>

#include <cmath>

#include "tests/ops/op_case.h"

namespace lk {
namespace {

using test::Numbers;

TEST_CASE("layer_norm") {
  for (const int64_t rows : {1, 7})
    for (const int64_t d : {2, 31, 48, 65})
      test::check_op({.name = "layer_norm",
                      .shapes = {{rows, d}, {d}, {d}},
                      .op = [](const auto& x) { return layer_norm(x[0], x[1], x[2], 1e-5f); },
                      .reference =
                          [rows, d](const std::vector<Numbers>& x) {
                            Numbers y(x[0].size());
                            const auto n = static_cast<size_t>(d);
                            for (size_t i = 0; i < static_cast<size_t>(rows); ++i) {
                              double mean = 0, var = 0;
                              for (size_t j = 0; j < n; ++j)
                                mean += x[0][i * n + j] / static_cast<double>(d);
                              for (size_t j = 0; j < n; ++j)
                                var += std::pow(x[0][i * n + j] - mean, 2) / static_cast<double>(d);
                              for (size_t j = 0; j < n; ++j)
                                y[i * n + j] = (x[0][i * n + j] - mean) /
                                                   std::sqrt(var + static_cast<double>(1e-5f)) *
                                                   x[1][j] +
                                               x[2][j];
                            }
                            return y;
                          },
                      // Two elements of a row: the gradient is a small difference of large terms.
                      .f32_gradient = d == 2 ? 2e-3 : 1e-5,
                      .bf16_gradient = d == 2 ? 1.0 : 3e-2});
}

TEST_CASE("rms_norm of the parts of a row") {
  const int64_t rows = 3, parts = 4, d = 6;
  test::check_op({.name = "rms_norm of heads",
                  .shapes = {{rows, parts * d}, {d}},
                  .op = [](const auto& x) { return rms_norm(x[0], x[1], 1e-2f); },
                  .reference =
                      [](const std::vector<Numbers>& x) {
                        Numbers y(x[0].size());
                        for (size_t at = 0; at < x[0].size(); at += 6) {
                          double square = 0;
                          for (size_t j = 0; j < 6; ++j) square += std::pow(x[0][at + j], 2) / 6;
                          for (size_t j = 0; j < 6; ++j)
                            y[at + j] = x[0][at + j] /
                                        std::sqrt(square + static_cast<double>(1e-2f)) * x[1][j];
                        }
                        return y;
                      }});
}

TEST_CASE("rms_norm") {
  for (const int64_t rows : {1, 7})
    for (const int64_t d : {1, 31, 48, 65})
      test::check_op(
          {.name = "rms_norm",
           .shapes = {{rows, d}, {d}},
           .op = [](const auto& x) { return rms_norm(x[0], x[1], 1e-2f); },
           .reference =
               [rows, d](const std::vector<Numbers>& x) {
                 Numbers y(x[0].size());
                 const auto n = static_cast<size_t>(d);
                 for (size_t i = 0; i < static_cast<size_t>(rows); ++i) {
                   double square = 0;
                   for (size_t j = 0; j < n; ++j)
                     square += std::pow(x[0][i * n + j], 2) / static_cast<double>(d);
                   for (size_t j = 0; j < n; ++j)
                     y[i * n + j] =
                         x[0][i * n + j] / std::sqrt(square + static_cast<double>(1e-2f)) * x[1][j];
                 }
                 return y;
               },
           // One element a row: y hardly depends on x, its gradient is a difference of near equals.
           .f32_gradient = d == 1 ? 1e-3 : 1e-5,
           .bf16_gradient = d == 1 ? 0.5 : 3e-2});
}

}  // namespace
}  // namespace lk
