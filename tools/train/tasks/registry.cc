// The kinds of task, one line each; the first that takes a file is meant.
#include <algorithm>

#include "engine/error.h"
#include "nn/load.h"
#include "tools/train/tasks/options.h"
#include "tools/train/tasks/task.h"

namespace lk {

const std::vector<TaskKind>& task_kinds() {
  static const std::vector<TaskKind> table{
      classes_task(), cloze_task(), choices_task(), tags_task(),
      pairs_task(),   chat_task(),  mlm_task(),     text_task(),
  };
  return table;
}

const TaskKind& find_task_kind(const std::string& name) {
  std::string known;
  for (const TaskKind& k : task_kinds()) {
    if (k.name == name) return k;
    known += (known.empty() ? "" : ", ") + k.name;
  }
  fail("the kind of task '{}' is not known (known: {})", name, known);
}

const TaskKind& task_kind(const std::filesystem::path& file, const Config& config,
                          const TaskOptions& options, const TaskKind* trained) {
  const ModelInfo info = build_model(config, task_of(config))->info();
  TaskQuery query{data_kind(file), !info.causal, info.encoder_decoder(), true};
  const TaskKind* kind = trained && trained->takes(query) ? trained : nullptr;
  query.worded = !options.template_text.empty() || !options.verbalizer.empty();
  for (const TaskKind& k : task_kinds())
    if (!kind && k.takes(query)) kind = &k;
  require(kind != nullptr, "{}: {} cannot learn from data of this kind", file.string(),
          config.string("model_type", ""));
  for (const std::string& name : given_options(options))
    require(std::find(kind->uses.begin(), kind->uses.end(), name) != kind->uses.end(),
            "--{} has no use for {}, which is read as the task '{}'", name, file.string(),
            kind->name);
  return *kind;
}

}  // namespace lk
