// One launch over many tensors, which travel as its argument, so that nothing is copied to the
// device before it. Blocks share out pieces of kChunk elements.
#pragma once

#include "cuda/each.h"

namespace lk {

inline constexpr int kMostTensors = 64;
inline constexpr int64_t kChunk = 4096;

// T: pointers to n elements each.
template <class T>
struct Tensors {
  T at[kMostTensors];
  int64_t first_chunk[kMostTensors + 1];
  int count;
};

// Calls f(tensors, chunks) with up to 64 of them at a time; chunks > 0.
template <class T, class F>
void for_tensors(const T* tensors, int64_t count, F f) {
  const T* const end = tensors + count;
  while (tensors != end) {
    Tensors<T> some{};
    for (; tensors != end && some.count < kMostTensors; ++tensors) {
      some.at[some.count] = *tensors;
      some.first_chunk[some.count + 1] =
          some.first_chunk[some.count] + (tensors->n + kChunk - 1) / kChunk;
      ++some.count;
    }
    if (const int64_t chunks = some.first_chunk[some.count]; chunks > 0) f(some, chunks);
  }
}

// In a block of kEachThreads: packs(tensor, i) for a thread's N elements from i on, of the block's
// chunks, and rest(tensor, i) for single ones.
template <int N, class T, class F, class G>
__device__ __forceinline__ void for_elements(const Tensors<T>& tensors, F packs, G rest) {
  int at = 0;
  for (int64_t chunk = blockIdx.x; chunk < tensors.first_chunk[tensors.count]; chunk += gridDim.x) {
    while (chunk >= tensors.first_chunk[at + 1]) ++at;
    const T& t = tensors.at[at];
    const int64_t begin = (chunk - tensors.first_chunk[at]) * kChunk,
                  end = begin + kChunk < t.n ? begin + kChunk : t.n, whole = (end - begin) / N * N;
    for (int64_t i = begin + threadIdx.x * N; i < begin + whole; i += kEachThreads * N) packs(t, i);
    for (int64_t i = begin + whole + threadIdx.x; i < end; i += kEachThreads) rest(t, i);
  }
}

}  // namespace lk
