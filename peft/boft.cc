// BOFT: Parameter-Efficient Orthogonal Finetuning via Butterfly Factorization (Liu et al. 2023,
// arXiv:2311.06243), with one butterfly factor:
//   h = s * (W0 (x R)) + b     R = diag(R_1 .. R_n), R_i = (I - Q_i) (I + Q_i)^-1,
//                              Q_i = (X_i - X_i^T) / 2, X_i [b, b] from 0, s [out] from 1
// More factors would put permutations between several R; HF PEFT itself uses one where its CUDA
// kernel is not there. Trained: n b^2 + out for each layer, n b = in.
#include "peft/boft.h"

#include "autograd/ops.h"
#include "peft/linear_method.h"
#include "peft/rotation.h"

namespace lk {
namespace {

class BoftPart : public LinearAdapter {
 public:
  BoftPart(Place& place, int64_t blocks, int64_t size, bool neutral)
      : x_(place.parameter("boft_R", neutral ? place.constant({1, blocks, size, size}, 0)
                                             : place.normal({1, blocks, size, size}, 0.1))),
        s_(place.parameter("boft_s", place.constant({place.out, 1}, 1))) {}
  Var forward(const Linear& linear, const Var& x, const Inner& inner) override {
    const int64_t count = x_.shape[1], b = x_.shape[2];
    const Var flat = view(x_.var, {count, b * b});
    std::vector<Var> blocks;
    for (int64_t i = 0; i < count; ++i) {
      const Var m = view(row_of(flat, i), {b, b});
      blocks.push_back(cayley(scale(add(m, scale(transpose(m), -1.0f)), 0.5f)));
    }
    // s scales the product, not the bias that inner adds.
    Var y = mul_row(inner(rotate_blocks(x, blocks)), s_.var);
    if (!linear.has_bias()) return y;
    const Var bias = cast(linear.bias().var, s_.var.dtype());
    return add_row(y, add(bias, scale(mul(bias, view(s_.var, bias.shape())), -1.0f)));
  }
  void visit(const ParameterVisitor& f) override { f(x_), f(s_); }

 private:
  Parameter x_, s_;
};

class Boft : public LinearMethod {
 public:
  using LinearMethod::LinearMethod;

 protected:
  std::shared_ptr<LinearAdapter> make_part(Place& place) override {
    const int64_t factors = settings_.integer("boft_n_butterfly_factor", 1, 64);
    require(factors == 1, "{}: boft_n_butterfly_factor is {}; only 1 is supported",
            settings_.source(), factors);
    const int64_t count = settings_.integer("boft_block_num", 0, 1 << 20);
    int64_t size = settings_.integer("boft_block_size", 0, 1 << 12);
    require((count == 0) != (size == 0),
            "{}: give one of boft_block_num and boft_block_size, the other 0; they are {} and {}",
            settings_.source(), count, size);
    if (size == 0) size = place.in / count;
    require(size >= 1 && place.in % size == 0 && (count == 0 || place.in % count == 0),
            "{}: blocks of {} do not fill the {} inputs of '{}'", settings_.source(), size,
            place.in, place.module);
    return std::make_shared<BoftPart>(place, place.in / size, size, starts_neutral(settings_));
  }
};

}  // namespace

MethodInfo boft_info() {
  return {"boft",
          "BOFT",
          "rotates inputs in blocks and scales outputs",
          "Liu et al. 2023, arXiv:2311.06243",
          1e-3,
          with_target_options(
              {{"block-size", "boft_block_size", "4", "features that a block rotates"},
               {"block-count", "boft_block_num", "0", "number of blocks, where block-size is 0"},
               {"butterfly-factors", "boft_n_butterfly_factor", "1", "only 1 is supported"},
               {"", "init_weights", "true", ""}}),
          make_method<Boft>};
}

}  // namespace lk
