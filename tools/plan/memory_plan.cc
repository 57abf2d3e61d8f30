#include "tools/plan/memory_plan.h"

#include <map>
#include <nlohmann/json.hpp>

#include "autograd/ops.h"
#include "engine/dry_run.h"
#include "engine/paged.h"
#include "quant/bnb_files.h"
#include "quant/quantized_weight.h"
#include "tools/train/consistency.h"
#include "tools/train/run_model.h"
#include "tools/train/trainer.h"

namespace lk {
namespace {

Config with_labels(const Config& config, int64_t labels) {
  nlohmann::json json = config.json();
  json.erase("id2label");
  json["num_labels"] = labels;
  return Config::parse(json.dump(), config.file());
}

// The batch that takes most: all examples as long as they may be, all tokens but the last labelled.
Batch longest_batch(const Model& model, int64_t examples, int64_t length) {
  Example e;
  e.ids.assign(static_cast<size_t>(length), 0);
  const Task task = model.info().task;
  const bool all = task == Task::token_classification || model.info().encoder_decoder();
  e.labels.assign(e.ids.size(), task == Task::classification ? -100 : 0);
  if (!all) e.labels.back() = -100;
  e.class_label = task == Task::classification ? 0 : -100;
  if (model.info().encoder_decoder()) e.source_ids = e.ids;
  const std::vector<const Example*> same(static_cast<size_t>(examples), &e);
  return make_batch(same);
}

MemoryStats less(MemoryStats a, const MemoryStats& b) {
  for (size_t c = 0; c < kCategories; ++c) {
    a.live[c] -= b.live[c];
    a.peak[c] -= b.live[c];
    a.at_held_peak[c] -= b.live[c];
  }
  a.total_live -= b.total_live;
  a.total_peak -= b.total_live;
  a.held_peak -= b.total_live;
  return a;
}

// As the trainer makes an update.
void update(Model& model, Method& method, Optimizer& optimizer, const Batch& batch, int64_t step) {
  const Task task = model.info().task;
  const double consistency = method.consistency();
  const BatchLoss loss = consistency > 0 ? with_consistency(task, consistency) : loss_of(task);
  backward(scale(loss(model, batch), 1.0f));
  if (const Var term = method.penalty(); term.defined()) backward(term);
  optimizer.step(0);
  optimizer.visit_state([](const std::string&, Tensor&) {});  // kernels ask for them; none ran
  method.after_update(step);
  optimizer.zero_grad();
}

}  // namespace

MemoryPlan plan_memory(const Config& given, const PlanOptions& o, const Settings& settings) {
  const MethodInfo& info = find_method(o.method);
  MemoryPlan plan;
  plan.quant = o.quant;
  if (const auto stored = stored_spec(given)) {
    plan.quant.type = stored->type;
    plan.quant.block_size = stored->block_size;
    plan.quant.double_quant = stored->double_quant;
  } else if (plan.quant.type.empty() && !info.base_quant.empty()) {
    plan.quant.type = info.base_quant;
    plan.quant.double_quant = true;
  }
  const Config config = o.labels > 0 ? with_labels(given, o.labels) : given;
  const Task task = o.labels > 0 ? Task::classification : task_of(config);
  require(task != Task::none && task != Task::masked_lm,
          "{}: the model has no classes; pass --labels N, the number that the data has",
          config.file());

  const DryRun dry;
  const StoreActivations storage(o.activations);
  release_cached_memory();
  reset_memory_peak();
  const MemoryStats before = memory_stats();
  const auto live = [&] { return less(memory_stats(), before).total_live; };
  const auto quantizer = make_quantizer(plan.quant, config);
  const auto model = make_model(config, task, o.dtype, 0, quantizer.get());
  model->gradient_checkpointing = o.gradient_checkpointing;
  plan.base = live();

  const auto method = info.make(settings);
  method->prepare([](const std::string&) { return std::vector<int32_t>{0}; },
                  std::vector<std::string>(static_cast<size_t>(model->info().labels), "0"));
  method->attach(*model, 0);
  plan.parameters = parameter_count(*model, method.get());
  const std::vector<Parameter*> parameters = select_parameters(*model, *method);
  for (const Parameter* p : parameters) plan.trained += p->shape.numel();
  plan.added = live() - plan.base;

  plan.length = o.max_length > 0 ? o.max_length : model->max_length();
  require(plan.length <= model->max_length(),
          "--max-length {} is above the {} tokens that the model can read", plan.length,
          model->max_length());
  require(plan.length < (1 << 20), "{} has no longest text; pass --max-length",
          model->info().architecture);
  plan.examples = o.tokens_per_batch > 0 ? std::max<int64_t>(1, o.tokens_per_batch / plan.length)
                                         : o.batch_size;
  const Batch batch = longest_batch(*model, plan.examples, plan.length);
  OptimizerConfig optimizer_config = o.optimizer;
  optimizer_config.page_file = "optimizer.pages";
  const auto optimizer =
      make_optimizer(optimizer_config, parameter_groups(parameters, *method, 0.01));
  method->start_training(1 << 20);
  model->training = true;
  plan.loading = less(memory_stats(), before).held_peak;
  // The optimizer's states are there from the first update on: the second shows the most.
  for (int64_t step = 0; step < 2; ++step) update(*model, *method, *optimizer, batch, step);

  std::map<std::string, int64_t> fetched;  // by parameter: "exp_avg.PARAMETER"
  optimizer->visit_state([&](const std::string& name, Tensor& t) {
    if (!t.is_mapped()) {
      plan.optimizer += t.bytes();
      return;
    }
    const auto bytes = static_cast<int64_t>(PagedMemory::bytes_for(t.shape(), t.dtype()));
    plan.paged += bytes;
    int64_t& together = fetched[name.substr(name.find('.') + 1)];
    plan.fetched = std::max(plan.fetched, together += bytes);
  });
  plan.stats = less(memory_stats(), before);
  plan.tensors = plan.stats.held_peak;
  return plan;
}

}  // namespace lk
