#include "autograd/var.h"

#include "autograd/ops.h"
#include "engine/gemm.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk {
namespace {

constexpr int64_t kMega = 1 << 20;
using Values = std::vector<double>;

Var leaf(const Values& v) { return Var::leaf(Tensor::from(v)); }

TEST_CASE("tape: leaves collect, pass after pass, until they are cleared") {
  const Var x = leaf({1, -2, 3});
  CHECK(!x.grad().defined());
  backward(sum(mul(x, x)));
  CHECK(x.grad().to_vector<double>() == Values{2, -4, 6});
  backward(sum(scale(x, 10.0f)));
  CHECK(x.grad().to_vector<double>() == Values{12, 6, 16});
  x.set_grad({});
  backward(sum(x));
  CHECK(x.grad().to_vector<double>() == Values{1, 1, 1});
}

TEST_CASE("tape: a value that is used twice gets both gradients, and each op runs once") {
  const Var x = leaf({1, -2, 3});
  const Var a = scale(x, 2.0f);
  backward(sum(add(mul(a, a), mul(a, x))));  // 4 x^2 + 2 x^2
  CHECK(x.grad().to_vector<double>() == Values{12, -24, 36});

  int runs = 0;
  x.set_grad({});
  Var y = x;
  for (int i = 0; i < 30; ++i)
    y = record("twice", add(y, y).value(), {y, y}, [&runs](const Tensor& dy, const Need&) {
      ++runs;
      return std::vector<Tensor>{dy, dy};  // one tensor for both: it must not be added to itself
    });
  backward(sum(y));
  CHECK(runs == 30);
  CHECK(x.grad().to_vector<double>() == Values(3, 0x1p30));
}

TEST_CASE("tape: a gradient that others hold is not changed") {
  const Var x = leaf({1, 2}), y = leaf({3, 4});
  backward(sum(add(add(x, y), x)));
  CHECK(x.grad().to_vector<double>() == Values{2, 2});
  CHECK(y.grad().to_vector<double>() == Values{1, 1});
  const Tensor dy = Tensor::from<double>({5, 6});
  backward(add(x, x), dy);
  CHECK(dy.to_vector<double>() == Values{5, 6});
  CHECK(x.grad().to_vector<double>() == Values{12, 14});
}

TEST_CASE("tape: what an op saved is freed as soon as its gradient is taken") {
  std::vector<int64_t> live;
  const Var x = leaf({1});
  Var y = x;
  for (int i = 0; i < 5; ++i)
    y = record("saves", y.value(), {y},
               [&live, saved = Tensor::empty({kMega}, DType::u8)](const Tensor& dy, const Need&) {
                 live.push_back(memory_stats().total_live);
                 return std::vector<Tensor>{dy};
               });
  const int64_t before = memory_stats().total_live;
  const Var loss = sum(y);
  backward(loss);
  REQUIRE(live.size() == 5);
  for (size_t i = 1; i < 5; ++i) CHECK(live[i] == live[i - 1] - kMega);
  CHECK(memory_stats().total_live <= before - 5 * kMega + 1024);
}

TEST_CASE("tape: gradients are counted as gradients") {
  const Var x = Var::leaf(Tensor::zeros({kMega / 4}, DType::f32));
  const auto live = [] { return memory_stats().live[static_cast<size_t>(Category::gradients)]; };
  const int64_t before = live();
  backward(sum(x));
  CHECK(live() == before + kMega);
  x.set_grad({});
  CHECK(live() == before);
}

TEST_CASE("tape: nothing is recorded where no gradient is needed") {
  const Var constant(Tensor::from<double>({1, 2})), x = leaf({1, 2});
  const auto keeps = [](const Var& input) {
    const int64_t before = memory_stats().total_live;
    const Var y = record("op", input.value(), {input},
                         [saved = Tensor::empty({kMega}, DType::u8)](
                             const Tensor& dy, const Need&) { return std::vector<Tensor>{dy}; });
    CHECK(y.needs_grad() == (memory_stats().total_live > before));
    return y.needs_grad();
  };
  CHECK(keeps(x));
  CHECK(!keeps(constant));
  CHECK(!will_record({constant, Var()}));
  CHECK(will_record({constant, x}));
  {
    const NoGrad off;
    CHECK(!grad_enabled());
    { const NoGrad inner; }
    CHECK(!grad_enabled());
    CHECK(!keeps(x));
    CHECK(!mul(x, x).needs_grad());
  }
  CHECK(grad_enabled());
  CHECK(!mul(constant, constant).needs_grad());
}

TEST_CASE("tape: an op is told which gradients are needed") {
  const Var x = leaf({1}), constant(Tensor::from<double>({2}));
  Need seen;
  const Var y =
      record("op", x.value(), {constant, x, constant}, [&seen](const Tensor& dy, const Need& need) {
        seen = need;
        return std::vector<Tensor>{{}, dy, {}};
      });
  backward(sum(y));
  CHECK(seen == Need{false, true, false});
  CHECK(!constant.grad().defined());
}

TEST_CASE("tape: misuse is an error, a wrong op ends the process with its name") {
  CHECK(test::error_of([] {
          backward(Var(Tensor::from<double>({1})));
        }).find("nothing that this value depends on is trainable") != std::string::npos);
  CHECK(test::error_of([] {
          backward(scale(leaf({1, 2}), 2.0f));
        }).find("needs a gradient for a value of shape [2]") != std::string::npos);
  const auto wrong = [](const std::vector<Tensor>& gradients) {
    return test::abort_message_of([&] {
      const Var x = leaf({1, 2});
      backward(
          record("bad_op", x.value(), {x}, [&](const Tensor&, const Need&) { return gradients; }),
          Tensor::from<double>({1, 1}));
    });
  };
  const Tensor two = Tensor::zeros({2}, DType::f64), three = Tensor::zeros({3}, DType::f64);
  CHECK(wrong({two, two}).find("bad_op returned 2 gradients for 1 inputs") != std::string::npos);
  CHECK(wrong({Tensor()}).find("bad_op returned no gradient for input 0") != std::string::npos);
  CHECK(wrong({three}).find("gradient f64 [3] for a value f64 [2]") != std::string::npos);
  CHECK(wrong({two.to(DType::f32)}).find("gradient f32 [2]") != std::string::npos);
}

int64_t products(const std::function<void()>& f) {
  const int64_t before = gemm_counters().calls;
  f();
  return gemm_counters().calls - before;
}

TEST_CASE("tape: a linear layer takes the products that are needed and no other") {
  for (const bool train_x : {false, true})
    for (const bool train_w : {false, true}) {
      const Tensor x = test::random_tensor({3, 4}, DType::f32, 1),
                   w = test::random_tensor({5, 4}, DType::f32, 2);
      const Var y = linear(train_x ? Var::leaf(x) : Var(x), train_w ? Var::leaf(w) : Var(w));
      CHECK(y.needs_grad() == (train_x || train_w));
      if (y.needs_grad()) CHECK(products([&] { backward(sum(y)); }) == int{train_x} + int{train_w});
    }
}

TEST_CASE("models: no product for frozen layers, none below the lowest trainable parameter") {
  const auto batch = test::pack(test::random_documents({7, 12}, 1));
  const auto backward_products = [&](const std::vector<std::string>& trained) {
    const auto model = test::tiny_model("llama", DType::f32);
    model->visit_parameters([&](Parameter& p) {
      for (const std::string& end : trained)
        if (p.name.size() >= end.size() &&
            p.name.compare(p.name.size() - end.size(), end.size(), end) == 0)
          p.make_trainable();
    });
    const Var loss = test::loss_of(*model, batch);
    return products([&] { backward(loss); });
  };
  // A block has seven matrices; the head's gradients are taken with the loss.
  CHECK(backward_products({"layers.1.mlp.down_proj.weight"}) == 1);
  CHECK(backward_products({"layers.1.mlp.up_proj.weight"}) == 2);      // dx of down, dW
  CHECK(backward_products({"layers.1.input_layernorm.weight"}) == 7);  // dx of all
  CHECK(backward_products({"layers.0.self_attn.q_proj.weight"}) ==
        12);  // 7 + down, gate, up, o, dW
  CHECK(backward_products({"layers.0.self_attn.q_proj.bias"}) == 11);
  CHECK(backward_products({"weight", "bias"}) == 28);
  CHECK(backward_products({"lm_head.weight"}) == 0);
}

}  // namespace
}  // namespace lk
