// A training step of a method on a model of random weights.
#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "engine/dtype.h"
#include "engine/tensor.h"
#include "tools/train/cli.h"
#include "tools/train/method_options.h"
#include "tools/train/quant_options.h"

namespace lk {

struct StepBench {
  std::string model = "gpt2-small", method = "lora", optimizer = "adamw";
  MethodFlags method_flags;
  int64_t batch = 4, seq = 256, steps = 5, warm_up = 2, ceiling = 0;
  DType dtype = DType::f32;
  Device device = Device::cpu;
  bool checkpointing = false, over_frozen = false, cuda_graphs = false;
  ActivationStorage activations = ActivationStorage::compute;
  QuantOptions quant;
};

void add_step_options(CLI::App& app, StepBench& o);

// The medians of o.steps steps after o.warm_up, in ms. over_frozen: each is followed by a step of
// the model without the method, in which one vector at the bottom trains, so that the gradient goes
// through all of it; what the method costs is the median of the pairs' ratios.
nlohmann::ordered_json bench_step(const StepBench& o);

}  // namespace lk
