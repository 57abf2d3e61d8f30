// The Power of Scale for Parameter-Efficient Prompt Tuning (Lester et al. 2021, arXiv:2104.08691):
//   Pr(Y | [P; X])                     P [p, d] learnt, X [T, d] the embedded text, the model
//   frozen
// P stands before the embedded text of every document (what T5's encoder reads); the text's
// positions follow it. HF PEFT learns a second prompt for an encoder-decoder that no forward pass
// uses (num_transformer_submodules = 2); here there is one unless a file has two. It starts
// from random numbers, from embeddings of sampled tokens, of the task's class names (the mean over
// a name's tokens; sampled ones fill the rest), or of a text (section 3.1). Trained: p d numbers.
// The implementations differ in what "random" and "sampled" mean:
//   normal  N(0, 1), HF PEFT     uniform  U[-0.5, 0.5), the paper     uniform_positive  U[0, 0.5),
//   the authors' code; sampled from all tokens with repetition (HF PEFT) or from the first 5000
//   without (the authors: prompt_vocab_limit).
// The authors train with Adafactor at a constant rate of 0.3: --optimizer adafactor --lr 0.3
// --lr-scheduler constant.
#include "peft/prompt.h"

#include <nlohmann/json.hpp>
#include <numeric>

#include "engine/rng.h"
#include "peft/initial.h"
#include "peft/prompt_method.h"

namespace lk {
namespace {

// Puts the prompt before every document, or into its template.
class Prompt : public InputAdapter {
 public:
  Prompt(int64_t count, int64_t submodules, int64_t d, bool in_template)
      : count_(count),
        values_("prompt_embeddings", {count * submodules, d}),
        in_template_(in_template) {}
  Var forward(const Var& embedded, Packing& packing) override {
    return in_template_ ? put_into_slots(values_.var, embedded, packing)
                        : put_first_before(count_, values_.var, embedded, packing);
  }
  int64_t positions_taken() const override { return in_template_ ? 0 : count_; }
  void visit(const ParameterVisitor& f) override { f(values_); }
  Parameter& values() { return values_; }

 private:
  int64_t count_;
  Parameter values_;
  bool in_template_;
};

class PromptTuning : public PromptMethod {
 public:
  using PromptMethod::PromptMethod;

  void prepare(const Tokenize& tokenize, const std::vector<std::string>& labels) override {
    const std::string init = settings_.text("prompt_tuning_init");
    if (init == "TEXT") {
      require(settings_.has_text("prompt_tuning_init_text"),
              "{}: prompt_tuning_init is TEXT; prompt_tuning_init_text is missing",
              settings_.source());
      for (const int32_t id : tokenize(settings_.text("prompt_tuning_init_text")))
        rows_.push_back({id});
      require(!rows_.empty(), "{}: prompt_tuning_init_text has no tokens", settings_.source());
    } else if (init == "LABELS") {
      require(!labels.empty(), "{}: prompt_tuning_init is LABELS, but the task has no classes",
              settings_.source());
      for (const std::string& label : labels) rows_.push_back(tokenize(label));
    }
  }

  void attach(Model& model, uint64_t seed) override {
    remember(model);
    const int64_t count = virtual_tokens(model), d = model.info().hidden_size;
    prompt_ = std::make_shared<Prompt>(count, submodules(model), d, in_template());
    initialise(model, seed);
    model.input_adapters().push_back(prompt_);
    describe(model, d, model.info().heads);
    match_precision(model);
  }

  void visit(const ParameterVisitor& f) override { prompt_->visit(f); }

