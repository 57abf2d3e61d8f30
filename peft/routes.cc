#include "peft/routes.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "autograd/ops.h"

namespace lk {
namespace {

template <class Hook>
using Lists = std::vector<std::vector<std::shared_ptr<Hook>>>;  // [adapter][in order]

template <class Hook>
void visit_all(const Lists<Hook>& lists, const ParameterVisitor& f) {
  for (const auto& list : lists)
    for (const auto& hook : list) hook->visit(f);
}

template <class Hook>
bool any(const Lists<Hook>& lists) {
  return std::any_of(lists.begin(), lists.end(), [](const auto& list) { return !list.empty(); });
}

// The documents of one adapter.
struct Group {
  int32_t adapter = -1;
  std::vector<int32_t> documents, rows, offsets{0};
  Var of(const Var& x) const { return gather_rows(x, rows); }
  std::vector<int32_t> of(const std::vector<int32_t>& column) const {
    std::vector<int32_t> out;
    for (const int32_t row : rows)
      if (!column.empty()) out.push_back(column[static_cast<size_t>(row)]);
    return out;
  }
  template <class Hook>
  const std::vector<std::shared_ptr<Hook>>& hooks(const Lists<Hook>& lists) const {
    static const std::vector<std::shared_ptr<Hook>> none;
    return adapter < 0 ? none : lists[static_cast<size_t>(adapter)];
  }
};

std::vector<Group> groups_of(const Routes& routes, std::span<const int32_t> offsets) {
  require(offsets.size() == routes.taken.size() + 1,
          "{} documents were said which adapter to take, but {} are read (0: a layer outside the "
          "blocks, which cannot tell documents apart)",
          routes.taken.size(), offsets.empty() ? 0 : offsets.size() - 1);
  std::map<int32_t, Group> by_adapter;
  for (size_t b = 0; b < routes.taken.size(); ++b) {
    Group& g = by_adapter[routes.taken[b]];
    g.adapter = routes.taken[b];
    g.documents.push_back(static_cast<int32_t>(b));
    for (int32_t row = offsets[b]; row < offsets[b + 1]; ++row) g.rows.push_back(row);
    g.offsets.push_back(static_cast<int32_t>(g.rows.size()));
  }
  std::vector<Group> out;
  for (auto& [adapter, group] : by_adapter) out.push_back(std::move(group));
  return out;
}

// Rows end to end, and where each document's lie.
struct Pieces {
  std::vector<Var> parts;
  std::vector<std::pair<int32_t, int32_t>> of_document;  // [first, last)
  int32_t rows = 0;
  explicit Pieces(size_t documents) : of_document(documents) {}
  void add(const Group& g, const Var& part, std::span<const int32_t> offsets) {
    for (size_t j = 0; j < g.documents.size(); ++j)
      of_document[static_cast<size_t>(g.documents[j])] = {rows + offsets[j], rows + offsets[j + 1]};
    parts.push_back(part);
    rows += static_cast<int32_t>(part.dim(0));
  }
  std::vector<int32_t> offsets() const {
    std::vector<int32_t> out{0};
    for (const auto& [first, last] : of_document) out.push_back(out.back() + last - first);
    return out;
  }
  std::vector<int32_t> in_order(const std::vector<int32_t>& column) const {
    std::vector<int32_t> out;
    for (const auto& [first, last] : of_document)
      out.insert(out.end(), column.begin() + first, column.begin() + last);
    return out;
  }
  // The parts' rows, in the documents' order.
  Var together(const std::vector<Var>& given) const {
    std::vector<int32_t> all(static_cast<size_t>(rows));
    std::iota(all.begin(), all.end(), 0);
    return gather_rows(concat_rows(given), in_order(all));
  }
};

class RoutedLinear : public LinearAdapter {
 public:
  RoutedLinear(Lists<LinearAdapter> lists, std::shared_ptr<const Routes> routes)
      : lists_(std::move(lists)), routes_(std::move(routes)) {}
  Var forward(const Linear& linear, const Var& x, const Inner& inner) override {
    return forward_documents(linear, x, {}, inner);
  }
  Var forward_documents(const Linear& linear, const Var& x, std::span<const int32_t> offsets,
                        const Inner& inner) override {
    Pieces pieces(routes_->taken.size());
    for (const Group& g : groups_of(*routes_, offsets)) {
      const auto& hooks = g.hooks(lists_);
      const std::function<Var(const Var&, size_t)> apply = [&](const Var& z, size_t n) {
        if (n == 0) return inner(z);
        return hooks[n - 1]->forward_documents(linear, z, g.offsets,
                                               [&](const Var& y) { return apply(y, n - 1); });
      };
      pieces.add(g, apply(g.of(x), hooks.size()), g.offsets);
    }
    return pieces.together(pieces.parts);
  }
  void visit(const ParameterVisitor& f) override { visit_all(lists_, f); }

