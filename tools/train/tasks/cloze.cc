// Cloze questions for masked language models: a template with a [MASK] in it, and the token that
// belongs there. Of .tsv the token that the verbalizer has for the label, chosen among those of all
// labels (Schick and Schuetze 2021, arXiv:2001.07676):
//   q(l | x) = softmax over labels l of  logit(mask of the template of x, token v(l))
// Of .jsonl the output, among all tokens, as LAMA asks for facts (Petroni et al. 2019,
// arXiv:1909.01066). With [P] in the template it is P-tuning's (Liu et al. 2021, arXiv:2103.10385);
// a template without is a hard prompt.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "autograd/ops.h"
#include "data/metrics.h"
#include "data/slot_template.h"
#include "tools/train/tasks/records.h"
#include "tools/train/tasks/task.h"
#include "tools/train/trainer.h"

namespace lk {
namespace {

// The id of a word in the mask's place; Error when it is not one token. blank: before it.
int32_t single_token(const Tokenizer& tokenizer, const std::string& word, bool blank,
                     const std::string& what) {
  const auto ids = tokenizer.encode((blank && tokenizer.kind() == "BPE" ? " " : "") + word, false);
  std::string pieces;
  for (const int32_t id : ids) pieces += (pieces.empty() ? "" : ", ") + tokenizer.token(id);
  require(ids.size() == 1, "{} '{}' is {} tokens ({}); a mask stands for one", what, word,
          ids.size(), pieces);
  require(pieces != "[UNK]" && pieces != "<unk>", "{} '{}' is unknown to the tokenizer", what,
          word);
  return ids[0];
}

struct ClozeRecord {
  Fields fields;
  std::string answer;  // a label, or a word
  int64_t line;
};

// Records and their template; what the answers are is the two kinds' business.
class Cloze : public TaskData {
 public:
  Cloze(std::filesystem::path file, const std::string& text)
      : file_(std::move(file)), text_(text), template_(text) {}
  int64_t virtual_tokens() const override { return template_.virtual_tokens(); }
  std::vector<std::string> inputs() const override {
    std::vector<std::string> out;
    for (const ClozeRecord& r : records_) out.push_back(template_.text(r.fields));
    return out;
  }
  void open(const TaskPlace& place) override { mask_ = mask_token(place.tokenizer); }

  std::vector<Example> examples(const Model&, const Tokenizer& tokenizer,
                                const EncodeOptions& options) const override {
    return encode(tokenizer, options, records_.size());
  }

 protected:
  void check_template() const {
    for (const ClozeRecord& r : records_) at_line(file_, r.line, [&] { template_.text(r.fields); });
  }
  virtual int32_t target(size_t record) const = 0;  // what the label of its mask is

  std::vector<Example> encode(const Tokenizer& tokenizer, const EncodeOptions& options,
                              size_t count) const {
    std::vector<Example> out;
    for (size_t i = 0; i < count; ++i) {
      const ClozeRecord& r = records_[i];
      SlotText text;
      at_line(file_, r.line, [&] {
        text =
            template_.encode(tokenizer, r.fields, mask_, options.truncate ? options.max_length : 0);
      });
      Example e;
      e.ids = std::move(text.ids);
      if (options.max_length > 0 && e.length() > options.max_length)
        example_too_long(file_, r.line, e.length(), options.max_length);
      e.type_ids = std::move(text.type_ids);
      e.slots = std::move(text.slots);
      e.labels.assign(e.ids.size(), -100);
      e.labels[static_cast<size_t>(text.mask)] = target(i);
      out.push_back(std::move(e));
    }
    return out;
  }

  // Calls f(record, logits of its mask [C]) for the first ones.
  void each_answer(Model& model, const Tokenizer& tokenizer, const ScoreOptions& o,
                   const std::function<void(size_t, std::span<const float>)>& f) const {
    const NoGrad no_grad;
    const std::vector<Example> all =
        encode(tokenizer, encode_options(model, o), o.count_of(records_.size()));
    in_parts(all.size(), [&](size_t begin, size_t end) {
      std::vector<const Example*> part;
      for (size_t i = begin; i < end; ++i) part.push_back(&all[i]);
      const Tensor logits =
          predict(model, make_batch(part, o.round_to)).logits.value().to(DType::f32);
      for (size_t i = begin; i < end; ++i) {
        const auto row = static_cast<int64_t>(i - begin);
        f(i, logits.rows(row, row + 1).span<float>());
      }
    });
  }

  std::filesystem::path file_;
  std::string text_, mask_;
  SlotTemplate template_;
  std::vector<ClozeRecord> records_;
};

class ClozeClasses : public Cloze {
 public:
  ClozeClasses(const std::filesystem::path& file, const TaskOptions& o,
               const std::vector<std::string>& labels)
      : Cloze(file, o.template_text), verbalizer_(o.verbalizer) {
    require(template_.has_mask(), "the template '{}' has no [MASK]; nothing is asked", text_);
    const ClassData data = read_class_tsv(file);
    labels_ = labels.empty() ? data.labels() : labels;
    require(labels_.size() >= 2, "{}: only the label '{}' occurs; there is nothing to choose from",
            file.string(), labels_[0]);
    for (const ClassRecord& r : data.records) {
      records_.push_back({fields_of(r), r.label, r.line});
      targets_.push_back(label_index(labels_, data, r));
    }
    words_ = words_of(labels_, verbalizer_);
    check_template();
  }
  std::vector<std::string> labels() const override { return labels_; }
  nlohmann::json memory() const override { return memory_of(text_, verbalizer_, labels_); }

