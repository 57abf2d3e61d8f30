// Vectors of an instruction set, for the loops that the compiler does not make into them by itself.
#pragma once

#include <cstdint>

#include "engine/cpu.h"

namespace lk {

template <class Isa>
struct VectorBytes {
  static constexpr int value = 16;
};
template <>
struct VectorBytes<Avx2> {
  static constexpr int value = 32;
};
template <>
struct VectorBytes<Avx512> {
  static constexpr int value = 64;
};
template <>
struct VectorBytes<Vnni> : VectorBytes<Avx512> {};
template <>
struct VectorBytes<Amx> : VectorBytes<Avx512> {};

// Vectors of the instruction set, with the alignment of an element: panels are not always aligned.
template <class Isa, class A>
struct Vector {
  typedef A type
      __attribute__((vector_size(VectorBytes<Isa>::value), aligned(alignof(A)), may_alias));
  static constexpr int64_t lanes = VectorBytes<Isa>::value / static_cast<int64_t>(sizeof(A));
};

}  // namespace lk
