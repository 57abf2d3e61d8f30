#include "nn/kv_cache.h"

namespace lk {

KvCache::KvCache(int64_t documents, int64_t layers, int64_t capacity, int64_t kv_dim, DType dtype,
                 Device device) {
  entries_.resize(static_cast<size_t>(documents));
  for (auto& document : entries_)
    for (int64_t l = 0; l < layers; ++l)
      document.push_back({Tensor::empty({capacity, kv_dim}, dtype, device),
                          Tensor::empty({capacity, kv_dim}, dtype, device),
                          0,
                          {},
                          {}});
}

std::pair<Tensor, Tensor> KvCache::extend(int64_t document, int64_t layer, int64_t n) {
  Layer& entry = entries_.at(static_cast<size_t>(document)).at(static_cast<size_t>(layer));
  const int64_t begin = entry.used, end = begin + n;
  if (end > entry.k.dim(0)) {
    for (Tensor* t : {&entry.k, &entry.v}) {
      const Tensor wider = Tensor::empty({end + end / 4, t->dim(1)}, t->dtype(), t->device());
      wider.rows(0, begin).copy_from(t->rows(0, begin));
      *t = wider;
    }
  }
  entry.used = end;
  return {entry.k.rows(begin, end), entry.v.rows(begin, end)};
}

std::pair<Tensor, Tensor> KvCache::contents(int64_t document, int64_t layer) const {
  const Layer& entry = entries_.at(static_cast<size_t>(document)).at(static_cast<size_t>(layer));
  return {entry.k.rows(0, entry.used), entry.v.rows(0, entry.used)};
}

int64_t KvCache::length(int64_t document) const {
  return entries_.at(static_cast<size_t>(document)).back().used;
}

void KvCache::set_source(int64_t document, int64_t layer, Tensor k, Tensor v) {
  Layer& entry = entries_.at(static_cast<size_t>(document)).at(static_cast<size_t>(layer));
  entry.source_k = std::move(k);
  entry.source_v = std::move(v);
}

std::pair<Tensor, Tensor> KvCache::source(int64_t document, int64_t layer) const {
  const Layer& entry = entries_.at(static_cast<size_t>(document)).at(static_cast<size_t>(layer));
  return {entry.source_k, entry.source_v};
}

bool KvCache::has_source() const {
  return !entries_.empty() && entries_.back().back().source_k.defined();
}

void KvCache::select(const std::vector<int64_t>& documents) {
  std::vector<std::vector<Layer>> chosen;
  std::vector<bool> taken(entries_.size());
  for (const int64_t document : documents) {
    std::vector<Layer> layers = entries_.at(static_cast<size_t>(document));
    if (taken[static_cast<size_t>(document)])
      for (Layer& layer : layers) {
        layer.k = layer.k.clone();
        layer.v = layer.v.clone();
      }
    taken[static_cast<size_t>(document)] = true;
    chosen.push_back(std::move(layers));
  }
  entries_ = std::move(chosen);
}

}  // namespace lk
