// Paged optimizers on the device: the bits of ordinary ones, with their states in managed memory
// that comes for each update and leaves after it.
#include "engine/paged.h"

#include <map>

#include "engine/device.h"
#include "nn/optim/optimizer.h"
#include "peft/method.h"
#include "tests/cuda/paged.h"
#include "tests/cuda/watch.h"
#include "tests/peft/contract.h"
#include "tests/support.h"
#include "tests/tiny_models.h"
#include "tools/plan/memory_plan.h"
#include "tools/train/method_options.h"
#include "tools/train/trainer.h"

namespace lk::test {
namespace {

using States = std::map<std::string, Tensor>;
States states_of(Optimizer& optimizer) {
  States states;
  optimizer.visit_state([&](const std::string& name, Tensor& t) { states[name] = t; });
  return states;
}

void check_same(const std::vector<ParamGroup>& a, const std::vector<ParamGroup>& b) {
  for (size_t i = 0; i < a[0].params.size(); ++i)
    CHECK(same_bits(a[0].params[i].second.value().to(Device::cpu),
                    b[0].params[i].second.value().to(Device::cpu)));
}
void check_same(const States& a, const States& b) {
  REQUIRE(a.size() == b.size());
  for (const auto& [name, t] : a) CHECK(same_bits(t.to(Device::cpu), b.at(name).to(Device::cpu)));
}

TEST_CASE("cuda: paged states give the bits of ordinary ones, and come and go") {
  for (const std::string name : {"adamw", "adamw8bit"}) {
    CAPTURE(name);
    const auto plain = some_groups(), paged = some_groups();
    const auto a = make_optimizer({.name = name}, plain),
               b = make_optimizer({.name = "paged-" + name}, paged);
    for (uint64_t step = 1; step <= 3; ++step) {
      set_gradients(plain, step);
      set_gradients(paged, step);
      a->step(1e-2);
      const Watch watch;
      b->step(1e-2);
      CHECK(watch.faults() == "");
    }
    check_same(plain, paged);
    const States states = states_of(*b);
    check_same(states_of(*a), states);
    int managed = 0;
    for (const auto& entry : states) {
      CAPTURE(entry.first);
      const Tensor& t = entry.second;
      CHECK(t.device() == Device::cuda);
      CHECK(t.is_mapped() == (t.numel() >= 100000));
      const Place place = place_of(t);
      CHECK(place.type == (t.is_mapped() ? cudaMemoryTypeManaged : cudaMemoryTypeDevice));
      if (!t.is_mapped()) continue;
      ++managed;
      CHECK(place.preferred == cudaCpuDeviceId);
      CHECK(place.prefetched == cudaCpuDeviceId);  // it was put away
    }
    CHECK(managed == 4);  // two moments of two parameters
  }
}

TEST_CASE("cuda: paged states, saved and put back, go on bit for bit") {
  for (const std::string name : {"paged-adamw", "paged-adamw8bit"}) {
    CAPTURE(name);
    const auto groups = some_groups(), other = some_groups();
    const auto first = make_optimizer({.name = name}, groups),
               second = make_optimizer({.name = name}, other);
    for (uint64_t step = 1; step <= 2; ++step) {
      set_gradients(groups, step);
      first->step(1e-2);
    }
    States saved;
    for (const auto& [state, t] : states_of(*first)) saved[state] = t.to(Device::cpu);
    second->visit_state([&](const std::string& n, Tensor& t) { t.copy_from(saved.at(n)); });
    for (const auto& [state, t] : states_of(*second))
      if (t.is_mapped()) CHECK(place_of(t).prefetched == cudaCpuDeviceId);
    second->steps = first->steps;
    for (size_t i = 0; i < groups[0].params.size(); ++i)
      other[0].params[i].second.value().copy_from(groups[0].params[i].second.value());
    set_gradients(groups, 3);
    set_gradients(other, 3);
    first->step(1e-2);
    second->step(1e-2);
    check_same(groups, other);
    check_same(states_of(*first), states_of(*second));
  }
}

TEST_CASE("cuda: paged states count as the host's memory for optimizers, and are given back") {
  const auto live = [](Device device) {
    return memory_stats(device).live[static_cast<size_t>(Category::optimizer)];
  };
  const int64_t host = live(Device::cpu), device = live(Device::cuda);
  const auto groups = some_groups();
  {
    const auto optimizer = make_optimizer({.name = "paged-adamw"}, groups);
    int64_t paged = 0;
    for (const Shape& shape : {Shape{400, 251}, Shape{1021, 101}})
      paged += 2 * static_cast<int64_t>(PagedMemory::bytes_for(shape, DType::f32));
    CHECK(live(Device::cpu) == host + paged);  // from the start
    set_gradients(groups, 1);
    optimizer->step(1e-2);
    CHECK(live(Device::cpu) == host + paged);
    CHECK(live(Device::cuda) == device + 2 * 4 * (100 * 50 + 30));
    const Tensor kept = states_of(*optimizer).at("exp_avg.p1");
  }
  CHECK(live(Device::cpu) == host);
  CHECK(live(Device::cuda) == device);
}

Config config() {
  return Config::parse(R"({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"],
      "vocab_size": 4000, "n_embd": 32, "n_layer": 1, "n_head": 4, "n_positions": 32})",
                       "paged");
}

