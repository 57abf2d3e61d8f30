// The tag that picks the CUDA kernel of a contract in engine/kernels. No header of CUDA is needed
// to call one.
#pragma once

struct CUstream_st;  // CUDA's name for a stream

namespace lk {

// The stream that everything is asked of, so that all work and all reuse of memory is in order: the
// default one, or one that can be captured once there is a graph (cuda/graph.cc).
inline CUstream_st* cuda_stream = nullptr;

struct Cuda {
  CUstream_st* stream = cuda_stream;
};

}  // namespace lk
