#include "tools/plan/plan_command.h"

#include <CLI/CLI.hpp>

#include <numeric>
#include <optional>

#include "data/tokenizer/tokenizer.h"
#include "engine/gemm.h"
#include "tools/plan/shapes.h"
#include "tools/train/cli.h"
#include "tools/train/progress.h"

namespace lk {
namespace {

// What the process holds beside tensors: program, libraries, threads, tokenizer.
int64_t process_bytes(const std::filesystem::path& folder, DType dtype) {
  std::optional<Tokenizer> tokenizer;
  for (const char* file : {"tokenizer.json", "vocab.txt", "vocab.json"})
    if (!tokenizer && std::filesystem::exists(folder / file)) tokenizer = Tokenizer::load(folder);
  constexpr int64_t n = 512;  // the library makes its code at the first product
  const Tensor a = Tensor::full({n, n}, dtype, 0.5), c = Tensor::empty({n, n}, dtype);
  gemm(c, a, a);
  return rss_bytes() - a.bytes() - c.bytes();
}

void row(const char* name, int64_t bytes, const std::string& note = "") {
  if (bytes > 0) fmt::print("  {:<18} {:>10}  {}\n", name, human_bytes(bytes), note);
}

}  // namespace

void add_plan_options(CLI::App& app, PlanCommand& command) {
  CLI::Option* plan = app.add_flag("--plan", command.wanted,
                                   "the memory that fine-tuning with the options below will take");
  CLI::App* group = app.add_option_group("Options of --plan", "as finetune's");
  PlanOptions& o = command.options;
  std::string names;
  for (const MethodInfo& m : methods()) names += (names.empty() ? "" : ", ") + m.name;
  group->add_option("--method", o.method, names)->capture_default_str();
  group->add_option("--labels", o.labels, "classes of the data, for a classifier")
      ->check(CLI::PositiveNumber);
  group->add_option("--batch-size", o.batch_size, "examples in a batch")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  group->add_option("--tokens-per-batch", o.tokens_per_batch, "fill batches up to this instead")
      ->check(CLI::PositiveNumber);
  group->add_option("--max-length", o.max_length, "tokens of the longest example; 0: the context")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  add_device_option(*group, o.device);
  group->add_option("--optimizer", o.optimizer.name, "what updates the weights")
      ->capture_default_str()
      ->check(CLI::IsMember(known_optimizers()));
  group->add_flag("--gradient-checkpointing", o.gradient_checkpointing, "make activations again");
  add_activations_option(*group, o.activations);
  group
      ->add_option("--device-memory", command.device_memory,
                   "say whether the tensors fit into this much, e.g. 48GB")
      ->transform(CLI::AsSizeValue(true));
  add_dtype_option(*group, o.dtype);
  add_quant_options(*group, o.quant);
  add_method_options(*group, command.method_flags);
  for (CLI::Option* option : group->get_options()) option->needs(plan);
}

void print_plan(const std::string& model, const PlanCommand& command) {
  const PlanOptions& o = command.options;
  const bool folder = std::filesystem::is_directory(model);
  const Config config = folder ? Config::load(model) : named_shape(model);
  const int64_t process = process_bytes(folder ? model : "", o.dtype);
  const MemoryPlan p =
      plan_memory(config, o, method_settings(find_method(o.method), "", command.method_flags));
  const MemoryStats& s = p.stats;
  const auto most = [&](Category c) { return s.peak[static_cast<size_t>(c)]; };
  const int64_t live = std::accumulate(s.at_held_peak.begin(), s.at_held_peak.end(), int64_t{0});
  fmt::print(
      "{}: {} parameters, {} of them train; {} examples of {} tokens in a batch, {}{}\n"
      "memory, each at its most:\n",
      o.method, p.parameters, p.trained, p.examples, p.length, name_of(o.dtype),
      o.gradient_checkpointing ? ", gradient checkpointing" : "");
  row("base", p.base,
      p.quant.type.empty()
          ? ""
          : fmt::format("linear layers in {}, blocks of {}{}", p.quant.type, p.quant.block_size,
                        p.quant.double_quant ? ", double" : ""));
  row("adapter, masters", p.added, "of what trains, in f32");
  row("optimizer states", p.optimizer, o.optimizer.name);
  row("gradients", most(Category::gradients));
  row("activations", most(Category::activations));
  row("workspace", most(Category::workspace));
  row("tensors together", p.tensors,
      fmt::format("{} of it freed and kept for reuse", human_bytes(s.held_peak - live)));
  if (o.device == Device::cpu) {
    row("process", process, folder ? "program, libraries, tokenizer" : "program, libraries");
    row("total", std::max(p.tensors, p.loading) + process);
    row("page file", p.paged, "on disk: optimizer states");
  } else {
    row("paged states", p.paged,
        fmt::format("on the host; {} of them come to the device at a time, where it has room",
                    human_bytes(p.fetched)));
    row("host", std::max(p.paged, p.loading) + process,
        p.paged > p.loading ? "paged states, program, libraries"
                            : "the base while it is loaded, program, libraries");
  }
  if (command.device_memory == 0) return;
  const auto device = static_cast<int64_t>(command.device_memory);
  fmt::print("the tensors {} {}: {} {}\n", p.tensors <= device ? "fit into" : "do not fit into",
             human_bytes(device), human_bytes(std::abs(device - p.tensors)),
             p.tensors <= device ? "are left" : "are missing");
}

}  // namespace lk
