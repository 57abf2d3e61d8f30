// The plan against the run it is for: the bytes of every category.
#include "tools/plan/memory_plan.h"

#include <nlohmann/json.hpp>
#include <set>

#include "engine/dry_run.h"
#include "engine/parallel.h"
#include "tests/support.h"
#include "tests/tiny_models.h"
#include "tools/plan/shapes.h"
#include "tools/train/consistency.h"
#include "tools/train/method_options.h"
#include "tools/train/trainer.h"

namespace lk {
namespace {

Config tiny(const std::string& type) {
  static const std::map<std::string, std::string> texts{
      {"gpt2", R"({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": 300,
          "n_embd": 64, "n_layer": 3, "n_head": 4, "n_positions": 64})"},
      {"llama", R"({"model_type": "llama", "architectures": ["LlamaForCausalLM"],
          "vocab_size": 300, "hidden_size": 128, "num_hidden_layers": 3, "num_attention_heads": 8,
          "num_key_value_heads": 4, "intermediate_size": 192, "max_position_embeddings": 64})"},
      {"bert", R"({"model_type": "bert", "architectures": ["BertModel"], "vocab_size": 300,
          "hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4,
          "intermediate_size": 96, "max_position_embeddings": 64})"},
      {"t5", R"({"model_type": "t5", "architectures": ["T5ForConditionalGeneration"],
          "vocab_size": 300, "d_model": 64, "d_kv": 16, "d_ff": 96, "num_layers": 3,
          "num_heads": 4, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": false})"}};
  return Config::parse(texts.at(type), type);
}

// What the trainer's tensors take: the run that the plan is of, for real.
MemoryStats measured(const Config& given, const PlanOptions& o, const Settings& settings) {
  nlohmann::json json = given.json();
  if (o.labels > 0) json["num_labels"] = o.labels;
  const Config config = Config::parse(json.dump(), given.file());
  const test::TempDir folder;
  release_cached_memory();
  reset_memory_peak();
  const MemoryStats before = memory_stats();
  const MethodInfo& info = find_method(o.method);
  QuantOptions quant = o.quant;
  if (quant.type.empty() && !info.base_quant.empty()) {
    quant.type = info.base_quant;
    quant.double_quant = true;
  }
  const auto quantizer = make_quantizer(quant, config);
  const Task task = o.labels > 0 ? Task::classification : Task::causal_lm;
  const auto model = make_model(config, task, o.dtype, 1, quantizer.get());
  model->gradient_checkpointing = o.gradient_checkpointing;
  const auto method = info.make(settings);
  method->attach(*model, 1);
  const auto parameters = select_parameters(*model, *method);
  std::vector<Example> examples(static_cast<size_t>(o.batch_size));
  for (Example& e : examples) {
    e.ids.assign(static_cast<size_t>(o.max_length), 7);
    e.labels.assign(e.ids.size(), task == Task::classification ? -100 : 3);
    if (!model->info().encoder_decoder()) e.labels.back() = -100;
    if (task == Task::classification) e.class_label = 1;
    if (model->info().encoder_decoder()) e.source_ids = e.ids;
  }
  const StoreActivations storage(o.activations);
  TrainOptions t;
  t.batch_size = o.batch_size;
  t.max_steps = o.method == "adamix" ? 30 : 3;  // until every expert had its turn
  t.optimizer = o.optimizer;
  t.logging_steps = 100;
  t.output = folder.path();
  const double consistency = method->consistency();
  train(*model, parameter_groups(parameters, *method, 0.01), examples,
        consistency > 0 ? with_consistency(task, consistency) : loss_of(task), t, method.get());
  MemoryStats now = memory_stats();
  for (size_t c = 0; c < kCategories; ++c) now.peak[c] -= before.live[c];
  now.total_peak -= before.total_live;
  now.held_peak -= before.total_live;
  return now;
}

