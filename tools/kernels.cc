// The CUDA kernels, measured in the emulator: how they move memory, how often a training step
// launches them, and what ptxas made of them.
#include <CLI/CLI.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "autograd/ops.h"
#include "cuda/measure.h"
#include "cuda/ptxas.h"
#include "engine/files/atomic_file.h"
#include "engine/gemm.h"
#include "nn/load.h"
#include "nn/optim/optimizer.h"
#include "peft/method.h"
#include "tools/train/cli.h"
#include "tools/train/markup.h"
#include "tools/train/method_options.h"
#include "tools/train/run_model.h"

using namespace lk;

namespace {

struct Measured {
  KernelCase of;
  Figures figures;
};

void print_table(const std::vector<Measured>& all) {
  fmt::print("{:<24} {:<20} {:>8} {:>11} {:>11} {:>11} {:>8} {:>10} {:>6} {:>9}\n", "op", "shape",
             "launches", "read", "written", "least", "traffic", "efficiency", "lanes", "conflicts");
  for (const auto& [one, f] : all)
    fmt::print("{:<24} {:<20} {:>8} {:>11} {:>11} {:>11} {:>8.3f} {:>10.3f} {:>6.3f} {:>9}\n",
               one.op, one.shape, f.launches, f.read_bytes, f.written_bytes, one.least_bytes,
               f.traffic, f.sector_efficiency, f.active_lanes, f.bank_conflicts);
}

// A kernel that was launched above, as it was compiled for one architecture.
struct Built {
  Compiled compiled;
  int threads = 0;
  size_t dynamic_bytes = 0;
  double occupancy = 0;
};

std::vector<Built> built_kernels(const std::vector<Measured>& all,
                                 const std::vector<Compiled>& compiled) {
  std::map<std::string, emu::Profile> launched;
  for (const Measured& m : all)
    for (const emu::Profile& p : m.figures.kernels) {
      emu::Profile& most = launched.try_emplace(p.kernel, p).first->second;
      most.threads = std::max(most.threads, p.threads);
      most.shared_bytes = std::max(most.shared_bytes, p.shared_bytes);
    }
  std::vector<Built> built;
  for (const Compiled& c : compiled)
    if (const auto found = launched.find(c.kernel); found != launched.end()) {
      const auto& [threads, dynamic] = std::pair(found->second.threads, found->second.shared_bytes);
      built.push_back({c, threads, dynamic, occupancy(c, threads, dynamic)});
    }
  return built;
}

// Template arguments of a kernel can be longer than all the rest of a line.
std::string shortened(const std::string& name) {
  return name.size() <= 60 ? name : name.substr(0, 57) + "...";
}

void print_built(const std::vector<Built>& built, const std::vector<Compiled>& compiled) {
  if (compiled.empty()) {
    fmt::print("\nRegisters, spills and occupancy: run `make cuda-objects` where nvcc is.\n");
    return;
  }
  fmt::print("\n{:<60} {:<7} {:>9} {:>7} {:>13} {:>14} {:>7} {:>9}\n", "kernel", "arch",
             "registers", "spilled", "static shared", "dynamic shared", "threads", "occupancy");
  for (const Built& b : built)
    fmt::print("{:<60} {:<7} {:>9} {:>7} {:>13} {:>14} {:>7} {:>9.2f}\n",
               shortened(b.compiled.kernel), b.compiled.arch, b.compiled.registers,
               b.compiled.spilled_bytes, b.compiled.shared_bytes, b.dynamic_bytes, b.threads,
               b.occupancy);
  const auto spilling = std::count_if(compiled.begin(), compiled.end(),
                                      [](const Compiled& c) { return c.spilled_bytes > 0; });
  fmt::print("{} kernels were compiled, {} spill registers\n", compiled.size(), spilling);
}

// Launches and products of one step of a model of 12 blocks, and what one block more adds.
struct StepLaunches {
  std::string model, method;
  struct Count {
    int64_t twelve = 0, block = 0;
    std::string text() const { return fmt::format("{} ({})", twelve, block); }
  } passes, products;
  int64_t update = 0;
};
constexpr const char* kStepTitle =
    "Launches of a training step in bf16, 12 blocks (and of each more)";

constexpr const char* kModels[][2] = {
    {"gpt2",
     R"({{"model_type":"gpt2","architectures":["GPT2LMHeadModel"],"n_embd":64,"n_head":2,"n_layer":{},"vocab_size":96,"n_positions":64}})"},
    {"llama",
     R"({{"model_type":"llama","architectures":["LlamaForCausalLM"],"max_position_embeddings":64,"hidden_size":64,"num_attention_heads":2,"num_key_value_heads":1,
          "num_hidden_layers":{},"intermediate_size":96,"vocab_size":96,"rms_norm_eps":1e-6}})"},
    {"bert",
     R"({{"model_type":"bert","architectures":["BertForMaskedLM"],"max_position_embeddings":64,"hidden_size":64,
          "num_attention_heads":2,"num_hidden_layers":{},"intermediate_size":96,"vocab_size":96}})"}};

