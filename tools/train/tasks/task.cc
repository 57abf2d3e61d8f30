#include "tools/train/tasks/task.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tools/train/trainer.h"

namespace lk {

nlohmann::json TaskData::memory() const { return nlohmann::json::object(); }

Batch TaskData::batch(std::span<const Example* const> examples, uint64_t) const {
  return make_batch(examples);
}

Prediction TaskData::predict(Model& model, const Batch& batch) const {
  return lk::predict(model, batch, model.info().task);
}

Var TaskData::loss(Model& model, const Batch& batch) const {
  return loss_of(model.info().task)(model, batch);
}

void remember(Settings& settings, const TaskKind& kind, const nlohmann::json& memory) {
  if (memory.empty()) return;
  nlohmann::json task = memory;
  task["name"] = kind.name;
  settings.remember("task", task);
}

RememberedTask remembered_task(const Settings& settings) {
  RememberedTask out;
  const nlohmann::json task = settings.remembered("task");
  if (task.is_null()) return out;
  try {
    out.kind = &find_task_kind(task.at("name").get<std::string>());
    out.template_text = task.value("template", "");
    out.verbalizer = task.value("verbalizer", out.verbalizer);
    out.labels = task.value("labels", out.labels);
  } catch (const nlohmann::json::exception&) {
    fail(
        "{}: 'lorikeet.task' is {}; expected a name, and template, verbalizer and labels where the "
        "task has them",
        settings.source(), task.dump());
  }
  return out;
}

void in_parts(size_t count, const std::function<void(size_t, size_t)>& f) {
  constexpr size_t kTogether = 32;
  for (size_t at = 0; at < count; at += kTogether) f(at, std::min(count, at + kTogether));
}

std::vector<int32_t> best_classes(const Tensor& logits) {
  std::vector<int32_t> out;
  const Tensor host = logits.to(Device::cpu);
  for (int64_t i = 0; i < host.dim(0); ++i) {
    const auto row = host.rows(i, i + 1).to_vector<float>();
    out.push_back(static_cast<int32_t>(std::max_element(row.begin(), row.end()) - row.begin()));
  }
  return out;
}

}  // namespace lk