 private:
  Lists<LinearAdapter> lists_;
  std::shared_ptr<const Routes> routes_;
};

class RoutedBlock : public BlockAdapter {
 public:
  RoutedBlock(Lists<BlockAdapter> lists, std::shared_ptr<const Routes> routes)
      : lists_(std::move(lists)), routes_(std::move(routes)) {}
  Var forward(const Var& h, const Sublayer& at) override {
    Pieces pieces(routes_->taken.size());
    for (const Group& g : groups_of(*routes_, at.offsets)) {
      const Var input = g.of(at.input), residual = g.of(at.residual);
      Var part = g.of(h);
      for (const auto& hook : g.hooks(lists_))
        part = hook->forward(part, {input, residual, g.offsets, at.norm});
      pieces.add(g, part, g.offsets);
    }
    return pieces.together(pieces.parts);
  }
  void visit(const ParameterVisitor& f) override { visit_all(lists_, f); }

 private:
  Lists<BlockAdapter> lists_;
  std::shared_ptr<const Routes> routes_;
};

class RoutedKv : public KvAdapter {
 public:
  RoutedKv(Lists<KvAdapter> lists, int64_t kv_dim, std::shared_ptr<const Routes> routes)
      : lists_(std::move(lists)), kv_dim_(kv_dim), routes_(std::move(routes)) {}
  KvPrefix prefix(const Var& x, std::span<const int32_t> offsets) override {
    Pieces keys(routes_->taken.size());
    std::vector<Var> values;
    for (const Group& g : groups_of(*routes_, offsets)) {
      const auto& hooks = g.hooks(lists_);
      const Var none = Tensor::empty({0, kv_dim_}, x.dtype(), x.value().device());
      KvPrefix p = hooks.empty() ? KvPrefix{none, none} : hooks[0]->prefix(g.of(x), g.offsets);
      // Rows that all documents share are laid out once for each.
      std::vector<int32_t> rows, bounds{0};
      for (size_t j = 0; j < g.documents.size(); ++j) {
        const auto [first, last] = p.rows_of(j);
        for (int32_t row = first; row < last; ++row) rows.push_back(row);
        bounds.push_back(static_cast<int32_t>(rows.size()));
      }
      keys.add(g, gather_rows(cast(p.k, x.dtype()), rows), bounds);
      values.push_back(gather_rows(cast(p.v, x.dtype()), rows));
    }
    return {keys.together(keys.parts), keys.together(values), keys.offsets()};
  }
  void visit(const ParameterVisitor& f) override { visit_all(lists_, f); }

