// The functions that -fsanitize=thread makes the compiler call at every access of a kernel file.
// The program is not linked with ThreadSanitizer: these are ours.
#include "cuda/emulator/checker.h"
#include "cuda/emulator/profiler.h"

namespace {

void observe(void* address, int bytes, bool write, bool vector, const void* site) {
  if (!emu::current_thread()) return;
  const auto at = reinterpret_cast<uintptr_t>(address);
  if (emu::checking()) emu::check_access(at, bytes, write, false, vector, site);
  if (emu::profiling()) emu::profile_access(at, bytes, write, site);
}

}  // namespace

#define EMU_SITE __builtin_return_address(0)
#define EMU_ACCESS(N)                                                               \
  void __tsan_read##N(void* a) { observe(a, N, false, true, EMU_SITE); }            \
  void __tsan_write##N(void* a) { observe(a, N, true, true, EMU_SITE); }            \
  void __tsan_unaligned_read##N(void* a) { observe(a, N, false, false, EMU_SITE); } \
  void __tsan_unaligned_write##N(void* a) { observe(a, N, true, false, EMU_SITE); } \
  void __tsan_volatile_read##N(void* a) { observe(a, N, false, true, EMU_SITE); }   \
  void __tsan_volatile_write##N(void* a) { observe(a, N, true, true, EMU_SITE); }

// NOLINTBEGIN(bugprone-reserved-identifier): the compiler's names
extern "C" {
EMU_ACCESS(1)
EMU_ACCESS(2)
EMU_ACCESS(4)
EMU_ACCESS(8)
EMU_ACCESS(16)
void __tsan_read_range(void* a, unsigned long n) {
  observe(a, static_cast<int>(n), false, false, EMU_SITE);
}
void __tsan_write_range(void* a, unsigned long n) {
  observe(a, static_cast<int>(n), true, false, EMU_SITE);
}
// Of the guard that g++ gives a shared array of a class with constructors, even where there is
// nothing to construct.
char __tsan_atomic8_load(const volatile char* a, int order) { return __atomic_load_n(a, order); }
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
}
// NOLINTEND(bugprone-reserved-identifier)