  void open(const TaskPlace& place) override {
    Cloze::open(place);
    tokens_.clear();
    const bool blank = template_.blank_before_mask(records_[0].fields);
    for (size_t c = 0; c < words_.size(); ++c) {
      tokens_.push_back(single_token(place.tokenizer, words_[c], blank,
                                     fmt::format("the word of the label '{}',", labels_[c])));
      const auto twin = std::find(tokens_.begin(), tokens_.end() - 1, tokens_.back());
      require(twin == tokens_.end() - 1, "the labels '{}' and '{}' have one word, '{}'",
              labels_[static_cast<size_t>(twin - tokens_.begin())], labels_[c], words_[c]);
    }
  }

  // Of the labels' tokens only.
  Prediction predict(Model& model, const Batch& batch) const override {
    Prediction p = TaskData::predict(model, batch);
    const auto columns = static_cast<int64_t>(tokens_.size());
    std::vector<int32_t> index;
    for (int64_t i = 0; i < p.logits.dim(0); ++i)
      for (const int32_t id : tokens_)
        index.push_back(static_cast<int32_t>(i * p.logits.dim(1)) + id);
    p.logits = take(p.logits, std::make_shared<const Places>(std::move(index)),
                    {p.logits.dim(0), columns});
    return p;
  }
  Var loss(Model& model, const Batch& batch) const override {
    const Prediction p = predict(model, batch);
    return cross_entropy(p.logits, p.labels);
  }

  Scores score(Model& model, const Tokenizer& tokenizer, const ScoreOptions& o) const override {
    std::vector<int32_t> predicted, expected;
    Scores scores;
    each_answer(model, tokenizer, o, [&](size_t i, std::span<const float> logits) {
      predicted.push_back(
          static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
      expected.push_back(targets_[i]);
      scores.outputs.push_back(labels_[static_cast<size_t>(predicted.back())]);
    });
    scores.values = class_scores(predicted, expected);
    return scores;
  }

 private:
  int32_t target(size_t record) const override { return targets_[record]; }
  std::map<std::string, std::string> verbalizer_;
  std::vector<std::string> labels_, words_;
  std::vector<int32_t> targets_, tokens_;
};

class ClozeFacts : public Cloze {
 public:
  ClozeFacts(const std::filesystem::path& file, const TaskOptions& o)
      : Cloze(file, o.template_text.empty() ? "{input}" : o.template_text) {
    for (const TextRecord& r : read_text_jsonl(file).records)
      records_.push_back({r.fields, r.output, r.line});
    check_template();
  }
  nlohmann::json memory() const override { return memory_of(text_, {}, {}); }

  void open(const TaskPlace& place) override {
    Cloze::open(place);
    targets_.clear();
    std::vector<ClozeRecord> kept;
    std::string first;
    for (const ClozeRecord& r : records_) {
      try {
        targets_.push_back(single_token(place.tokenizer, r.answer,
                                        template_.blank_before_mask(r.fields), "the answer"));
        kept.push_back(r);
      } catch (const Error& e) {
        if (first.empty()) first = fmt::format("{}:{}: {}", file_.string(), r.line, e.what());
      }
    }
    require(!kept.empty(), "no answer is a single token. {}", first);
    if (kept.size() < records_.size())
      fmt::print(stderr, "{}: {} of {} records are left out, the first because {}\n",
                 file_.string(), records_.size() - kept.size(), records_.size(), first);
    records_ = std::move(kept);
  }

  Scores score(Model& model, const Tokenizer& tokenizer, const ScoreOptions& o) const override {
    double first = 0, first_ten = 0, reciprocal = 0, loss = 0, count = 0;
    Scores scores;
    each_answer(model, tokenizer, o, [&](size_t i, std::span<const float> logits) {
      const float right = logits[static_cast<size_t>(targets_[i])];
      const auto above =
          std::count_if(logits.begin(), logits.end(), [&](float z) { return !(z <= right); });
      const auto best = std::max_element(logits.begin(), logits.end());
      double total = 0;
      for (const float z : logits) total += std::exp(static_cast<double>(z - *best));
      loss += std::log(total) - static_cast<double>(right - *best);
      first += above == 0;
      first_ten += above < 10;
      reciprocal += 1.0 / static_cast<double>(above + 1);
      ++count;
      const std::vector<int32_t> id{static_cast<int32_t>(best - logits.begin())};
      scores.outputs.push_back(tokenizer.decode(id));
    });
    scores.values = {{"P@1", first / count},
                     {"P@10", first_ten / count},
                     {"reciprocal rank", reciprocal / count},
                     {"loss", loss / count}};
    return scores;
  }

 private:
  int32_t target(size_t record) const override { return targets_[record]; }
  std::vector<int32_t> targets_;  // ids
};

}  // namespace

TaskKind cloze_task() {
  return {
      "cloze",
      Task::masked_lm,
      {"template", "verbalizer"},
      [](const TaskQuery& q) {
        return q.encoder &&
               (q.data == DataKind::text_jsonl || (q.data == DataKind::class_tsv && q.worded));
      },
      [](const auto& file, const TaskOptions& o, const auto& labels) -> std::unique_ptr<TaskData> {
        const bool classes = data_kind(file) == DataKind::class_tsv;
        require(!classes || !o.template_text.empty(),
                "--verbalizer: a masked language model needs a --template with a [MASK] too");
        if (classes) return std::make_unique<ClozeClasses>(file, o, labels);
        require(o.verbalizer.empty(), "--verbalizer is for labels (.tsv); {} has answers",
                file.string());
        return std::make_unique<ClozeFacts>(file, o);
      }};
}

}  // namespace lk
