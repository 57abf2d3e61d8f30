// A warp makes R numbers of each row of y: its lanes walk over R rows of W, 32 codes at a time,
// with the next ones on their way. x lies in shared memory, in the order in which lanes read it,
// for all rows of W that the block makes. Bound by memory, narrowly: of an H100's 3.35 TB/s a
// multiprocessor gets 26 weights a cycle (of 4.5 bits each); with R = 4 and one row of bf16 it
// issues 4.9 instructions for each, which is as many, and shared memory looks up 32.
#include "engine/kernels/matvec_4bit.h"

#include <algorithm>

#include "cuda/matrix_4bit.h"
#include "engine/kernels/matvec.h"

namespace lk {
namespace {

constexpr int kThreads = 512, kWarps = kThreads / kWarp;
constexpr int kChunk = kWarp * kPiece;    // columns that a warp takes at a time
constexpr size_t kMostShared = 96 << 10;  // for x: what every GPU from compute capability 8.0 has

// A chunk of x: the packs of a lane's piece are kStep packs apart, those of neighbouring lanes side
// by side. kStep is such that copying to it has no bank conflict either.
template <class T>
constexpr int kPacks = kPiece / kPackSize<T>;
template <class T>
constexpr int kStep = kPacks<T> == 8 ? 33 : 34;
template <class T>
constexpr int kChunkPacks = kPacks<T>* kStep<T>;

// Columns [begin, begin + width) of rows of x, `in` apart.
template <class T, int M>
__device__ __forceinline__ void stage(Pack<T>* to, int chunks, const T* x, int64_t in, int width,
                                      bool aligned) {
  constexpr int N = kPackSize<T>;
  for (int m = 0; m < M; ++m)
    for (int p = static_cast<int>(threadIdx.x); p < width / N; p += kThreads) {
      const T* from = x + m * in + p * N;
      Pack<T> pack;
      if (aligned) {
        pack = load128(from);
      } else {
#pragma unroll
        for (int i = 0; i < N; ++i) pack.at[i] = from[i];
      }
      const int piece = p / kPacks<T>, at = (m * chunks + piece / kWarp) * kChunkPacks<T> +
                                            p % kPacks<T> * kStep<T> + piece % kWarp;
      store128(reinterpret_cast<T*>(to + at), pack);
    }
}

template <class T>
__device__ __forceinline__ void widen(float (&value)[kPackSize<T>], const Pack<T>& pack) {
  if constexpr (sizeof(T) == 2) {  // an instruction each, which conversions one by one are not
    const auto pairs = __builtin_bit_cast(Pack<uint32_t>, pack);
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      value[2 * k] = __builtin_bit_cast(float, pairs.at[k] << 16);
      value[2 * k + 1] = __builtin_bit_cast(float, pairs.at[k] & 0xffff0000u);
    }
  } else {
#pragma unroll
    for (int k = 0; k < 4; ++k) value[k] = pack.at[k];
  }
}

template <int R>
struct Weights {  // of a lane, in R rows
  Pack<uint32_t> codes[R];
  float factor[R];
};

template <int M, int R>
constexpr int kBlocks = M* R == 1 ? 2 : 1;  // of a multiprocessor: 64 or 128 registers

// slice: columns of x that shared memory holds at a time, whole chunks.
template <class T, int M, int R>
__global__ void __launch_bounds__(kThreads, kBlocks<M, R>)
    matvec_4bit_kernel(T* y, int64_t ldy, const T* x, bool aligned, DeviceMatrix4Bit w,
                       const float* bias, int slice) {
  constexpr int N = kPackSize<T>;
  __shared__ Codebooks book;
  book.load(w);
  Pack<T>* staged = dynamic_shared<Pack<T>>();
  const int lane = static_cast<int>(threadIdx.x) % kWarp, chunks = slice / kChunk;
  // Blocks take turns, so that what is left for some warps is spread over all multiprocessors.
  const int in = static_cast<int>(w.pieces) * kPiece, out = static_cast<int>(w.out),
            warps = static_cast<int>(gridDim.x) * kWarps,
            warp = static_cast<int>(threadIdx.x) / kWarp * static_cast<int>(gridDim.x) +
                   static_cast<int>(blockIdx.x);
  bool fresh = true;
  for (int top = 0; top * R < out; top += warps) {
    const int row = (top + warp) * R;
    const auto fetch = [&](Weights<R>& next, int piece) {
#pragma unroll
      for (int r = 0; r < R; ++r) {
        const int o = row + r < out ? row + r : out - 1;
        next.codes[r] = load_piece(w, o, piece);
        next.factor[r] = book.factor(w, o, piece);
      }
    };
    float acc[M][R] = {};
    for (int begin = 0; begin < in; begin += slice) {
      const int width = in - begin < slice ? in - begin : slice;
      if (fresh || slice < in) {
        __syncthreads();
        stage<T, M>(staged, chunks, x + begin, in, width, aligned);
        __syncthreads();
        fresh = false;
      }
      const int end = row < out ? (begin + width) / kPiece : 0;
      int piece = begin / kPiece + lane;
      Weights<R> next;
      if (piece < end) fetch(next, piece);
      const Pack<T>* from = staged + lane;
      for (; piece < end; piece += kWarp, from += kChunkPacks<T>) {
        const Weights<R> own = next;
        if (piece + kWarp < end) fetch(next, piece + kWarp);
        float part[M][R] = {};
#pragma unroll
        for (int word = 0; word < 4; ++word) {
          float weight[R][8];
#pragma unroll
          for (int r = 0; r < R; ++r) book.look_up(weight[r], own.codes[r].at[word]);
#pragma unroll
          for (int m = 0; m < M; ++m)
#pragma unroll
            for (int half = 0; half < 8 / N; ++half) {
              float v[N];
              widen<T>(v, load128(reinterpret_cast<const T*>(from + m * chunks * kChunkPacks<T> +
                                                             (word * (8 / N) + half) * kStep<T>)));
#pragma unroll
              for (int k = 0; k < N; ++k)
#pragma unroll
                for (int r = 0; r < R; ++r) part[m][r] += weight[r][half * N + k] * v[k];
            }
        }
#pragma unroll
        for (int m = 0; m < M; ++m)
#pragma unroll
          for (int r = 0; r < R; ++r) acc[m][r] += part[m][r] * own.factor[r];
      }
    }
#pragma unroll
    for (int m = 0; m < M; ++m) {
      float mine = 0;
#pragma unroll
      for (int r = 0; r < R; ++r) {
        const float total = warp_reduce(acc[m][r], Sum{});
        if (lane == r) mine = total;
      }
      if (lane < R && row + lane < out)
        y[m * ldy + row + lane] = T(bias ? mine + bias[row + lane] : mine);
    }
  }
}

template <int M, int R, class T>
void launch_rows(Cuda cuda, T* y, int64_t ldy, const T* x, const Matrix4Bit& w, const float* bias) {
  constexpr int64_t kRowBytes = M * kChunkPacks<T> * 16;  // of a chunk
  const int64_t chunks = std::clamp<int64_t>((w.in + kChunk - 1) / kChunk, 1,
                                             static_cast<int64_t>(kMostShared) / kRowBytes);
  const auto kernel = matvec_4bit_kernel<T, M, R>;
  const auto shared = static_cast<size_t>(chunks * kRowBytes);
  allow_shared_memory(kernel, shared);
  launch(kernel, grid_for((w.out + kWarps * R - 1) / (kWarps * R), kBlocks<M, R>), kThreads, shared,
         cuda.stream, y, ldy, x, aligned_16(x), DeviceMatrix4Bit(w), bias,
         static_cast<int>(chunks * kChunk));
}

template <int M, class T>
void launch_for(Cuda cuda, T* y, int64_t ldy, const T* x, const Matrix4Bit& w, const float* bias) {
  // Several rows of W share what a lane reads of x and decodes of addresses: as many as registers
  // hold and leave work for 7 of 8 warps.
  const int64_t each = w.out * 8 / 7 / (kWarps * multiprocessors());
  constexpr int kMost = M == 4 ? 2 : 4;
  if (each >= kMost) return launch_rows<M, kMost>(cuda, y, ldy, x, w, bias);
  if (M == 1 && each >= 2) return launch_rows < M, M == 1 ? 2 : 1 > (cuda, y, ldy, x, w, bias);
  launch_rows<M, 1>(cuda, y, ldy, x, w, bias);
}

}  // namespace

template <class Isa, class T, class X>
void matvec_4bit(Isa cuda, T* y, int64_t ldy, const X* x, int64_t rows, const Matrix4Bit& w,
                 const float* bias) {
  invariant(rows <= kMatvecRows, "matvec_4bit: {} rows", rows);
  if (rows == 0 || w.out == 0) return;
  if (rows == 1) return launch_for<1>(cuda, y, ldy, x, w, bias);
  if (rows == 2) return launch_for<2>(cuda, y, ldy, x, w, bias);
  if (rows == 3) return launch_for<3>(cuda, y, ldy, x, w, bias);
  launch_for<4>(cuda, y, ldy, x, w, bias);
}

template void matvec_4bit(Cuda, float*, int64_t, const float*, int64_t, const Matrix4Bit&,
                          const float*);
template void matvec_4bit(Cuda, bf16*, int64_t, const bf16*, int64_t, const Matrix4Bit&,
                          const float*);

}  // namespace lk
