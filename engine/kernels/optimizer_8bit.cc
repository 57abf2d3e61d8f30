#include "engine/kernels/optimizer_8bit.h"

#include <algorithm>
#include <cmath>

#include "engine/cpu.h"
#include "engine/kernels/byte_codes.h"
#include "engine/parallel.h"

namespace lk {
namespace {

void restore(float* x, const State8& s, int64_t at, int64_t n) {
  const float scale = s.absmax[at / kStateBlock];
  const float* values = &s.table->values[0];
  for (int64_t i = 0; i < n; ++i) x[i] = values[s.codes[at + i]] * scale;
}

void keep(const State8& s, const float* x, int64_t at, int64_t n) {
  s.absmax[at / kStateBlock] = encode_block(s.codes + at, x, n, *s.table);
}

bool finite(float x) { return x - x == 0; }

}  // namespace

// Sums are fused with a product where torch fuses them: a code can hang on the last bit.
template <class Isa>
void adamw8bit_update(Isa, float* p, const float* g, State8 m, State8 v, int64_t n,
                      const AdamwStep& s) {
  const auto b1 = static_cast<float>(s.beta1), c1 = static_cast<float>(1 - s.beta1),
             b2 = static_cast<float>(s.beta2), c2 = static_cast<float>(1 - s.beta2),
             eps = static_cast<float>(s.eps), decay = static_cast<float>(1 - s.lr * s.weight_decay);
  const double t = static_cast<double>(s.step);
  const auto rate = static_cast<float>(-s.lr / (1 - std::pow(s.beta1, t))),
             root = static_cast<float>(std::sqrt(1 - std::pow(s.beta2, t)));
  parallel_for((n + kStateBlock - 1) / kStateBlock, 64, [=](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const int64_t at = b * kStateBlock, count = std::min(kStateBlock, n - at);
      float m32[kStateBlock], v32[kStateBlock];
      restore(m32, m, at, count);
      restore(v32, v, at, count);
      for (int64_t i = 0; i < count; ++i) {
        const float x = g[at + i];
        const float mi = __builtin_fmaf(x, c1, m32[i] * b1),
                    vi = __builtin_fmaf(c2 * x, x, v32[i] * b2);
        const float denominator = std::sqrt(vi) / root + eps,
                    moved = p[at + i] * decay + rate * mi / denominator;
        const bool ok = finite(x);
        m32[i] = ok ? mi : 0.0f;
        v32[i] = ok ? vi : 0.0f;
        p[at + i] = ok ? moved : p[at + i];
      }
      keep(m, m32, at, count);
      keep(v, v32, at, count);
    }
  });
}

template <class Isa>
void lion8bit_update(Isa, float* p, const float* g, State8 m, int64_t n, double lr, double beta1,
                     double beta2, double weight_decay) {
  const auto b1 = static_cast<float>(beta1), c1 = static_cast<float>(1 - beta1),
             b2 = static_cast<float>(beta2), c2 = static_cast<float>(1 - beta2),
             rate = static_cast<float>(lr), decay = static_cast<float>(1 - lr * weight_decay);
  parallel_for((n + kStateBlock - 1) / kStateBlock, 64, [=](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const int64_t at = b * kStateBlock, count = std::min(kStateBlock, n - at);
      float m32[kStateBlock];
      restore(m32, m, at, count);
      for (int64_t i = 0; i < count; ++i) {
        const float x = g[at + i], u = m32[i] * b1 + x * c1;
        const float sign = u > 0.0f ? 1.0f : u < 0.0f ? -1.0f : 0.0f;
        const bool ok = finite(x);
        p[at + i] = ok ? p[at + i] * decay - rate * sign : p[at + i];
        m32[i] = ok ? __builtin_fmaf(x, c2, m32[i] * b2) : 0.0f;
      }
      keep(m, m32, at, count);
    }
  });
}

template void adamw8bit_update(LK_ISA, float*, const float*, State8, State8, int64_t,
                               const AdamwStep&);
template void lion8bit_update(LK_ISA, float*, const float*, State8, int64_t, double, double, double,
                              double);

}  // namespace lk
