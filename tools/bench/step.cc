#include "tools/bench/step.h"

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "autograd/ops.h"
#include "cuda/device.h"
#include "engine/gemm.h"
#include "engine/parallel.h"
#include "engine/repeated.h"
#include "engine/rng.h"
#include "nn/load.h"
#include "peft/method.h"
#include "tools/bench/clock.h"
#include "tools/bench/device.h"
#include "tools/plan/shapes.h"
#include "tools/train/run_model.h"

namespace lk {
namespace {

const Clock::time_point kStart = Clock::now();

// A model, what trains in it, and what updates that.
struct Trained {
  std::unique_ptr<Model> model;
  std::unique_ptr<Method> method;  // none: only the model's first vector trains
  std::unique_ptr<Optimizer> optimizer;
  std::unique_ptr<Repeated> passes = {};
  int64_t trained = 0, total = 0;
};

struct Step {  // times in ms
  double forward, backward, update, loss;
  double whole() const { return forward + backward + update; }
};

std::vector<Parameter*> first_vector(Model& model) {
  Parameter* first = nullptr;
  model.visit_parameters([&](Parameter& p) {
    p.freeze();
    if (!first && p.shape.rank() == 1) first = &p;
  });
  require(first != nullptr, "this model has no vector that could train");
  first->make_trainable();
  return {first};
}

Trained make_trained(const StepBench& o, const Config& config, const WeightFactory* weights,
                     bool frozen) {
  Trained t;
  t.model = make_model(config, task_of(config), o.dtype, 0, weights);
  t.model->gradient_checkpointing = o.checkpointing;
  if (!frozen) {
    const MethodInfo& info = find_method(o.method);
    t.method = info.make(method_settings(info, "", o.method_flags));
    t.method->attach(*t.model, 0);
  }
  move_parameters(*t.model, t.method.get(), o.device);
  t.total = parameter_count(*t.model, t.method.get());
  std::vector<ParamGroup> groups(1);
  for (Parameter* p : frozen ? first_vector(*t.model) : select_parameters(*t.model, *t.method)) {
    groups[0].params.emplace_back(p->name, p->var);
    t.trained += p->shape.numel();
  }
  groups[0].weight_decay = 0.01;
  OptimizerConfig update_by;
  update_by.name = o.optimizer;
  update_by.page_file = frozen ? "bench-frozen.pages" : "bench-optimizer.pages";
  t.optimizer = make_optimizer(update_by, groups);
  t.model->training = true;
  t.passes = std::make_unique<Repeated>(o.cuda_graphs ? Device::cuda : Device::cpu);
  return t;
}

Batch random_batch(const StepBench& o, const Model& model) {
  const auto words = static_cast<uint32_t>(model.info().vocab_size - 5);
  Random random(1);
  std::vector<Example> examples(static_cast<size_t>(o.batch));
  std::vector<const Example*> pointers;
  for (Example& e : examples) {
    for (int64_t t = 0; t < o.seq; ++t)
      e.ids.push_back(5 + static_cast<int32_t>(random.below(words)));
    e.labels.assign(e.ids.begin() + 1, e.ids.end());
    e.labels.push_back(-100);
    if (model.info().task == Task::classification) {
      e.labels.assign(e.ids.size(), -100);
      e.class_label = static_cast<int32_t>(random.below(2));
    }
    pointers.push_back(&e);
  }
  return make_batch(pointers);
}

Step take_step(Trained& t, const Batch& batch, Device device) {
  const auto start = Clock::now();
  Var sum;
  double forward = 0;
  t.passes->run([&] {
    sum = t.model->info().task == Task::classification ? class_loss(*t.model, batch)
                                                       : language_loss(*t.model, batch);
    finish(device);
    forward = since(start);
    backward(scale(sum, 1.0f / static_cast<float>(batch.labelled)));
  });
  finish(device);
  const double both = since(start);
  t.optimizer->step(1e-4);
  t.optimizer->zero_grad();
  finish(device);
  const double all = since(start);
  return {forward * 1e3, (both - forward) * 1e3, (all - both) * 1e3,
          sum.value().item() / static_cast<double>(batch.labelled)};
}

// Of all steps, what `of` says.
template <class F>
std::vector<double> each(const std::vector<Step>& steps, F of) {
  std::vector<double> out;
  for (const Step& step : steps) out.push_back(of(step));
  return out;
}

}  // namespace

void add_step_options(CLI::App& app, StepBench& o) {
  app.add_option("--model", o.model, "")
      ->capture_default_str()
      ->check(CLI::IsMember(shape_names()));
  add_dtype_option(app, o.dtype);
  add_quant_options(app, o.quant);
  add_device_option(app, o.device);
  app.add_option("--method", o.method, "a method of the registry")->capture_default_str();
  app.add_option("--batch", o.batch, "")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--seq", o.seq, "tokens of each example")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--steps", o.steps, "")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--warm-up", o.warm_up, "steps before those that count")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_flag(
      "--over-frozen", o.over_frozen,
      "after each step one of the frozen model without the method, whose gradient goes to "
      "the bottom all the same: what the method costs above it, as the median of the pairs' "
      "ratios; memory is then that of both");
  add_method_options(*app.add_option_group("methods", "options of the methods"), o.method_flags);
  app.add_flag("--checkpointing", o.checkpointing, "gradient checkpointing");
  app.add_flag("--cuda-graphs", o.cuda_graphs,
               "with --device cuda, the passes as CUDA graphs (engine/repeated.h)");
  add_activations_option(app, o.activations);
  app.add_option("--optimizer", o.optimizer,
                 "what updates the weights; paged: states in a file in this folder, whose name "
                 "is gone at once")
      ->capture_default_str()
      ->check(CLI::IsMember(known_optimizers()));
  app.add_option(
         "--ceiling", o.ceiling,
         "order of the square product whose rate is the ceiling; 0: 8192 on CUDA, else 2048")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
}

