// Which CPU kernels run. Every file in engine/kernels is compiled once per instruction set (see
// Makefile), its functions told apart by the tag type; on_float() picks the tag that this machine
// can run.
#pragma once

#include <string_view>

#include "engine/dry_run.h"
#include "engine/tensor.h"

// The kernel sets of x86-64 are there; `make ISAS=generic` builds without them on any machine.
#if defined(__x86_64__) && !defined(LK_GENERIC_ONLY)
#define LK_X86_KERNELS 1
#else
#define LK_X86_KERNELS 0
#endif

namespace lk {

// Tags. A kernel is `template <class Isa, class T> void f(Isa, T* y, ...)`, declared in
// engine/kernels/f.h, defined in f.cc and instantiated there for LK_ISA.
struct Generic {};  // any machine
struct Avx2 {};     // x86-64-v3
struct Avx512 {};   // x86-64-v4
struct Vnni {};  // and bytes looked up and multiplied, for the few kernels in engine/kernels/vnni
struct Amx {};   // and matrix tiles of bf16, for the few kernels in engine/kernels/amx

enum class IsaLevel : uint8_t { generic, avx2, avx512, vnni, amx };
// The best that this machine has; the environment variable LORIKEET_ISA (avx2, avx512, vnni, amx)
// can ask for less. Error when the machine is below what this binary was built for.
IsaLevel isa_level();
std::string_view name_of(IsaLevel level);

// Calls f(isa, T{}): the kernel set of this machine, the C++ type of a computing dtype. Nothing in
// a dry run.
template <class F>
void on_float(DType dtype, F&& f) {
  if (dry_run()) return;
  visit_float(dtype, [&](auto type) {
#if LK_X86_KERNELS
    if (isa_level() >= IsaLevel::avx512)
      f(Avx512{}, type);
    else
      f(Avx2{}, type);
#else
    f(Generic{}, type);
#endif
  });
}

}  // namespace lk
