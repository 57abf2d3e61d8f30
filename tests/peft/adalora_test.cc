// AdaLoRA's schedule and what pruning leaves; its numbers are in oracle_test.cc and
// training_test.cc.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "autograd/ops.h"
#include "engine/gemm.h"
#include "engine/svd.h"
#include "peft/adalora_budget.h"
#include "peft/adapter_files.h"
#include "tests/oracle.h"
#include "tests/peft/contract.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk {
namespace {

TEST_CASE("the budget falls by a cube from the start's to the target's") {
  Parameter a("a", {4, 3}), e("e", {4, 1}), b("b", {5, 4});
  for (Parameter* p : {&a, &e, &b}) p->set(Tensor::zeros(p->shape, DType::f32));
  Budget budget;
  budget.target_r = 1;
  budget.t_init = 2;
  budget.t_final = 3;
  budget.interval = 2;
  budget.total = 15;
  budget.add({&a, &e, &b});
  CHECK(budget.at(2) == std::pair<int64_t, bool>{4, false});
  for (int64_t t = 3; t <= 12; ++t) {
    const double left = 1.0 - static_cast<double>(t - 2) / 10.0;
    CHECK(budget.at(t) ==
          std::pair<int64_t, bool>{static_cast<int64_t>(3 * left * left * left + 1), t % 2 == 0});
  }
  CHECK(budget.at(13) == std::pair<int64_t, bool>{1, true});
}

TEST_CASE("adalora: a schedule that does not fit the steps is refused") {
  const auto refused = [](const std::string& settings, int64_t steps) {
    return test::error_of([&] {
      const auto model = test::tiny_model("llama", DType::f32);
      const auto method = test::method_of("adalora", settings);
      method->attach(*model, 0);
      method->start_training(steps);
    });
  };
  CHECK(refused(R"({"init_r": 4, "target_r": 2, "tinit": 6, "tfinal": 4})", 10)
            .find("leave no step of the run's 10") != std::string::npos);
  CHECK(refused(R"({"init_r": 4, "target_r": 2, "total_step": 12})", 10)
            .find("total_step is 12, but the run has 10") != std::string::npos);
  CHECK(refused(R"({"init_r": 4, "target_r": 5})", 10).find("target_r") != std::string::npos);
  CHECK(refused(R"({"init_r": 17, "target_r": 5})", 10).find("above the rank") !=
        std::string::npos);
}

// Trains one model and returns the ranks that are left, with what is saved checked on the way.
std::map<std::string, int64_t> ranks_after_training() {
  const auto model = test::tiny_model("llama", DType::f32);
  const auto method = test::method_of(
      "adalora", R"({"init_r": 4, "target_r": 1, "tinit": 2, "tfinal": 10, "target_modules":
      "all-linear"})");
  method->attach(*model, 1);
  const auto trained = select_parameters(*model, *method);
  const auto optimizer = make_optimizer({}, parameter_groups(trained, *method, 0.0));
  const auto batch = test::pack(test::random_documents({6, 4}, 3));
  method->start_training(30);
  for (int64_t step = 0; step < 30; ++step) {
    backward(add(test::loss_of(*model, batch), method->penalty()));
    optimizer->step(1e-2);
    method->after_update(step);
    optimizer->zero_grad();
  }
  const Tensor before = test::hidden_of(*model, batch);
  method->finish_training();
  CHECK(test::max_difference(test::hidden_of(*model, batch), before) <= 1e-5);
  std::map<std::string, int64_t> ranks;
  method->visit([&](Parameter& p) {
    if (p.name.ends_with("lora_E")) ranks[p.name] = p.shape[0];
  });
  const test::TempDir dir;
  save_adapter(dir.path(), *model, *method, find_method("adalora"), "", {});
  const auto fresh = test::tiny_model("llama", DType::f32);
  const auto loaded = load_adapter(dir.path(), read_adapter_config(dir.path()), *fresh);
  CHECK(test::same_bits(test::hidden_of(*fresh, batch), test::hidden_of(*model, batch)));
  const auto& pattern = method->settings().json()["rank_pattern"];
  for (const auto& [name, rank] : ranks) {
    const auto& kept = pattern.at(name.substr(std::string("base_model.model.").size()));
    CHECK(std::count(kept.begin(), kept.end(), true) == rank);
  }
  return ranks;
}

