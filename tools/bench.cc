// Times a training step, generation, quantization, a tokenizer, attention or the CUDA kernels;
// prints JSON lines, with the fields of the peers'.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <nlohmann/json.hpp>

#include "autograd/ops.h"
#include "cuda/device.h"
#include "engine/gemm.h"
#include "engine/parallel.h"
#include "engine/rng.h"
#include "nn/generate.h"
#include "nn/load.h"
#include "peft/method.h"
#include "quant/linear.h"
#include "quant/quantized_weight.h"
#include "tools/bench/clock.h"
#include "tools/bench/device.h"
#include "tools/bench/tokenize.h"
#include "tools/plan/shapes.h"
#include "tools/train/cli.h"
#include "tools/train/method_options.h"
#include "tools/train/quant_options.h"
#include "tools/train/run_model.h"

using namespace lk;

namespace {

const Clock::time_point kStart = Clock::now();

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

struct Options {
  std::string model = "gpt2-small", method = "lora", optimizer = "adamw";
  MethodFlags method_flags;
  int64_t batch = 4, seq = 256, steps = 5, warm_up = 2, prompt = 64, new_tokens = 128, ceiling = 0;
  DType dtype = DType::f32;
  Device device = Device::cpu;
  bool checkpointing = false;
  ActivationStorage activations = ActivationStorage::compute;
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

void bench_step(Options o) {
  if (o.ceiling == 0) o.ceiling = o.device == Device::cuda ? 8192 : 2048;
  const Config config = named_shape(o.model);
  const Task task = task_of(config);
  require_device(o.device);
  const auto quantizer = make_quantizer(o.quant, config);
  const auto model = make_model(config, task, o.dtype, 0, quantizer.get());
  model->gradient_checkpointing = o.checkpointing;
  const StoreActivations storage(o.activations);
  const MethodInfo& info = find_method(o.method);
  const auto method = info.make(method_settings(info, "", o.method_flags));
  method->attach(*model, 0);
  move_parameters(*model, method.get(), o.device);
  std::vector<ParamGroup> groups(1);
  int64_t trained = 0;
  const int64_t total = parameter_count(*model, method.get());
  for (Parameter* p : select_parameters(*model, *method)) {
    groups[0].params.emplace_back(p->name, p->var);
    trained += p->shape.numel();
  }
  groups[0].weight_decay = 0.01;
  OptimizerConfig update_by;
  update_by.name = o.optimizer;
  update_by.page_file = "bench-optimizer.pages";
  const auto optimizer = make_optimizer(update_by, groups);
  Random random(1);
  std::vector<Example> examples(static_cast<size_t>(o.batch));
  for (Example& e : examples) {
    for (int64_t t = 0; t < o.seq; ++t)
      e.ids.push_back(5 + static_cast<int32_t>(
                              random.below(static_cast<uint32_t>(model->info().vocab_size - 5))));
    e.labels.assign(e.ids.begin() + 1, e.ids.end());
    e.labels.push_back(-100);
    if (task == Task::classification) {
      e.labels.assign(e.ids.size(), -100);
      e.class_label = static_cast<int32_t>(random.below(2));
    }
  }
  std::vector<const Example*> pointers;
  for (const Example& e : examples) pointers.push_back(&e);
  const Batch batch = make_batch(pointers);
  model->training = true;
  const double startup = since(kStart);
  std::vector<double> whole, forward, back, update;
  double loss = 0, flops = 0, first = 0;
  for (int64_t i = 0; i < o.steps + o.warm_up; ++i) {
    const double flops_before = gemm_counters().flops;
    const auto t0 = Clock::now();
    const Var sum =
        task == Task::classification ? class_loss(*model, batch) : language_loss(*model, batch);
    finish(o.device);
    const double t1 = since(t0);
    backward(scale(sum, 1.0f / static_cast<float>(batch.labelled)));
    finish(o.device);
    const double t2 = since(t0);
    optimizer->step(1e-4);
    optimizer->zero_grad();
    finish(o.device);
    const double t3 = since(t0);
    flops = gemm_counters().flops - flops_before;
    loss = sum.value().item() / static_cast<double>(batch.labelled);
    if (i == 0) first = since(kStart);
    if (i < o.warm_up) continue;
    whole.push_back(t3 * 1e3);
    forward.push_back(t1 * 1e3);
    back.push_back((t2 - t1) * 1e3);
    update.push_back((t3 - t2) * 1e3);
  }
  // Useful matrix flops: all products of the step (library) and attention's: 2 forward, 5 backward,
  // each 2 T^2 d per document and layer, half of it under a causal mask.
  const ModelInfo& m = model->info();
  flops += static_cast<double>(o.batch * m.layers * o.seq * o.seq * m.heads * m.head_dim) * 2 * 7 *
           (m.causal ? 0.5 : 1.0);
  const double peak = static_cast<double>(peak_rss_bytes()) / 1048576.0;
  const double ceiling = gemm_ceiling(o.dtype, o.device, o.ceiling), step_ms = median(whole);
  nlohmann::ordered_json out{{"who", "lorikeet"},
                             {"model", o.model},
                             {"method", o.method},
                             {"batch", o.batch},
                             {"seq", o.seq},
                             {"dtype", name_of(o.dtype)},
                             {"device", name_of(o.device)},
                             {"quant", o.quant.type},
                             {"checkpointing", o.checkpointing},
                             {"activations", name_of(o.activations)},
                             {"optimizer", o.optimizer},
                             {"trainable_params", trained},
                             {"total_params", total},
                             {"step_ms", step_ms},
                             {"step_ms_min", *std::min_element(whole.begin(), whole.end())},
                             {"step_ms_max", *std::max_element(whole.begin(), whole.end())},
                             {"forward_ms", median(forward)},
                             {"backward_ms", median(back)},
                             {"optimizer_ms", median(update)},
                             {"tokens_per_s", static_cast<double>(o.batch * o.seq) / step_ms * 1e3},
                             {"peak_rss_mb", std::llround(peak)},
                             {"peak_device_mb", memory_stats(Device::cuda).total_peak >> 20},
                             {"startup_s", startup},
                             {"first_step_done_s", first},
                             {"gemm_ceiling_gflops", ceiling},
                             {"mfu", flops / (step_ms * 1e-3) / 1e9 / ceiling},
                             {"loss", loss},
                             {"threads", max_threads()}};
  if (o.device == Device::cuda) out["device_name"] = device_name(Cuda{});
  fmt::print("{}\n", out.dump());
}

void bench_generate(const Options& o) {
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
  Options o;
  app.require_subcommand(1);
  CLI::App* step =
      app.add_subcommand("step", "one training step; median of --steps after --warm-up");
  CLI::App* gen =
      app.add_subcommand("generate", "greedy generation with a cache, one prompt; best of three");
  for (CLI::App* sub : {step, gen}) {
    sub->add_option("--model", o.model, "")
        ->capture_default_str()
        ->check(CLI::IsMember(shape_names()));
    add_dtype_option(*sub, o.dtype);
    add_quant_options(*sub, o.quant);
  }
  CLI::App* quant = app.add_subcommand(
      "quant",
      "NF4 with double quantization of a 4096 x 4096 matrix: quantise, dequantise, linear");
  add_device_option(*step, o.device);
  step->add_option("--method", o.method, "a method of the registry")->capture_default_str();
  step->add_option("--batch", o.batch, "")->capture_default_str()->check(CLI::PositiveNumber);
  step->add_option("--seq", o.seq, "tokens of each example")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  step->add_option("--steps", o.steps, "")->capture_default_str()->check(CLI::PositiveNumber);
  step->add_option("--warm-up", o.warm_up, "steps before those that count")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  add_method_options(*step->add_option_group("methods", "options of the methods"), o.method_flags);
  step->add_flag("--checkpointing", o.checkpointing, "gradient checkpointing");
  add_activations_option(*step, o.activations);
  step->add_option("--optimizer", o.optimizer,
                   "what updates the weights; paged: states in a file in this folder, whose name "
                   "is gone at once")
      ->capture_default_str()
      ->check(CLI::IsMember(known_optimizers()));
  const char* order = "order of the square product whose rate is the ceiling";
  step->add_option("--ceiling", o.ceiling, std::string(order) + "; 0: 8192 on CUDA, else 2048")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
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
  device->add_option("--ceiling", product, order)
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  CLI::App* kernels = app.add_subcommand(
      "kernels", "the CUDA kernels on the device: bytes that each must move over its time");
  kernels->add_option("--op", only, "only ops whose name has this in it");
  for (CLI::App* sub : {device, kernels})
    sub->add_option("--megabytes", megabytes, "moved by each kernel and copy; 0: a few")
        ->capture_default_str()
        ->check(CLI::NonNegativeNumber);
  gen->add_option("--prompt", o.prompt, "tokens")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  gen->add_option("--new", o.new_tokens, "tokens")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
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
    step->parsed() ? bench_step(o) : bench_generate(o);
  });
}
