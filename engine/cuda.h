// The tag that picks the CUDA kernel of a contract in engine/kernels. No header of CUDA is needed
// to call one.
#pragma once

struct CUstream_st;  // CUDA's name for a stream

namespace lk {

// The stream that the kernel runs on: the default one everywhere, so that all work and all reuse of
// memory is in order.
struct Cuda {
  CUstream_st* stream = nullptr;
};

}  // namespace lk
