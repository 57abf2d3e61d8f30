#include "tools/train/trainer.h"

#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <map>
#include <optional>

#include "autograd/ops.h"
#include "engine/files/checkpoint.h"
#include "engine/rng.h"
#include "tools/train/data_parallel.h"
#include "tools/train/progress.h"
#include "tools/train/step_log.h"

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

// Which batches make which update: epochs follow one another, a last short update closes each.
class Plan {
 public:
  Plan(const std::vector<Example>& examples, const TrainOptions& o, const MakeBatch& make)
      : examples_(examples), options_(o), make_(make) {
    const auto per_epoch = static_cast<int64_t>(batches(0).size());
    updates_per_epoch_ = (per_epoch + o.accumulate - 1) / o.accumulate;
    total_ = o.max_steps > 0 ? o.max_steps
                             : static_cast<int64_t>(std::ceil(
                                   o.epochs * static_cast<double>(updates_per_epoch_) - 1e-9));
    require(total_ > 0, "there is nothing to train: {} epochs of {} updates", o.epochs,
            updates_per_epoch_);
  }
  int64_t total() const { return total_; }
  // The batches of update `step` (from 0). With a token budget the number of batches may differ a
  // little between epochs, so position is kept as (epoch, batch).
  std::vector<Batch> next() {
    std::vector<Batch> out;
    if (epoch_ != loaded_epoch_) {
      order_ = batches(epoch_);
      loaded_epoch_ = epoch_;
    }
    for (int64_t i = 0; i < options_.accumulate && at_ < static_cast<int64_t>(order_.size());
         ++i, ++at_) {
      std::vector<const Example*> chosen;
      for (const int64_t e : order_[static_cast<size_t>(at_)])
        chosen.push_back(&examples_[static_cast<size_t>(e)]);
      const uint64_t number = (static_cast<uint64_t>(epoch_) << 32) + static_cast<uint64_t>(at_);
      out.push_back(make_ ? make_(chosen, number) : make_batch(chosen));
    }
    if (at_ == static_cast<int64_t>(order_.size())) {
      ++epoch_;
      at_ = 0;
    }
    return out;
  }
  int64_t epoch() const { return epoch_; }
  int64_t batch() const { return at_; }
  void seek(int64_t epoch, int64_t batch) {
    epoch_ = epoch;
    at_ = batch;
  }

 private:
  std::vector<std::vector<int64_t>> batches(int64_t epoch) const {
    return epoch_batches(examples_, options_.batch_size, options_.tokens_per_batch,
                         options_.group_by_length, options_.seed, epoch);
  }
  const std::vector<Example>& examples_;
  const TrainOptions& options_;
  const MakeBatch& make_;
  std::vector<std::vector<int64_t>> order_;
  int64_t epoch_ = 0, at_ = 0, loaded_epoch_ = -1, updates_per_epoch_ = 0, total_ = 0;
};

void add_to(uint64_t& hash, const Example& e) {
  for (const auto* v : {&e.ids, &e.labels, &e.type_ids, &e.source_ids, &e.slots})
    hash = XXH3_64bits_withSeed(v->data(), v->size() * sizeof(int32_t), hash);
  hash = XXH3_64bits_withSeed(&e.class_label, sizeof e.class_label, hash);
  for (const Example& wrong : e.wrong) add_to(hash, wrong);
}

// All that decides where a run goes, so that a resumed one can be held to it: the caller's own
// words, the options here, and the examples' tokens.
std::string fingerprint(const TrainOptions& o, const std::vector<Example>& examples) {
  uint64_t hash = examples.size();
  for (const Example& e : examples) add_to(hash, e);
  const OptimizerConfig& c = o.optimizer;
  return fmt::format(
      "{}; data {:016x}; {} epochs, {} steps, batches of {}, {} tokens, {} in an update, by length "
      "{}; {} lr {} {} "
      "warm-up {} decay {} clip {} betas {} {} momentum {}; seed {}",
      o.fingerprint, hash, o.epochs, o.max_steps, o.batch_size, o.tokens_per_batch, o.accumulate,
      o.group_by_length, c.name, o.lr, o.schedule, o.warmup_ratio, o.weight_decay, o.max_grad_norm,
      c.beta1, c.beta2, c.momentum, o.seed);
}

