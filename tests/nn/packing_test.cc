// Packed documents give what each gives alone (nn/hooks.h, Packing): no attention between them, no
// token in vain.
#include "engine/gemm.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk {
namespace {

struct Result {
  double loss = 0;
  std::vector<std::pair<std::string, std::vector<double>>> gradients;
};

// Summed over batches.
Result run(const std::string& type, const std::vector<test::Packed>& batches) {
  const auto model = test::tiny_model(type, DType::f64);
  model->visit_parameters([](Parameter& p) { p.make_trainable(); });
  Result out;
  for (const test::Packed& batch : batches) {
    const Var loss = test::loss_of(*model, batch);
    out.loss += loss.value().item();
    backward(loss);
  }
  model->visit_parameters([&](Parameter& p) {
    REQUIRE(p.var.grad().defined());
    out.gradients.emplace_back(p.name, p.var.grad().to_vector<double>());
  });
  return out;
}

TEST_CASE("packing: loss and every gradient are those of the documents one by one") {
  const auto documents = test::random_documents({5, 1, 12, 3, 31}, 6);
  for (const std::string& type : test::tiny_types()) {
    CAPTURE(type);
    const test::Packed together = test::pack(documents);
    std::vector<test::Packed> alone;
    for (size_t i = 0; i < documents.size(); ++i) {
      alone.push_back(test::pack({documents[i]}));
      alone.back().class_labels = {together.class_labels[i]};
    }
    const Result packed = run(type, {together}), single = run(type, alone);
    CHECK(std::abs(packed.loss - single.loss) <= 1e-11 * std::abs(single.loss));
    for (size_t i = 0; i < packed.gradients.size(); ++i) {
      CAPTURE(packed.gradients[i].first);
      const auto &a = packed.gradients[i].second, &b = single.gradients[i].second;
      double most = 0, error = 0;
      for (size_t k = 0; k < a.size(); ++k) {
        most = std::max(most, std::abs(b[k]));
        if (!(std::abs(a[k] - b[k]) <= error)) error = std::abs(a[k] - b[k]);
      }
      CHECK(error <= 1e-11 * std::max(most, 1.0));
    }
  }
}

TEST_CASE("packing: no product is spent on padding") {
  for (const std::string& type : test::tiny_types()) {
    const auto model = test::tiny_model(type, DType::f32);
    const auto flops = [&](const std::vector<int>& lengths) {
      const double before = gemm_counters().flops;
      test::hidden_of(*model, test::pack(test::random_documents(lengths, 6)));
      return gemm_counters().flops - before;
    };
    // Padded to the longest, it would be 4 x 40 tokens.
    CHECK(flops({40, 3, 2, 5}) == flops({25, 25}));
  }
}

}  // namespace
}  // namespace lk