// A tied table of 4000 x 32 has paged states, all else ordinary ones. Returns what trained.
std::vector<Tensor> trained(const std::string& optimizer, const std::filesystem::path& output,
                            int64_t stop_after, bool resume) {
  const auto model = make_model(config(), Task::causal_lm, DType::f32, 7);
  const auto method = method_of("full", "{}");
  method->attach(*model, 11);
  move_parameters(*model, method.get(), Device::cuda);
  const auto parameters = select_parameters(*model, *method);
  std::vector<Example> examples(3);
  for (size_t i = 0; i < examples.size(); ++i)
    for (int32_t j = 0; j < 5; ++j) {
      examples[i].ids.push_back(static_cast<int32_t>(i) * 1300 + 31 * j);
      examples[i].labels.push_back(j < 4 ? static_cast<int32_t>(i) * 7 + j : -100);
    }
  std::filesystem::create_directories(output);
  TrainOptions o;
  o.max_steps = 4;
  o.batch_size = 2;
  o.save_steps = 2;
  o.stop_after = stop_after;
  o.resume = resume;
  o.optimizer.name = optimizer;
  o.logging_steps = 100;
  o.output = output;
  train(*model, parameter_groups(parameters, *method, 0.01), examples, language_loss, o,
        method.get());
  std::vector<Tensor> out;
  for (const Parameter* p : parameters) out.push_back(p->var.value().to(Device::cpu));
  return out;
}

TEST_CASE(
    "cuda: training with paged states, stopped and resumed from its checkpoint, is the same") {
  for (const std::string name : {"adamw", "adamw8bit"}) {
    CAPTURE(name);
    const TempDir folder;
    const auto plain = trained(name, folder / "plain", 0, false);
    (void)trained("paged-" + name, folder / "paged", 2, false);
    const auto paged = trained("paged-" + name, folder / "paged", 0, true);
    REQUIRE(plain.size() == paged.size());
    for (size_t i = 0; i < plain.size(); ++i) CHECK(same_bits(plain[i], paged[i]));
  }
}

TEST_CASE("cuda: the plan's paged and ordinary states are those of the run, to the byte") {
  for (const std::string name : {"paged-adamw", "paged-adamw8bit"}) {
    CAPTURE(name);
    PlanOptions o;
    o.method = "full";
    o.device = Device::cuda;
    o.optimizer.name = name;
    const MemoryPlan plan = plan_memory(config(), o, method_settings(find_method("full"), "", {}));
    const TempDir folder;
    constexpr auto kOptimizer = static_cast<size_t>(Category::optimizer);
    reset_memory_peak();
    const int64_t host = memory_stats(Device::cpu).live[kOptimizer],
                  device = memory_stats(Device::cuda).live[kOptimizer];
    (void)trained(name, folder / "run", 1, false);
    CHECK(memory_stats(Device::cpu).peak[kOptimizer] - host == plan.paged);
    CHECK(memory_stats(Device::cuda).peak[kOptimizer] - device == plan.optimizer);
    CHECK(plan.fetched == plan.paged);  // of one parameter
    CHECK(plan.paged >= 2 * 4000 * 32 * (name == "paged-adamw" ? 4 : 1));
  }
}

}  // namespace
}  // namespace lk::test
