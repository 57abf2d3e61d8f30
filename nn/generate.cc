#include "nn/generate.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "autograd/ops.h"
#include "engine/rng.h"

namespace lk {

int32_t choose_token(const Tensor& logits, const GenerateOptions& o, Random& random) {
  const Tensor values = logits.to(DType::f32);
  const std::span<const float> z = values.span<float>();
  require(
      std::none_of(z.begin(), z.end(), [](float v) { return std::isnan(v) || v == HUGE_VALF; }),
      "the model's logits are not finite; its weights may be damaged, or bf16 too coarse for it");
  if (o.temperature <= 0)
    return static_cast<int32_t>(std::max_element(z.begin(), z.end()) - z.begin());
  std::vector<int32_t> order(z.size());
  std::iota(order.begin(), order.end(), 0);
  const auto likelier = [&](int32_t a, int32_t b) {
    const float za = z[static_cast<size_t>(a)], zb = z[static_cast<size_t>(b)];
    return za > zb || (za == zb && a < b);
  };
  std::sort(order.begin(), order.end(), likelier);
  if (o.top_k > 0) order.resize(std::min(order.size(), static_cast<size_t>(o.top_k)));
  std::vector<double> p;
  for (const int32_t id : order)
    p.push_back(std::exp((static_cast<double>(z[static_cast<size_t>(id)]) -
                          static_cast<double>(z[static_cast<size_t>(order[0])])) /
                         o.temperature));
  double total = std::accumulate(p.begin(), p.end(), 0.0);
  if (o.top_p < 1.0) {
    // The smallest set of likeliest tokens whose probability reaches top_p; at least one.
    double kept = 0;
    size_t n = 0;
    while (n < p.size() && (n == 0 || kept < o.top_p * total)) kept += p[n++];
    p.resize(n);
    total = kept;
  }
  double at = random.uniform53() * total;
  for (size_t i = 0; i < p.size(); ++i) {
    at -= p[i];
    if (at < 0) return order[i];
  }
  return order[p.size() - 1];
}

namespace {

void pack(const std::vector<std::vector<int32_t>>& texts, std::vector<int32_t>& ids,
          Packing& packing) {
  packing.offsets.push_back(0);
  for (const auto& text : texts) {
    ids.insert(ids.end(), text.begin(), text.end());
    for (size_t t = 0; t < text.size(); ++t) packing.positions.push_back(static_cast<int32_t>(t));
    packing.offsets.push_back(static_cast<int32_t>(ids.size()));
  }
}

}  // namespace

std::vector<std::vector<int32_t>> generate(Model& model,
                                           const std::vector<std::vector<int32_t>>& prompts,
                                           const GenerateOptions& o,
                                           const std::function<void(size_t, int32_t)>& on_token) {
  const NoGrad no_grad;
  const ModelInfo& info = model.info();
  require(info.causal, "{}: this architecture does not generate text", info.architecture);
  const std::vector<int32_t>& eos = o.eos_ids.empty() ? info.eos_ids : o.eos_ids;
  int64_t longest = 0;
  for (size_t i = 0; i < prompts.size(); ++i) {
    require(!prompts[i].empty(), "prompt {} has no tokens", i + 1);
    longest = std::max(longest, static_cast<int64_t>(prompts[i].size()));
  }
  require(longest < model.max_length(),
          "a prompt has {} tokens; the model's context is {} and must hold {}the answer too",
          longest, info.max_positions, model.input_adapters().empty() ? "" : "virtual tokens and ");
  const bool pairs = info.encoder_decoder();
  const int64_t capacity = std::min(info.max_positions, (pairs ? 1 : longest) + o.max_new_tokens);
  KvCache cache(static_cast<int64_t>(prompts.size()), info.layers, capacity,
                info.kv_heads * info.head_dim, model.compute_dtype());

  std::vector<std::vector<int32_t>> out(prompts.size());
  std::vector<size_t> running(prompts.size());  // prompt of each document still in the cache
  std::iota(running.begin(), running.end(), 0);
  // What each document reads next: an encoder-decoder reads the prompts with its encoder.
  std::vector<std::vector<int32_t>> next = prompts;
  if (pairs) next.assign(prompts.size(), {info.decoder_start_id});
  std::vector<int32_t> source_ids;
  Packing source;
  if (pairs) pack(prompts, source_ids, source);
  std::vector<int32_t> position(prompts.size(), 0);  // of the first token of it
  std::vector<Random> random;
  for (size_t i = 0; i < prompts.size(); ++i) random.emplace_back(o.seed, i + 1);
  for (int64_t n = 0; n < o.max_new_tokens && !running.empty(); ++n) {
    std::vector<int32_t> ids;
    ModelInput in;
    in.cache = &cache;
    in.packing.offsets.push_back(0);
    for (size_t d = 0; d < running.size(); ++d) {
      for (size_t t = 0; t < next[d].size(); ++t)
        in.packing.positions.push_back(position[running[d]] + static_cast<int32_t>(t));
      ids.insert(ids.end(), next[d].begin(), next[d].end());
      in.packing.offsets.push_back(static_cast<int32_t>(ids.size()));
    }
    in.ids = ids;
    if (pairs && n == 0) {
      in.source_ids = source_ids;
      in.source = source;
    }
    const Var h = model.hidden(in);
    std::vector<int32_t> last;
    for (size_t d = 0; d < running.size(); ++d) {
      last.push_back(in.packing.offsets[d + 1] - 1);
      // Read off, not counted: an input adapter may have moved it.
      position[running[d]] = in.packing.positions[static_cast<size_t>(last[d])] + 1;
    }
    const Tensor logits = model.lm_logits(gather_rows(h, last)).value();
    for (size_t d = running.size(); d-- > 0;) {
      const size_t prompt = running[d];
      const auto row = static_cast<int64_t>(d);
      const int32_t id = choose_token(logits.rows(row, row + 1), o, random[prompt]);
      const bool ended = std::find(eos.begin(), eos.end(), id) != eos.end();
      if (!ended) {
        out[prompt].push_back(id);
        if (on_token) on_token(prompt, id);
      }
      // The context is full when the new token takes its last position.
      if (ended || position[prompt] + 1 >= info.max_positions) {
        cache.drop(row);
        running.erase(running.begin() + row);
        next.erase(next.begin() + row);
      } else {
        next[d] = {id};
      }
    }
  }
  return out;
}

}  // namespace lk
