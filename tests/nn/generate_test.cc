#include "nn/generate.h"

#include <cmath>

#include "autograd/ops.h"
#include "engine/rng.h"
#include "nn/kv_cache.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk {
namespace {

using Texts = std::vector<std::vector<int32_t>>;

// The logits after each token of one text, by a full forward pass: [T, V].
Tensor full_logits(Model& model, const std::vector<int32_t>& text) {
  const auto batch = test::pack({text});
  const NoGrad no_grad;
  return model.lm_logits(test::hidden_of(model, batch)).value();
}

int32_t likeliest(const Tensor& logits, int64_t row) {
  const auto z = logits.rows(row, row + 1).to_vector<double>();
  return static_cast<int32_t>(std::max_element(z.begin(), z.end()) - z.begin());
}

TEST_CASE("generation: greedy is the argmax of full forward passes, for each text of a batch") {
  for (const std::string type : {"gpt2", "llama"})
    for (const DType dtype : {DType::f64, DType::f32}) {
      CAPTURE(type);
      const auto model = test::tiny_model(type, dtype);
      const Texts prompts = test::random_documents({5, 1, 9}, 2);
      GenerateOptions o;
      o.max_new_tokens = 12;
      Texts streamed(prompts.size());
      const Texts out = generate(
          *model, prompts, o, [&](size_t prompt, int32_t id) { streamed[prompt].push_back(id); });
      CHECK(streamed == out);
      for (size_t i = 0; i < prompts.size(); ++i) {
        std::vector<int32_t> text = prompts[i];
        for (int n = 0; n < 12; ++n)
          text.push_back(
              likeliest(full_logits(*model, text), static_cast<int64_t>(text.size()) - 1));
        CHECK(out[i] == std::vector<int32_t>(text.end() - 12, text.end()));
      }
    }
}

TEST_CASE("generation: reading through the cache gives the logits of reading at once") {
  for (const std::string type : {"gpt2", "llama"}) {
    CAPTURE(type);
    const auto model = test::tiny_model(type, DType::f64);
    const auto text = test::random_documents({14}, 3)[0];
    const Tensor whole = full_logits(*model, text);
    const ModelInfo& info = model->info();
    // Room for 4 tokens: it must grow.
    KvCache cache(1, info.layers, 4, info.kv_heads * info.head_dim, DType::f64);
    const NoGrad no_grad;
    for (size_t at = 0; at < text.size();) {
      const size_t n = at == 0 ? 6 : at == 6 ? 3 : 1;
      const std::vector<int32_t> ids(text.begin() + static_cast<std::ptrdiff_t>(at),
                                     text.begin() + static_cast<std::ptrdiff_t>(at + n));
      ModelInput in;
      in.ids = ids;
      in.cache = &cache;
      in.packing.offsets = {0, static_cast<int32_t>(n)};
      for (size_t t = 0; t < n; ++t) in.packing.positions.push_back(static_cast<int32_t>(at + t));
      const Tensor part = model->lm_logits(model->hidden(in)).value();
      const Tensor same = whole.rows(static_cast<int64_t>(at), static_cast<int64_t>(at + n));
      for (int64_t i = 0; i < part.numel(); ++i)
        CHECK(std::abs(part.item(i) - same.item(i)) <= 1e-12);
      at += n;
      CHECK(cache.length(0) == static_cast<int64_t>(at));
    }
  }
}

// Five standard deviations of a count.
bool plausible(int count, int n, double p) {
  return std::abs(count - n * p) <= 5 * std::sqrt(n * p * (1 - p)) + 1e-9;
}

TEST_CASE("sampling: temperature, top-k and top-p give the probabilities they promise") {
  const std::vector<float> z{0.5f, 2.0f, -1.0f, 1.5f, 1.0f, -30.0f};
  const Tensor logits = Tensor::from(z);
  const struct {
    double temperature;
    int64_t top_k;
    double top_p;
    std::vector<int> kept;  // by the definitions, worked out by hand
  } cases[] = {{1.0, 0, 1.0, {0, 1, 2, 3, 4, 5}},
               {0.6, 0, 1.0, {0, 1, 2, 3, 4, 5}},
               {2.0, 3, 1.0, {1, 3, 4}},
               {1.0, 1, 1.0, {1}},
               {1.0, 100, 1.0, {0, 1, 2, 3, 4, 5}},
               // Shares of 0.445, 0.270, 0.164, 0.099, 0.022: 0.6 is reached by two, 0.75 by three.
               {1.0, 0, 0.6, {1, 3}},
               {1.0, 0, 0.75, {1, 3, 4}},
               {1.0, 0, 0.0, {1}},
               // Of three with shares of 0.507, 0.307, 0.186: 0.6 is reached by two.
               {1.0, 3, 0.6, {1, 3}}};
  for (const auto& c : cases) {
    double total = 0;
    std::vector<double> p(z.size(), 0.0);
    for (const int i : c.kept)
      total += p[static_cast<size_t>(i)] =
          std::exp(static_cast<double>(z[static_cast<size_t>(i)]) / c.temperature);
    Random random(11, 3);
    std::vector<int> counts(z.size());
    const int n = 20000;
    GenerateOptions o;
    o.temperature = c.temperature;
    o.top_k = c.top_k;
    o.top_p = c.top_p;
    for (int i = 0; i < n; ++i) ++counts[static_cast<size_t>(choose_token(logits, o, random))];
    CAPTURE(c.temperature);
    CAPTURE(c.top_k);
    CAPTURE(c.top_p);
    for (size_t i = 0; i < z.size(); ++i) CHECK(plausible(counts[i], n, p[i] / total));
  }
}

TEST_CASE("sampling: texts of a batch are drawn independently from the model's own distribution") {
  const auto model = test::tiny_model("llama", DType::f32);
  const std::vector<int32_t> prompt{3, 1, 4};
  const int n = 3000;
  GenerateOptions o;
  o.max_new_tokens = 1;
  o.temperature = 1.3;
  o.seed = 9;
  o.eos_ids = {test::kVocab + 1};
  const Texts out = generate(*model, Texts(n, prompt), o);
  std::vector<int> counts(test::kVocab);
  for (const auto& text : out) ++counts[static_cast<size_t>(text.at(0))];
  const auto z = full_logits(*model, prompt).rows(2, 3).to_vector<double>();
  double total = 0;
  for (const double v : z) total += std::exp(v / 1.3);
  for (size_t i = 0; i < z.size(); ++i) {
    CAPTURE(i);
    CHECK(plausible(counts[i], n, std::exp(z[i] / 1.3) / total));
  }
}

TEST_CASE("sampling: the seed decides") {
  const auto model = test::tiny_model("gpt2", DType::f32);
  const Texts prompts = test::random_documents({4, 6}, 8);
  GenerateOptions o;
  o.max_new_tokens = 20;
  o.temperature = 1.0;
  o.seed = 1;
  const Texts one = generate(*model, prompts, o);
  CHECK(one == generate(*model, prompts, o));
  o.seed = 2;
  CHECK(one != generate(*model, prompts, o));
}

TEST_CASE("generation ends at an end token, at the limit, and where the context is full") {
  const auto model = test::tiny_model("gpt2", DType::f32);
  const Texts prompts = test::random_documents({4, 6}, 5);
  GenerateOptions o;
  o.max_new_tokens = 10;
  const Texts free = generate(*model, prompts, o);
  CHECK(free[0].size() == 10);
  CHECK(free[1].size() == 10);
  // What the first text says at its fourth place ends it where that comes first; the other goes on.
  o.eos_ids = {free[0][3], test::kVocab + 1};
  const Texts ended = generate(*model, prompts, o);
  for (size_t i = 0; i < 2; ++i) {
    const auto end = std::find(free[i].begin(), free[i].end(), free[0][3]);
    CHECK(ended[i] == std::vector<int32_t>(free[i].begin(), end));
  }
  CHECK(ended[0].size() <= 3);
  o.eos_ids = {test::kVocab + 1};
  o.max_new_tokens = 1000;
  const Texts full = generate(*model, prompts, o);
  CHECK(full[0].size() == 48 - 4);
  CHECK(full[1].size() == 48 - 6);
}

TEST_CASE("generation: what cannot be continued is an error") {
  const auto model = test::tiny_model("gpt2", DType::f32);
  const auto says = [&](Model& m, const Texts& prompts, const char* words) {
    CHECK(test::error_of([&] { generate(m, prompts, {}); }).find(words) != std::string::npos);
  };
  says(*model, {{1}, {}}, "prompt 2 has no tokens");
  says(*model, test::random_documents({48}, 1), "the model's context is 48");
  const auto bert = test::tiny_model("bert", DType::f32);
  says(*bert, {{1}}, "does not generate text");
  model->visit_parameters([](Parameter& p) {
    if (p.name == "transformer.ln_f.weight")
      p.set(Tensor::full(p.shape, DType::f32, std::numeric_limits<double>::quiet_NaN()));
  });
  says(*model, {{1}}, "not finite");
}

}  // namespace
}  // namespace lk
