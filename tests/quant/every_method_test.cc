// Every method on a base in 4 bits: its loss and its gradients are those on the same base held
// dense.
#include <doctest/doctest.h>

#include "quant/quantizer.h"
#include "tests/oracle.h"
#include "tests/peft/contract.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk::test {
namespace {

struct Tuned {
  std::unique_ptr<Model> model;
  std::unique_ptr<Method> method;
  std::vector<Parameter*> trained;
};

Tuned tune(const ContractRow& row, const std::string& type, bool dense) {
  Tuned t{tiny_model(type, DType::f64), method_of(row.method, row.settings), {}};
  quantize_linears(*t.model, Quantizer(QuantSpec{"nf4", 32, true}));
  if (dense) dequantize_linears(*t.model, DType::f64);
  t.method->attach(*t.model, 3);
  t.trained = select_parameters(*t.model, *t.method);
  uint64_t seed = 9;  // away from starts where gradients are 0
  for (Parameter* p : t.trained)
    p->var = Var::leaf(
        add(p->var.value(), random_tensor(p->shape, p->var.dtype(), ++seed, 0.02)).value());
  return t;
}

void check(const ContractRow& row, const std::string& type) {
  const Packed batch = pack(random_documents({5, 7, 3}, 4));
  const Tuned quantized = tune(row, type, false), dense = tune(row, type, true);
  REQUIRE(quantized.trained.size() == dense.trained.size());
  const Var a = loss_of(*quantized.model, batch), b = loss_of(*dense.model, batch);
  CHECK(std::abs(a.value().item() - b.value().item()) <= 1e-12);
  backward(a);
  backward(b);
  for (size_t i = 0; i < dense.trained.size(); ++i) {
    CAPTURE(dense.trained[i]->name);
    const Tensor x = quantized.trained[i]->var.grad(), y = dense.trained[i]->var.grad();
    REQUIRE(x.defined() == y.defined());
    if (x.defined()) CHECK(max_difference(x, y) <= 1e-9);
  }
}

}  // namespace

TEST_CASE("quantized base: every method that adds to the weights or around them") {
  for (const ContractRow& row : contract_rows()) {
    if (row.own_weights) continue;  // trains weights that have no gradient in 4 bits, or none there
    // Starts that take a part of the base's weights: what is left is quantized anew, from f32.
    if (row.settings.find("pissa") != std::string::npos ||
        row.settings.find("olora") != std::string::npos)
      continue;
    CAPTURE(row.method);
    CAPTURE(row.settings);
    for (const std::string& type : row.models) {
      CAPTURE(type);
      check(row, type);
    }
  }
}

}  // namespace lk::test