nlohmann::ordered_json bench_step(const StepBench& o) {
  const Config config = named_shape(o.model);
  require_device(o.device);
  require(!o.cuda_graphs || o.device == Device::cuda, "--cuda-graphs needs --device cuda");
  const auto quantizer = make_quantizer(o.quant, config);
  const StoreActivations storage(o.activations);
  Trained with = make_trained(o, config, quantizer.get(), false);
  std::optional<Trained> without;
  if (o.over_frozen) without = make_trained(o, config, quantizer.get(), true);
  const Batch batch = random_batch(o, *with.model);
  const double startup = since(kStart);

  std::vector<Step> steps, frozen;
  double flops = 0, first = 0;
  for (int64_t i = 0; i < o.steps + o.warm_up; ++i) {
    const double flops_before = gemm_counters().flops;
    const Step step = take_step(with, batch, o.device);
    flops = gemm_counters().flops - flops_before;
    if (i == 0) first = since(kStart);
    const bool counts = i >= o.warm_up;
    if (counts) steps.push_back(step);
    if (!without) continue;
    const Step other = take_step(*without, batch, o.device);
    if (counts) frozen.push_back(other);
  }
  // Useful matrix flops: all products of the step (library) and attention's: 2 forward, 5 backward,
  // each 2 T^2 d per document and layer, half of it under a causal mask.
  const ModelInfo& m = with.model->info();
  flops += static_cast<double>(o.batch * m.layers * o.seq * o.seq * m.heads * m.head_dim) * 2 * 7 *
           (m.causal ? 0.5 : 1.0);
  const double peak = static_cast<double>(peak_rss_bytes()) / 1048576.0;
  const double ceiling = gemm_ceiling(o.dtype, o.device,
                                      o.ceiling > 0              ? o.ceiling
                                      : o.device == Device::cuda ? 8192
                                                                 : 2048);
  const std::vector<double> whole = each(steps, [](const Step& s) { return s.whole(); });
  const double step_ms = median(whole);
  nlohmann::ordered_json out{
      {"who", "lorikeet"},
      {"model", o.model},
      {"method", o.method},
      {"batch", o.batch},
      {"seq", o.seq},
      {"dtype", name_of(o.dtype)},
      {"device", name_of(o.device)},
      {"quant", o.quant.type},
      {"checkpointing", o.checkpointing},
      {"cuda_graphs", o.cuda_graphs},
      {"activations", name_of(o.activations)},
      {"optimizer", o.optimizer},
      {"trainable_params", with.trained},
      {"total_params", with.total},
      {"step_ms", step_ms},
      {"step_ms_min", *std::min_element(whole.begin(), whole.end())},
      {"step_ms_max", *std::max_element(whole.begin(), whole.end())},
      {"forward_ms", median(each(steps, [](const Step& s) { return s.forward; }))},
      {"backward_ms", median(each(steps, [](const Step& s) { return s.backward; }))},
      {"optimizer_ms", median(each(steps, [](const Step& s) { return s.update; }))},
      {"tokens_per_s", static_cast<double>(o.batch * o.seq) / step_ms * 1e3},
      {"peak_rss_mb", std::llround(peak)},
      {"peak_device_mb", memory_stats(Device::cuda).total_peak >> 20},
      {"startup_s", startup},
      {"first_step_done_s", first},
      {"gemm_ceiling_gflops", ceiling},
      {"mfu", flops / (step_ms * 1e-3) / 1e9 / ceiling},
      {"loss", steps.back().loss},
      {"threads", max_threads()}};
  if (without) {
    std::vector<double> ratios;
    for (size_t i = 0; i < steps.size(); ++i)
      ratios.push_back(steps[i].whole() / frozen[i].whole() - 1);
    out["frozen_ms"] = median(each(frozen, [](const Step& s) { return s.whole(); }));
    out["over_frozen"] = median(ratios);
  }
  if (o.device == Device::cuda) out["device_name"] = device_name(Cuda{});
  return out;
}

}  // namespace lk
