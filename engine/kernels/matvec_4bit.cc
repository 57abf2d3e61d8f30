#include "engine/kernels/matvec_4bit.h"

#include "engine/kernels/matvec_4bit_rows.h"
#include "engine/kernels/nibbles.h"

namespace lk {
namespace {

// In the order of Lanes: value(i) for the number i of the chunk.
template <class V, class F>
void in_order(V* lanes, F&& value) {
  constexpr int64_t nibbles = 2 * sizeof(V), words = kChunk / nibbles;
  for (int64_t k = 0; k < nibbles; ++k)
    // The first code of a byte is its high half.
    for (int64_t l = 0; l < words; ++l) lanes[k * words + l] = value(l * nibbles + (k ^ 1));
}

template <class Isa>
struct Products<Isa, float> {
  explicit Products(const float* values) : table(values) {}

  template <int M>
  [[gnu::always_inline]] void operator()(Floats<Isa> (&sum)[M][kParts<Isa>], const uint8_t* codes,
                                         const Lanes<Isa, float>* x, int64_t pitch) const {
    constexpr int parts = kParts<Isa>, lanes = static_cast<int>(Vector<Isa, float>::lanes);
    typename Table16<Isa>::Words words[parts];
    std::memcpy(words, codes, sizeof words);
#pragma GCC unroll 8
    for (int k = 0; k < 8; ++k)
#pragma GCC unroll 4
      for (int p = 0; p < parts; ++p) {
        const Floats<Isa> value = table.look_up(words[p] >> (4 * k));
#pragma GCC unroll 4
        for (int m = 0; m < M; ++m) {
          const float* own = x[m * pitch].values + k * 16 + p * lanes;
          const Floats<Isa> product = value * *reinterpret_cast<const Floats<Isa>*>(own);
          sum[m][p] = k == 0 ? product : sum[m][p] + product;
        }
      }
  }

  static void put(Lanes<Isa, float>& lanes, const float* x, int64_t n) {
    in_order(lanes.values, [&](int64_t i) { return i < n ? x[i] : 0.0f; });
  }

  Table16<Isa> table;
};

template <class Isa>
struct Products<Isa, bf16> {
  explicit Products(const float* values) : table(values) {}

  template <int M>
  [[gnu::always_inline]] void operator()(Floats<Isa> (&sum)[M][kParts<Isa>], const uint8_t* codes,
                                         const Lanes<Isa, bf16>* x, int64_t pitch) const {
    using Ints = typename Vector<Isa, int32_t>::type;
    constexpr int parts = kParts<Isa>, lanes = static_cast<int>(Vector<Isa, int16_t>::lanes);
    Ints whole[M][parts];
#pragma GCC unroll 4
    for (int p = 0; p < parts; ++p) {
      typename WholeTable16<Isa>::Shorts values[4];
      table.look_up(values, codes + p * sizeof values[0]);
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k)
#pragma GCC unroll 4
        for (int m = 0; m < M; ++m) {
          const Ints product =
              pair_products<Isa>(values[k], x[m * pitch].values + k * 32 + p * lanes);
          whole[m][p] = k == 0 ? product : whole[m][p] + product;
        }
    }
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
      for (int p = 0; p < parts; ++p)
        sum[m][p] = __builtin_convertvector(whole[m][p], Floats<Isa>) * x[m * pitch].scale;
  }

  static void put(Lanes<Isa, bf16>& lanes, const bf16* x, int64_t n) {
    int32_t whole[kChunk];
    lanes.scale = whole_numbers(whole, x, n, 13) / kWholeOne;
    in_order(lanes.values, [&](int64_t i) { return static_cast<int16_t>(whole[i]); });
  }

  WholeTable16<Isa> table;
};

}  // namespace

template void put_in_lanes(LK_ISA, Lanes<LK_ISA, float>*, const float*, int64_t, int64_t);
template void put_in_lanes(LK_ISA, Lanes<LK_ISA, bf16>*, const bf16*, int64_t, int64_t);
template void matvec_4bit(LK_ISA, float*, int64_t, const Lanes<LK_ISA, float>*, int64_t,
                          const Matrix4Bit&, const float*);
template void matvec_4bit(LK_ISA, bf16*, int64_t, const Lanes<LK_ISA, bf16>*, int64_t,
                          const Matrix4Bit&, const float*);

}  // namespace lk
