// What kernels may call: coordinates, barriers, warp exchange, votes, and the warp-wide
// instructions for matrix tiles, each with the layout that the PTX manual documents.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "cuda_runtime.h"

namespace emu {

struct Coordinates {
  uint3 thread, block;
  dim3 block_dim, grid_dim;
};
extern Coordinates here;  // of the running thread

inline constexpr unsigned kFullWarp = 0xffffffffu;
// The wrappers below are inlined into the kernel, so these see the kernel's line as their caller.
enum class Exchange { index, up, down, exclusive_or };
uint64_t exchange(Exchange kind, unsigned mask, uint64_t value, int operand, int width);
unsigned ballot(unsigned mask, bool predicate);
uint32_t reduce_add(unsigned mask, uint32_t value);
// Replaces the value at `address` by change(old, argument) and gives the old one.
uint64_t update_atomically(void* address, int bytes, uint64_t (*change)(uint64_t, const void*),
                           const void* argument);
void* dynamic_shared();  // what `extern __shared__` names in CUDA

// mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32: d += a b. Lane l holds, with g = l / 4 and
// t = l % 4, the pairs of columns (2 t, 2 t + 1) of
//   a: rows g, g + 8 (then the same 8 columns on)    b: column g, rows 2 t.. then 2 t + 8..
//   d: d[0], d[1] in row g, d[2], d[3] in row g + 8
void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);
// ldmatrix.x4(.trans): lane l gives the address of row l % 8 of matrix l / 8 (8 x 8, 16 bits); it
// gets elements (l / 4, 2 (l % 4) ..) of each matrix, or of its transpose.
void ldmatrix_x4(uint32_t (&r)[4], const void* row, bool transpose);
// cp.async of 16 bytes: the copy shows at the wait, not before. zero: writes zeros, reads nothing.
void cp_async_16(void* shared, const void* global, bool zero);
void cp_async_commit();
void cp_async_wait(int groups_left);

}  // namespace emu

inline const uint3& threadIdx = emu::here.thread;
inline const uint3& blockIdx = emu::here.block;
inline const dim3& blockDim = emu::here.block_dim;
inline const dim3& gridDim = emu::here.grid_dim;
inline constexpr int warpSize = 32;

// A barrier is known by its call: two calls are never merged into one.
#if defined(__clang__)
#define EMU_OWN_CALL __attribute__((nomerge))
#else
#define EMU_OWN_CALL
#endif
EMU_OWN_CALL void __syncthreads();
EMU_OWN_CALL void __syncwarp(unsigned mask = emu::kFullWarp);
inline void __threadfence() {}
inline void __threadfence_block() {}

namespace emu {
template <class T>
uint64_t to_bits(T value) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8, "4 or 8 bytes at a time");
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  return bits;
}
template <class T>
T from_bits(uint64_t bits) {
  T value;
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}
template <class T>
__forceinline__ T exchange_as(Exchange kind, unsigned mask, T value, int operand, int width) {
  return from_bits<T>(exchange(kind, mask, to_bits(value), operand, width));
}
}  // namespace emu

template <class T>
__forceinline__ T __shfl_sync(unsigned mask, T value, int lane, int width = 32) {
  return emu::exchange_as(emu::Exchange::index, mask, value, lane, width);
}
template <class T>
__forceinline__ T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  return emu::exchange_as(emu::Exchange::up, mask, value, static_cast<int>(delta), width);
}
template <class T>
__forceinline__ T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  return emu::exchange_as(emu::Exchange::down, mask, value, static_cast<int>(delta), width);
}
template <class T>
__forceinline__ T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32) {
  return emu::exchange_as(emu::Exchange::exclusive_or, mask, value, lane_mask, width);
}
__forceinline__ unsigned __ballot_sync(unsigned mask, int predicate) {
  return emu::ballot(mask, predicate != 0);
}
__forceinline__ int __any_sync(unsigned mask, int predicate) {
  return __ballot_sync(mask, predicate) != 0;
}
__forceinline__ int __all_sync(unsigned mask, int predicate) {
  return __ballot_sync(mask, predicate == 0) == 0;
}
__forceinline__ unsigned __reduce_add_sync(unsigned mask, unsigned value) {
  return emu::reduce_add(mask, value);
}

inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }

#include "device_atomics.h"
