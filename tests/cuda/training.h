// Some steps of training on either device: forward, loss, backward, clipping and the update of tiny
// models, with dropout.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "nn/optim/optimizer.h"
#include "peft/method.h"
#include "tests/tiny_models.h"

namespace lk::test {

struct Run {
  // gpt2, llama, bert or t5; heads of 8, the least that the attention's tiles take
  std::string type, method, settings = "{}", optimizer = "adamw";
  DType compute = DType::f32;
  bool checkpointing = false;
  std::string quant = {};  // of the base's linear layers, with double quantization
};

struct Trained {
  std::unique_ptr<Model> model;
  std::unique_ptr<Method> method;
  std::vector<Parameter*> parameters;
  std::vector<double> losses;
};

Trained make(const Run& run, Device device);
Trained train(const Run& run, Device device, int steps = 3);
// The largest difference of any parameter, trained or not; infinity where one is not finite.
double difference(Trained& a, Trained& b);
// Trains on both: parameters and losses agree within `tolerance`, and parameters moved.
void check_equal(const Run& run, double tolerance = 1e-4, int steps = 3);

}  // namespace lk::test
