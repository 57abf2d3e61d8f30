#include "tools/train/run_state.h"

#include <xxhash.h>

#include "engine/files/checkpoint.h"

namespace lk {
namespace {

void add_to(uint64_t& hash, const Example& e) {
  for (const auto* v : {&e.ids, &e.labels, &e.type_ids, &e.source_ids, &e.slots})
    hash = XXH3_64bits_withSeed(v->data(), v->size() * sizeof(int32_t), hash);
  hash = XXH3_64bits_withSeed(&e.class_label, sizeof e.class_label, hash);
  for (const Example& wrong : e.wrong) add_to(hash, wrong);
}

// The states beside the parameters, by name.
void visit_states(Optimizer& optimizer, Method* method,
                  const std::function<void(const std::string&, Tensor&)>& f) {
  optimizer.visit_state([&](const std::string& name, Tensor& t) { f("optimizer." + name, t); });
  if (method)
    method->visit_state([&](const std::string& name, Tensor& t) { f("method." + name, t); });
}

}  // namespace

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

void save_state(const TrainOptions& o, Optimizer& optimizer, Method* method, const UpdatePlan& plan,
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

int64_t restore_state(const TrainOptions& o, Optimizer& optimizer, Method* method,
                      UpdatePlan& plan) {
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

void share_start(DataParallel& processes, Optimizer& optimizer, Method* method, UpdatePlan& plan,
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

}  // namespace lk
