// Plain text (.txt): each next token.
#include <cmath>

#include "tools/train/perplexity.h"
#include "tools/train/tasks/task.h"

namespace lk {
namespace {

class Text : public TaskData {
 public:
  explicit Text(std::filesystem::path file) : file_(std::move(file)) {}

  std::vector<Example> examples(const Model& model, const Tokenizer& tokenizer,
                                const EncodeOptions& options) const override {
    require(!model.info().encoder_decoder(),
            "{}: {} learns from input and output (.jsonl), not from plain text", file_.string(),
            model.info().architecture);
    return encode_text(tokenizer, file_, options.max_length, options.eos_id);
  }

  Scores score(Model& model, const Tokenizer& tokenizer, const ScoreOptions& o) const override {
    std::vector<Example> pieces = examples(model, tokenizer, encode_options(model, o));
    pieces.resize(o.count_of(pieces.size()));
    const LossReport loss = evaluate_loss(model, pieces);
    return {{{"perplexity", std::exp(loss.loss)},
             {"loss", loss.loss},
             {"tokens", static_cast<double>(loss.labels)}},
            {}};
  }

 private:
  std::filesystem::path file_;
};

}  // namespace

TaskKind text_task() {
  return {"text",
          Task::causal_lm,
          {},
          [](const TaskQuery& q) { return q.data == DataKind::plain_text && !q.encoder; },
          [](const auto& file, const TaskOptions&, const auto&) -> std::unique_ptr<TaskData> {
            return std::make_unique<Text>(file);
          }};
}

}  // namespace lk