 private:
  void initialise(Model& model, uint64_t seed) {
    const std::string init = settings_.text("prompt_tuning_init");
    Parameter& p = prompt_->values();
    if (init == "RANDOM") return random(p, seed);
    require(init == "TEXT" || init == "SAMPLE_VOCAB" || init == "LABELS",
            "{}: prompt_tuning_init is '{}'; expected RANDOM, SAMPLE_VOCAB, TEXT or LABELS",
            settings_.source(), init);
    // Not prepared: a saved prompt is about to be read.
    if (init != "SAMPLE_VOCAB" && rows_.empty()) return fill(p, 0);
    const auto count = static_cast<size_t>(p.shape[0]);
    const std::vector<int32_t> sampled = sample(model.info().vocab_size, p.shape[0], seed);
    if (init == "TEXT")
      for (size_t i = 0, n = rows_.size(); rows_.size() < count; ++i) rows_.push_back(rows_[i % n]);
    const CategoryScope weights(Category::weights);
    const Tensor values = Tensor::zeros(p.shape, DType::f32);
    const NoGrad no_grad;
    Embedding* words = nullptr;
    model.visit_embeddings([&](Embedding& e) { words = words ? words : &e; });
    for (size_t i = 0; i < count; ++i) {
      const std::vector<int32_t> ids =
          i < rows_.size() && !rows_[i].empty() ? rows_[i] : std::vector<int32_t>{sampled[i]};
      const Tensor e = (*words)(ids, DType::f32).value();
      for (int64_t k = 0; k < e.numel(); ++k)
        values.data<float>()[static_cast<int64_t>(i) * e.dim(1) + k % e.dim(1)] +=
            e.data<float>()[k] / static_cast<float>(ids.size());
    }
    p.set(values);
  }

  void random(Parameter& p, uint64_t seed) const {
    const std::string kind = settings_.text("prompt_random_init");
    require(kind == "normal" || kind == "uniform" || kind == "uniform_positive",
            "{}: prompt_random_init is '{}'; expected normal, uniform or uniform_positive",
            settings_.source(), kind);
    if (kind == "normal") return fill_normal(p, 1.0, seed, 1);
    fill_uniform(p, kind == "uniform" ? -0.5 : 0.0, 0.5, seed, 1);
  }

  std::vector<int32_t> sample(int64_t vocab, int64_t count, uint64_t seed) const {
    const int64_t limit = settings_.integer("prompt_vocab_limit", 0, 1 << 30);
    Random random(seed, 2);
    std::vector<int32_t> out;
    if (limit == 0) {
      for (int64_t i = 0; i < count; ++i)
        out.push_back(static_cast<int32_t>(random.below(static_cast<uint32_t>(vocab))));
      return out;
    }
    out.resize(static_cast<size_t>(std::min(limit, vocab)));
    require(static_cast<int64_t>(out.size()) >= count,
            "{}: {} virtual tokens cannot be sampled from {} tokens without repetition",
            settings_.source(), count, out.size());
    std::iota(out.begin(), out.end(), 0);
    random.shuffle(out);
    return out;
  }

  std::shared_ptr<Prompt> prompt_;
  std::vector<std::vector<int32_t>> rows_;  // the tokens whose mean a virtual token starts from
};

}  // namespace

MethodInfo prompt_info() {
  return {"prompt",
          "PROMPT_TUNING",
          "virtual tokens before the embedded text",
          "Lester et al. 2021, arXiv:2104.08691",
          3e-2,
          {{"virtual-tokens", "num_virtual_tokens", "20", "virtual tokens"},
           {"prompt-init", "prompt_tuning_init", "\"SAMPLE_VOCAB\"",
            "first values: RANDOM, SAMPLE_VOCAB, TEXT, LABELS"},
           {"prompt-init-text", "prompt_tuning_init_text", "\"\"", "for TEXT"},
           {"prompt-random-init", "prompt_random_init", "\"normal\"",
            "for RANDOM: normal, uniform, uniform_positive"},
           {"prompt-vocab-limit", "prompt_vocab_limit", "0",
            "sample among the first tokens only; 0: all, with repetition"},
           {"", "prompt_placement", "\"before\"", ""},
           submodules_option()},
          [](const Settings& settings) -> std::unique_ptr<Method> {
            return std::make_unique<PromptTuning>(settings);
          }};
}

}  // namespace lk