 private:
  Lists<KvAdapter> lists_;
  int64_t kv_dim_;
  std::shared_ptr<const Routes> routes_;
};

// For hooks that may put tokens in: each group's packing moves on its own.
template <class Hook>
Var route_tokens(const Routes& routes, const Lists<Hook>& lists, const Var& embedded,
                 Packing& packing) {
  Pieces pieces(routes.taken.size());
  Packing all;
  const auto append = [](std::vector<int32_t>& to, const std::vector<int32_t>& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  for (const Group& g : groups_of(routes, packing.offsets)) {
    Packing part{g.of(packing.positions), g.of(packing.labels), g.of(packing.type_ids), g.offsets};
    if (!packing.first_labels.empty())
      for (const int32_t b : g.documents)
        part.first_labels.push_back(packing.first_labels[static_cast<size_t>(b)]);
    part.slots = g.of(packing.slots);
    Var x = g.of(embedded);
    for (const auto& hook : g.hooks(lists)) x = hook->forward(x, part);
    append(all.positions, part.positions);
    append(all.labels, part.labels);
    append(all.type_ids, part.type_ids);
    pieces.add(g, x, part.offsets);
  }
  const auto in_order = [&](const std::vector<int32_t>& column) {
    return column.empty() ? column : pieces.in_order(column);
  };
  packing = {in_order(all.positions), in_order(all.labels), in_order(all.type_ids),
             pieces.offsets()};
  return pieces.together(pieces.parts);
}

class RoutedInput : public InputAdapter {
 public:
  RoutedInput(Lists<InputAdapter> lists, std::shared_ptr<const Routes> routes)
      : lists_(std::move(lists)), routes_(std::move(routes)) {}
  Var forward(const Var& embedded, Packing& packing) override {
    return route_tokens(*routes_, lists_, embedded, packing);
  }
  int64_t positions_taken() const override {
    int64_t most = 0;
    for (const auto& list : lists_) {
      int64_t taken = 0;
      for (const auto& hook : list) taken += hook->positions_taken();
      most = std::max(most, taken);
    }
    return most;
  }
  void visit(const ParameterVisitor& f) override { visit_all(lists_, f); }

 private:
  Lists<InputAdapter> lists_;
  std::shared_ptr<const Routes> routes_;
};

class RoutedEmbedded : public EmbeddedAdapter {
 public:
  RoutedEmbedded(Lists<EmbeddedAdapter> lists, std::shared_ptr<const Routes> routes)
      : lists_(std::move(lists)), routes_(std::move(routes)) {}
  Var forward(const Var& embedded, Packing& packing) override {
    return route_tokens(*routes_, lists_, embedded, packing);
  }
  void visit(const ParameterVisitor& f) override { visit_all(lists_, f); }

 private:
  Lists<EmbeddedAdapter> lists_;
  std::shared_ptr<const Routes> routes_;
};

// Each adapter's list at one place.
template <class Hook, class At>
Lists<Hook> lists_at(const std::vector<PluggedIn>& adapters, const At& at) {
  Lists<Hook> out;
  for (const PluggedIn& adapter : adapters) out.push_back(at(adapter));
  return out;
}

// Puts a Routed in where an adapter has something.
template <class Routed, class Hook, class Place>
void put(Place& place, const Lists<Hook>& lists, const std::shared_ptr<const Routes>& routes) {
  if (any(lists)) place = {std::make_shared<Routed>(lists, routes)};
}

}  // namespace

PluggedIn routed(Model& model, const std::vector<PluggedIn>& adapters,
                 const std::shared_ptr<const Routes>& routes) {
  const int64_t kv_dim = model.info().kv_heads * model.info().head_dim;
  PluggedIn out(model);
  for (size_t i = 0; i < out.blocks.size(); ++i) {
    for (const auto place : {&Block::attn_out, &Block::ffn_out, &Block::cross_out})
      put<RoutedBlock>(
          out.blocks[i].*place,
          lists_at<BlockAdapter>(adapters, [&](const PluggedIn& p) { return p.blocks[i].*place; }),
          routes);
    for (const auto place : {&Block::kv, &Block::cross_kv}) {
      const auto lists = lists_at<KvAdapter>(adapters, [&](const PluggedIn& p) {
        const auto& one = p.blocks[i].*place;
        return one ? std::vector{one} : std::vector<std::shared_ptr<KvAdapter>>{};
      });
      if (any(lists)) out.blocks[i].*place = std::make_shared<RoutedKv>(lists, kv_dim, routes);
    }
  }
  for (size_t i = 0; i < out.linears.size(); ++i)
    put<RoutedLinear>(
        out.linears[i],
        lists_at<LinearAdapter>(adapters, [&](const PluggedIn& p) { return p.linears[i]; }),
        routes);
  for (const auto place : {&PluggedIn::inputs, &PluggedIn::target_inputs})
    put<RoutedInput>(out.*place,
                     lists_at<InputAdapter>(adapters, [&](const PluggedIn& p) { return p.*place; }),
                     routes);
  put<RoutedEmbedded>(
      out.embedded,
      lists_at<EmbeddedAdapter>(adapters, [](const PluggedIn& p) { return p.embedded; }), routes);
  return out;
}

}  // namespace lk
