#include "autograd/saved.h"

#include <doctest/doctest.h>

#include <cmath>

#include "autograd/ops.h"
#include "tests/oracle.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk::test {
namespace {

constexpr auto kAll = {ActivationStorage::compute, ActivationStorage::bf16,
                       ActivationStorage::int8};

// An activation: what an op made of a leaf.
Var activation(const Shape& shape, DType dtype, uint64_t seed) {
  return scale(Var::leaf(random_tensor(shape, dtype, seed)), 1.0f);
}

double square_sum(const Tensor& x) {
  double sum = 0;
  for (int64_t i = 0; i < x.numel(); ++i) sum += x.item(i) * x.item(i);
  return sum;
}

double square_distance(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (int64_t i = 0; i < a.numel(); ++i) sum += std::pow(a.item(i) - b.item(i), 2);
  return sum;
}

TEST_CASE("saved: the value comes back as exact as its storage is") {
  for (const DType dtype : {DType::f32, DType::bf16})
    for (const int64_t columns : {1, 64, 67, 500}) {
      CAPTURE(name_of(dtype));
      CAPTURE(columns);
      const Var x = activation({3, columns}, dtype, 7);
      const Tensor& value = x.value();
      CHECK(same_bits(Saved(x).get(), value));
      {
        const StoreActivations storage(ActivationStorage::bf16);
        CHECK(same_bits(Saved(x).get(), value.to(DType::bf16).to(dtype)));
      }
      const Var again = activation({3, columns}, dtype, 7);
      const StoreActivations storage(ActivationStorage::int8);
      const Tensor back = Saved(again).get();
      CHECK(back.shape() == value.shape());
      CHECK(back.dtype() == dtype);
      for (int64_t i = 0; i < value.numel(); ++i) {
        double absmax = 0;
        for (int64_t j = i / 64 * 64; j < std::min(value.numel(), (i / 64 + 1) * 64); ++j)
          absmax = std::max(absmax, std::abs(value.item(j)));
        // Half a step; the 65536 places from which codes are looked up; what bf16 rounds away.
        const double tolerance =
            absmax * (1.0 / 254 + 1.0 / 65536 + (dtype == DType::bf16 ? 1.0 / 256 : 0));
        CHECK(std::abs(back.item(i) - value.item(i)) <= tolerance);
      }
    }
}

TEST_CASE("saved: parameters, constants and f64 stay as they are; nothing is kept without a tape") {
  const StoreActivations storage(ActivationStorage::int8);
  const Var leaf = Var::leaf(random_tensor({5, 70}, DType::f32, 1));
  const Var constant = random_tensor({5, 70}, DType::f32, 2);
  CHECK(Saved(leaf).get().raw() == leaf.value().raw());
  CHECK(Saved(constant).get().raw() == constant.value().raw());
  const Var fine = activation({5, 70}, DType::f64, 3);
  CHECK(same_bits(Saved(fine).get(), fine.value()));
  CHECK(!Saved().defined());
  CHECK(!Saved().get().defined());
  const NoGrad no_grad;
  CHECK(!Saved(leaf).defined());
}

TEST_CASE("saved: ops that save the same activation share it, and it is freed with them") {
  const StoreActivations storage(ActivationStorage::int8);
  const Var x = activation({64, 64}, DType::f32, 1);
  const int64_t before = memory_stats().total_live;
  {
    const Saved first(x), second(x);
    CHECK(memory_stats().total_live - before == 64 * 64 + 64 * 4);
    CHECK(same_bits(first.get(), second.get()));
  }
  CHECK(memory_stats().total_live == before);
}

TEST_CASE("saved: names") {
  for (const auto storage : kAll)
    CHECK(activation_storage_from_name(std::string(name_of(storage))) == storage);
  CHECK(error_of([] { activation_storage_from_name("int4"); }).find("not as int4") !=
        std::string::npos);
}

struct Pass {
  double loss;
  int64_t held;  // by the tape, before the backward pass
  std::vector<Tensor> gradients;
};

Pass pass(const std::string& type, ActivationStorage stored, bool checkpointing) {
  const StoreActivations storage(stored);
  auto model = tiny_model(type, DType::f32);
  model->gradient_checkpointing = checkpointing;
  model->visit_parameters([](Parameter& p) { p.make_trainable(); });
  const Packed batch = pack(random_documents({40, 31, 44}, 3));
  const int64_t before = memory_stats().total_live;
  const Var loss = loss_of(*model, batch);
  Pass out{loss.value().item(), memory_stats().total_live - before, {}};
  backward(loss);
  model->visit_parameters([&](Parameter& p) { out.gradients.push_back(p.var.grad()); });
  return out;
}

// The error of all gradients together, relative to their norm.
double error_of(const Pass& stored, const Pass& exact) {
  double error = 0, norm = 0;
  REQUIRE(stored.gradients.size() == exact.gradients.size());
  for (size_t i = 0; i < exact.gradients.size(); ++i) {
    error += square_distance(stored.gradients[i], exact.gradients[i]);
    norm += square_sum(exact.gradients[i]);
  }
  return std::sqrt(error / norm);
}

TEST_CASE("saved: a model's loss is the same to the bit, its gradients near, its tape smaller") {
  for (const std::string& type : tiny_types()) {
    CAPTURE(type);
    const Pass exact = pass(type, ActivationStorage::compute, false);
    int64_t held = exact.held;
    for (const auto storage : {ActivationStorage::bf16, ActivationStorage::int8}) {
      CAPTURE(name_of(storage));
      const Pass stored = pass(type, storage, false), again = pass(type, storage, true);
      CHECK(stored.loss == exact.loss);
      CHECK(again.loss == exact.loss);
      CHECK(stored.held < held);
      held = stored.held;
      // Rounding by 2^-9 of a value (bf16) or 1/254 of a block's largest, through all ops; with
      // checkpoints, what a block is computed from again is rounded too.
      const double tolerance = storage == ActivationStorage::bf16 ? 1e-2 : 3e-2;
      CHECK(error_of(stored, exact) <= tolerance);
      CHECK(error_of(stored, exact) > 1e-5);
      CHECK(error_of(again, exact) <= 2 * tolerance);
    }
  }
}

}  // namespace
}  // namespace lk::test
