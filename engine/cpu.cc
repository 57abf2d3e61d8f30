#include "engine/cpu.h"

#include <cstdlib>

#if LK_X86_KERNELS
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace lk {
namespace {

#if LK_X86_KERNELS
// Tiles of bf16 need the CPU (leaf 7: bits 22 and 24 of edx) and the kernel's leave to use their
// large registers, asked for once (Linux, "Using XSTATE features in user space applications").
bool tiles_allowed() {
  constexpr long kRequest = 0x1023, kTileData = 18;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  if ((d >> 22 & 1) == 0 || (d >> 24 & 1) == 0) return false;
#if defined(__linux__)
  return syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
#else
  return false;
#endif
}
#endif

IsaLevel detect() {
#if LK_X86_KERNELS
  require(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"),
          "this program needs a CPU with AVX2 and FMA (Intel Haswell, AMD Zen or newer)");
  const bool v4 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  const bool bytes = __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vbmi");
  const IsaLevel best = v4 && bytes && tiles_allowed() ? IsaLevel::amx
                        : v4 && bytes                  ? IsaLevel::vnni
                        : v4                           ? IsaLevel::avx512
                                                       : IsaLevel::avx2;
  const char* wish = std::getenv("LORIKEET_ISA");
  if (!wish || !*wish) return best;
  for (const IsaLevel level : {IsaLevel::avx2, IsaLevel::avx512, IsaLevel::vnni, IsaLevel::amx})
    if (wish == name_of(level)) {
      require(level <= best, "LORIKEET_ISA asks for {}, which this CPU lacks", wish);
      return level;
    }
  fail("LORIKEET_ISA is '{}'; it can be avx2, avx512, vnni or amx", wish);
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
  constexpr std::string_view names[] = {"generic", "avx2", "avx512", "vnni", "amx"};
  return names[static_cast<size_t>(level)];
}

}  // namespace lk
