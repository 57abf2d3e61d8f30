// What a kernel may use beyond plain C++, each with one meaning on the device and in the emulator:
// 16-byte accesses, sums over a warp and a block, fast functions, matrix tiles.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

#include "engine/dtype.h"

namespace lk {

inline constexpr int kWarp = 32;
inline constexpr unsigned kAllLanes = 0xffffffffu;

// N elements side by side.
template <class T, int N>
struct alignas(N * sizeof(T) % 16 == 0 ? 16 : alignof(T)) Elements {
  T at[N];
};
// As many as one instruction of 16 bytes moves.
template <class T>
inline constexpr int kPackSize = 16 / static_cast<int>(sizeof(T));
template <class T>
using Pack = Elements<T, kPackSize<T>>;

#if defined(__CUDACC__)
using Bytes16 = uint4;
using Bytes8 = uint2;
using Bytes4 = uint32_t;
using Access16 = Bytes16;
using Access8 = Bytes8;
using Access4 = Bytes4;
#else
// A vector type, and volatile: compilers would split the access. Aligned to 8: an address that is
// wrong for a GPU is the checker's to report, not this CPU's.
typedef uint32_t Bytes16 __attribute__((vector_size(16), may_alias, aligned(8)));
typedef uint64_t Bytes8 __attribute__((may_alias));
typedef uint32_t Bytes4 __attribute__((may_alias));
using Access16 = volatile Bytes16;
using Access8 = volatile Bytes8;
using Access4 = volatile Bytes4;
#endif

template <class T>
__device__ __forceinline__ Pack<T> load128(const T* p) {
  const Bytes16 raw = *reinterpret_cast<const Access16*>(p);
  return __builtin_bit_cast(Pack<T>, raw);
}
template <class T>
__device__ __forceinline__ void store128(T* p, const Pack<T>& value) {
  *reinterpret_cast<Access16*>(p) = __builtin_bit_cast(Bytes16, value);
}

// N elements in accesses of 16 bytes where they fill them, in one of 8 or 4 where they fill that,
// one by one else.
template <int N, class T>
__device__ __forceinline__ Elements<T, N> load(const T* p) {
  Elements<T, N> e;
  if constexpr (N % kPackSize<T> == 0) {
#pragma unroll
    for (int i = 0; i < N; i += kPackSize<T>) {
      const Pack<T> pack = load128(p + i);
#pragma unroll
      for (int j = 0; j < kPackSize<T>; ++j) e.at[i + j] = pack.at[j];
    }
  } else if constexpr (N > 1 && N * sizeof(T) == 8) {
    const Bytes8 raw = *reinterpret_cast<const Access8*>(p);
    e = __builtin_bit_cast(Elements<T, N>, raw);
  } else if constexpr (N > 1 && N * sizeof(T) == 4) {
    const Bytes4 raw = *reinterpret_cast<const Access4*>(p);
    e = __builtin_bit_cast(Elements<T, N>, raw);
  } else {
#pragma unroll
    for (int i = 0; i < N; ++i) e.at[i] = p[i];
  }
  return e;
}
template <int N, class T>
__device__ __forceinline__ void store(T* p, const Elements<T, N>& e) {
  if constexpr (N % kPackSize<T> == 0) {
#pragma unroll
    for (int i = 0; i < N; i += kPackSize<T>) {
      Pack<T> pack;
#pragma unroll
      for (int j = 0; j < kPackSize<T>; ++j) pack.at[j] = e.at[i + j];
      store128(p + i, pack);
    }
  } else if constexpr (N > 1 && N * sizeof(T) == 8) {
    *reinterpret_cast<Access8*>(p) = __builtin_bit_cast(Bytes8, e);
  } else if constexpr (N > 1 && N * sizeof(T) == 4) {
    *reinterpret_cast<Access4*>(p) = __builtin_bit_cast(Bytes4, e);
  } else {
#pragma unroll
    for (int i = 0; i < N; ++i) p[i] = e.at[i];
  }
}

// Dynamic shared memory, aligned to 16 bytes.
template <class T>
__device__ __forceinline__ T* dynamic_shared() {
#if defined(__CUDACC__)
  extern __shared__ __align__(16) unsigned char lk_dynamic_shared[];
  return reinterpret_cast<T*>(lk_dynamic_shared);
#else
  return static_cast<T*>(emu::dynamic_shared());
#endif
}

struct Sum {
  template <class A>
  __device__ __forceinline__ A operator()(A a, A b) const {
    return a + b;
  }
};
struct Maximum {  // keeps NaN
  template <class A>
  __device__ __forceinline__ A operator()(A a, A b) const {
    return a > b || a != a ? a : b;
  }
};

// The value of lane l ^ offset; A: 4 or 8 bytes.
template <class A>
__device__ __forceinline__ A from_lane_xor(A value, int offset) {
  using Bits = std::conditional_t<sizeof(A) == 8, unsigned long long, unsigned>;
  const Bits bits = __shfl_xor_sync(kAllLanes, __builtin_bit_cast(Bits, value), offset);
  return __builtin_bit_cast(A, bits);
}
// Every lane gets the result over the warp, the same bits in each when f is commutative.
template <class A, class F>
__device__ __forceinline__ A warp_reduce(A value, F f) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2)
    value = f(value, from_lane_xor(value, offset));
  return value;
}

