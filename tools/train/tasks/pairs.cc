// An output for each input (.jsonl), written by the model.
#include "tools/train/tasks/answers.h"
#include "tools/train/tasks/task.h"

namespace lk {
namespace {

class Pairs : public TaskData {
 public:
  explicit Pairs(const std::filesystem::path& file) : data_(read_text_jsonl(file)) {}
  std::vector<std::string> inputs() const override {
    std::vector<std::string> out;
    for (const TextRecord& r : data_.records) out.push_back(r.input);
    return out;
  }

  std::vector<Example> examples(const Model&, const Tokenizer& tokenizer,
                                const EncodeOptions& options) const override {
    std::vector<Example> out;
    for (const TextRecord& r : data_.records)
      out.push_back(encode_pair_example(tokenizer, data_, r, options));
    return out;
  }

  Scores score(Model& model, const Tokenizer& tokenizer, const ScoreOptions& o) const override {
    const EncodeOptions encode = encode_options(model, o);
    Answers answers;
    for (size_t i = 0; i < o.count_of(data_.records.size()); ++i) {
      const TextRecord& r = data_.records[i];
      answers.examples.push_back(encode_pair_example(tokenizer, data_, r, encode));
      answers.prompts.push_back(encode_prompt(tokenizer, r.input, encode));
      answers.references.push_back(r.references);
    }
    GenerateOptions g;
    g.max_new_tokens = o.max_new_tokens;
    g.num_beams = o.num_beams;
    Scores scores =
        score_answers(model, tokenizer, answers, g, [](const std::string& text) { return text; });
    add_slot_errors(scores, inputs());
    return scores;
  }

 private:
  TextData data_;
};

}  // namespace

TaskKind pairs_task() {
  return {"pairs",
          Task::causal_lm,
          {},
          [](const TaskQuery& q) { return q.data == DataKind::text_jsonl && !q.encoder; },
          [](const auto& file, const TaskOptions&, const auto&) -> std::unique_ptr<TaskData> {
            return std::make_unique<Pairs>(file);
          }};
}

}  // namespace lk
