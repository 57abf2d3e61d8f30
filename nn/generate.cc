#include "nn/generate.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/rng.h"
#include "nn/beam_search.h"
#include "nn/decoding.h"

namespace lk {

std::vector<double> log_softmax(const std::vector<float>& z) {
  const float top = *std::max_element(z.begin(), z.end());
  double total = 0;
  for (const float x : z) total += std::exp(static_cast<double>(x - top));
  std::vector<double> out;
  for (const float x : z) out.push_back(static_cast<double>(x - top) - std::log(total));
  return out;
}

int32_t choose_token(const Tensor& logits, const GenerateOptions& o, Random& random,
                     std::span<const int32_t> seen) {
  const Tensor values = logits.to(DType::f32);
  std::vector<float> z(values.span<float>().begin(), values.span<float>().end());
  require(
      std::none_of(z.begin(), z.end(), [](float v) { return std::isnan(v) || v == HUGE_VALF; }),
      "the model's logits are not finite; its weights may be damaged, or bf16 too coarse for it");
  penalise_repetition<float>(z, seen, o.repetition_penalty);
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
  if (o.min_p > 0) {
    // p is in falling order, relative to the likeliest.
    while (p.size() > 1 && p.back() < o.min_p) p.pop_back();
    total = std::accumulate(p.begin(), p.end(), 0.0);
  }
  double at = random.uniform53() * total;
  for (size_t i = 0; i < p.size(); ++i) {
    at -= p[i];
    if (at < 0) return order[i];
  }
  return order[p.size() - 1];
}

std::vector<std::vector<int32_t>> generate(Model& model,
                                           const std::vector<std::vector<int32_t>>& prompts,
                                           const GenerateOptions& o,
                                           const std::function<void(size_t, int32_t)>& on_token) {
  require(o.num_beams >= 1, "num_beams is {}, expected at least 1", o.num_beams);
  require(o.num_beams == 1 || o.temperature <= 0,
          "beam search does not sample: leave the "
          "temperature at 0");
  if (o.num_beams > 1) {
    auto out = beam_search(model, prompts, o);
    for (size_t i = 0; on_token && i < out.size(); ++i)
      for (const int32_t id : out[i]) on_token(i, id);
    return out;
  }
  const std::vector<int32_t>& eos = o.eos_ids.empty() ? model.info().eos_ids : o.eos_ids;
  Decoding texts(model, prompts, o.max_new_tokens);
  texts.before_pass = o.before_pass;
  std::vector<std::vector<int32_t>> out(prompts.size());
  std::vector<size_t> running(prompts.size());  // prompt of each document
  std::iota(running.begin(), running.end(), 0);
  std::vector<Random> random;
  for (size_t i = 0; i < prompts.size(); ++i) random.emplace_back(o.seed, i + 1);
  for (int64_t n = 0; n < o.max_new_tokens && !running.empty(); ++n) {
    const Tensor logits = texts.step();
    std::vector<int64_t> going_on;
    std::vector<size_t> still;
    for (size_t d = 0; d < running.size(); ++d) {
      const size_t prompt = running[d];
      const auto row = static_cast<int64_t>(d);
      const int32_t id =
          choose_token(logits.rows(row, row + 1), o, random[prompt], texts.text(row));
      const bool ended = std::find(eos.begin(), eos.end(), id) != eos.end();
      if (o.on_log_probability)
        o.on_log_probability(
            prompt, id,
            log_softmax(logits.rows(row, row + 1).to_vector<float>())[static_cast<size_t>(id)]);
      if (!ended) {
        out[prompt].push_back(id);
        if (on_token) on_token(prompt, id);
      }
      if (ended || texts.full(row) || (o.stop && o.stop(prompt, out[prompt]))) continue;
      texts.append(row, id);
      going_on.push_back(row);
      still.push_back(prompt);
    }
    if (still.size() < running.size()) texts.select(going_on);
    running = std::move(still);
  }
  return out;
}

}  // namespace lk