// Every thread gets the result over a block of `Threads`; all of them call. `scratch`: shared, one
// value a warp; free for the next call after it, since that begins with a barrier.
template <int Threads, class A, class F>
__device__ __forceinline__ A block_reduce(A value, A* scratch, F f) {
  constexpr int kWarps = Threads / kWarp;
  value = warp_reduce(value, f);
  if constexpr (kWarps == 1) return value;
  const int warp = static_cast<int>(threadIdx.x) / kWarp,
            lane = static_cast<int>(threadIdx.x) % kWarp;
  __syncthreads();
  if (lane == 0) scratch[warp] = value;
  __syncthreads();
  A total = scratch[0];
  for (int w = 1; w < kWarps; ++w) total = f(total, scratch[w]);
  return total;
}

// The value, of which the compiler may compute nothing ahead: what depends on it is made where it
// stands, not before the loop around it, where it would take registers.
__device__ __forceinline__ uint64_t made_here(uint64_t value) {
#if defined(__CUDA_ARCH__)
  asm volatile("" : "+l"(value));
#endif
  return value;
}

// 2^x and log2(x) by the special function unit: relative error below 2^-22.
__device__ __forceinline__ float fast_exp2(float x) {
#if defined(__CUDA_ARCH__)
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#else
  return exp2f(x);
#endif
}
__device__ __forceinline__ float fast_log2(float x) {
#if defined(__CUDA_ARCH__)
  float y;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#else
  return log2f(x);
#endif
}

// Two bf16 in a register, the first in the low half, rounded to nearest even.
__device__ __forceinline__ uint32_t pack_bf16(float low, float high) {
#if defined(__CUDA_ARCH__)
  uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
#else
  return bf16(low).bits | static_cast<uint32_t>(bf16(high).bits) << 16;
#endif
}

// Byte k of a word, in one instruction.
__device__ __forceinline__ uint32_t byte_of(uint32_t word, int k) {
#if defined(__CUDA_ARCH__)
  return __byte_perm(word, 0, 0x4440u + static_cast<unsigned>(k));
#else
  return word >> 8 * k & 0xffu;
#endif
}

// d [16, 8] += a [16, 16] b [16, 8], by a warp: bf16 operands, f32 sums. The lanes' elements: PTX
// ISA, "Matrix fragments for mma.m16n8k16 with floating point type".
__device__ __forceinline__ void mma_16x8x16(float (&d)[4], const uint32_t (&a)[4],
                                            const uint32_t (&b)[2]) {
#if defined(__CUDA_ARCH__)
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#elif !defined(__CUDACC__)
  emu::mma_m16n8k16(d, a, b);
#endif
}

// Four 8 x 8 matrices of 16 bits from shared memory: lane l gives the row l % 8 of matrix l / 8 and
// gets the elements (l / 4, 2 (l % 4)) and the next of each, or of its transpose.
template <bool Transpose>
__device__ __forceinline__ void load_matrices(uint32_t (&r)[4], const bf16* row) {
#if defined(__CUDA_ARCH__)
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  if constexpr (Transpose)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
  else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
#elif !defined(__CUDACC__)
  emu::ldmatrix_x4(r, row, Transpose);
#endif
}

// 16 bytes from global to shared memory behind the thread's back, zeros where `valid` is false;
// they are there after copy_wait of their group and a barrier.
__device__ __forceinline__ void copy_async_16(void* shared, const void* global, bool valid) {
#if defined(__CUDA_ARCH__)
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
  const int bytes = valid ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(global),
               "r"(bytes)
               : "memory");
#elif !defined(__CUDACC__)
  emu::cp_async_16(shared, global, !valid);
#endif
}
__device__ __forceinline__ void copy_commit() {
#if defined(__CUDA_ARCH__)
  asm volatile("cp.async.commit_group;" ::: "memory");
#elif !defined(__CUDACC__)
  emu::cp_async_commit();
#endif
}
template <int GroupsLeft>
__device__ __forceinline__ void copy_wait() {
#if defined(__CUDA_ARCH__)
  asm volatile("cp.async.wait_group %0;" ::"n"(GroupsLeft) : "memory");
#elif !defined(__CUDACC__)
  emu::cp_async_wait(GroupsLeft);
#endif
}

}  // namespace lk
