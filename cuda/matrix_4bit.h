// A matrix in 4-bit blocks as kernels read it: 32 codes in one access of 16 bytes, looked up in
// shared memory. The 16 values lie in 16 banks, so that lanes never wait for each other there.
#pragma once

#include <bit>

#include "cuda/codebook_values.h"
#include "cuda/each.h"
#include "engine/kernels/blockwise.h"

namespace lk {

inline constexpr int kPiece = 32;  // codes of one access; they lie in one block

// Matrix4Bit as an argument of a launch.
struct DeviceMatrix4Bit {
  int64_t out, pieces;  // of a row
  int block_shift;      // log2 of a block's pieces
  const uint8_t* packed;
  const float* absmax;
  const uint8_t* absmax_codes;
  const float* nested;
  float offset;
  Values<16> values;
  Values<256> nested_values;

  explicit DeviceMatrix4Bit(const Matrix4Bit& w)
      : out(w.out),
        pieces(w.in / kPiece),
        block_shift(std::countr_zero(static_cast<uint64_t>(w.block / kPiece))),
        packed(w.packed),
        absmax(w.absmax),
        absmax_codes(w.absmax_codes),
        nested(w.nested),
        offset(w.offset),
        values(values_of<16>(w.values)),
        nested_values{} {
    require(w.in % w.block == 0 && std::has_single_bit(static_cast<uint64_t>(w.block)) &&
                w.block >= kPiece && aligned_16(w.packed),
            "4-bit product: rows of {} in blocks of {}: expected whole blocks of a power of two "
            "from 32 on, at a multiple of 16 bytes",
            w.in, w.block);
    constexpr int64_t kMost = 1 << 30;  // kernels count in 32 bits
    require(w.out < kMost && w.in < kMost,
            "4-bit product: [{}, {}] has more than {} rows or columns", w.out, w.in, kMost);
    if (!w.absmax) nested_values = values_of<256>(w.nested_values);
  }
};

struct Codebooks {
  float values[16], nested[256];
  // By all threads of a block of 256 or more; a barrier has to follow.
  __device__ __forceinline__ void load(const DeviceMatrix4Bit& w) {
    if (threadIdx.x < 16) values[threadIdx.x] = w.values.at[threadIdx.x];
    if (!w.absmax && threadIdx.x < 256) nested[threadIdx.x] = w.nested_values.at[threadIdx.x];
  }
  // Of piece p of a row.
  __device__ __forceinline__ float factor(const DeviceMatrix4Bit& w, int64_t row, int64_t p) const {
    const int64_t block = row * (w.pieces >> w.block_shift) + (p >> w.block_shift);
    if (w.absmax) return w.absmax[block];
    // The product is rounded before the sum, as restore_factors does.
    const float value = nested[w.absmax_codes[block]], scale = w.nested[block / kNestedBlock];
#if defined(__CUDA_ARCH__)
    return __fmul_rn(value, scale) + w.offset;
#else
    return value * scale + w.offset;
#endif
  }
  // Of 8 codes; the first of a byte lies in its high half. Four at a time become offsets of values
  // in bytes: three instructions for two codes, not four.
  __device__ __forceinline__ void look_up(float (&value)[8], uint32_t codes) const {
    const uint32_t first = codes >> 2 & 0x3c3c3c3cu, second = codes << 2 & 0x3c3c3c3cu;
    const auto* bytes = reinterpret_cast<const char*>(values);
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      value[2 * k] = *reinterpret_cast<const float*>(bytes + byte_of(first, k));
      value[2 * k + 1] = *reinterpret_cast<const float*>(bytes + byte_of(second, k));
    }
  }
};

// The codes of piece p of a row.
__device__ __forceinline__ Pack<uint32_t> load_piece(const DeviceMatrix4Bit& w, int64_t row,
                                                     int64_t p) {
  return load128(reinterpret_cast<const uint32_t*>(w.packed + (row * w.pieces + p) * 16));
}

}  // namespace lk
