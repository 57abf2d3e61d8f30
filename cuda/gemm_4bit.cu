// y^T = W x^T on tensor cores. W is the operand that registers hold: the sum over columns may go in
// any order, so that a lane's elements of 8 products of 16 columns are 32 neighbouring codes of a
// row, which it reads with one access, looks up and rounds in place. x comes through shared memory
// (cp.async, two stages) in an order to match. A block has 64 rows of W and 8 Tiles rows of x; its
// two halves take every other 128 columns each and add up at the end. Where that makes fewer blocks
// than run at a time, columns are split among several, whose sums a second kernel adds up.
#include "engine/kernels/gemm_4bit.h"

#include <algorithm>

#include "cuda/matrix_4bit.h"
#include "cuda/workspace.h"

namespace lk {
namespace {

constexpr int kWarpsOut = 4, kHalves = 2, kThreads = kWarpsOut * kHalves * kWarp;
constexpr int kOut = 16 * kWarpsOut;  // rows of W
constexpr int kColumns = 4 * kPiece;  // of a half at a time: lanes 4 g + q have the piece q
constexpr int kUnits = kColumns / 8;  // 16 bytes of x each
constexpr int kStep = kHalves * kColumns;
constexpr int kPitch = kOut + 4;  // of sums in shared memory: no bank conflict

// Units of x in shared memory: [half][row][unit], two stages of them.
template <int Tiles>
constexpr int kStageUnits = kHalves * 8 * Tiles* kUnits;
template <int Tiles>
constexpr size_t kShared = 2 * kStageUnits<Tiles>* size_t{16};
static_assert(kShared<1> >= kHalves * 8 * kPitch * sizeof(float));  // the sums' place in the end

// Where the unit t of piece q stands in its row: copies write 8 neighbouring units of a row, lanes
// read a unit of 4 pieces of 2 rows, each from 8 times 4 different banks.
__device__ __forceinline__ int place(int row, int q, int t) {
  return (q & 2) << 2 | ((row ^ t >> 1) & 1) << 2 | ((q >> 1 ^ t) & 1) << 1 | (q & 1);
}

struct Codes {  // of a lane: its piece in the rows g and g + 8 of its warp
  Pack<uint32_t> codes[2];
  float factor[2];
};

// Block z makes its part of the sums: y [z, rows, w.out], over `columns` of them.
template <int Tiles, class Out>
__global__ void __launch_bounds__(kThreads, 2)
    gemm_4bit_kernel(Out* y, const bf16* x, int64_t rows, DeviceMatrix4Bit w, const float* bias,
                     int columns, bool packed) {
  __shared__ Codebooks book;
  book.load(w);
  bf16* staged = dynamic_shared<bf16>();
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarp, g = lane / 4,
            q = lane % 4, half = thread / (kWarpsOut * kWarp), warp = thread / kWarp % kWarpsOut;
  const int64_t in = w.pieces * kPiece, first = static_cast<int64_t>(blockIdx.y) * 8 * Tiles,
                top = static_cast<int64_t>(blockIdx.x) * kOut;
  const int start = static_cast<int>(blockIdx.z) * columns,
            end = in - start < columns ? static_cast<int>(in) : start + columns;
  y += blockIdx.z * rows * w.out;

  const auto copy_step = [&](int to_stage, int begin) {
    bf16* to = staged + to_stage * kStageUnits<Tiles> * 8;
    for (int u = thread; u < kStageUnits<Tiles>; u += kThreads) {
      const int unit = u % kUnits, row = u / kUnits % (8 * Tiles), part = u / kUnits / (8 * Tiles);
      const int column = begin + part * kColumns + unit * 8;
      const bool valid = first + row < rows && column < end;
      const int at = (part * 8 * Tiles + row) * kUnits + place(row, unit / 4, unit % 4);
      copy_async_16(to + at * 8, valid ? x + (first + row) * in + column : x, valid);
    }
    copy_commit();
  };
  const auto fetch = [&](Codes& fresh, int begin) {
    const int piece = begin / kPiece + half * 4 + q;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int64_t row = top + warp * 16 + g + 8 * i;
      fresh.codes[i] = {};
      fresh.factor[i] = 0;
      if (piece * kPiece < end && row < w.out) {
        fresh.codes[i] = load_piece(w, row, piece);
        fresh.factor[i] = book.factor(w, row, piece);
      }
    }
  };

  copy_step(0, start);
  __syncthreads();  // the code books
  Codes next;
  fetch(next, start);
  float sum[Tiles][4] = {};
  int stage = 0;
  for (int begin = start; begin < end; begin += kStep, stage ^= 1) {
    copy_wait<0>();
    __syncthreads();  // x is there, and nobody reads the other stage any more
    copy_step(stage ^ 1, begin + kStep);
    const Codes own = next;
    fetch(next, begin + kStep);
    const bf16* from = staged + (stage * kHalves + half) * 8 * Tiles * kUnits * 8;
#pragma unroll
    for (int t = 0; t < 4; ++t) {
      uint32_t a[2][4];
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        float value[8];
        book.look_up(value, own.codes[i].at[t]);
#pragma unroll
        for (int k = 0; k < 8; k += 2)
          a[k / 4][k / 2 % 2 * 2 + i] =
              pack_bf16(value[k] * own.factor[i], value[k + 1] * own.factor[i]);
      }
      const bf16* units = from + (g * kUnits + place(g, q, t)) * 8;
#pragma unroll
      for (int tile = 0; tile < Tiles; ++tile) {
        const auto b = __builtin_bit_cast(Pack<uint32_t>, load128(units + tile * 8 * kUnits * 8));
        mma_16x8x16(sum[tile], a[0], {b.at[0], b.at[1]});
        mma_16x8x16(sum[tile], a[1], {b.at[2], b.at[3]});
      }
    }
  }

