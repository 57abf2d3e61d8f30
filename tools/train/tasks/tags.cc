// A tag for each token of a sentence (.conll). Entity F1, precision and recall where the tags are
// IOB2; accuracy of tokens.
#include "data/metrics.h"
#include "data/tagged.h"
#include "tools/train/tasks/task.h"
#include "tools/train/trainer.h"

namespace lk {
namespace {

class Tags : public TaskData {
 public:
  Tags(const std::filesystem::path& file, const std::vector<std::string>& labels)
      : data_(read_tagged(file)), labels_(labels.empty() ? data_.labels() : labels) {
    require(labels_.size() >= 2, "{}: only the tag '{}' occurs; a tagger needs two or more",
            file.string(), labels_[0]);
  }
  std::vector<std::string> labels() const override { return labels_; }
  std::vector<std::string> inputs() const override {
    std::vector<std::string> out;
    for (const TaggedSentence& s : data_.sentences) {
      std::string& text = out.emplace_back();
      for (const std::string& token : s.tokens) text += (text.empty() ? "" : " ") + token;
    }
    return out;
  }

  std::vector<Example> examples(const Model&, const Tokenizer& tokenizer,
                                const EncodeOptions& options) const override {
    std::vector<Example> out;
    for (const TaggedSentence& s : data_.sentences)
      out.push_back(encode_tagged(tokenizer, data_, s, labels_, options).example);
    return out;
  }

  Scores score(Model& model, const Tokenizer& tokenizer, const ScoreOptions& o) const override {
    const NoGrad no_grad;
    const EncodeOptions encode = encode_options(model, o);
    std::vector<TaggedExample> examples;
    for (size_t i = 0; i < o.count_of(data_.sentences.size()); ++i)
      examples.push_back(encode_tagged(tokenizer, data_, data_.sentences[i], labels_, encode));
    std::vector<int32_t> predicted, expected;
    TagLists our_tags, right_tags;
    Scores scores;
    in_parts(examples.size(), [&](size_t begin, size_t end) {
      std::vector<const Example*> part;
      for (size_t i = begin; i < end; ++i) part.push_back(&examples[i].example);
      const Batch batch = make_batch(part, o.round_to);
      ModelInput in = as_input(batch);
      in.packing.labels = batch.labels;
      const Var h = model.hidden(in);
      const std::vector<int32_t> best = best_classes(model.class_logits(h, in.packing).value());
      for (size_t i = begin; i < end; ++i) {
        const TaggedSentence& sentence = data_.sentences[i];
        std::vector<std::string> ours, right;
        std::string shown;
        // Rows are read off the packing: an input adapter may have moved them.
        auto row = static_cast<size_t>(in.packing.offsets[i - begin]);
        for (size_t t = 0; t < examples[i].pieces_of.size(); ++t) {
          if (examples[i].pieces_of[t] == 0) continue;
          while (in.packing.labels[row] == -100) ++row;
          predicted.push_back(best[row]);
          expected.push_back(in.packing.labels[row++]);
          ours.push_back(labels_[static_cast<size_t>(predicted.back())]);
          right.push_back(sentence.tags[t]);
          shown += (shown.empty() ? "" : " ") + sentence.tokens[t] + "/" + ours.back();
        }
        our_tags.push_back(ours);
        right_tags.push_back(right);
        scores.outputs.push_back(shown);
      }
    });
    if (has_entities(labels_)) {
      const EntityScores e = entity_scores(our_tags, right_tags);
      scores.values = {{"entity F1", e.f1}, {"precision", e.precision}, {"recall", e.recall}};
    }
    scores.values.emplace_back("accuracy", accuracy(predicted, expected));
    if (!has_entities(labels_))
      scores.values.emplace_back("macro F1", macro_f1(predicted, expected));
    return scores;
  }

 private:
  TaggedData data_;
  std::vector<std::string> labels_;
};

}  // namespace

TaskKind tags_task() {
  return {
      "tags",
      Task::token_classification,
      {},
      [](const TaskQuery& q) { return q.data == DataKind::tagged; },
      [](const auto& file, const TaskOptions&, const auto& labels) -> std::unique_ptr<TaskData> {
        return std::make_unique<Tags>(file, labels);
      }};
}

}  // namespace lk
