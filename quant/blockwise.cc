#include "quant/blockwise.h"

#include <algorithm>
#include <cmath>

#include "engine/device.h"
#include "engine/kernels/blockwise.h"
#include "engine/parallel.h"

namespace lk {
namespace {

// Calls f(isa, T{}) for a dtype that weights are stored in.
template <class F>
void on_stored(DType dtype, F&& f) {
  on_float(DType::f32, [&](auto isa, auto type) {
    if constexpr (std::is_same_v<decltype(type), float>) {
      if (dtype == DType::f32)
        f(isa, float{});
      else if (dtype == DType::bf16)
        f(isa, bf16{});
      else if (dtype == DType::f16)
        f(isa, f16{});
      else
        fail("blocks are quantized from f32, bf16 and f16, not from {}", name_of(dtype));
    }
  });
}

// The sum of `count` rows of `width` numbers, in the order of torch's CPU kernel (pairwise over
// levels of 16 and more rows): the last bit of the mean decides over codes.
void add_rows(float* sum, const float* x, int64_t count, int64_t width) {
  constexpr int64_t kLevels = 4;
  int64_t log2 = 0;
  while ((int64_t{1} << log2) < count) ++log2;
  const int64_t power = std::max<int64_t>(4, log2 / kLevels), step = int64_t{1} << power;
  std::vector<float> acc(static_cast<size_t>(kLevels * width), 0.0f);
  const auto level = [&](int64_t l) { return acc.data() + l * width; };
  const auto add = [&](float* to, const float* from) {
    for (int64_t i = 0; i < width; ++i) to[i] += from[i];
  };
  int64_t row = 0;
  while (row + step <= count) {
    for (int64_t j = 0; j < step; ++j, ++row) add(level(0), x + row * width);
    for (int64_t l = 1; l < kLevels; ++l) {
      add(level(l), level(l - 1));
      std::fill_n(level(l - 1), width, 0.0f);
      if (row & ((step - 1) << (l * power))) break;
    }
  }
  for (; row < count; ++row) add(level(0), x + row * width);
  for (int64_t l = 1; l < kLevels; ++l) add(level(0), level(l));
  std::copy_n(level(0), width, sum);
}

// As torch.mean of f32 in one thread: vectors of 8, four at a time; below 8 numbers, scalars.
float mean_of(const float* x, int64_t n) {
  constexpr int64_t kTogether = 4;
  const int64_t lanes = n < 8 ? 1 : 8, vectors = n / lanes, rows = vectors / kTogether;
  float part[8 * kTogether];
  add_rows(part, x, rows, lanes * kTogether);
  for (int64_t v = rows * kTogether; v < vectors; ++v)
    for (int64_t i = 0; i < lanes; ++i) part[i] += x[v * lanes + i];
  for (int64_t k = 1; k < kTogether; ++k)
    for (int64_t i = 0; i < lanes; ++i) part[i] += part[k * lanes + i];
  float sum = 0;
  for (int64_t i = vectors * lanes; i < n; ++i) sum += x[i];
  for (int64_t i = 0; i < lanes; ++i) sum += part[i];
  return sum / static_cast<float>(n);
}

}  // namespace

std::vector<std::string> quant_types() { return {"nf4", "fp4", "int4", "int8"}; }

void check_spec(const QuantSpec& s, const std::string& where) {
  const auto types = quant_types();
  require(std::find(types.begin(), types.end(), s.type) != types.end(),
          "{}: the quantization type '{}' is not known (known: nf4, fp4, int4, int8)", where,
          s.type);
  const bool power = s.block_size > 0 && (s.block_size & (s.block_size - 1)) == 0;
  require(power && s.block_size >= 32 && s.block_size <= 4096,
          "{}: the block size is {}; expected a power of two from 32 to 4096", where, s.block_size);
}

int bits_of(const QuantSpec& spec) { return spec.type == "int8" ? 8 : 4; }

int64_t Quantized::bytes() const {
  int64_t total = 0;
  for (const Tensor* t : {&codes, &absmax, &absmax_codes, &nested_absmax})
    if (t->defined()) total += t->bytes();
  return total;
}

Quantized Quantized::to(Device device) const {
  Quantized q = *this;
  for (Tensor* t : {&q.codes, &q.absmax, &q.absmax_codes, &q.nested_absmax})
    if (t->defined()) *t = t->to(device);
  return q;
}

Quantized quantize(const Tensor& x, const QuantSpec& spec) {
  check_spec(spec, "quantize");
  Quantized q{spec, x.shape(), x.dtype(), {}, {}, {}, {}, 0};
  const int64_t n = x.numel();
  q.codes = Tensor::empty({bits_of(spec) == 8 ? n : (n + 1) / 2}, DType::u8);
  q.absmax = Tensor::empty({q.blocks()}, DType::f32);
  on_stored(x.dtype(), [&](auto isa, auto type) {
    using T = decltype(type);
    uint8_t* codes = q.codes.data<uint8_t>();
    float* absmax = q.absmax.data<float>();
    if (bits_of(spec) == 8)
      quantize_8bit(isa, codes, absmax, x.data<T>(), n, spec.block_size, int8_steps());
    else
      quantize_4bit(isa, codes, absmax, x.data<T>(), n, spec.block_size, codebook4(spec.type));
  });
  if (spec.double_quant) quantize_factors(q);
  return q;
}

void quantize_factors(Quantized& q) {
  q.spec.double_quant = true;
  const int64_t n = q.absmax.numel();
  q.absmax_codes = Tensor::empty({n}, DType::u8);
  q.nested_absmax = Tensor::empty({(n + kNestedBlock - 1) / kNestedBlock}, DType::f32);
  on_stored(DType::f32, [&](auto isa, auto type) {
    if constexpr (std::is_same_v<decltype(type), float>) {
      const float* absmax = q.absmax.data<float>();
      q.offset = n > 0 ? mean_of(absmax, n) : 0.0f;
      std::vector<float> centred(static_cast<size_t>(n));
      for (int64_t i = 0; i < n; ++i) centred[static_cast<size_t>(i)] = absmax[i] - q.offset;
      quantize_8bit(isa, q.absmax_codes.data<uint8_t>(), q.nested_absmax.data<float>(),
                    centred.data(), n, kNestedBlock, dynamic_steps(true));
    }
  });
  q.absmax = Tensor();
}

void block_factors(float* out, const Quantized& q, int64_t first, int64_t count) {
  if (!q.spec.double_quant) {
    std::copy_n(q.absmax.data<float>() + first, count, out);
    return;
  }
  const uint8_t* codes = q.absmax_codes.data<uint8_t>();
  const float *nested = q.nested_absmax.data<float>(), *values = dynamic_map(true).data();
  // To the next block of factors, then all whole ones.
  const int64_t head = std::min(count, -first & (kNestedBlock - 1));
  on_float(DType::f32, [&](auto isa, auto) {
    const auto restore = [&](int64_t at, int64_t n) {
      restore_factors(isa, out + at, codes + first + at, nested + (first + at) / kNestedBlock, n,
                      kNestedBlock, values, q.offset);
    };
    restore(0, head);
    restore(head, count - head);
  });
}

void dequantize_range(void* y, DType dtype, const Quantized& q, int64_t begin, int64_t n) {
  if (n == 0) return;
  const int64_t block = q.spec.block_size;
  constexpr int64_t kFactors = 256;
  float factors[kFactors];
  for (int64_t at = begin, end = begin + n; at < end;) {
    const int64_t first = at / block, last = std::min((end - 1) / block, first + kFactors - 1);
    const int64_t stop = std::min(end, (last + 1) * block);
    block_factors(factors, q, first, last - first + 1);
    on_stored(dtype, [&](auto isa, auto type) {
      using T = decltype(type);
      T* out = static_cast<T*>(y) + (at - begin);
      const uint8_t* codes = q.codes.data<uint8_t>();
      if (bits_of(q.spec) == 8)
        dequantize_8bit(isa, out, codes, factors, at, stop - at, block, int8_steps().values.data());
      else
        dequantize_4bit(isa, out, codes, factors, at, stop - at, block, codebook4(q.spec.type));
    });
    at = stop;
  }
}

void dequantize_on_device(const Tensor& y, const Quantized& q, int64_t begin) {
  const int64_t n = y.numel(), block = q.spec.block_size, first = begin / block;
  if (n == 0) return;
  on_float("dequantize", y, [&](auto isa, auto type) {
    using T = decltype(type);
    if constexpr (std::is_same_v<decltype(isa), Cuda>) {
      const float* absmax = nullptr;  // from block `first` on
      Tensor restored;
      if (q.spec.double_quant) {
        // From the nested block that it lies in.
        const CategoryScope workspace(Category::workspace);
        const int64_t from = first / kNestedBlock * kNestedBlock,
                      count = (begin + n - 1) / block + 1 - from;
        restored = Tensor::empty({count}, DType::f32, q.device());
        restore_factors(isa, restored.data<float>(), q.absmax_codes.data<uint8_t>() + from,
                        q.nested_absmax.data<float>() + from / kNestedBlock, count, kNestedBlock,
                        dynamic_map(true).data(), q.offset);
        absmax = restored.data<float>() + (first - from);
      } else {
        absmax = q.absmax.data<float>() + first;
      }
      const uint8_t* codes = q.codes.data<uint8_t>();
      if (bits_of(q.spec) == 8)
        dequantize_8bit(isa, y.data<T>(), codes, absmax, begin, n, block,
                        int8_steps().values.data());
      else
        dequantize_4bit(isa, y.data<T>(), codes, absmax, begin, n, block, codebook4(q.spec.type));
    }
  });
}

Tensor dequantize(const Quantized& q, DType dtype) {
  Tensor y = Tensor::empty(q.shape, dtype, q.device());
  if (q.device() != Device::cpu) {
    dequantize_on_device(y, q, 0);
    return y;
  }
  const int64_t n = q.numel(), block = q.spec.block_size;
  parallel_for(q.blocks(), 1 + (1 << 15) / block, [&](int64_t begin, int64_t end) {
    const int64_t from = begin * block, to = std::min(n, end * block);
    dequantize_range(static_cast<char*>(y.raw()) + from * size_of(dtype), dtype, q, from,
                     to - from);
  });
  return y;
}

}  // namespace lk
