#include "tests/nn/hooks/parts.h"

#include "engine/rng.h"
#include "nn/generate.h"

namespace lk::test {

Parameter parameter(const Shape& shape, DType dtype, uint64_t seed, double std) {
  Parameter p("p", shape);
  p.set(random_tensor(shape, dtype, seed, std));
  return p;
}

std::vector<Linear*> linears(Model& model) {
  std::vector<Linear*> out;
  model.visit_linears([&](Linear& l) { out.push_back(&l); });
  return out;
}

Linear& linear_of(Model& model, int layer, std::initializer_list<Role> roles) {
  for (Linear* l : linears(model))
    for (const Role r : roles)
      if (l->layer() == layer && l->role() == r) return *l;
  fail("no such layer");
}

int64_t kv_dim(const Model& model) { return model.info().kv_heads * model.info().head_dim; }

std::vector<int32_t> greedy(Model& model, std::vector<int32_t> text, int64_t count) {
  const NoGrad no_grad;
  std::vector<int32_t> out;
  for (int64_t n = 0; n < count; ++n) {
    const Packed batch = pack({text});
    const Tensor h = hidden_of(model, batch);
    const Tensor z = model.lm_logits(h.rows(h.dim(0) - 1, h.dim(0))).value();
    Random unused(0);
    out.push_back(choose_token(z, {}, unused));
    text.push_back(out.back());
  }
  return out;
}

}  // namespace lk::test
