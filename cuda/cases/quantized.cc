#include "cuda/cases/families.h"
#include "engine/kernels/blockwise.h"
#include "engine/kernels/gemm_4bit.h"
#include "engine/kernels/matvec_4bit.h"

namespace lk {
namespace {

template <class T>
void add_dequantize(Cases& cases, int64_t times) {
  constexpr int64_t block = 64;
  const int64_t n = times << 17;
  const std::string shape = fmt::format("{} [{}], blocks of 64", name_of(dtype_of<T>), n);
  cases.push_back(
      {"dequantize_4bit", shape, n * size<T> + n / 2 + n / block * 4, [=](Cuda c, CaseMemory& m) {
         const uint8_t* codes = m.zeros<uint8_t>(n / 2);
         const float* absmax = m.zeros<float>(n / block);
         dequantize_4bit(c, m.zeros<T>(n), codes, absmax, 0, n, block, codebook4("nf4"));
       }});
  cases.push_back(
      {"dequantize_8bit", shape, n * size<T> + n + n / block * 4, [=](Cuda c, CaseMemory& m) {
         const uint8_t* codes = m.zeros<uint8_t>(n);
         const float* absmax = m.zeros<float>(n / block);
         dequantize_8bit(c, m.zeros<T>(n), codes, absmax, 0, n, block, int8_steps().values.data());
       }});
}

// W [out, 4096] in 4-bit blocks of 64.
struct Weight4Bit {
  static constexpr int64_t in = 4096, block = 64;
  int64_t out;
  bool nested;
  int64_t bytes() const {
    const int64_t blocks = out * in / block;
    return out * in / 2 + (nested ? blocks + blocks / kNestedBlock * 4 : blocks * 4);
  }
  Matrix4Bit make(CaseMemory& m) const {
    const int64_t blocks = out * in / block;
    Matrix4Bit w{
        out, in, block, m.zeros<uint8_t>(out * in / 2), nullptr, codebook4("nf4").values.data()};
    if (nested) {
      w.absmax_codes = m.zeros<uint8_t>(blocks);
      w.nested = m.zeros<float>(blocks / kNestedBlock);
      w.nested_values = dynamic_map(true).data();
    } else {
      w.absmax = m.zeros<float>(blocks);
    }
    return w;
  }
};

template <class T>
void add_matvec_4bit(Cases& cases, int64_t times) {
  const auto shape = [](int64_t rows, const Weight4Bit& w) {
    return fmt::format("{} [{}, {}] by [{}, {}]{}", name_of(dtype_of<T>), rows, w.in, w.out, w.in,
                       w.nested ? ", nested" : "");
  };
  for (const bool nested : {false, true})
    for (const int64_t rows : {1, 4}) {
      const Weight4Bit weight{2048 * times, nested};
      cases.push_back({"matvec_4bit", shape(rows, weight),
                       weight.bytes() + rows * (weight.in + weight.out) * size<T> + weight.out * 4,
                       [=](Cuda c, CaseMemory& m) {
                         const T* x = m.zeros<T>(rows * weight.in);
                         const float* bias = m.zeros<float>(weight.out);
                         T* y = m.zeros<T>(rows * weight.out);
                         matvec_4bit(c, y, weight.out, x, rows, weight.make(m), bias);
                       }});
    }
}

// A block makes 64 columns of y and reads all of x. With 64 columns in all, four blocks take a part
// of the sums each, which are written and read.
void add_gemm_4bit(Cases& cases, int64_t times) {
  for (const auto& [rows, weight] : {std::pair{16, Weight4Bit{256 * times, false}},
                                     {64, {256 * times, true}},
                                     {64, {64, true}}}) {
    const int64_t n = rows * weight.out, parts = weight.out == 64 ? 4 : 0;
    cases.push_back({"gemm_4bit",
                     fmt::format("bf16 [{}, {}] by [{}, {}]{}", rows, weight.in, weight.out,
                                 weight.in, weight.nested ? ", nested" : ""),
                     weight.bytes() + rows * weight.out / 64 * weight.in * 2 + n * 2 +
                         weight.out * 4 + parts * n * 8,
                     [rows = rows, weight = weight, n](Cuda c, CaseMemory& m) {
                       const bf16* x = m.zeros<bf16>(rows * weight.in);
                       const float* bias = m.zeros<float>(weight.out);
                       gemm_4bit(c, m.zeros<bf16>(n), x, rows, weight.make(m), bias);
                     }});
  }
}

}  // namespace

void add_quantized_cases(Cases& cases, int64_t times) {
  add_dequantize<float>(cases, times);
  add_dequantize<bf16>(cases, times);
  const int64_t count = times << 17;
  cases.push_back({"restore_factors", fmt::format("f32 [{}], blocks of 256", count),
                   count + count / kNestedBlock * 4 + count * 4, [=](Cuda c, CaseMemory& m) {
                     const uint8_t* codes = m.zeros<uint8_t>(count);
                     const float* nested = m.zeros<float>(count / kNestedBlock);
                     restore_factors(c, m.zeros<float>(count), codes, nested, count, kNestedBlock,
                                     dynamic_map(true).data(), 0.5f);
                   }});
  add_matvec_4bit<float>(cases, times);
  add_matvec_4bit<bf16>(cases, times);
  add_gemm_4bit(cases, times);
}

}  // namespace lk
