// Keys and values of the tokens generated so far, for each document of a batch.
#pragma once

#include <vector>

#include "engine/tensor.h"

namespace lk {

class KvCache {
 public:
  // capacity: the tokens a document will probably have; it grows where there are more.
  KvCache(int64_t documents, int64_t layers, int64_t capacity, int64_t kv_dim, DType dtype,
          Device device = Device::cpu);
  // Room for the keys and values of n more tokens in a layer of a document, [n, kv_dim] each, to be
  // written.
  std::pair<Tensor, Tensor> extend(int64_t document, int64_t layer, int64_t n);
  // All keys and values of a layer of a document, [length, kv_dim] each.
  std::pair<Tensor, Tensor> contents(int64_t document, int64_t layer) const;
  int64_t length(int64_t document) const;  // tokens of the document that every layer has seen
  bool empty() const { return entries_.empty() || length(0) == 0; }
  int64_t documents() const { return static_cast<int64_t>(entries_.size()); }
  // An encoder-decoder's keys and values of what the encoder read, [S, kv_dim], made once.
  void set_source(int64_t document, int64_t layer, Tensor k, Tensor v);
  std::pair<Tensor, Tensor> source(int64_t document, int64_t layer) const;
  bool has_source() const;  // every layer of every document has one
  // Goes on with these documents in this order; one that is named twice is copied.
  void select(const std::vector<int64_t>& documents);

 private:
  struct Layer {
    Tensor k, v;
    int64_t used = 0;
    Tensor source_k, source_v;
  };
  std::vector<std::vector<Layer>> entries_;  // [document][layer]
};

}  // namespace lk