  copy_wait<0>();
  __syncthreads();
  float* sums = dynamic_shared<float>();  // [half][row of x][row of W]
#pragma unroll
  for (int tile = 0; tile < Tiles; ++tile)
#pragma unroll
    for (int e = 0; e < 4; ++e)
      sums[((half * Tiles + tile) * 8 + 2 * q + e % 2) * kPitch + warp * 16 + g + e / 2 * 8] =
          sum[tile][e];
  __syncthreads();
  for (int i = thread; i < 8 * Tiles * kOut / 4; i += kThreads) {
    const int row = i / (kOut / 4), column = i % (kOut / 4) * 4;
    if (first + row >= rows) break;
    const Pack<float> one = load128(sums + row * kPitch + column),
                      other = load128(sums + (8 * Tiles + row) * kPitch + column);
    Out* to = y + (first + row) * w.out + top + column;
    Elements<Out, 4> result;
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const float total = one.at[k] + other.at[k];
      const bool add = bias && top + column + k < w.out;
      result.at[k] = Out(add ? total + bias[top + column + k] : total);
    }
    if (packed && top + column < w.out) {
      store<4>(to, result);
    } else {
#pragma unroll
      for (int k = 0; k < 4; ++k)
        if (top + column + k < w.out) to[k] = result.at[k];
    }
  }
}

__global__ void __launch_bounds__(kEachThreads)
    add_parts_kernel(bf16* y, const float* parts, const float* bias, int64_t n, int64_t out,
                     int count) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kEachThreads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kEachThreads + threadIdx.x; i < n;
       i += stride) {
    float total = 0;
    for (int p = 0; p < count; ++p) total += parts[p * n + i];
    y[i] = bf16(bias ? total + bias[i % out] : total);
  }
}

template <int Tiles, class Out>
void launch_parts(Cuda cuda, Out* y, const bf16* x, int64_t rows, const Matrix4Bit& w,
                  const float* bias, dim3 grid, int64_t columns) {
  const auto kernel = gemm_4bit_kernel<Tiles, Out>;
  const bool packed = w.out % 4 == 0 && aligned_16(y);
  allow_shared_memory(kernel, kShared<Tiles>);
  launch(kernel, grid, kThreads, kShared<Tiles>, cuda.stream, y, x, rows, DeviceMatrix4Bit(w), bias,
         static_cast<int>(columns), packed);
}

template <int Tiles>
void launch_tiles(Cuda cuda, bf16* y, const bf16* x, int64_t rows, const Matrix4Bit& w,
                  const float* bias) {
  constexpr int64_t kLeastSteps = 4;  // of a part: less is not worth the sums it writes
  const int64_t across = (w.out + kOut - 1) / kOut, down = (rows + 8 * Tiles - 1) / (8 * Tiles),
                steps = std::max<int64_t>((w.in + kStep - 1) / kStep, 1),
                wish = std::clamp<int64_t>(multiprocessors() / (across * down), 1,
                                           std::max<int64_t>(steps / kLeastSteps, 1)),
                steps_each = (steps + wish - 1) / wish,
                parts = (steps + steps_each - 1) / steps_each;
  const dim3 grid(static_cast<unsigned>(across), static_cast<unsigned>(down),
                  static_cast<unsigned>(parts));
  if (parts == 1) return launch_parts<Tiles>(cuda, y, x, rows, w, bias, grid, steps_each * kStep);
  const int64_t n = rows * w.out;
  const Workspace<float> sums(cuda, parts * n);
  launch_parts<Tiles>(cuda, sums.data(), x, rows, w, nullptr, grid, steps_each * kStep);
  launch(add_parts_kernel, grid_for_threads(n), kEachThreads, 0, cuda.stream, y,
         static_cast<const float*>(sums.data()), bias, n, w.out, static_cast<int>(parts));
}

}  // namespace

template <class Isa>
void gemm_4bit(Isa cuda, bf16* y, const bf16* x, int64_t rows, const Matrix4Bit& w,
               const float* bias) {
  require(aligned_16(x), "gemm_4bit: x does not lie at a multiple of 16 bytes");
  if (rows == 0 || w.out == 0) return;
  if (rows <= 8) return launch_tiles<1>(cuda, y, x, rows, w, bias);
  if (rows <= 16) return launch_tiles<2>(cuda, y, x, rows, w, bias);
  if (rows <= 32) return launch_tiles<4>(cuda, y, x, rows, w, bias);
  launch_tiles<kGemm4BitRows / 8>(cuda, y, x, rows, w, bias);
}

template void gemm_4bit(Cuda, bf16*, const bf16*, int64_t, const Matrix4Bit&, const float*);

}  // namespace lk
