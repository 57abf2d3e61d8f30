// FlashAttention (Dao et al. 2022) on tensor cores. Forward: a block has 64 queries of one head and
// walks over the keys they see; the softmax is the running one. K and V of the next step are on
// their way (cp.async) while this one computes.
#include "cuda/attention_tiles.h"
#include "cuda/attention_work.h"

namespace lk {
namespace {

constexpr float kLog2e = 1.4426950408889634f, kLn2 = 0.6931471805599453f;

// Sum or maximum over the four lanes that hold a row.
template <class F>
__device__ __forceinline__ float quad_reduce(float value, F f) {
  value = f(value, from_lane_xor(value, 1));
  return f(value, from_lane_xor(value, 2));
}

// Scores of a row that a warp has in registers at a time.
template <class T, int D>
inline constexpr int kKeys = D* kParts<T> > 256 ? 16 : 64;
// Blocks of a multiprocessor, as many as have room for their tiles.
template <class T, int D>
inline constexpr int kBlocks = D* kParts<T> > 128         ? 1
                               : D > 64 || kParts<T> == 2 ? 3
                                                          : 4;

template <class T, int D>
__global__ void __launch_bounds__(kAttentionThreads, kBlocks<T, D>)
    attention_forward_kernel(T* out, float* lse, const T* q, const T* k, const T* v,
                             const AttentionTile* tiles, AttentionConstants s, DistanceBias bias) {
  bf16* qs = dynamic_shared<bf16>();
  bf16 *ks = qs + kTileSize<T, D>, *vs = ks + kTileSize<T, D>;
  const AttentionTile& t = tiles[blockIdx.x];
  const int h = static_cast<int>(blockIdx.y), hk = h / (s.heads / s.kv_heads), d = s.head_dim;
  const int64_t q_stride = int64_t{s.heads} * d, k_stride = int64_t{s.kv_heads} * d;
  const int64_t q_at = (int64_t{t.q0} + t.first) * q_stride + h * d;
  const T *k_doc = k + t.k0 * k_stride + hk * d, *v_doc = v + t.k0 * k_stride + hk * d;
  const int rows = t.q_rows - t.first < kTileRows ? t.q_rows - t.first : kTileRows;
  int begin = 0, end = 0;
  key_range(t, s, rows, begin, end);

  const auto load_keys = [&](bf16* tile, const T* x, int j0) {
    if (j0 < end) load_tile<D>(tile, x + j0 * k_stride, k_stride, t.k_rows - j0, d);
    copy_commit();
  };
  load_tile<D>(qs, q + q_at, q_stride, rows, d);
  load_keys(ks, k_doc, begin);

  const int lane = static_cast<int>(threadIdx.x) % kWarp,
            row = static_cast<int>(threadIdx.x) / kWarp * 16;
  const int i0 = t.first + row + lane / 4;  // and i0 + 8
  const Met keys[2] = {keys_of(t, s, i0), keys_of(t, s, i0 + 8)};
  const float* by_distance = bias.values ? bias.of_head(t, h) : nullptr;
  float o[D / 8][4] = {}, most[2] = {-INFINITY, -INFINITY}, total[2] = {};
  for (int j0 = begin; j0 < end; j0 += kTileRows) {
    load_keys(vs, v_doc, j0);
    copy_wait<1>();
    __syncthreads();
#pragma unroll 1
    for (int first = 0; first < kTileRows; first += kKeys<T, D>) {
      const int at = j0 + first + lane % 4 * 2;
      const uint32_t kept =
          s.dropout > 0 ? s.kept_keys<kKeys<T, D> / 8>(int64_t{t.q0} + i0, h, j0 + first) : ~0u;
      float p[kKeys<T, D> / 8][4];
      product_transposed<T, D>(p, qs + row * kPitch<D>, ks + first * kPitch<D>);
      if (first + kKeys<T, D> == kTileRows) {
        __syncthreads();
        load_keys(ks, k_doc, j0 + kTileRows);
      }
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float top = most[half];
#pragma unroll
        for (int n = 0; n < kKeys<T, D> / 8; ++n)
#pragma unroll
          for (int e = 0; e < 2; ++e) {
            float& score = p[n][2 * half + e];
            const int j = at + 8 * n + e;
            if (!keys[half](j))
              score = -INFINITY;
            else if (by_distance)
              score = (score * s.scale + by_distance[j - i0 - 8 * half]) * kLog2e;
            else
              score *= s.scale * kLog2e;
            top = Maximum{}(score, top);
          }
        top = quad_reduce(top, Maximum{});
        // A row that has seen no key yet: exp2(-inf - 0) = 0.
        const float base = top == -INFINITY ? 0.0f : top, shrink = fast_exp2(most[half] - base);
        most[half] = top;
        float sum = 0;
#pragma unroll
        for (int n = 0; n < kKeys<T, D> / 8; ++n)
#pragma unroll
          for (int e = 2 * half; e < 2 * half + 2; ++e) {
            p[n][e] = fast_exp2(p[n][e] - base);
            sum += p[n][e];
            if (s.dropout > 0) p[n][e] = kept >> (4 * n + e) & 1 ? p[n][e] * s.keep : 0.0f;
          }
        total[half] = total[half] * shrink + quad_reduce(sum, Sum{});
#pragma unroll
        for (int n = 0; n < D / 8; ++n) {
          o[n][2 * half] *= shrink;
          o[n][2 * half + 1] *= shrink;
        }
      }
      if (first == 0) {  // v is there, but for what was asked for since
        copy_wait<kKeys<T, D> == kTileRows ? 1 : 0>();
        __syncthreads();
      }
      add_product<T, D>(o, p, vs + first * kPitch<D>);
    }
    __syncthreads();
  }
  copy_wait<0>();
  __syncthreads();
  const int left = t.q_rows - t.first - row;
  const int64_t to = int64_t{t.q0} + t.first + row;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const float inverse = total[half] == 0.0f ? 0.0f : 1.0f / total[half];
#pragma unroll
    for (int n = 0; n < D / 8; ++n) {
      o[n][2 * half] *= inverse;
      o[n][2 * half + 1] *= inverse;
    }
    const int i = lane / 4 + 8 * half;
    if (lane % 4 == 0 && i < left)
      lse[(to + i) * s.heads + h] =
          total[half] == 0.0f ? -INFINITY : (most[half] + fast_log2(total[half])) * kLn2;
  }
  store_rows<T, D>(out + to * q_stride + h * d, q_stride, left, d, o,
                   reinterpret_cast<T*>(qs) + row * kPitch<D>);
}

}  // namespace

template <class Isa, class T>
void attention_forward(Isa cuda, T* out, acc_t<T>* lse, const T* q, const T* k, const T* v,
                       const AttentionShape& shape, const AttentionBias<acc_t<T>>& bias) {
  check_attention(shape);
  const AttentionWork work(cuda, shape, shape.q_offsets, bias.origin);
  if (work.count() == 0) return;
  with_head_dim(shape.head_dim, [&]<int D>() {
    const auto kernel = attention_forward_kernel<T, D>;
    constexpr size_t kShared = 3 * kTileSize<T, D> * sizeof(bf16);
    allow_shared_memory(kernel, kShared);
    launch(kernel, dim3(work.count(), static_cast<unsigned>(shape.heads)), kAttentionThreads,
           kShared, cuda.stream, out, lse, q, k, v, work.tiles(), attention_constants(shape),
           DistanceBias{bias.values, bias.count});
  });
}

template void attention_forward(Cuda, float*, float*, const float*, const float*, const float*,
                                const AttentionShape&, const AttentionBias<float>&);
template void attention_forward(Cuda, bf16*, float*, const bf16*, const bf16*, const bf16*,
                                const AttentionShape&, const AttentionBias<float>&);

}  // namespace lk