// The states beside the parameters, by name.
void visit_states(Optimizer& optimizer, Method* method,
                  const std::function<void(const std::string&, Tensor&)>& f) {
  optimizer.visit_state([&](const std::string& name, Tensor& t) { f("optimizer." + name, t); });
  if (method)
    method->visit_state([&](const std::string& name, Tensor& t) { f("method." + name, t); });
}

void save_state(const TrainOptions& o, Optimizer& optimizer, Method* method, const Plan& plan,
                int64_t step) {
  std::vector<NamedTensor> tensors;
  for (const ParamGroup& group : optimizer.groups())
    for (const auto& [name, p] : group.params) tensors.push_back({"param." + name, p.value()});
  visit_states(optimizer, method, [&](const std::string& name, Tensor& t) {
    tensors.push_back({name, t});
  });
  save_checkpoint(checkpoint_path(o.output, step),
                  {{"step", std::to_string(step)},
                   {"optimizer_steps", std::to_string(optimizer.steps)},
                   {"epoch", std::to_string(plan.epoch())},
                   {"batch", std::to_string(plan.batch())},
                   {"fingerprint", o.fingerprint}},
                  tensors);
  prune_checkpoints(o.output, o.save_total_limit);
}

// The dropout of each batch of a run has streams of its own, whichever process computes it.
uint64_t first_stream(int64_t step, const TrainOptions& o, size_t batch) {
  constexpr int kStreamsInBatch = 24;  // 2 to this power
  const uint64_t number = static_cast<uint64_t>(step * o.accumulate) + batch;
  return (number << kStreamsInBatch) + 1;
}

// Puts the newest checkpoint back; returns its step, 0 when there is none.
int64_t restore_state(const TrainOptions& o, Optimizer& optimizer, Method* method, Plan& plan) {
  std::vector<std::string> damaged;
  const auto found = latest_checkpoint(o.output, damaged);
  for (const std::string& d : damaged) fmt::print(stderr, "skipped a damaged checkpoint: {}\n", d);
  require(found.has_value(),
          "{}: there is no checkpoint to resume from; start the run without --resume",
          o.output.string());
  require(found->text("fingerprint") == o.fingerprint,
          "{}: the checkpoint was written with other options or data:\n  then: {}\n  now:  "
          "{}\nresume with the same ones",
          found->file.string(), found->text("fingerprint"), o.fingerprint);
  const auto put = [&](const std::string& name, const Tensor& to) {
    const Tensor& from = found->tensor(name);
    require(from.shape() == to.shape() && from.dtype() == to.dtype(),
            "{}: '{}' is {} {}, expected {} {}", found->file.string(), name, name_of(from.dtype()),
            from.shape(), name_of(to.dtype()), to.shape());
    to.copy_from(from);
  };
  for (const ParamGroup& group : optimizer.groups())
    for (const auto& [name, p] : group.params) put("param." + name, p.value());
  visit_states(optimizer, method, [&](const std::string& name, Tensor& t) { put(name, t); });
  optimizer.steps = found->integer("optimizer_steps");
  plan.seek(found->integer("epoch"), found->integer("batch"));
  return found->integer("step");
}

// The first process's values become all the others'; of a resumed run, its states and position too.
void share_start(DataParallel& processes, Optimizer& optimizer, Method* method, Plan& plan,
                 int64_t& step, bool resumed) {
  std::vector<Tensor> values;
  for (const ParamGroup& group : optimizer.groups())
    for (const auto& [name, p] : group.params) values.push_back(p.value());
  if (resumed) {
    std::vector<int64_t> position{step, optimizer.steps, plan.epoch(), plan.batch()};
    processes.broadcast(position);
    step = position[0];
    optimizer.steps = position[1];
    plan.seek(position[2], position[3]);
    visit_states(optimizer, method, [&](const std::string&, Tensor& t) { values.push_back(t); });
  }
  processes.broadcast(values);
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
  Plan plan(examples, o, batch);
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
