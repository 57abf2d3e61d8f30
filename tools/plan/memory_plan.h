// What memory a fine-tuning run will need, before it is started and without its weights.
//
// The plan is no table of guesses: the run itself is made dry (engine/dry_run.h). The model, the
// method and the optimizer are built and two updates are taken as training takes them, with the
// longest batch the options allow, and the allocator counts what is held when it is most. The terms
// are therefore those of the code, and for a decoder of L blocks, hidden size d, T tokens in a
// batch, b bytes in the compute dtype, N numbers in the base and n trained ones they are
//   base         b N; a quantized matrix has bits / 8 + 4 / block bytes for each number, with
//   double
//                quantization bits / 8 + (1 + 4 / 256) / block; norms and biases 4
//                (a table in a mapped file counts whole, though rows never read stay on disk)
//   trained      4 n: the method's own numbers and the f32 masters of the base's trained ones
//   gradients    4 n, and T d b or T ffn b of those on their way through a block
//   optimizer    adamw 8 n, sgd and lion 4 n, adamw8bit (2 + 8 / 256) n, lion8bit half of it;
//                paged states lie in a file instead, or, with --device cuda, in the host's memory
//   activations  L times what the ops of a block save for the backward pass (of LoRA: the inputs of
//                norms, attention and activations, T (c d + 3 ffn) b, c about 10);
//                with checkpointing L T d b, and the saved ones of a single block
//   workspace    a block of logits, at most 64 MB in f32 (and half of it in bf16); the panel that a
//                quantized matrix is restored into; packed copies of matrices. (Not counted: the
//                scratch of attention's threads, 5 keys d / heads numbers each.)
//   reuse        freed memory that is kept for the next tensors
#pragma once

#include <cstdint>

#include "autograd/saved.h"
#include "nn/load.h"
#include "nn/optim/optimizer.h"
#include "peft/method.h"
#include "tools/train/quant_options.h"

namespace lk {

struct PlanOptions {
  std::string method = "lora";
  int64_t labels = 0;            // classes, for a classifier; 0: the task of config.json
  Device device = Device::cpu;   // where training will run; the plan needs none
  int64_t batch_size = 8;        // examples
  int64_t tokens_per_batch = 0;  // > 0: instead, as many examples as fit
  int64_t max_length = 0;        // tokens of each example; 0: the model's context
  DType dtype = DType::f32;
  bool gradient_checkpointing = false;
  ActivationStorage activations = ActivationStorage::compute;
  QuantOptions quant;
  OptimizerConfig optimizer;
};

struct MemoryPlan {
  int64_t examples = 0, length = 0;     // of the batch
  int64_t parameters = 0, trained = 0;  // numbers, in the model and its adapter
  QuantOptions quant;                   // what the method and the folder made of the options
  int64_t base = 0, added = 0;          // bytes: the base; the adapter and f32 masters
  int64_t optimizer = 0, paged = 0;     // bytes of its states; those in paged memory instead,
  int64_t fetched = 0;                  // of which so many are used at a time
  MemoryStats stats;                    // of the run's tensors alone
  int64_t loading = 0;                  // the most that was held before training began
  int64_t tensors = 0;                  // the most that is held
};

// settings: of the method (tools/train/method_options.h). Error for whatever the run would refuse
// before its first step.
MemoryPlan plan_memory(const Config& config, const PlanOptions& options, const Settings& settings);

}  // namespace lk
