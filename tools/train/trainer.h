// The training loop of `pretrain` and `finetune`: batches in, updates out, checkpoints that
// continue bit for bit, progress, and a clean stop at Ctrl-C.
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "data/batch.h"
#include "engine/communicator.h"
#include "engine/repeated.h"
#include "nn/model.h"
#include "nn/optim/optimizer.h"
#include "nn/optim/schedule.h"
#include "peft/method.h"

namespace lk {

struct TrainOptions {
  double epochs = 3;
  int64_t max_steps = 0;         // > 0: instead of epochs
  int64_t stop_after = 0;        // > 0: the run ends there, though schedules are made for all of it
  int64_t batch_size = 8;        // examples in a batch
  int64_t tokens_per_batch = 0;  // > 0: instead of batch_size
  int64_t accumulate = 1;        // batches in an update
  bool group_by_length = false;
  double lr = 1e-3, weight_decay = 0.0, max_grad_norm = 1.0, warmup_ratio = 0.06;
  std::string schedule = "linear";
  OptimizerConfig optimizer;
  uint64_t seed = 0;
  int64_t save_steps = 0;  // 0: a checkpoint at the end only
  int64_t save_total_limit = 2;
  int64_t logging_steps = 10;
  std::filesystem::path output;
  bool resume = false;
  Communicator* processes = nullptr;  // share each update's batches; null: this one is alone
  bool cuda_graphs = false;           // a batch's passes become graphs (engine/repeated.h)
  // What must be the same for a resumed run beside these options and the data: model, method,
  // dtype.
  std::string fingerprint;
};

struct TrainResult {
  int64_t steps = 0, planned = 0, tokens = 0;
  double seconds = 0, last_loss = 0;
  bool interrupted = false;
  GraphCounts graphs;  // of --cuda-graphs
};

// The summed loss of a batch; Batch::labelled says over how many labels.
using BatchLoss = std::function<Var(Model& model, const Batch& batch)>;
Var language_loss(Model& model, const Batch& batch);
Var class_loss(Model& model, const Batch& batch);
Var token_class_loss(Model& model, const Batch& batch);
BatchLoss loss_of(Task task);
// A packed batch as a model takes it.
ModelInput as_input(const Batch& batch);

// How examples become a batch; number: another one for each batch of a run, the same in a resumed
// one.
using MakeBatch = std::function<Batch(std::span<const Example* const> examples, uint64_t number)>;

// groups: what is trained. Writes OUTPUT/log.jsonl, and checkpoints as the options say. method: of
// fine-tuning; its loss term, callbacks and state take part. batch: make_batch without.
TrainResult train(Model& model, std::vector<ParamGroup> groups,
                  const std::vector<Example>& examples, const BatchLoss& loss,
                  const TrainOptions& options, Method* method = nullptr,
                  const MakeBatch& batch = nullptr);

}  // namespace lk
