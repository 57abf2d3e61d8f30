// BlockAdapter on every architecture.
#include <doctest/doctest.h>

#include "tests/nn/hooks/parts.h"
#include "tests/oracle.h"

namespace lk {
namespace {

using namespace test;

struct Product : BlockAdapter {  // h M^T
  Var m;
  Var forward(const Var& h, const Sublayer&) override { return linear(h, m); }
  void visit(const ParameterVisitor&) override {}
};

TEST_CASE("BlockAdapter: gets a sublayer's output and input, and its result goes on") {
  for (const std::string& type : tiny_types()) {
    CAPTURE(type);
    auto model = tiny_model(type, DType::f64);
    const Packed batch = pack(random_documents({5, 9}, 1));
    for (int layer = 0; layer < 2; ++layer) {
      Linear &first = linear_of(*model, layer, {Role::q, Role::qkv}),
             &o = linear_of(*model, layer, {Role::o}), &up = linear_of(*model, layer, {Role::up}),
             &down = linear_of(*model, layer, {Role::down});
      Block& block = model->blocks()[static_cast<size_t>(layer)];
      const auto seen = [&](Linear& in, Linear& out, auto& place) {
        const auto tap_in = std::make_shared<Tap>(), tap_out = std::make_shared<Tap>();
        const auto adapter = std::make_shared<Bottleneck>(16, DType::f64, 3);
        in.adapters() = {tap_in};
        out.adapters() = {tap_out};
        place = {adapter};
        hidden_of(*model, batch);
        CHECK(same_bits(adapter->input_seen, tap_in->x));
        CHECK(same_bits(adapter->h_seen, tap_out->y));
        in.adapters().clear();
        out.adapters().clear();
        place.clear();
      };
      seen(first, o, block.attn_out);
      seen(up, down, block.ffn_out);

      // A matrix behind the sublayer is the same as that matrix in its last layer.
      const auto folded = [&](Linear& last, auto& place) {
        const auto product = std::make_shared<Product>();
        product->m = random_tensor({16, 16}, DType::f64, 5, 0.3);
        place = {product};
        const Tensor with_hook = hidden_of(*model, batch);
        place.clear();
        const Tensor w = last.weight().dense(DType::f64),
                     b = last.bias().defined() ? last.bias().var.value() : Tensor();
        const Tensor plain = hidden_of(*model, batch);
        // [out, in] of M W: columns of W are the rows that `linear` multiplies.
        last.weight().assign(linear(product->m, Var(w), {}, true).value());
        if (b.defined()) last.bias().set(linear(b.view({1, 16}), product->m).value().view({16}));
        CHECK(max_difference(hidden_of(*model, batch), with_hook) <= 1e-12);
        CHECK(max_difference(plain, with_hook) > 1e-3);
        last.weight().assign(w);
        if (b.defined()) last.bias().set(b);
      };
      folded(o, block.attn_out);
      folded(down, block.ffn_out);
    }
  }
}

}  // namespace
}  // namespace lk
