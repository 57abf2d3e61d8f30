#include "tools/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <optional>

#include "autograd/ops.h"
#include "engine/rng.h"
#include "tools/train/data_parallel.h"
#include "tools/train/progress.h"
#include "tools/train/run_state.h"
#include "tools/train/step_log.h"
#include "tools/train/update_plan.h"

namespace lk {
namespace {

volatile std::sig_atomic_t g_stop = 0;

// While it lives, the first Ctrl-C (or TERM) asks for a stop after the step; a second one ends the
// process.
class StopOnSignal {
 public:
  StopOnSignal() {
    g_stop = 0;
    for (size_t i = 0; i < 2; ++i) {
      struct sigaction action {};
      action.sa_handler = [](int) { g_stop = 1; };
      action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
      sigaction(kSignals[i], &action, &old_[i]);
    }
  }
  ~StopOnSignal() {
    for (size_t i = 0; i < 2; ++i) sigaction(kSignals[i], &old_[i], nullptr);
  }
  StopOnSignal(const StopOnSignal&) = delete;
  StopOnSignal& operator=(const StopOnSignal&) = delete;

 private:
  static constexpr int kSignals[2] = {SIGINT, SIGTERM};
  struct sigaction old_[2]{};
};

// The dropout of each batch of a run has streams of its own, whichever process computes it.
uint64_t first_stream(int64_t step, const TrainOptions& o, size_t batch) {
  constexpr int kStreamsInBatch = 24;  // 2 to this power
  const uint64_t number = static_cast<uint64_t>(step * o.accumulate) + batch;
  return (number << kStreamsInBatch) + 1;
}

}  // namespace

ModelInput as_input(const Batch& batch) {
  ModelInput in{batch.ids,
                {batch.positions, batch.labels, batch.type_ids, batch.offsets},
                nullptr,
                batch.source_ids,
                {batch.source_positions, {}, {}, batch.source_offsets}};
  (batch.source_ids.empty() ? in.packing : in.source).slots = batch.slots;
  return in;
}

Var language_loss(Model& model, const Batch& batch) {
  ModelInput in = as_input(batch);
  const Var h = model.hidden(in);
  return model.lm_loss(h, in.packing.labels);
}

Var class_loss(Model& model, const Batch& batch) {
  ModelInput in = as_input(batch);
  const Var h = model.hidden(in);
  return cross_entropy(model.class_logits(h, in.packing), batch.class_labels);
}

Var token_class_loss(Model& model, const Batch& batch) {
  ModelInput in = as_input(batch);
  const Var h = model.hidden(in);
  return cross_entropy(model.class_logits(h, in.packing), in.packing.labels);
}

BatchLoss loss_of(Task task) {
  if (task == Task::classification) return class_loss;
  if (task == Task::token_classification) return token_class_loss;
  return language_loss;
}

TrainResult train(Model& model, std::vector<ParamGroup> groups,
                  const std::vector<Example>& examples, const BatchLoss& loss,
                  const TrainOptions& options, Method* method, const MakeBatch& batch) {
  require(!examples.empty(), "the training data is empty");
  TrainOptions o = options;
  o.fingerprint = fingerprint(options, examples);
  int64_t trainable = 0;
  for (const ParamGroup& g : groups) trainable += static_cast<int64_t>(g.params.size());
  require(trainable > 0, "no parameter is trainable");
  UpdatePlan plan(examples, o, batch);
  const ParamGroup& some = *std::find_if(groups.begin(), groups.end(),
                                         [](const ParamGroup& g) { return !g.params.empty(); });
  DataParallel processes(o.processes, some.params[0].second.value().device(), o.accumulate);
  processes.check_same(o.fingerprint);
  OptimizerConfig optimizer_config = o.optimizer;
  optimizer_config.page_file =
      o.output / fmt::format("optimizer-{}.pages", o.processes ? o.processes->rank() : 0);
  const auto optimizer = make_optimizer(optimizer_config, std::move(groups));
  if (method) method->start_training(plan.total());
  int64_t step = 0;
  if (o.resume && processes.is_first()) {
    step = restore_state(o, *optimizer, method, plan);
    fmt::print(stderr, "resumed after step {} of {}\n", step, plan.total());
  }
  share_start(processes, *optimizer, method, plan, step, o.resume);
  const Schedule schedule{o.schedule,
                          static_cast<int64_t>(o.warmup_ratio * static_cast<double>(plan.total())),
                          plan.total()};
  learning_rate_factor(schedule, 0);  // an unknown name is an error before the first step

  const StopOnSignal guard;
  Progress progress(step, plan.total(), o.logging_steps);
  std::optional<StepLog> log;
  if (processes.is_first()) log.emplace(o.output, step);
  TrainResult result;
  Repeated passes(o.cuda_graphs ? Device::cuda : Device::cpu);
  model.training = true;
  int64_t saved = -1;
  const int64_t end = o.stop_after > 0 ? std::min(o.stop_after, plan.total()) : plan.total();
  while (step < end && !processes.any(g_stop != 0)) {
    const std::vector<Batch> batches = plan.next();
    int64_t labelled = 0, tokens = 0;
    for (const Batch& b : batches) labelled += b.labelled, tokens += b.real_tokens;
    require(labelled > 0, "step {}: no token of the batch carries a label; is the output empty?",
            step + 1);
    double total = 0;
    for (size_t i = 0; i < batches.size(); ++i) {
      if (!processes.has(i)) continue;
      dropout_state() = {o.seed, first_stream(step, o, i)};
      Var sum;
      passes.run([&] {
        sum = loss(model, batches[i]);
        // Normalised by the labels of the whole update, so that accumulation equals one big batch.
        backward(scale(sum, 1.0f / static_cast<float>(labelled)));
      });
      total += sum.value().item();
    }
    processes.sum_gradients(optimizer->groups());
    result.last_loss = processes.sum(total) / static_cast<double>(labelled);
    if (const Var term = method ? method->penalty() : Var(); term.defined()) {
      result.last_loss += term.value().item();
      backward(term);
    }
    const double norm = clip_grad_norm(optimizer->groups(), o.max_grad_norm);
    if (!std::isfinite(result.last_loss) || !std::isfinite(norm)) {
      progress.finish();
      fail(
          "step {}: the loss is {} and the gradient norm {}; training stops, the last good "
          "checkpoint stays. Try a lower --lr, "
          "--max-grad-norm 1, or --dtype f32",
          step + 1, result.last_loss, norm);
    }
    const double lr = o.lr * learning_rate_factor(schedule, step);
    optimizer->step(lr);
    if (method) method->after_update(step);
    optimizer->zero_grad();
    ++step;
    result.tokens += tokens;
    if (!processes.is_first()) continue;
    log->add(step, result.last_loss, norm, lr, tokens);
    progress.show(step, result.last_loss, norm, lr, result.tokens);
    if (o.save_steps > 0 && step % o.save_steps == 0) {
      log->flush();
      save_state(o, *optimizer, method, plan, saved = step);
    }
  }
  if (log) log->flush();
  progress.finish();
  model.training = false;
  result.graphs = passes.counts();
  result.interrupted = step < end;
  if (processes.is_first() && saved != step && (o.save_steps > 0 || result.interrupted))
    save_state(o, *optimizer, method, plan, step);
  result.steps = step;
  result.planned = plan.total();
  result.seconds = progress.seconds();
  return result;
}

}  // namespace lk