void compare(const std::string& type, PlanOptions o, const MethodFlags& flags = {}) {
  CAPTURE(type);
  CAPTURE(o.method);
  CAPTURE(o.optimizer.name);
  CAPTURE(o.gradient_checkpointing);
  CAPTURE(name_of(o.dtype));
  if (type == "bert") o.labels = 5;
  if (o.max_length == 0) o.max_length = 30;
  const Settings settings = method_settings(find_method(o.method), "", flags);
  const MemoryPlan plan = plan_memory(tiny(type), o, settings);
  const MemoryStats real = measured(tiny(type), o, settings);
  for (const Category c :
       {Category::weights, Category::gradients, Category::optimizer, Category::activations}) {
    CAPTURE(name_of(c));
    CHECK(plan.stats.peak[static_cast<size_t>(c)] == real.peak[static_cast<size_t>(c)]);
  }
  // Only the scratch of attention's threads, which the kernels make themselves, is not planned.
  const int64_t scratch = 80 * 1024 * max_threads();
  const auto near = [&](const std::string& what, int64_t planned, int64_t taken) {
    CAPTURE(what);
    // AdaMix draws its experts: which freed memory fits the next tensor differs with their turns.
    const int64_t turns = o.method == "adamix" && what == "held" ? taken / 64 : 0;
    CHECK(planned <= taken + turns);
    CHECK(taken <= planned + scratch);
  };
  constexpr auto workspace = static_cast<size_t>(Category::workspace);
  near("workspace", plan.stats.peak[workspace], real.peak[workspace]);
  near("total", plan.stats.total_peak, real.total_peak);
  near("held", plan.stats.held_peak, real.held_peak);
  CHECK(plan.tensors > plan.base + plan.added + plan.optimizer);
}

PlanOptions with(const std::string& method) {
  PlanOptions o;
  o.method = method;
  o.batch_size = 3;
  return o;
}

TEST_CASE("plan: activations in fewer bits, to the byte") {
  std::vector<int64_t> most;
  for (const auto storage :
       {ActivationStorage::compute, ActivationStorage::bf16, ActivationStorage::int8}) {
    PlanOptions o = with("lora");
    o.activations = storage;
    compare("llama", o);
    o.max_length = 64;
    const Settings settings = method_settings(find_method("lora"), "", {});
    most.push_back(plan_memory(tiny("llama"), o, settings)
                       .stats.peak[static_cast<size_t>(Category::activations)]);
  }
  CHECK(most[1] < most[0]);
  CHECK(most[2] < most[1]);
}

TEST_CASE("plan: every architecture, to the byte") {
  for (const char* type : {"gpt2", "llama", "bert", "t5"})
    for (const DType dtype : {DType::f32, DType::bf16})
      for (const bool checkpointing : {false, true}) {
        PlanOptions o = with("lora");
        o.dtype = dtype;
        o.gradient_checkpointing = checkpointing;
        compare(type, o);
      }
}

TEST_CASE("plan: every method, to the byte") {
  for (const MethodInfo& info : methods()) {
    if (info.name == "adapterhub") continue;  // is read from files alone
    // What the defaults would have of wider matrices.
    static const std::map<std::string, MethodFlags> small{
        {"vblora", {{"vector-length", "16"}}},
        {"c3a", {{"block-size", "16"}}},
        {"compacter", {{"reduction-factor", "8"}}},
        {"trainable-tokens", {{"tokens", "1,2"}}}};
    const auto flags = small.count(info.name) ? small.at(info.name) : MethodFlags{};
    // A head of a task, biases, a table that is not the output layer too: not all have them.
    static const std::set<std::string> lacking{"head gpt2", "head llama", "bitfit llama",
                                               "trainable-tokens gpt2"};
    for (const std::string type : {"bert", "gpt2", "llama"})
      if (!lacking.count(info.name + " " + type)) compare(type, with(info.name), flags);
  }
}

TEST_CASE("plan: optimizers and quantized bases, to the byte") {
  for (const std::string& optimizer : known_optimizers()) {
    PlanOptions o = with("full");
    o.optimizer.name = optimizer;
    compare("gpt2", o);
  }
  for (const std::string& type : quant_types())
    for (const bool twice : {false, true}) {
      PlanOptions o = with("lora");
      o.quant.type = type;
      o.quant.double_quant = twice;
      o.dtype = DType::bf16;
      compare("llama", o, {{"target-modules", "all-linear"}});
    }
}

