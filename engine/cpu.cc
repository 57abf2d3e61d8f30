#include "engine/cpu.h"

#include <cstdlib>

namespace lk {
namespace {

IsaLevel detect() {
#if defined(__x86_64__)
  require(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"),
          "this program needs a CPU with AVX2 and FMA (Intel Haswell, AMD Zen or newer)");
  const bool v4 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  const char* wish = std::getenv("LORIKEET_ISA");
  if (!wish || !*wish) return v4 ? IsaLevel::avx512 : IsaLevel::avx2;
  const std::string_view name = wish;
  if (name == "avx2") return IsaLevel::avx2;
  require(name == "avx512", "LORIKEET_ISA is '{}'; it can be avx2 or avx512", name);
  require(v4, "LORIKEET_ISA asks for avx512, which this CPU lacks");
  return IsaLevel::avx512;
#else
  return IsaLevel::generic;
#endif
}

}  // namespace

IsaLevel isa_level() {
  static const IsaLevel level = detect();
  return level;
}

std::string_view name_of(IsaLevel level) {
  return level == IsaLevel::avx512 ? "avx512" : level == IsaLevel::avx2 ? "avx2" : "generic";
}

}  // namespace lk
