// Classes of texts (.tsv) by words: a model that writes text is asked which of the labels' words it
// finds the likeliest after the record (rank classification), and learns the right ones as T5 does
// (Raffel et al. 2020, arXiv:1910.10683, section 2.4), or with T-Few's losses beside.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "autograd/ops.h"
#include "data/metrics.h"
#include "data/slot_template.h"
#include "tools/train/choice_loss.h"
#include "tools/train/tasks/records.h"
#include "tools/train/tasks/task.h"
#include "tools/train/trainer.h"

namespace lk {
namespace {

constexpr const char* kAnswer = "{label}";

// What stands before the answer. Text behind it parts examples of a prompt; here there is one.
std::string before_answer(const std::string& text) {
  const size_t at = text.find(kAnswer);
  require(at != std::string::npos && text.find(kAnswer, at + 1) == std::string::npos,
          "the template '{}' holds {} {}; expected once, as the answer", text, kAnswer,
          at == std::string::npos ? "nowhere" : "twice");
  require(at > 0, "the template '{}' begins with the answer; nothing would ask for it", text);
  return text.substr(0, at);
}

std::string plain_template(bool pairs) {
  return pairs ? "{text_a}\n{text_b}\nAnswer: {label}" : "{text}\nAnswer: {label}";
}

class Choices : public TaskData {
 public:
  Choices(const std::filesystem::path& file, const TaskOptions& o,
          const std::vector<std::string>& labels)
      : data_(read_class_tsv(file)),
        labels_(labels.empty() ? data_.labels() : labels),
        text_(o.template_text.empty() ? plain_template(data_.pairs) : o.template_text),
        prompt_(before_answer(text_)),
        words_(words_of(labels_, o.verbalizer)),
        verbalizer_(o.verbalizer),
        weights_{o.unlikelihood, o.length_normalized} {
    require(labels_.size() >= 2, "{}: only the label '{}' occurs; there is nothing to choose from",
            file.string(), labels_[0]);
    require(!prompt_.has_mask(), "the template '{}' has a [MASK], which this model does not know",
            text_);
    for (const ClassRecord& r : data_.records) {
      label_index(labels_, data_, r);
      at_line(data_.file, r.line, [&] { prompt_.text(fields_of(r)); });
    }
  }
  std::vector<std::string> labels() const override { return labels_; }
  int64_t virtual_tokens() const override { return prompt_.virtual_tokens(); }
  std::vector<std::string> inputs() const override {
    std::vector<std::string> out;
    for (const ClassRecord& r : data_.records) out.push_back(prompt_.text(fields_of(r)));
    return out;
  }
  nlohmann::json memory() const override { return memory_of(text_, verbalizer_, labels_); }

  std::vector<Example> examples(const Model& model, const Tokenizer& tokenizer,
                                const EncodeOptions& options) const override {
    return encode(model, tokenizer, options, data_.records.size(), with_wrong());
  }

  Batch batch(std::span<const Example* const> examples, uint64_t) const override {
    return with_wrong() ? make_choice_batch(examples) : make_batch(examples);
  }
  Prediction predict(Model& model, const Batch& batch) const override {
    require(batch.records.empty(),
            "the losses of T-Few are not for methods whose passes differ by chance (adamix)");
    return TaskData::predict(model, batch);
  }
  Var loss(Model& model, const Batch& batch) const override {
    if (batch.records.empty()) return TaskData::loss(model, batch);
    ChoiceTokens tokens;
    const Var log_p = log_probabilities(model, batch, tokens);
    return choice_loss(log_p, tokens, weights_);
  }

  Scores score(Model& model, const Tokenizer& tokenizer, const ScoreOptions& o) const override {
    const NoGrad no_grad;
    const std::vector<Example> all =
        encode(model, tokenizer, encode_options(model, o), o.count_of(data_.records.size()), true);
    std::vector<int32_t> by_mean, by_sum, expected;
    Scores scores;
    // As many records as make some 64 answers.
    const size_t together = std::max<size_t>(1, 64 / labels_.size());
    for (size_t at = 0; at < all.size(); at += together) {
      std::vector<const Example*> part;
      for (size_t i = at; i < std::min(all.size(), at + together); ++i) part.push_back(&all[i]);
      const Batch batch = make_choice_batch(part);
      ChoiceTokens tokens;
      const Tensor log_p = log_probabilities(model, batch, tokens).value();
      for (size_t r = 0; r < part.size(); ++r) {
        const int32_t right = label_index(labels_, data_, data_.records[at + r]);
        std::vector<double> sums(labels_.size()), means(labels_.size());
        for (size_t c = 0; c < labels_.size(); ++c) {
          // The right answer stands first, the others keep their order.
          const auto label = static_cast<int32_t>(c);
          const int32_t d = tokens.records[r] + (label == right  ? 0
                                                 : label < right ? label + 1
                                                                 : label);
          const int32_t begin = tokens.offsets[static_cast<size_t>(d)],
                        end = tokens.offsets[static_cast<size_t>(d) + 1];
          for (int32_t t = begin; t < end; ++t) sums[c] += log_p.item(t);
          means[c] = sums[c] / (end - begin);
        }
        const auto best = [](const std::vector<double>& v) {
          return static_cast<int32_t>(std::max_element(v.begin(), v.end()) - v.begin());
        };
        by_mean.push_back(best(means));
        by_sum.push_back(best(sums));
        expected.push_back(right);
        scores.outputs.push_back(labels_[static_cast<size_t>(by_mean.back())]);
      }
    }
    scores.values = class_scores(by_mean, expected);
    scores.values.emplace_back("accuracy by sums", accuracy(by_sum, expected));
    return scores;
  }