TEST_CASE("plan: a batch of so many tokens, a longest text, what is refused") {
  PlanOptions o = with("lora");
  o.tokens_per_batch = 100;
  o.max_length = 30;
  const Settings settings = method_settings(find_method("lora"), "", {});
  const MemoryPlan plan = plan_memory(tiny("llama"), o, settings);
  CHECK(plan.examples == 3);
  CHECK(plan.length == 30);
  o.max_length = 0;
  CHECK(plan_memory(tiny("llama"), o, settings).length == 64);
  o.max_length = 65;
  CHECK(test::error_of([&] { plan_memory(tiny("llama"), o, settings); }).find("above the 64") !=
        std::string::npos);
  o.max_length = 0;
  CHECK(test::error_of([&] { plan_memory(tiny("t5"), o, settings); }).find("pass --max-length") !=
        std::string::npos);
  CHECK(test::error_of([&] { plan_memory(tiny("bert"), o, settings); }).find("pass --labels") !=
        std::string::npos);
  CHECK(test::error_of([&] { named_shape("llama-2b"); }).find("llama-160m") != std::string::npos);
}

TEST_CASE("plan: the shapes have as many parameters as the models whose names they bear") {
  const std::pair<const char*, int64_t> published[] = {
      {"gpt2-small", 124439808}, {"llama-1b", 1235814400}, {"llama-8b", 8030261248}};
  for (const auto& shape : published) {
    const auto& [name, parameters] = shape;
    CAPTURE(shape.first);
    PlanOptions o = with("lora");
    o.max_length = 16;
    const MemoryPlan plan =
        plan_memory(named_shape(name), o, method_settings(find_method("lora"), "", {}));
    CHECK(plan.parameters - plan.trained == parameters);
  }
}

TEST_CASE("plan: QLoRA of 65 billion takes no memory to plan, and fits into 48 GB" *
          doctest::skip(test::sanitized())) {
  PlanOptions o = with("qlora");
  o.batch_size = 1;
  o.max_length = 512;
  o.dtype = DType::bf16;
  o.gradient_checkpointing = true;
  const Settings settings = method_settings(find_method("qlora"), "", {{"rank", "16"}});
  const int64_t before = rss_bytes();
  const MemoryPlan plan = plan_memory(named_shape("llama-65b"), o, settings);
  CHECK(rss_bytes() - before <= 200 << 20);
  CHECK(!dry_run());
  // The terms of the formula in memory_plan.h.
  const int64_t d = 8192, ffn = 22016, layers = 80, vocabulary = 32000, rank = 16;
  const int64_t linear = layers * (4 * d * d + 3 * d * ffn), tables = 2 * vocabulary * d,
                norms = (2 * layers + 1) * d, adapter = layers * rank * (4 * 2 * d + 3 * (d + ffn));
  CHECK(plan.parameters == linear + tables + norms + adapter);
  CHECK(plan.trained == adapter);
  const double base = static_cast<double>(linear) * (0.5 + (1 + 4.0 / 256) / 64) +
                      static_cast<double>(2 * tables + 4 * norms);
  CHECK(std::abs(static_cast<double>(plan.base) / base - 1) <= 1e-5);
  CHECK(plan.added == 4 * adapter);
  CHECK(plan.optimizer == 8 * adapter);
  CHECK(plan.tensors <= 48'000'000'000);
  // Beyond these: the saved inputs of the blocks, one block at work, and what it needs meanwhile.
  // Gradients take the place of inputs that are done with.
  const double states = 12.0 * static_cast<double>(adapter),
               gradients = 4.0 * static_cast<double>(adapter),
               saved = static_cast<double>(layers * 512 * d * 2),
               rest = static_cast<double>(plan.tensors) - base - states;
  CHECK(rest > saved);
  CHECK(rest < 3 * saved + gradients);
}

}  // namespace
}  // namespace lk
