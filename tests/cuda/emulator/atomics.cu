#include "tests/cuda/emulator/atomics.h"

#include "cuda/launch.h"

namespace lk::test {
namespace {

__device__ int thread_of_grid() { return static_cast<int>(blockIdx.x * 64 + threadIdx.x); }

template <class T>
__global__ void combine(T* result, const T* x) {
  const T value = x[thread_of_grid()];
  atomicAdd(result + kSum, value);
  atomicMin(result + kLeast, value);
  atomicMax(result + kMost, value);
  atomicAnd(result + kAnd, value);
  atomicOr(result + kOr, value);
  atomicXor(result + kXor, value);
}
template <class T>
__global__ void add(T* result, const T* x) {
  atomicAdd(result, x[thread_of_grid()]);
}
template <class T>
__global__ void subtract(T* result, const T* x) {
  atomicSub(result, x[thread_of_grid()]);
}
__global__ void order(long long* least, long long* most, const long long* x) {
  atomicMin(least, x[thread_of_grid()]);
  atomicMax(most, x[thread_of_grid()]);
}
template <class T>
__global__ void exchange(T* place, T* old, const T* x) {
  const int i = thread_of_grid();
  old[i] = atomicExch(place, x[i]);
}
__global__ void count(unsigned* up, unsigned* old_up, unsigned* down, unsigned* old_down,
                      unsigned most) {
  const int i = thread_of_grid();
  old_up[i] = atomicInc(up, most);
  old_down[i] = atomicDec(down, most);
}
template <class T>
__global__ void swap_if_same(T* counter, int* won) {
  const T seen = atomicCAS(counter, T(0), T(0));
  __syncwarp();
  won[thread_of_grid()] = atomicCAS(counter, seen, static_cast<T>(seen + 1)) == seen;
}

constexpr int kBlocks = kAtomicThreads / 64;

}  // namespace

template <class T>
void combine_atomically(T* result, const T* x) {
  launch(combine<T>, kBlocks, 64, 0, nullptr, result, x);
}
template <class T>
void add_atomically(T* result, const T* x) {
  launch(add<T>, kBlocks, 64, 0, nullptr, result, x);
}
template <class T>
void subtract_atomically(T* result, const T* x) {
  launch(subtract<T>, kBlocks, 64, 0, nullptr, result, x);
}
void order_atomically(long long* least, long long* most, const long long* x) {
  launch(order, kBlocks, 64, 0, nullptr, least, most, x);
}
template <class T>
void exchange_atomically(T* place, T* old, const T* x) {
  launch(exchange<T>, kBlocks, 64, 0, nullptr, place, old, x);
}
void count_atomically(unsigned* up, unsigned* old_up, unsigned* down, unsigned* old_down,
                      unsigned most) {
  launch(count, kBlocks, 64, 0, nullptr, up, old_up, down, old_down, most);
}
template <class T>
void compare_and_swap(T* counter, int* won) {
  launch(swap_if_same<T>, kBlocks, 64, 0, nullptr, counter, won);
}

template void combine_atomically(int*, const int*);
template void combine_atomically(unsigned*, const unsigned*);
template void combine_atomically(unsigned long long*, const unsigned long long*);
template void add_atomically(float*, const float*);
template void add_atomically(double*, const double*);
template void subtract_atomically(int*, const int*);
template void subtract_atomically(unsigned*, const unsigned*);
template void exchange_atomically(int*, int*, const int*);
template void exchange_atomically(unsigned*, unsigned*, const unsigned*);
template void exchange_atomically(unsigned long long*, unsigned long long*,
                                  const unsigned long long*);
template void exchange_atomically(float*, float*, const float*);
template void compare_and_swap(int*, int*);
template void compare_and_swap(unsigned*, int*);
template void compare_and_swap(unsigned long long*, int*);
template void compare_and_swap(unsigned short*, int*);

}  // namespace lk::test
