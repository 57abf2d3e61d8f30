#include <doctest/doctest.h>

#include <set>

#include "tests/peft/contract.h"
#include "tests/tiny_models.h"

namespace lk {
namespace {

TEST_CASE("every registered method has a row") {
  std::set<std::string> with_row;
  for (const test::ContractRow& row : test::contract_rows()) with_row.insert(row.method);
  for (const MethodInfo& m : methods()) {
    CAPTURE(m.name);
    CHECK(with_row.count(m.name) == 1);
  }
}

// DoRA's norm counts as a constant, so its gradient is another than the loss's (section 4.3).
TEST_CASE("the contract's gradient check sees a wrong gradient") {
  const auto model = test::tiny_model("gpt2", DType::f64);
  const auto method = test::method_of("lora", R"({"r": 2, "use_dora": true})");
  method->attach(*model, 11);
  const std::vector<Parameter*> trained = select_parameters(*model, *method);
  uint64_t seed = 900;
  for (Parameter* p : trained)
    p->var.value().copy_from(test::random_tensor(p->shape, DType::f64, ++seed, 0.3));
  const auto batch = test::pack(test::random_documents({4, 3}, 2));
  CHECK(test::gradient_error(*model, batch, trained) > 1e-3);
}

TEST_CASE("every method keeps the contract") {
  for (const test::ContractRow& row : test::contract_rows()) test::check_contract(row);
}

}  // namespace
}  // namespace lk