 private:
  bool with_wrong() const { return weights_.unlikelihood > 0 || weights_.length_normalized > 0; }

  std::vector<Example> encode(const Model& model, const Tokenizer& tokenizer,
                              const EncodeOptions& options, size_t count, bool with_wrong) const {
    const std::string before = before_answer(text_);
    // A blank before the answer belongs to its first token.
    const std::string blank = before.back() == ' ' ? " " : "";
    std::vector<std::vector<int32_t>> answers;
    int64_t longest = 0;
    for (size_t c = 0; c < words_.size(); ++c) {
      auto& ids = answers.emplace_back(tokenizer.encode(blank + words_[c], false));
      if (options.decoder_start_id >= 0 && options.eos_id >= 0) ids.push_back(options.eos_id);
      require(!ids.empty(), "the word of the label '{}' has no tokens: '{}'", labels_[c],
              words_[c]);
      longest = std::max(longest, static_cast<int64_t>(ids.size()));
    }
    // The last token of an answer predicts nothing and need not be read.
    const int64_t room = options.max_length - (model.info().encoder_decoder() ? 0 : longest - 1);
    require(room > 0, "--max-length {}: an answer alone has {} tokens", options.max_length,
            longest);
    std::vector<Example> out;
    for (size_t i = 0; i < count; ++i) {
      const ClassRecord& r = data_.records[i];
      SlotText text;
      at_line(data_.file, r.line, [&] {
        text = prompt_.encode(tokenizer, fields_of(r), "", options.truncate ? room : 0);
        require(!text.ids.empty(), "the text has no tokens");
      });
      const auto length = static_cast<int64_t>(text.ids.size());
      if (length > room)
        example_too_long(data_.file, r.line, length + options.max_length - room,
                         options.max_length);
      const int32_t right = label_index(labels_, data_, r);
      Example e = example(text, answers[static_cast<size_t>(right)], options);
      for (size_t c = 0; with_wrong && c < answers.size(); ++c)
        if (static_cast<int32_t>(c) != right) e.wrong.push_back(example(text, answers[c], options));
      out.push_back(std::move(e));
    }
    return out;
  }

  static Example example(const SlotText& text, const std::vector<int32_t>& answer,
                         const EncodeOptions& options) {
    Example e;
    e.slots = text.slots;
    if (options.decoder_start_id >= 0) {
      e.source_ids = text.ids;
      e.ids = {options.decoder_start_id};
    } else {
      e.ids = text.ids;
      e.labels.assign(text.ids.size() - 1, -100);
      if (!e.slots.empty()) e.slots.resize(e.slots.size() + answer.size() - 1, -1);
    }
    e.ids.insert(e.ids.end(), answer.begin(), answer.end() - 1);
    e.labels.insert(e.labels.end(), answer.begin(), answer.end());
    return e;
  }

  // [T] of the answers' tokens, in the order of the batch.
  static Var log_probabilities(Model& model, const Batch& batch, ChoiceTokens& tokens) {
    tokens.records = batch.records;
    tokens.offsets = {0};
    for (int32_t d = 0; d < batch.records.back(); ++d) {
      const auto document = static_cast<size_t>(d);
      const auto begin = batch.labels.begin() + batch.offsets[document],
                 end = batch.labels.begin() + batch.offsets[document + 1];
      const auto count = (end - begin) - std::count(begin, end, -100);
      tokens.offsets.push_back(tokens.offsets.back() + static_cast<int32_t>(count));
    }
    const Prediction p = lk::predict(model, batch, Task::causal_lm);
    return label_log_prob(p.logits, p.labels);
  }

  ClassData data_;
  std::vector<std::string> labels_;
  std::string text_;
  SlotTemplate prompt_;
  std::vector<std::string> words_;
  std::map<std::string, std::string> verbalizer_;
  ChoiceWeights weights_;
};

}  // namespace

TaskKind choices_task() {
  return {
      "choices",
      Task::causal_lm,
      {"template", "verbalizer", "unlikelihood", "length-normalized"},
      [](const TaskQuery& q) {
        return q.data == DataKind::class_tsv && !q.encoder && (q.encoder_decoder || q.worded);
      },
      [](const auto& file, const TaskOptions& o, const auto& labels) -> std::unique_ptr<TaskData> {
        return std::make_unique<Choices>(file, o, labels);
      }};
}

}  // namespace lk
