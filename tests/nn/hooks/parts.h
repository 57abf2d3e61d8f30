// Small parts to plug into a model's hooks (nn/hooks.h), and finding the places for them.
#pragma once

#include <initializer_list>
#include <memory>
#include <vector>

#include "autograd/ops.h"
#include "nn/hooks.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk::test {

Parameter parameter(const Shape& shape, DType dtype, uint64_t seed, double std = 0.3);

// y + x A^T B^T, on a linear layer.
struct LowRank : LinearAdapter {
  Parameter a, b;
  LowRank(const Linear& l, DType dtype, uint64_t seed)
      : a(parameter({2, l.in_features()}, dtype, seed)),
        b(parameter({l.out_features(), 2}, dtype, seed + 1)) {}
  Var forward(const Linear&, const Var& x, const Inner& inner) override {
    return low_rank_add(inner(x), x, a.var, b.var, 0.5f);
  }
  void visit(const ParameterVisitor& f) override { f(a), f(b); }
};

// What goes into a linear layer and what comes out.
struct Tap : LinearAdapter {
  Tensor x, y;
  Var forward(const Linear&, const Var& in, const Inner& inner) override {
    const Var out = inner(in);
    x = in.value().clone();
    y = out.value().clone();
    return out;
  }
  void visit(const ParameterVisitor&) override {}
};

// Rows of A B^T added to those of a table.
struct LowRankTable : EmbeddingAdapter {
  Parameter a, b;
  LowRankTable(const Embedding& e, DType dtype, uint64_t seed)
      : a(parameter({e.weight.shape[0], 1}, dtype, seed)),
        b(parameter({e.weight.shape[1], 1}, dtype, seed + 1)) {}
  Var forward(const Embedding&, std::span<const int32_t> ids, const Inner& inner) override {
    const Var rows = inner(ids);
    return add(rows, linear(embedding(a.var, ids, rows.dtype()), b.var));
  }
  void visit(const ParameterVisitor& f) override { f(a), f(b); }
};

// h + tanh(input D^T) U^T; remembers what it got.
struct Bottleneck : BlockAdapter {
  Parameter down, up;
  Tensor h_seen, input_seen;
  Bottleneck(int64_t d, DType dtype, uint64_t seed)
      : down(parameter({3, d}, dtype, seed)), up(parameter({d, 3}, dtype, seed + 1)) {}
  Var forward(const Var& h, const Sublayer& at) override {
    const Var& input = at.input;
    h_seen = h.value().clone();
    input_seen = input.value().clone();
    return add(h, linear(tanh(linear(input, down.var)), up.var));
  }
  void visit(const ParameterVisitor& f) override { f(down), f(up); }
};

struct Prefix : KvAdapter {
  Parameter k, v;
  KvPrefix prefix(const Var&, std::span<const int32_t>) override { return {k.var, v.var}; }
  void visit(const ParameterVisitor& f) override { f(k), f(v); }
};

struct Front : InputAdapter {  // virtual tokens before every document
  Parameter tokens;
  Var forward(const Var& embedded, Packing& packing) override {
    return put_before(tokens.var, embedded, packing);
  }
  void visit(const ParameterVisitor& f) override { f(tokens); }
};

struct Later : InputAdapter {  // positions start at `by`
  int32_t by = 0;
  Var forward(const Var& embedded, Packing& packing) override {
    for (int32_t& p : packing.positions) p += by;
    return embedded;
  }
  void visit(const ParameterVisitor&) override {}
};

std::vector<Linear*> linears(Model& model);
// The first linear layer of a block that plays one of the roles.
Linear& linear_of(Model& model, int layer, std::initializer_list<Role> roles);
int64_t kv_dim(const Model& model);

// Greedy text without a cache: the whole text is read for every token.
std::vector<int32_t> greedy(Model& model, std::vector<int32_t> text, int64_t count);

}  // namespace lk::test
