// Ten steps of training against torch: losses, gradient norms, final weights.
#include <doctest/doctest.h>

#include <cmath>

#include "nn/optim/optimizer.h"
#include "nn/optim/schedule.h"
#include "peft/adapter_files.h"
#include "tests/oracle.h"
#include "tests/support.h"

namespace lk {
namespace {

struct Setup {
  std::string name, base;  // folders of tests/vectors/training and models
  OptimizerConfig optimizer;
  double lr, weight_decay, clip;
  bool lora = false;
};

void check_training(const Setup& s) {
  CAPTURE(s.name);
  const std::filesystem::path root = "tests/vectors", base = root / "models" / s.base;
  const auto vectors = SafetensorsFile::open(root / "training" / s.name / "vectors.safetensors");
  LoadedModel loaded = load_model(base, {.task = task_of(Config::load(base))});
  std::vector<ParamGroup> groups(1);
  groups[0].weight_decay = s.weight_decay;
  // As the trainer will see them: names and leaves.
  std::vector<std::pair<std::string, Parameter*>> trained;
  std::unique_ptr<Method> method;
  if (s.lora) {
    Settings settings = read_adapter_config("tests/vectors/peft/lora-qv-gpt2").settings;
    method = find_method("lora").make(settings);
    method->attach(*loaded.model, 0);
    for (Parameter* p : select_parameters(*loaded.model, *method)) {
      std::string key = p->name;
      key.insert(key.rfind(".weight"), ".default");
      p->var.value().copy_from(vectors->get("start." + key));
      trained.emplace_back(key, p);
    }
  } else {
    loaded.model->visit_parameters([&](Parameter& p) {
      p.make_trainable();
      trained.emplace_back(p.name, &p);
    });
  }
  for (auto& [key, p] : trained) groups[0].params.emplace_back(key, p->var);
  const auto optimizer = make_optimizer(s.optimizer, groups);
  const Tensor losses = vectors->get("out.losses"), norms = vectors->get("out.grad_norms"),
               rates = vectors->get("out.lrs");
  const Schedule schedule{"linear", 4, losses.numel()};
  for (int64_t step = 0; step < losses.numel(); ++step) {
    CAPTURE(step);
    const test::OracleBatch batch = test::read_batch(*vectors, "in." + std::to_string(step) + ".");
    const Var loss = test::mean_loss(*loaded.model, batch);
    CHECK(std::abs(loss.value().item() - losses.item(step)) <= 2e-4);
    backward(loss);
    const double norm = clip_grad_norm(optimizer->groups(), s.clip);
    CHECK(std::abs(norm - norms.item(step)) <= 5e-3 * norms.item(step));
    const double lr = s.lr * learning_rate_factor(schedule, step);
    CHECK(std::abs(lr - rates.item(step)) <= 1e-6 * s.lr);
    optimizer->step(lr);
    optimizer->zero_grad();
  }
  for (auto& entry : trained) {
    const std::string key = entry.first;
    const auto& p = entry.second;
    CAPTURE(key);
    const Tensor expected = vectors->get("final." + key);
    const double most = 5e-3 * test::max_magnitude(expected);
    // Adam divides by the gradient's own size: where that is rounding only (a key's bias, in GPT-2
    // the middle third of c_attn's), the step is noise.
    if (key.find("key.bias") != std::string::npos) continue;
    if (key.find("c_attn.bias") != std::string::npos) {
      const int64_t d = expected.dim(0) / 3;
      for (const int64_t at : {int64_t{0}, 2 * d})
        CHECK(test::max_difference(p->var.value().rows(at, at + d), expected.rows(at, at + d)) <=
              most);
      continue;
    }
    CHECK(test::max_difference(p->var.value(), expected) <= most);
  }
}

OptimizerConfig adamw() { return {}; }
OptimizerConfig sgd() {
  OptimizerConfig c;
  c.name = "sgd";
  return c;
}

TEST_CASE("training: adamw, all of gpt2") {
  check_training({"full-adamw-gpt2", "gpt2", adamw(), 5e-3, 0.01, 1.0});
}
TEST_CASE("training: sgd with momentum, all of bert") {
  check_training({"full-sgd-momentum-bert", "bert-classification", sgd(), 0.05, 1e-3, 1.0});
}
TEST_CASE("training: adamw, lora on gpt2") {
  check_training({"lora-adamw-gpt2", "gpt2", adamw(), 5e-3, 0.01, 1.0, true});
}

TEST_CASE("lion: by the paper's formula") {
  OptimizerConfig c;
  c.name = "lion";
  c.beta2 = 0.99;
  const Var p = Var::leaf(Tensor::from<float>({1.0f, -2.0f, 0.5f}));
  std::vector<ParamGroup> groups(1);
  groups[0].params = {{"p", p}};
  groups[0].weight_decay = 0.1;
  const auto optimizer = make_optimizer(c, groups);
  double value[3] = {1.0, -2.0, 0.5}, m[3] = {};
  for (int t = 0; t < 3; ++t) {
    const double g[3] = {0.3 - t, 0.0, -0.1 * t};
    p.set_grad(Tensor::from<float>(
        {static_cast<float>(g[0]), static_cast<float>(g[1]), static_cast<float>(g[2])}));
    optimizer->step(0.01);
    for (int i = 0; i < 3; ++i) {
      const double u = 0.9 * m[i] + 0.1 * g[i];
      value[i] -= 0.01 * ((u > 0) - (u < 0) + 0.1 * value[i]);
      m[i] = 0.99 * m[i] + 0.01 * g[i];
      CHECK(std::abs(p.value().item(i) - value[i]) <= 1e-6);
    }
  }
}

TEST_CASE("schedules and optimizers that are not known are named") {
  CHECK(test::error_of([] {
          learning_rate_factor({"quadratic", 0, 10}, 0);
        }).find("constant, cosine, linear") != std::string::npos);
  OptimizerConfig c;
  c.name = "adamv";
  CHECK(test::error_of([&] { make_optimizer(c, {}); }).find("adafactor, adamw, adamw8bit, lion") !=
        std::string::npos);
}

TEST_CASE("clipping leaves a small or not finite gradient alone") {
  const Var p = Var::leaf(Tensor::zeros({2}, DType::f32));
  std::vector<ParamGroup> groups(1);
  groups[0].params = {{"p", p}};
  p.set_grad(Tensor::from<float>({3.0f, 4.0f}));
  CHECK(clip_grad_norm(groups, 10.0) == 5.0);
  CHECK(p.grad().item(1) == 4.0);
  CHECK(clip_grad_norm(groups, 1.0) == 5.0);
  CHECK(std::abs(p.grad().item(1) - 0.8) <= 1e-5);
  p.set_grad(Tensor::from<float>({NAN, 4.0f}));
  CHECK(std::isnan(clip_grad_norm(groups, 1.0)));
  CHECK(p.grad().item(1) == 4.0);
}

TEST_CASE("clipping scales the gradient once that two parameters have in common") {
  const Var a = Var::leaf(Tensor::zeros({8}, DType::f32)),
            b = Var::leaf(Tensor::zeros({8}, DType::f32));
  backward(sum(add(a, b)));
  std::vector<ParamGroup> groups(1);
  groups[0].params = {{"a", a}, {"b", b}};
  CHECK(clip_grad_norm(groups, 1.0) == 4.0);
  for (const Var& p : {a, b}) CHECK(std::abs(p.grad().item(3) - 0.25) <= 1e-6);
}

}  // namespace
}  // namespace lk
