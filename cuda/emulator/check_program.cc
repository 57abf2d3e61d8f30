// EMULATOR_CHECK=1 in the environment: the whole program is checked. What was found goes to
// standard error at its end, which is then 1.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cuda/emulator/emulator.h"

namespace emu {
namespace {

const Checker* g_checker = nullptr;

void end() {
  const auto& reports = g_checker->reports();
  if (reports.empty()) return;
  for (const Report& r : reports)
    std::fprintf(stderr, "%s%s\n", r.text.c_str(),
                 r.count > 1 ? (" (" + std::to_string(r.count) + " times)").c_str() : "");
  std::fprintf(stderr, "EMULATOR_CHECK: %zu faults\n", reports.size());
  std::fflush(nullptr);
  std::_Exit(1);
}

[[maybe_unused]] const bool started = [] {
  const char* wish = std::getenv("EMULATOR_CHECK");
  if (!wish || std::strcmp(wish, "1") != 0) return false;
  g_checker = new Checker;
  return std::atexit(end) == 0;
}();

}  // namespace
}  // namespace emu
