// Plain text (.txt) for masked language models, to adapt them to a domain: BERT's masking (Devlin
// et al. 2019, arXiv:1810.04805, section 3.1), anew for each batch (RoBERTa; Liu et al. 2019,
// arXiv:1907.11692): of the tokens that are to be told, 80 % are masked, 10 % another token, 10 %
// as they were.
#include <cmath>
#include <nlohmann/json.hpp>

#include "data/slot_template.h"
#include "engine/error.h"
#include "engine/files/json.h"
#include "engine/rng.h"
#include "tools/train/perplexity.h"
#include "tools/train/tasks/task.h"
#include "tools/train/trainer.h"

namespace lk {
namespace {

class MaskedText : public TaskData {
 public:
  MaskedText(std::filesystem::path file, const TaskOptions& o)
      : file_(std::move(file)), options_(o) {
    require(o.mask_replace + o.random_replace <= 1.0 + 1e-9,
            "--mask-replace-prob {} and --random-replace-prob {} together are above 1",
            o.mask_replace, o.random_replace);
  }
  nlohmann::json memory() const override { return {{"mlm_probability", options_.mlm_probability}}; }
  void open(const TaskPlace& place) override {
    mask_ = *place.tokenizer.token_id(mask_token(place.tokenizer));
    vocabulary_ = static_cast<uint32_t>(place.tokenizer.vocab_size());
  }

  // Pieces of the text within their special tokens. labels: each token that may be masked.
  std::vector<Example> examples(const Model&, const Tokenizer& tokenizer,
                                const EncodeOptions& options) const override {
    const int64_t room = options.max_length - tokenizer.special_tokens_added(false);
    require(room > 0, "--max-length {}: nothing is left beside {} special tokens",
            options.max_length, tokenizer.special_tokens_added(false));
    std::vector<Example> out;
    const std::string text = read_text(file_), mark = "<|endoftext|>\n";
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find(mark, at), text.size());
      const auto ids = tokenizer.encode(std::string_view(text).substr(at, end - at), false);
      for (size_t begin = 0; begin < ids.size(); begin += static_cast<size_t>(room)) {
        const size_t stop = std::min(ids.size(), begin + static_cast<size_t>(room));
        const std::vector<int32_t> piece(ids.begin() + static_cast<std::ptrdiff_t>(begin),
                                         ids.begin() + static_cast<std::ptrdiff_t>(stop));
        Encoding whole = tokenizer.assemble(piece, std::nullopt, true);
        Example& e = out.emplace_back();
        for (const int32_t id : whole.ids) e.labels.push_back(tokenizer.is_special(id) ? -100 : id);
        e.ids = std::move(whole.ids);
        e.type_ids = std::move(whole.type_ids);
      }
      at = end + mark.size();
    }
    require(!out.empty(), "{}: the text is empty", file_.string());
    return out;
  }

  Batch batch(std::span<const Example* const> examples, uint64_t number) const override {
    std::vector<Example> masked;
    std::vector<const Example*> chosen;
    for (const Example* e : examples) masked.push_back(*e);
    Random random(options_.seed, 0x4D41534Bull + (number << 1));
    mask(masked, random);
    for (const Example& e : masked) chosen.push_back(&e);
    return make_batch(chosen);
  }

  Scores score(Model& model, const Tokenizer& tokenizer, const ScoreOptions& o) const override {
    std::vector<Example> pieces = examples(model, tokenizer, encode_options(model, o));
    pieces.resize(o.count_of(pieces.size()));
    if (options_.pseudo_perplexity) {
      double loss = 0;
      int64_t tokens = 0;
      for (const Example& piece : pieces) {
        const LossReport one = evaluate_loss(model, each_masked(piece));
        loss += one.loss * static_cast<double>(one.labels);
        tokens += one.labels;
      }
      loss /= static_cast<double>(tokens);
      return {{{"pseudo-perplexity", std::exp(loss)},
               {"loss", loss},
               {"tokens", static_cast<double>(tokens)}},
              {}};
    }
    // The same tokens each time.
    Random random(options_.seed, 0x4D41534Bull + 1);
    mask(pieces, random);
    const LossReport loss = evaluate_loss(model, pieces);
    return {{{"perplexity of masked tokens", std::exp(loss.loss)},
             {"loss", loss.loss},
             {"tokens", static_cast<double>(loss.labels)}},
            {}};
  }

 private:
  // Leaves labels where tokens are to be told; one at least, so that there is a loss.
  void mask(std::vector<Example>& examples, Random& random) const {
    int64_t told = 0;
    std::pair<Example*, size_t> spare{nullptr, 0};
    for (Example& e : examples)
      for (size_t t = 0; t < e.ids.size(); ++t) {
        if (e.labels[t] == -100) continue;
        if (random.uniform53() < options_.mlm_probability) {
          replace(e.ids[t], random);
          ++told;
        } else {
          spare = {&e, t};
          e.labels[t] = -100;
        }
      }
    if (told > 0 || !spare.first) return;
    spare.first->labels[spare.second] = spare.first->ids[spare.second];
    replace(spare.first->ids[spare.second], random);
  }
  void replace(int32_t& id, Random& random) const {
    const double u = random.uniform53();
    if (u < options_.mask_replace)
      id = mask_;
    else if (u < options_.mask_replace + options_.random_replace)
      id = static_cast<int32_t>(random.below(vocabulary_));
  }

  // Each token masked by itself (Salazar et al. 2020, arXiv:1910.14659).
  std::vector<Example> each_masked(const Example& piece) const {
    std::vector<Example> out;
    for (size_t t = 0; t < piece.ids.size(); ++t) {
      if (piece.labels[t] == -100) continue;
      Example& e = out.emplace_back(piece);
      e.labels.assign(e.ids.size(), -100);
      e.labels[t] = e.ids[t];
      e.ids[t] = mask_;
    }
    return out;
  }

  std::filesystem::path file_;
  TaskOptions options_;
  int32_t mask_ = 0;
  uint32_t vocabulary_ = 0;
};

}  // namespace

TaskKind mlm_task() {
  return {"mlm",
          Task::masked_lm,
          {"mlm-probability", "mask-replace-prob", "random-replace-prob", "pseudo-perplexity"},
          [](const TaskQuery& q) { return q.data == DataKind::plain_text && q.encoder; },
          [](const auto& file, const TaskOptions& o, const auto&) -> std::unique_ptr<TaskData> {
            return std::make_unique<MaskedText>(file, o);
          }};
}

}  // namespace lk
