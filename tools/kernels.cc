// The CUDA kernels, measured in the emulator: how they move memory, and what ptxas made of them.
#include <CLI/CLI.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>

#include "cuda/measure.h"
#include "engine/files/atomic_file.h"
#include "tools/train/cli.h"

using namespace lk;

namespace {

struct Compiled {  // over a source file's kernels, on one architecture
  int most_registers = 0, spilling = 0, kernels = 0;
};

// What `ptxas -v` said of every kernel, from the files that make cuda-objects leaves: by source
// file and architecture.
std::map<std::pair<std::string, std::string>, Compiled> read_ptxas(
    const std::filesystem::path& folder) {
  std::map<std::pair<std::string, std::string>, Compiled> all;
  if (!std::filesystem::is_directory(folder)) return all;
  const std::regex entry("Compiling entry function '.*' for '(sm_\\d+)'"),
      spills("(\\d+) bytes spill stores"), registers("Used (\\d+) registers");
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() != ".ptxas") continue;
    std::ifstream in(file.path());
    std::string line, arch;
    for (std::smatch m; std::getline(in, line);) {
      if (std::regex_search(line, m, entry)) arch = m[1];
      if (arch.empty()) continue;
      Compiled& c = all[{file.path().stem().stem().string() + ".cu", arch}];
      if (std::regex_search(line, m, spills)) c.spilling += std::stoi(m[1]) > 0;
      if (std::regex_search(line, m, registers)) {
        ++c.kernels;
        c.most_registers = std::max(c.most_registers, std::stoi(m[1]));
      }
    }
  }
  return all;
}

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

void print_compiled(const std::string& folder) {
  const auto compiled = read_ptxas(folder);
  if (compiled.empty()) {
    fmt::print("\nRegisters and spills: run `make cuda-objects` where nvcc is.\n");
    return;
  }
  fmt::print("\n{:<28} {:<8} {:>8} {:>15} {:>9}\n", "source", "arch", "kernels", "most registers",
             "spilling");
  for (const auto& [key, c] : compiled)
    fmt::print("{:<28} {:<8} {:>8} {:>15} {:>9}\n", key.first, key.second, c.kernels,
               c.most_registers, c.spilling);
}

// Bars of what was reached of the best: least over moved bytes, needed over touched sectors, lanes.
std::string html_of(const std::vector<Measured>& all) {
  std::string page =
      "<!doctype html><meta charset=utf-8><title>CUDA kernels</title><style>body{font:14px "
      "sans-serif}td,th{padding:2px 8px;text-align:left}td.bar{width:160px}td.bar "
      "div{background:#8bc48b;white-space:nowrap}</style><h1>CUDA kernels in the emulator</h1>"
      "<table><tr><th>op<th>shape<th>least / moved bytes<th>sector efficiency<th>active "
      "lanes<th>bank conflicts\n";
  const auto bar = [](double share) {
    return fmt::format("<td class=bar><div style=width:{:.1f}%>{:.3f}</div>",
                       100 * std::min(share, 1.0), share);
  };
  for (const auto& [one, f] : all)
    page += fmt::format("<tr><td>{}<td>{}{}{}{}<td>{}\n", one.op, one.shape, bar(1 / f.traffic),
                        bar(f.sector_efficiency), bar(f.active_lanes), f.bank_conflicts);
  return page + "</table>\n";
}

void report(const std::string& only, const std::string& objects, const std::string& html) {
  std::vector<Measured> all;
  for (const KernelCase& one : kernel_cases())
    if (one.op.find(only) != std::string::npos) all.push_back({one, measure(one)});
  require(!all.empty(), "no op's name has '{}' in it", only);
  print_table(all);
  print_compiled(objects);
  if (!html.empty()) write_file_atomically(html, html_of(all));
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
      "over the banks of shared memory beyond the needed ones");
  table->add_option("--op", only, "Only ops whose name has this in it");
  table->add_option("--objects", objects, "Where make cuda-objects left what ptxas said")
      ->capture_default_str();
  table->add_option("--html", html, "Write the first table to this file, too, with bars");
  return run_tool(app, argc, argv, [&] { report(only, objects, html); });
}
