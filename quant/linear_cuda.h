// quantized_linear's two products on a CUDA device. A few rows are multiplied with the 4-bit codes
// (matvec_4bit), some tens in bf16 by tiles that are restored in registers (gemm_4bit); more, and
// weights that those do not take, by panels of W restored in a workspace, one after another.
#pragma once

#include "quant/blockwise.h"

namespace lk {

// Bytes of W that are restored at a time: all of a 4096 x 4096 matrix in bf16, and rows enough of a
// wider one that its product fills the device.
inline constexpr int64_t kCudaPanelBytes = int64_t{64} << 20;

// Up to this many rows gemm_4bit takes. Per weight and an H100's 3.35 TB/s, panels cost 1.4 ps: 0.6
// bytes are read, 2 are written and read again. gemm_4bit costs 0.4 ps for every 64 rows: 2048
// weights are 64 requests to shared memory for values and 128 for x, one a cycle and
// multiprocessor. Three times 64 rows would be even; no machine has measured it yet.
inline constexpr int64_t kCudaFusedRows = 128;

// y [T, out] = x W^T + bias. x: [T, in] in f32 or bf16, w: [out, in], bias: [out] or undefined.
Tensor quantized_forward_on_cuda(const Tensor& x, const Quantized& w, const Tensor& bias,
                                 int64_t panel_bytes = kCudaPanelBytes);
// dx [x_shape] = dy W, by panels.
Tensor quantized_input_gradient_on_cuda(const Tensor& dy, const Quantized& w, const Shape& x_shape,
                                        int64_t panel_bytes = kCudaPanelBytes);

}  // namespace lk
