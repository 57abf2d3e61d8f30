// Atomic operations, for the types that CUDA has them for. Each gives the old value.
#pragma once

#include <type_traits>

#include "device_functions.h"

namespace emu {

template <class T, class... Others>
concept OneOf = (std::is_same_v<T, Others> || ...);
template <class T>
concept Word = OneOf<T, int, unsigned, unsigned long long>;
template <class T>
concept Ordered = Word<T> || OneOf<T, long long>;
// cuda_fp16.h and cuda_bf16.h add theirs.
template <class T>
inline constexpr bool kHasAtomicAdd = Word<T> || OneOf<T, float, double>;

template <class T, class F>
__forceinline__ T atomic_as(T* address, const F& change) {
  const auto on_bits = [](uint64_t old, const void* f) {
    return to_bits<T>((*static_cast<const F*>(f))(from_bits<T>(old)));
  };
  return from_bits<T>(update_atomically(address, sizeof(T), on_bits, &change));
}
// Integers wrap.
template <class T>
T wrapped_sum(T a, T b) {
  if constexpr (std::is_integral_v<T>)
    return static_cast<T>(static_cast<std::make_unsigned_t<T>>(a) +
                          static_cast<std::make_unsigned_t<T>>(b));
  else
    return a + b;
}

}  // namespace emu

template <class T>
requires emu::kHasAtomicAdd<T> __forceinline__ T atomicAdd(T* address,
                                                           std::type_identity_t<T> value) {
  return emu::atomic_as(address, [value](T old) { return emu::wrapped_sum(old, value); });
}
template <class T>
requires emu::OneOf<T, int, unsigned> __forceinline__ T atomicSub(T* address,
                                                                  std::type_identity_t<T> value) {
  return emu::atomic_as(address, [value](T old) {
    return static_cast<T>(static_cast<unsigned>(old) - static_cast<unsigned>(value));
  });
}
template <class T>
requires emu::Word<T> || emu::OneOf<T, float> __forceinline__ T
atomicExch(T* address, std::type_identity_t<T> value) {
  return emu::atomic_as(address, [value](T) { return value; });
}
template <emu::Ordered T>
__forceinline__ T atomicMax(T* address, std::type_identity_t<T> value) {
  return emu::atomic_as(address, [value](T old) { return old < value ? value : old; });
}
template <emu::Ordered T>
__forceinline__ T atomicMin(T* address, std::type_identity_t<T> value) {
  return emu::atomic_as(address, [value](T old) { return value < old ? value : old; });
}
// Counts up to `most`, then begins at 0.
__forceinline__ unsigned atomicInc(unsigned* address, unsigned most) {
  return emu::atomic_as(address, [most](unsigned old) { return old >= most ? 0 : old + 1; });
}
// Counts down to 0, then begins at `most`.
__forceinline__ unsigned atomicDec(unsigned* address, unsigned most) {
  return emu::atomic_as(address,
                        [most](unsigned old) { return old == 0 || old > most ? most : old - 1; });
}
template <class T>
requires emu::Word<T> || emu::OneOf<T, unsigned short> __forceinline__ T
atomicCAS(T* address, std::type_identity_t<T> compare, std::type_identity_t<T> value) {
  return emu::atomic_as(address, [=](T old) { return old == compare ? value : old; });
}
template <emu::Word T>
__forceinline__ T atomicAnd(T* address, std::type_identity_t<T> value) {
  return emu::atomic_as(address, [value](T old) { return old & value; });
}
template <emu::Word T>
__forceinline__ T atomicOr(T* address, std::type_identity_t<T> value) {
  return emu::atomic_as(address, [value](T old) { return old | value; });
}
template <emu::Word T>
__forceinline__ T atomicXor(T* address, std::type_identity_t<T> value) {
  return emu::atomic_as(address, [value](T old) { return old ^ value; });
}