// A model in bf16 on the device, and what trains in it.
struct Trained {
  std::unique_ptr<Model> model;
  std::unique_ptr<Method> method;
  ParamGroup group;
};

Trained make_trained(const char* json, int blocks, const std::string& method) {
  const Config config = Config::parse(fmt::format(fmt::runtime(json), blocks), "the model");
  const MethodInfo& info = find_method(method);
  Trained t{make_model(config, task_of(config), DType::bf16, 0),
            info.make(method_settings(info, "", {})),
            {}};
  t.method->attach(*t.model, 0);
  move_parameters(*t.model, t.method.get(), Device::cuda);
  for (Parameter* p : select_parameters(*t.model, *t.method))
    t.group.params.emplace_back(p->name, p->var);
  t.model->training = true;
  return t;
}

// Kernels and products of both passes on two texts.
std::pair<int64_t, int64_t> passes_of(const Trained& t) {
  Example text;
  for (int32_t i = 0; i < 16; ++i) text.ids.push_back(i + 5), text.labels.push_back(i + 6);
  const std::vector<const Example*> texts{&text, &text};
  const Batch batch = make_batch(texts);
  const int64_t products = gemm_counters().calls;
  const emu::Profiler profiler;
  backward(language_loss(*t.model, batch));
  return {profiler.launches(), gemm_counters().calls - products};
}

// Kernels of clipping and AdamW.
int64_t update_of(const Trained& t) {
  for (const auto& [name, p] : t.group.params) p.set_grad(p.value().clone());
  const auto optimizer = make_optimizer({}, {t.group});
  optimizer->step(1e-4);  // makes its states
  const emu::Profiler profiler;
  clip_grad_norm({t.group}, 1e-3);
  optimizer->step(1e-4);
  return profiler.launches();
}

std::vector<StepLaunches> measure_steps() {
  std::vector<StepLaunches> all;
  for (const auto& [name, json] : kModels)
    for (const char* method : {"full", "lora"}) {
      const auto two = passes_of(make_trained(json, 2, method)),
                 three = passes_of(make_trained(json, 3, method));
      const auto count = [](int64_t at_two, int64_t at_three) {
        return StepLaunches::Count{at_two + 10 * (at_three - at_two), at_three - at_two};
      };
      all.push_back({name, method, count(two.first, three.first), count(two.second, three.second),
                     update_of(make_trained(json, 12, method))});
    }
  return all;
}

void print_steps(const std::vector<StepLaunches>& steps) {
  fmt::print("\n{}\n{:<8} {:<8} {:>12} {:>12} {:>18}\n", kStepTitle, "model", "method", "kernels",
             "products", "clipping, AdamW");
  for (const StepLaunches& s : steps)
    fmt::print("{:<8} {:<8} {:>12} {:>12} {:>18}\n", s.model, s.method, s.passes.text(),
               s.products.text(), s.update);
}

