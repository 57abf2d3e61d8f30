#include <nlohmann/json.hpp>

#include "engine/files/json.h"
#include "nn/optim/optimizer.h"
#include "tests/support.h"

namespace lk {
namespace {

TEST_CASE("adafactor: twenty steps as transformers takes them") {
  const auto vectors = read_json("tests/nn/optim/vectors/adafactor.json");
  const auto shapes = vectors["shapes"].get<std::vector<std::vector<int64_t>>>();
  for (const auto& run : vectors["runs"]) {
    OptimizerConfig config;
    config.name = "adafactor";
    config.scale_parameter = run["scale_parameter"];
    std::vector<ParamGroup> groups(1);
    groups[0].weight_decay = run["weight_decay"];
    for (size_t i = 0; i < shapes.size(); ++i) {
      Shape shape;
      for (const int64_t d : shapes[i]) shape.push_back(d);
      groups[0].params.emplace_back(
          "p" + std::to_string(i),
          Var::leaf(Tensor::from(vectors["start"][i].get<std::vector<float>>(), shape)));
    }
    const auto optimizer = make_optimizer(config, groups);
    size_t compared = 0;
    for (size_t step = 0; step < vectors["gradients"].size(); ++step) {
      for (size_t i = 0; i < shapes.size(); ++i) {
        const Var& p = groups[0].params[i].second;
        p.set_grad(
            Tensor::from(vectors["gradients"][step][i].get<std::vector<float>>(), p.shape()));
      }
      optimizer->step(vectors["lr"]);
      if (vectors["after_steps"][compared] != step + 1) continue;
      for (size_t i = 0; i < shapes.size(); ++i) {
        const auto expected = run["values"][compared][i].get<std::vector<double>>();
        const auto found = groups[0].params[i].second.value().to_vector<double>();
        for (size_t k = 0; k < expected.size(); ++k) {
          CAPTURE(run["scale_parameter"].dump());
          CAPTURE(run["weight_decay"].dump());
          CAPTURE(step);
          CAPTURE(i);
          // The reference computes in f32.
          CHECK(std::abs(found[k] - expected[k]) <= 2e-5 * std::max(1.0, std::abs(expected[k])));
        }
      }
      ++compared;
    }
    CHECK(compared == 5);
  }
}

}  // namespace
}  // namespace lk
