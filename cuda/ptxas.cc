#include "cuda/ptxas.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <regex>

#include "cuda/emulator/source.h"
#include "engine/error.h"

namespace lk {

std::vector<Compiled> read_ptxas(const std::filesystem::path& folder) {
  std::vector<Compiled> all;
  if (!std::filesystem::is_directory(folder)) return all;
  const std::regex entry("Compiling entry function '(.*)' for '(sm_\\d+)'"),
      spills("(\\d+) bytes spill stores"), registers("Used (\\d+) registers"),
      shared("(\\d+) bytes smem");
  std::vector<std::filesystem::path> files;
  for (const auto& file : std::filesystem::directory_iterator(folder))
    if (file.path().extension() == ".ptxas") files.push_back(file.path());
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    std::ifstream in(file);
    std::string line;
    bool within = false;
    for (std::smatch m; std::getline(in, line);) {
      if (std::regex_search(line, m, entry)) {
        all.push_back({file.stem().stem().string() + ".cu", emu::short_name(m.str(1)), m[2]});
        within = true;
      }
      if (!within) continue;
      if (std::regex_search(line, m, spills)) all.back().spilled_bytes = std::stoi(m[1]);
      if (std::regex_search(line, m, registers)) all.back().registers = std::stoi(m[1]);
      if (std::regex_search(line, m, shared)) all.back().shared_bytes = std::stoi(m[1]);
    }
  }
  return all;
}

double occupancy(const Compiled& kernel, int threads, size_t dynamic_bytes) {
  struct Multiprocessor {
    int warps, blocks;
    size_t shared_bytes;
  };
  static const std::map<std::string, Multiprocessor> table{
      {"sm_80", {64, 32, 164 << 10}},  {"sm_86", {48, 16, 100 << 10}},
      {"sm_89", {48, 24, 100 << 10}},  {"sm_90", {64, 32, 228 << 10}},
      {"sm_100", {64, 32, 228 << 10}}, {"sm_120", {48, 24, 100 << 10}}};
  const auto found = table.find(kernel.arch);
  require(found != table.end(), "the multiprocessors of {} are not known here", kernel.arch);
  const auto& [most_warps, most_blocks, most_shared] = found->second;
  // Registers are given to a warp in units of 256, shared memory in units of 128 bytes, of which
  // each block takes 1 KiB for the system.
  const int warps = (threads + 31) / 32,
            of_warp = std::max(1, (kernel.registers * 32 + 255) / 256 * 256);
  const size_t of_block =
      (static_cast<size_t>(kernel.shared_bytes) + dynamic_bytes + 127) / 128 * 128 + 1024;
  const int blocks = std::min({most_blocks, most_warps / warps, 65536 / of_warp / warps,
                               static_cast<int>(most_shared / of_block)});
  return static_cast<double>(blocks * warps) / most_warps;
}

}  // namespace lk
