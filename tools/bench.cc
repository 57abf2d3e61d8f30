// Times a training step, generation, quantization, a tokenizer, attention or the CUDA kernels;
// prints JSON lines, with the fields of the peers'.
#include <CLI/CLI.hpp>

#include <atomic>
#include <nlohmann/json.hpp>

#include "engine/parallel.h"
#include "engine/rng.h"
#include "nn/generate.h"
#include "nn/load.h"
#include "quant/linear.h"
#include "quant/quantized_weight.h"
#include "tools/bench/clock.h"
#include "tools/bench/device.h"
#include "tools/bench/step.h"
#include "tools/bench/tokenize.h"
#include "tools/plan/shapes.h"
#include "tools/train/cli.h"
#include "tools/train/quant_options.h"

using namespace lk;

namespace {

// What reading memory with all threads reaches on this machine, in GB/s.
double read_ceiling() {
  const Tensor t = Tensor::full({1 << 28}, DType::u8, 1);
  using Line [[gnu::vector_size(64)]] = uint64_t;
  constexpr int64_t kStreams = 8;  // of a thread, as the products with a matrix have
  const int64_t apart = t.numel() / 64 / kStreams;
  const auto* lines = static_cast<const Line*>(t.raw());
  double best = 0;
  for (int i = 0; i < 20; ++i) {
    const auto start = Clock::now();
    std::atomic<uint64_t> total{0};
    parallel_for(apart, 1, [&](int64_t begin, int64_t end) {
      Line sums[kStreams] = {};
      for (int64_t at = begin; at < end; ++at)
        for (int64_t s = 0; s < kStreams; ++s) {
          sums[s] += lines[s * apart + at];
          __builtin_prefetch(lines + s * apart + at + 32);
        }
      for (const Line& sum : sums) total += sum[0] + sum[7];
    });
    require(total != 0, "the sum of ones is 0");  // so that the loop is not optimised away
    best = std::max(best, static_cast<double>(t.numel()) / since(start) / 1e9);
  }
  return best;
}

struct Generation {
  std::string model = "gpt2-small";
  int64_t prompt = 64, new_tokens = 128;
  DType dtype = DType::f32;
  QuantOptions quant;
};

// Weights in memory, and what they hold.
int64_t weight_bytes(Model& model) {
  int64_t total = 0;
  model.visit_linears([&](Linear& l) {
    if (const auto* q = dynamic_cast<QuantizedWeight*>(&l.weight()))
      total += q->quantized().bytes();
  });
  return total;
}

void bench_generate(const Generation& o) {
  const Config config = named_shape(o.model);
  const auto quantizer = make_quantizer(o.quant, config);
  const auto model = make_model(config, Task::causal_lm, o.dtype, 0, quantizer.get());
  Random random(1);
  std::vector<int32_t> prompt;
  for (int64_t t = 0; t < o.prompt; ++t)
    prompt.push_back(5 + static_cast<int32_t>(
                             random.below(static_cast<uint32_t>(model->info().vocab_size - 5))));
  GenerateOptions g;
  g.eos_ids = {-1};  // never ends early
  g.max_new_tokens = 8;
  generate(*model, {prompt}, g);
  g.max_new_tokens = o.new_tokens;
  double best = 1e9;
  for (int i = 0; i < 3; ++i) {
    const auto start = Clock::now();
    generate(*model, {prompt}, g);
    best = std::min(best, since(start));
  }
  // Each token reads every weight but the tables', unless the words' is the head.
  int64_t read = weight_bytes(*model);
  const bool tied = config.boolean("tie_word_embeddings", false);
  model->visit_parameters([&](Parameter& p) {
    const bool positions = p.name.find("wpe") != std::string::npos,
               words = p.name.find("embed_tokens") != std::string::npos;
    if (!positions && (tied || !words)) read += p.shape.numel() * size_of(p.var.dtype());
  });
  const double tokens_per_s = static_cast<double>(o.new_tokens) / best,
               used = tokens_per_s * static_cast<double>(read) / 1e9, ceiling = read_ceiling();
  nlohmann::ordered_json out{{"who", "lorikeet"},
                             {"model", o.model},
                             {"dtype", name_of(o.dtype)},
                             {"quant", o.quant.type},
                             {"prompt", o.prompt},
                             {"new", o.new_tokens},
                             {"tokens_per_s", tokens_per_s},
                             {"weights_read_mb", static_cast<double>(read) / 1e6},
                             {"memory_read_gb_per_s", ceiling},
                             {"of_memory_bandwidth", used / ceiling}};
  fmt::print("{}\n", out.dump());
}

void bench_quant() {
  const NoGrad no_grad;
  const int64_t n = 4096;
  Tensor w32 = Tensor::empty({n, n}, DType::f32);
  Random random(0);
  for (float& x : w32.span<float>())
    x = static_cast<float>(0.02 * (random.uniform53() + random.uniform53() + random.uniform53() +
                                   random.uniform53() - 2.0));
  nlohmann::ordered_json out{{"who", "lorikeet"}, {"shape", {n, n}}};
  for (const DType dtype : {DType::f32, DType::bf16}) {
    const Tensor w = w32.to(dtype);
    const std::string name(name_of(dtype));
    const QuantSpec spec{"nf4", 64, true};
    const auto q = std::make_shared<const Quantized>(quantize(w, spec));
    out["quantise_" + name + "_ms"] = time_ms([&] { quantize(w, spec); });
    out["dequantise_" + name + "_ms"] = time_ms([&] { dequantize(*q, dtype); });
    for (const int64_t rows : {1, 512}) {
      const Tensor x = Tensor::full({rows, n}, dtype, 0.5);
      out["linear_" + std::to_string(rows) + "_" + name + "_ms"] =
          time_ms([&] { quantized_linear(x, q, {}); });
    }
  }
  const Tensor from = Tensor::full({64 << 20}, DType::f32, 1),
               to = Tensor::zeros({64 << 20}, DType::f32);
  const double copy_ms = time_ms([&] {
    parallel_for(64, 1, [&](int64_t begin, int64_t end) {
      std::memcpy(to.data<float>() + (begin << 20), from.data<float>() + (begin << 20),
                  static_cast<size_t>(end - begin) << 22);
    });
  });
  out["copy_GBps"] = 2.0 * static_cast<double>(from.bytes()) / copy_ms / 1e6;
  out["threads"] = max_threads();
  fmt::print("{}\n", out.dump());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("bench: time a training step, generation, attention or kernels; prints JSON lines");
  app.require_subcommand(1);
  StepBench step_options;
  CLI::App* step =
      app.add_subcommand("step", "one training step; median of --steps after --warm-up");
  add_step_options(*step, step_options);
  Generation generation;
  CLI::App* gen =
      app.add_subcommand("generate", "greedy generation with a cache, one prompt; best of three");
  gen->add_option("--model", generation.model, "")
      ->capture_default_str()
      ->check(CLI::IsMember(shape_names()));
  add_dtype_option(*gen, generation.dtype);
  add_quant_options(*gen, generation.quant);
  gen->add_option("--prompt", generation.prompt, "tokens")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  gen->add_option("--new", generation.new_tokens, "tokens")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  CLI::App* quant = app.add_subcommand(
      "quant",
      "NF4 with double quantization of a 4096 x 4096 matrix: quantise, dequantise, linear");
  AttentionBench attention;
  CLI::App* attend = app.add_subcommand("attention", "attention forward and backward, in TFLOP/s");
  add_device_option(*attend, attention.device);
  add_dtype_option(*attend, attention.dtype);
  for (auto& [name, value] : {std::pair<const char*, int64_t&>{"--batch", attention.batch},
                              {"--seq", attention.seq},
                              {"--heads", attention.heads},
                              {"--kv-heads", attention.kv_heads},
                              {"--head-dim", attention.head_dim}})
    attend->add_option(name, value, "")->capture_default_str()->check(CLI::PositiveNumber);
  attend->add_flag("!--not-causal", attention.causal, "every query sees every key");
  int64_t product = 8192, megabytes = 1024;
  std::string only;
  CLI::App* device = app.add_subcommand(
      "device", "what the CUDA device reaches: products of f32 and bf16, a copy in its memory");
  device->add_option("--ceiling", product, "order of the square product whose rate is the ceiling")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  CLI::App* kernels = app.add_subcommand(
      "kernels", "the CUDA kernels on the device: bytes that each must move over its time");
  kernels->add_option("--op", only, "only ops whose name has this in it");
  for (CLI::App* sub : {device, kernels})
    sub->add_option("--megabytes", megabytes, "moved by each kernel and copy; 0: a few")
        ->capture_default_str()
        ->check(CLI::NonNegativeNumber);
  std::string tokenizer, text;
  CLI::App* tokenize = app.add_subcommand("tokenize", "the lines of a text on one thread, once");
  tokenize->add_option("--tokenizer", tokenizer, "tokenizer.json or a folder")->required();
  tokenize->add_option("--text", text, "file to read")->required();
  return run_tool(app, argc, argv, [&] {
    if (tokenize->parsed()) return fmt::print("{}\n", bench_tokenize(tokenizer, text).dump());
    if (quant->parsed()) return bench_quant();
    if (attend->parsed()) return fmt::print("{}\n", bench_attention(attention).dump());
    if (device->parsed()) return fmt::print("{}\n", bench_device(product, megabytes << 20).dump());
    if (kernels->parsed()) {
      for (const auto& line : bench_kernels(only, megabytes << 20)) fmt::print("{}\n", line.dump());
      return;
    }
    if (step->parsed()) return fmt::print("{}\n", bench_step(step_options).dump());
    bench_generate(generation);
  });
}
