#include "nn/hooks.h"

#include "autograd/ops.h"

namespace lk {
namespace {

// Two that sit in one place.
class KvPair : public KvAdapter {
 public:
  KvPair(std::shared_ptr<KvAdapter> first, std::shared_ptr<KvAdapter> second)
      : first_(std::move(first)), second_(std::move(second)) {}
  KvPrefix prefix(const Var& x, std::span<const int32_t> offsets) override {
    const KvPrefix a = first_->prefix(x, offsets), b = second_->prefix(x, offsets);
    const Var k = concat_rows({cast(a.k, x.dtype()), cast(b.k, x.dtype())}),
              v = concat_rows({cast(a.v, x.dtype()), cast(b.v, x.dtype())});
    if (a.offsets.empty() && b.offsets.empty()) return {k, v};
    const auto all = static_cast<int32_t>(a.k.dim(0));
    std::vector<int32_t> rows, bounds{0};
    for (size_t d = 0; d + 1 < offsets.size(); ++d) {
      for (auto [row, last] = a.rows_of(d); row < last; ++row) rows.push_back(row);
      for (auto [row, last] = b.rows_of(d); row < last; ++row) rows.push_back(all + row);
      bounds.push_back(static_cast<int32_t>(rows.size()));
    }
    return {gather_rows(k, rows), gather_rows(v, rows), bounds};
  }
  void visit(const ParameterVisitor& f) override {
    first_->visit(f);
    second_->visit(f);
  }

 private:
  std::shared_ptr<KvAdapter> first_, second_;
};

}  // namespace

void add_prefix(std::shared_ptr<KvAdapter>& place, std::shared_ptr<KvAdapter> adapter) {
  place = place ? std::make_shared<KvPair>(std::move(adapter), place) : std::move(adapter);
}

Var put_before(const Var& tokens, const Var& embedded, Packing& packing) {
  const auto count = static_cast<int32_t>(tokens.dim(0));
  const size_t documents = packing.offsets.empty() ? 0 : packing.offsets.size() - 1;
  Packing out;
  std::vector<int32_t> rows;  // of [tokens; embedded]
  out.offsets.push_back(0);
  for (size_t b = 0; b < documents; ++b) {
    const auto begin = static_cast<size_t>(packing.offsets[b]),
               end = static_cast<size_t>(packing.offsets[b + 1]);
    const int32_t start = begin < end ? packing.positions[begin] : 0;
    for (int32_t i = 0; i < count; ++i) {
      rows.push_back(i);
      out.positions.push_back(start + i);
    }
    for (size_t t = begin; t < end; ++t) {
      rows.push_back(count + static_cast<int32_t>(t));
      out.positions.push_back(count + packing.positions[t]);
    }
    const auto move = [&](const std::vector<int32_t>& from, std::vector<int32_t>& to,
                          int32_t fill) {
      if (from.empty()) return;
      to.insert(to.end(), tokens.dim(0), fill);
      to.insert(to.end(), from.begin() + packing.offsets[b], from.begin() + packing.offsets[b + 1]);
    };
    move(packing.labels, out.labels, -100);
    if (count > 0 && !packing.labels.empty() && !packing.first_labels.empty())
      out.labels[static_cast<size_t>(out.offsets.back() + count - 1)] = packing.first_labels[b];
    move(packing.type_ids, out.type_ids, 0);
    move(packing.slots, out.slots, -1);
    out.offsets.push_back(static_cast<int32_t>(rows.size()));
  }
  if (count == 0) out.first_labels = packing.first_labels;
  packing = std::move(out);
  return gather_rows(concat_rows({cast(tokens, embedded.dtype()), embedded}), rows);
}

Var put_into_slots(const Var& tokens, const Var& embedded, Packing& packing) {
  require(!packing.slots.empty(),
          "the adapter's virtual tokens stand in a template ([P]), and this text has no place for "
          "them; read it through the template that the adapter was trained with");
  const auto count = static_cast<int32_t>(tokens.dim(0));
  std::vector<int32_t> rows;  // of [tokens; embedded]
  for (size_t t = 0; t < packing.slots.size(); ++t) {
    const int32_t slot = packing.slots[t];
    require(slot < count, "the template has {} or more virtual tokens, the adapter {}", slot + 1,
            count);
    rows.push_back(slot >= 0 ? slot : count + static_cast<int32_t>(t));
  }
  packing.slots.clear();
  return gather_rows(concat_rows({cast(tokens, embedded.dtype()), embedded}), rows);
}

}  // namespace lk
