// Tensors quantized block by block, with the bytes and states of bitsandbytes.
#pragma once

#include <string>
#include <vector>

#include "engine/kernels/blockwise.h"
#include "engine/tensor.h"

namespace lk {

// How a tensor is quantized.
struct QuantSpec {
  std::string type = "nf4";   // nf4, fp4, int4: two codes in a byte; int8: one
  int64_t block_size = 64;    // 32, 64, ... 4096
  bool double_quant = false;  // the blocks' factors are quantized too
  bool operator==(const QuantSpec&) const = default;
};
// Error for a type or block size that is not known; `where` begins the message.
void check_spec(const QuantSpec& spec, const std::string& where);
std::vector<std::string> quant_types();
int bits_of(const QuantSpec& spec);

struct Quantized {
  QuantSpec spec;
  Shape shape;
  DType dtype = DType::f32;  // of the tensor that was quantized
  Tensor codes;              // u8 [bytes], of the flattened tensor
  Tensor absmax;             // f32 [blocks], undefined with double_quant, which has instead:
  Tensor absmax_codes;       // u8 [blocks], by the signed dynamic map
  Tensor nested_absmax;      // f32 [ceil(blocks / kNestedBlock)]
  float offset = 0;          // mean of the blocks' factors, subtracted before they were quantized

  int64_t numel() const { return shape.numel(); }
  int64_t blocks() const { return (numel() + spec.block_size - 1) / spec.block_size; }
  int64_t bytes() const;  // of all parts
  Device device() const { return codes.device(); }
  Quantized to(Device device) const;
};

// x: f32, bf16 or f16, any shape. Double quantization (Dettmers et al. 2023, section 3):
//   absmax = value[absmax_codes] nested_absmax + offset
Quantized quantize(const Tensor& x, const QuantSpec& spec);

// The second half of it: quantizes the factors of a q without double quantization.
void quantize_factors(Quantized& q);

// y = elements [begin, begin + n) in `dtype` (f32, bf16, f16), in this thread; on the CPU.
void dequantize_range(void* y, DType dtype, const Quantized& q, int64_t begin, int64_t n);
// y = elements [begin, begin + y.numel()) on the device of q; in f32 or bf16.
void dequantize_on_device(const Tensor& y, const Quantized& q, int64_t begin);
// All of it, by all threads; on the device of q, in f32 or bf16.
Tensor dequantize(const Quantized& q, DType dtype);
// out = the factors of blocks [first, first + count).
void block_factors(float* out, const Quantized& q, int64_t first, int64_t count);

}  // namespace lk
