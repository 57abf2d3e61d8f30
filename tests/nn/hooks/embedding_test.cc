// EmbeddingAdapter on every table of every architecture.
#include <doctest/doctest.h>

#include "tests/nn/hooks/parts.h"
#include "tests/oracle.h"

namespace lk {
namespace {

using namespace test;

TEST_CASE("EmbeddingAdapter: on every table the same as a changed table") {
  for (const std::string& type : tiny_types()) {
    CAPTURE(type);
    auto model = tiny_model(type, DType::f64);
    const Packed batch = pack(random_documents({5, 9}, 1));
    size_t count = 0;
    model->visit_embeddings([&](Embedding& e) {
      CAPTURE(e.name);
      CHECK(e.weight.name == e.name + ".weight");
      const auto adapter = std::make_shared<LowRankTable>(e, DType::f64, ++count);
      e.adapters = {adapter, adapter};
      const Tensor with_hook = hidden_of(*model, batch);
      e.adapters.clear();
      const Tensor plain = e.weight.var.value();
      const Var delta = linear(adapter->a.var, adapter->b.var);
      e.weight.set(add(add(Var(plain), delta), delta).value());
      CHECK(max_difference(with_hook, hidden_of(*model, batch)) <= 1e-13);
      e.weight.set(plain);
      CHECK(max_difference(with_hook, hidden_of(*model, batch)) > 1e-3);
    });
    CHECK(count == (type == "gpt2" ? 2 : type == "llama" ? 1 : 3));
  }
}

}  // namespace
}  // namespace lk
