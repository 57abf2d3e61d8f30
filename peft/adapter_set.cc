#include "peft/adapter_set.h"

#include <algorithm>
#include <cstring>

#include "peft/adapter_files.h"
#include "peft/nearest.h"

namespace lk {
namespace {

bool same_values(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         std::memcmp(a.raw(), b.raw(), static_cast<size_t>(a.bytes())) == 0;
}

}  // namespace

AdapterSet::AdapterSet(Model& model) : model_(model), base_(model) {}

AdapterSet::~AdapterSet() { put(base_, nullptr); }

void AdapterSet::add(const std::string& name, const std::filesystem::path& folder) {
  const auto known = names();
  require(!name.empty() && std::find(known.begin(), known.end(), name) == known.end(),
          "there are two adapters called '{}'", name);
  use("");
  std::vector<std::pair<Parameter*, Tensor>> before;
  model_.visit_parameters([&](Parameter& p) { before.emplace_back(&p, p.var.value()); });
  auto method = load_adapter(folder, read_adapter_config(folder), model_);
  Entry entry{name, std::move(method), PluggedIn(model_), {}};
  for (auto& [p, value] : before) {
    const Tensor now = p->var.value();
    if (now.raw() == value.raw() || same_values(now, value)) continue;
    entry.weights.emplace_back(p, now);
    base_weights_[p] = value;
  }
  entries_.push_back(std::move(entry));
  routed_.reset();
  use("");
}

void AdapterSet::use(const std::string& name) {
  if (name.empty()) return put(base_, nullptr);
  const Entry& entry = entries_[find(name)];
  put(entry.parts, &entry);
}

void AdapterSet::use_each(const std::vector<std::string>& names) {
  routes_->taken.clear();
  for (const std::string& name : names)
    routes_->taken.push_back(name.empty() ? -1 : static_cast<int32_t>(find(name)));
  const bool same = std::all_of(names.begin(), names.end(),
                                [&](const std::string& name) { return name == names[0]; });
  if (same && !names.empty()) return use(names[0]);
  for (const int32_t i : routes_->taken) {
    if (i < 0) continue;
    const Entry& entry = entries_[static_cast<size_t>(i)];
    require(entry.weights.empty(),
            "the adapter '{}' has a weight of the base of its own ({}), which documents with other "
            "adapters share; use it alone",
            entry.name, entry.weights.empty() ? "" : entry.weights[0].first->name);
    require(entry.parts.embeddings == base_.embeddings,
            "the adapter '{}' changes the embedding, which documents with other adapters share; "
            "use it alone",
            entry.name);
  }
  if (!routed_) {
    put(base_, nullptr);
    std::vector<PluggedIn> parts;
    for (const Entry& entry : entries_) parts.push_back(entry.parts);
    routed_ = std::make_unique<PluggedIn>(routed(model_, parts, routes_));
  }
  put(*routed_, nullptr);
}

std::vector<std::string> AdapterSet::names() const {
  std::vector<std::string> out;
  for (const Entry& entry : entries_) out.push_back(entry.name);
  return out;
}

size_t AdapterSet::find(const std::string& name) const {
  for (size_t i = 0; i < entries_.size(); ++i)
    if (entries_[i].name == name) return i;
  fail("there is no adapter called '{}'; nearest: {}", name, nearest(name, names()));
}

void AdapterSet::put(const PluggedIn& parts, const Entry* weights_of) {
  for (auto& [p, value] : base_weights_) p->set(value);
  parts.put_back(model_);
  if (!weights_of) return;
  for (const auto& [p, value] : weights_of->weights) p->set(value);
}

}  // namespace lk
