// Rows that a block passes over twice, of any length and beginning anywhere: in packs, and what has
// room in shared memory is kept there, so that memory is read once.
#pragma once

#include <algorithm>

#include "cuda/intrinsics.h"
#include "cuda/launch.h"

namespace lk {

// Calls f<Threads>(), the threads of a block: `most` where what it keeps leaves room for a few
// blocks alone.
template <int Most, class F>
void with_row_threads(size_t kept_bytes, F f) {
  kept_bytes > 24 << 10 ? f.template operator()<Most>() : f.template operator()<256>();
}

template <class T>
inline constexpr int kSector = 32 / static_cast<int>(sizeof(T));
// Elements before `row` in its sector of 32 bytes.
template <class T>
__device__ __forceinline__ int past_sector(const T* row) {
  return static_cast<int>(reinterpret_cast<uintptr_t>(row) % 32 / sizeof(T));
}

// f<K>(j) for the pieces of a row that begin at the columns j: packs of N, and elements one by one
// up to the first sector and after the last pack.
template <int N, int Threads, class T, class F>
__device__ __forceinline__ void each_pack(const T* row, int64_t count, F f) {
  int64_t head = 0;
  if constexpr (N > 1) {
    static_assert(kSector<T> % N == 0);
    head = (kSector<T> - past_sector(row)) % kSector<T>;
    if (head > count) head = count;
    if (threadIdx.x < head) f.template operator()<1>(static_cast<int64_t>(threadIdx.x));
  }
  const int64_t packs = (count - head) / N;
  for (int64_t p = threadIdx.x; p < packs; p += Threads) f.template operator()<N>(head + p * N);
  if constexpr (N > 1)
    for (int64_t j = head + packs * N + threadIdx.x; j < count; j += Threads)
      f.template operator()<1>(j);
}

// A thread gets from `kept` what it has put there itself. Before another row is read, a barrier.
template <class T>
class KeptRow {
 public:
  // kept: `room` elements of shared memory, aligned to 16 bytes.
  __device__ __forceinline__ KeptRow(const T* row, T* kept, int room)
      : row_(row), kept_(kept), room_(room), past_(past_sector(row)) {}
  template <int N>
  __device__ __forceinline__ Elements<T, N> read(int64_t j) const {
    const Elements<T, N> e = load<N>(row_ + j);
    if (past_ + j + N <= room_) store<N>(kept_ + past_ + j, e);
    return e;
  }
  template <int N>
  __device__ __forceinline__ Elements<T, N> again(int64_t j) const {
    return past_ + j + N <= room_ ? load<N>(kept_ + past_ + j) : load<N>(row_ + j);
  }

 private:
  const T* row_;
  T* kept_;
  int room_, past_;
};

// Bytes of shared memory for `rows` rows of so many bytes at a time: all they need, or all there
// is.
inline size_t bytes_to_keep(int64_t row_bytes, int rows) {
  int most = 0;
  check_cuda(
      cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, current_device()),
      "the shared memory of the device");
  constexpr int64_t kStatic = 1024;  // what kernels have beside it
  const int64_t each = std::min<int64_t>(row_bytes + 32, (most - kStatic) / rows);
  return static_cast<size_t>((each + 15) / 16 * 16 * rows);
}

}  // namespace lk