// Bars of what was reached of the best: least over moved bytes, needed over touched sectors, lanes,
// warps of a multiprocessor.
std::string html_of(const std::vector<Measured>& all, const std::vector<Built>& built,
                    const std::vector<StepLaunches>& steps) {
  std::string page =
      "<!doctype html><meta charset=utf-8><title>CUDA kernels</title><style>body{font:14px "
      "sans-serif}td,th{padding:2px 8px;text-align:left}td.bar{width:160px}td.bar "
      "div{background:#8bc48b;white-space:nowrap}</style><h1>CUDA kernels in the emulator</h1>"
      "<table><tr><th>op<th>shape<th>launches<th>read<th>written<th>least / moved bytes<th>sector "
      "efficiency<th>active lanes<th>bank conflicts\n";
  const auto bar = [](double share) {
    return fmt::format("<td class=bar><div style=width:{:.1f}%>{:.3f}</div>",
                       100 * std::min(share, 1.0), share);
  };
  for (const auto& [one, f] : all)
    page += fmt::format("<tr><td>{}<td>{}<td>{}<td>{}<td>{}{}{}{}<td>{}\n", one.op, one.shape,
                        f.launches, f.read_bytes, f.written_bytes, bar(1 / f.traffic),
                        bar(f.sector_efficiency), bar(f.active_lanes), f.bank_conflicts);
  page += "</table>\n";
  if (!steps.empty()) {
    page += fmt::format(
        "<h2>{}</h2><table><tr><th>model<th>method<th>kernels<th>products<th>clipping, AdamW\n",
        kStepTitle);
    for (const StepLaunches& s : steps)
      page += fmt::format("<tr><td>{}<td>{}<td>{}<td>{}<td>{}\n", s.model, s.method,
                          s.passes.text(), s.products.text(), s.update);
    page += "</table>\n";
  }
  if (!built.empty()) {
    page +=
        "<h2>What ptxas made of them</h2><table><tr><th>kernel<th>arch<th>registers<th>spilled "
        "bytes<th>static shared<th>dynamic shared<th>threads<th>occupancy\n";
    for (const Built& b : built)
      page += fmt::format("<tr><td>{}<td>{}<td>{}<td>{}<td>{}<td>{}<td>{}{}\n",
                          escape_markup(b.compiled.kernel), b.compiled.arch, b.compiled.registers,
                          b.compiled.spilled_bytes, b.compiled.shared_bytes, b.dynamic_bytes,
                          b.threads, bar(b.occupancy));
    page += "</table>\n";
  }
  return page;
}

void report(const std::string& only, const std::string& objects, const std::string& html) {
  std::vector<Measured> all;
  for (const KernelCase& one : kernel_cases())
    if (one.op.find(only) != std::string::npos) all.push_back({one, measure(one)});
  require(!all.empty(), "no op's name has '{}' in it", only);
  print_table(all);
  const std::vector<StepLaunches> steps =
      only.empty() ? measure_steps() : std::vector<StepLaunches>();
  if (!steps.empty()) print_steps(steps);
  const std::vector<Compiled> compiled = read_ptxas(objects);
  const std::vector<Built> built = built_kernels(all, compiled);
  print_built(built, compiled);
  if (!html.empty()) write_file_atomically(html, html_of(all, built, steps));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"The CUDA kernels as the emulator sees them"};
  std::string only, objects = "build/cuda", html;
  app.require_subcommand(1);
  CLI::App* table = app.add_subcommand(
      "report",
      "One line for each kernel and shape. read, written: bytes beyond the L1 cache; least: that "
      "the op must move;\ntraffic: their ratio; efficiency: 32-byte sectors that the lanes' "
      "addresses need over those touched;\nlanes: of a warp that take part; conflicts: passes "
      "over the banks of shared memory beyond the needed ones.\nThen how many launches a training "
      "step takes (without --op), and of each launched kernel what ptxas says of its registers "
      "and\nshared memory, and occupancy: the warps that these let a multiprocessor run at a time, "
      "of the most it could");
  table->add_option("--op", only, "Only ops whose name has this in it");
  table->add_option("--objects", objects, "Where make cuda-objects left what ptxas said")
      ->capture_default_str();
  table->add_option("--html", html, "Write the tables to this file, too, with bars");
  return run_tool(app, argc, argv, [&] { report(only, objects, html); });
}
