#include "engine/kernels/blockwise.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "engine/dtype.h"
#include "engine/kernels/byte_codes.h"
#include "engine/kernels/nibbles.h"
#include "engine/parallel.h"

namespace lk {
namespace {

constexpr int64_t kPiece = 512;  // elements taken through registers and the first cache at a time

// |x| of floats compares as integers do, and NaN is then the largest.
template <class T>
float largest_magnitude(const T* x, int64_t n) {
  uint32_t most = 0;
  for (int64_t i = 0; i < n; ++i) {
    const uint32_t bits = std::bit_cast<uint32_t>(static_cast<float>(x[i])) & 0x7fffffffu;
    most = bits > most ? bits : most;
  }
  return std::bit_cast<float>(most);
}

template <class Isa, class T>
void quantize_block(uint8_t* packed, float& absmax, const T* x, int64_t n, bool whole,
                    const Codebook4& book, const Search15<Isa>& search, bool in_order) {
  constexpr float kLeast = 1e-38f;
  const float most = largest_magnitude(x, n);
  const float divisor = most < kLeast ? kLeast : most, factor = 1.0f / divisor;
  absmax = whole ? most : divisor;
  for (int64_t at = 0; at < n; at += kPiece) {
    float scaled[kPiece];
    uint8_t code[kPiece];
    const int64_t m = std::min(kPiece, n - at);
    // bitsandbytes divides in the last, partial block, and multiplies elsewhere.
    if (whole)
      for (int64_t i = 0; i < m; ++i) scaled[i] = static_cast<float>(x[at + i]) * factor;
    else
      for (int64_t i = 0; i < m; ++i) scaled[i] = static_cast<float>(x[at + i]) / divisor;
    if (m % 2) scaled[m] = 0.0f;  // the unused half byte; n <= kPiece is even for all but the last
    search.count_below(code, scaled, m + m % 2);
    if (!in_order)
      for (int64_t i = 0; i < m + m % 2; ++i) code[i] = book.order[code[i]];
    uint8_t* out = packed + at / 2;
    for (int64_t i = 0; i < (m + 1) / 2; ++i)
      out[i] = static_cast<uint8_t>(code[2 * i] << 4 | code[2 * i + 1]);
  }
}

}  // namespace

template <class Isa, class T>
void quantize_4bit(Isa, uint8_t* packed, float* absmax, const T* x, int64_t n, int64_t block,
                   const Codebook4& book) {
  bool in_order = true;
  for (int i = 0; i < 16; ++i) in_order &= book.order[static_cast<size_t>(i)] == i;
  parallel_for((n + block - 1) / block, 1 + (1 << 14) / block,
               [=, &book](int64_t begin, int64_t end) {
                 const Search15<Isa> search(book.thresholds.data());
                 for (int64_t b = begin; b < end; ++b) {
                   const int64_t at = b * block, m = std::min(block, n - at);
                   quantize_block<Isa>(packed + at / 2, absmax[b], x + at, m, m == block, book,
                                       search, in_order);
                 }
               });
}

template <class Isa, class T>
void dequantize_4bit(Isa, T* y, const uint8_t* packed, const float* absmax, int64_t begin,
                     int64_t n, int64_t block, const Codebook4& book) {
  const int64_t end = begin + n, first = begin / block;
  for (int64_t at = begin; at < end;) {
    const int64_t b = at / block, stop = std::min(end, (b + 1) * block);
    // Rounding the table's products is rounding each element's.
    T table[16];
    scale_table(table, book.values.data(), absmax[b - first]);
    if (at % 2) {
      *y++ = table[packed[at / 2] & 15];
      ++at;
    }
    const int64_t pairs = (stop - at) / 2;
    look_up<Isa>(y, packed + at / 2, pairs, table);
    y += 2 * pairs;
    at += 2 * pairs;
    if (at < stop) {
      *y++ = table[packed[at / 2] >> 4];
      ++at;
    }
  }
}

template <class Isa, class T>
void quantize_8bit(Isa, uint8_t* codes, float* absmax, const T* x, int64_t n, int64_t block,
                   const StepTable& table) {
  parallel_for((n + block - 1) / block, 1 + (1 << 14) / block,
               [=, &table](int64_t begin, int64_t end) {
                 for (int64_t b = begin; b < end; ++b) {
                   const int64_t at = b * block;
                   absmax[b] = encode_block(codes + at, x + at, std::min(block, n - at), table);
                 }
               });
}

template <class Isa, class T>
void dequantize_8bit(Isa, T* y, const uint8_t* codes, const float* absmax, int64_t begin, int64_t n,
                     int64_t block, const float* values) {
  const int64_t end = begin + n, first = begin / block;
  for (int64_t at = begin; at < end;) {
    const int64_t b = at / block, stop = std::min(end, (b + 1) * block);
    const float scale = absmax[b - first];
    for (; at < stop; ++at) *y++ = T(values[codes[at]] * scale);
  }
}

template <class Isa>
void restore_factors(Isa, float* factors, const uint8_t* codes, const float* nested, int64_t count,
                     int64_t block, const float* values, float offset) {
  // Two loops: in one, the sum could be fused with the product, and its last bit would differ.
  for (int64_t at = 0; at < count; at += block) {
    const float scale = nested[at / block];
    const int64_t end = std::min(count, at + block);
    for (int64_t i = at; i < end; ++i) factors[i] = values[codes[i]] * scale;
  }
  for (int64_t i = 0; i < count; ++i) factors[i] += offset;
}
template void restore_factors(LK_ISA, float*, const uint8_t*, const float*, int64_t, int64_t,
                              const float*, float);

#define LK_BLOCKWISE(T)                                                                     \
  template void quantize_4bit(LK_ISA, uint8_t*, float*, const T*, int64_t, int64_t,         \
                              const Codebook4&);                                            \
  template void dequantize_4bit(LK_ISA, T*, const uint8_t*, const float*, int64_t, int64_t, \
                                int64_t, const Codebook4&);                                 \
  template void quantize_8bit(LK_ISA, uint8_t*, float*, const T*, int64_t, int64_t,         \
                              const StepTable&);                                            \
  template void dequantize_8bit(LK_ISA, T*, const uint8_t*, const float*, int64_t, int64_t, \
                                int64_t, const float*);
LK_BLOCKWISE(float)
LK_BLOCKWISE(bf16)
LK_BLOCKWISE(f16)

}  // namespace lk
