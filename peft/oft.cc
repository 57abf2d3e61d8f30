// OFT: Controlling Text-to-Image Diffusion by Orthogonal Finetuning (Qiu et al. 2023,
// arXiv:2306.07280), with the input rotated in place of the weight (OFTv2, Qiu et al. 2025,
// arXiv:2506.19847):
//   h = W0 (x R) + b       R = diag(R_1 .. R_n), R_i = (I - Q_i) (I + Q_i)^-1, Q_i skew-symmetric
// or R_i by Cayley's Neumann series. The b (b - 1) / 2 numbers above Q_i's diagonal train from 0,
// so that R starts at I. Trained: n b (b - 1) / 2 for each layer, n b = in.
#include "peft/oft.h"

#include "autograd/ops.h"
#include "peft/linear_method.h"
#include "peft/rotation.h"

namespace lk {
namespace {

// The place in v of each element of Q [b, b]: above the diagonal, and -1 elsewhere.
std::shared_ptr<const Places> above_diagonal(int64_t b) {
  std::vector<int32_t> places;
  int32_t next = 0;
  for (int64_t i = 0; i < b; ++i)
    for (int64_t j = 0; j < b; ++j) places.push_back(j > i ? next++ : -1);
  return std::make_shared<const Places>(std::move(places));
}

class OftPart : public LinearAdapter {
 public:
  OftPart(Place& place, int64_t blocks, int64_t block_size, int64_t terms, bool neutral)
      : v_(place.parameter("oft_R.weight",
                           neutral
                               ? place.constant({blocks, block_size * (block_size - 1) / 2}, 0)
                               : place.normal({blocks, block_size * (block_size - 1) / 2}, 0.1))),
        block_size_(block_size),
        terms_(terms),
        places_(above_diagonal(block_size)) {}
  Var forward(const Linear&, const Var& x, const Inner& inner) override {
    std::vector<Var> blocks;
    for (int64_t i = 0; i < v_.shape[0]; ++i) {
      const Var upper = take(row_of(v_.var, i), places_, {block_size_, block_size_});
      const Var q = add(upper, scale(transpose(upper), -1.0f));
      blocks.push_back(terms_ > 0 ? cayley_neumann(q, terms_) : cayley(q));
    }
    return inner(rotate_blocks(x, blocks));
  }
  void visit(const ParameterVisitor& f) override { f(v_); }

 private:
  Parameter v_;  // [n, b (b - 1) / 2]
  int64_t block_size_, terms_;
  std::shared_ptr<const Places> places_;
};

class Oft : public LinearMethod {
 public:
  using LinearMethod::LinearMethod;

 protected:
  std::shared_ptr<LinearAdapter> make_part(Place& place) override {
    const int64_t r = settings_.integer("r", 0, 1 << 20);
    int64_t size = settings_.integer("oft_block_size", 0, 1 << 12);
    require((r == 0) != (size == 0),
            "{}: give one of r (blocks) and oft_block_size, the other 0; they are {} and {}",
            settings_.source(), r, size);
    if (size == 0) size = place.in / r;
    require(size >= 2 && place.in % size == 0 && (r == 0 || place.in % r == 0),
            "{}: blocks of {} do not fill the {} inputs of '{}'", settings_.source(), size,
            place.in, place.module);
    const int64_t blocks = settings_.boolean("block_share") ? 1 : place.in / size;
    const int64_t terms = settings_.boolean("use_cayley_neumann")
                              ? settings_.integer("num_cayley_neumann_terms", 1, 64)
                              : 0;
    return std::make_shared<OftPart>(place, blocks, size, terms, starts_neutral(settings_));
  }
};

}  // namespace

MethodInfo oft_info() {
  return {"oft",
          "OFT",
          "rotates the inputs of frozen layers in blocks",
          "Qiu et al. 2023, arXiv:2306.07280",
          1e-3,
          with_target_options(
              {{"blocks", "r", "0", "number of blocks, where block-size is 0"},
               {"block-size", "oft_block_size", "32", "features that a block rotates"},
               {"block-share", "block_share", "false", "one rotation for all blocks of a layer"},
               {"neumann", "use_cayley_neumann", "true", "Cayley's transform as a short series"},
               {"neumann-terms", "num_cayley_neumann_terms", "5", "terms of the series"},
               {"", "eps", "6e-5", ""},
               {"", "init_weights", "true", ""}}),
          make_method<Oft>};
}

}  // namespace lk