TEST_CASE("adalora: training ends at the target budget, and what is saved computes the same") {
  int64_t total = 0;
  const auto ranks = ranks_after_training();
  for (const auto& [name, rank] : ranks) total += rank;
  CHECK(total == static_cast<int64_t>(ranks.size()));
}

// The last update, number 19, is no multiple of 7: λ that were pruned at 14 have grown again.
TEST_CASE("adalora: with tfinal 0 the budget is met whatever deltaT is") {
  const auto model = test::tiny_model("llama", DType::f32);
  const auto method = test::method_of("adalora", R"({"init_r": 4, "target_r": 1, "deltaT": 7})");
  method->attach(*model, 1);
  const auto optimizer =
      make_optimizer({}, parameter_groups(select_parameters(*model, *method), *method, 0.0));
  const auto batch = test::pack(test::random_documents({6, 4}, 3));
  method->start_training(20);
  for (int64_t step = 0; step < 20; ++step) {
    backward(test::loss_of(*model, batch));
    optimizer->step(1e-2);
    method->after_update(step);
    optimizer->zero_grad();
  }
  method->finish_training();
  int64_t matrices = 0, total = 0;
  method->visit([&](Parameter& p) {
    if (p.name.ends_with("lora_E")) ++matrices, total += p.shape[0];
  });
  CHECK(matrices > 0);
  CHECK(total == matrices);
}

// With the orthogonality term at 0, P and Q have orthonormal columns and rows, so that |λ| are the
// singular values of P Λ Q (LAPACK's).
TEST_CASE("adalora: λ becomes the singular values as the orthogonality term goes to 0") {
  const auto model = test::tiny_model("llama", DType::f64);
  const auto method = test::method_of(
      "adalora",
      R"({"init_r": 3, "target_r": 3, "orth_reg_weight": 1.0, "target_modules": ["q_proj"]})");
  method->attach(*model, 1);
  std::map<std::string, Parameter*> parts;
  const auto trained = select_parameters(*model, *method);
  for (Parameter* p : trained) parts[p->name] = p;
  const auto optimizer = make_optimizer({}, parameter_groups(trained, *method, 0.0));
  const std::string q = "base_model.model.model.layers.0.self_attn.q_proj.lora_";
  const double lambda[] = {0.7, -2.0, 1.1};
  for (int i = 0; i < 3; ++i) parts.at(q + "E")->var.value().data<double>()[i] = lambda[i];
  const auto distance = [&] {
    const Tensor a = parts.at(q + "A")->var.value().clone(), b = parts.at(q + "B")->var.value();
    for (int64_t i = 0; i < a.numel(); ++i) a.data<double>()[i] *= lambda[i / a.dim(1)];
    Tensor w = Tensor::empty({b.dim(0), a.dim(1)}, DType::f64);
    gemm(w, b, a);
    const Svd f = svd(w);
    const double expected[] = {2.0, 1.1, 0.7};
    double worst = 0;
    for (int i = 0; i < 3; ++i) worst = std::max(worst, std::abs(f.s.item(i) - expected[i]));
    return worst;
  };
  double previous = distance();
  CHECK(previous > 0.5);
  for (const int64_t steps : {200, 1000}) {
    for (int64_t i = 0; i < steps; ++i) {
      backward(method->penalty());
      optimizer->step(steps == 200 ? 2e-2 : 2e-4);
      optimizer->zero_grad();
    }
    const double now = distance();
    CHECK(now < 0.5 * previous);
    previous = now;
  }
  CHECK(method->penalty().value().item() < 1e-2);
  CHECK(previous < 5e-3);
}

}  // namespace
}  // namespace lk
