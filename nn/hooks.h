// The places where a fine-tuning method plugs into a model. nn calls them and knows no method; an
// empty hook costs one branch and changes no bit.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "autograd/var.h"
#include "nn/parameter.h"

namespace lk {

class Linear;
struct Embedding;

// What every part of a method can do: show its parameters.
class Adapter {
 public:
  virtual ~Adapter() = default;
  virtual void visit(const ParameterVisitor& f) = 0;
};

// Inside Linear. inner(x) is the product (with its bias) and the adapters before this one.
// LoRA adds to inner(x); (IA)3 scales its result; OFT rotates what goes in.
class LinearAdapter : public Adapter {
 public:
  using Inner = std::function<Var(const Var& x)>;
  virtual Var forward(const Linear& linear, const Var& x,
                      const Inner& inner) = 0;  // x [T, in] -> [T, out]
  // What Linear calls; for those that tell documents apart. offsets [B + 1]: the documents of x, or
  // none where the caller knows of none (a head).
  virtual Var forward_documents(const Linear& linear, const Var& x,
                                std::span<const int32_t> /*offsets*/, const Inner& inner) {
    return forward(linear, x, inner);
  }
};

// Inside Embedding. inner(ids) is the table's rows and the adapters before this one.
class EmbeddingAdapter : public Adapter {
 public:
  using Inner = std::function<Var(std::span<const int32_t> ids)>;
  virtual Var forward(const Embedding& embedding, std::span<const int32_t> ids,
                      const Inner& inner) = 0;  // [T] -> [T, d]
};

// What surrounds a sublayer.
struct Sublayer {
  const Var& input;     // [T, d] what went in: after the norm in a pre-norm block
  const Var& residual;  // [T, d] what its output will be added to; in a post-norm block the input
  std::span<const int32_t> offsets;  // [B + 1] documents
  // The norm that follows the sum in a post-norm block; empty in a pre-norm one.
  std::function<Var(const Var&)> norm = {};
};

// After a sublayer, before its residual is added. h: the sublayer's output [T, d].
class BlockAdapter : public Adapter {
 public:
  virtual Var forward(const Var& h, const Sublayer& at) = 0;
};

// Keys and values before a document's own, k, v [P, kv_heads * head_dim] in any float dtype: all
// rows for each, or rows offsets[b] .. offsets[b + 1] for document b.
struct KvPrefix {
  Var k, v;
  std::vector<int32_t> offsets = {};  // [B + 1] or empty
  std::pair<int32_t, int32_t> rows_of(size_t document) const {
    if (offsets.empty()) return {0, static_cast<int32_t>(k.dim(0))};
    return {offsets[document], offsets[document + 1]};
  }
};

// Keys (as attention takes them: nothing rotates them) and values that documents see before their
// own. x: [T, d] what the layer's q reads; offsets: [B + 1]. Positions stay as they are; where they
// shall start at P, as HF PEFT has it, an InputAdapter moves them.
class KvAdapter : public Adapter {
 public:
  virtual KvPrefix prefix(const Var& x, std::span<const int32_t> offsets) = 0;
};

// Puts one more into a place of a block. Documents see its rows before those of what is there.
void add_prefix(std::shared_ptr<KvAdapter>& place, std::shared_ptr<KvAdapter> adapter);

// Where the tokens of a batch lie: documents end to end in one row, cut by offsets [B + 1].
struct Packing {
  std::vector<int32_t> positions, labels, type_ids, offsets;  // labels, type_ids may be empty
  // [B] or empty: the first token of each document where it counts as a label (-100 elsewhere),
  // for what is put before it to predict.
  std::vector<int32_t> first_labels = {};
  // [T] or empty: the number of the virtual token that takes a token's place, -1 for none. An
  // InputAdapter that fills them clears it.
  std::vector<int32_t> slots = {};
  int64_t tokens() const { return offsets.empty() ? 0 : offsets.back(); }
};

// After the token embedding: may insert virtual tokens, moving labels, positions and offsets along.
// In generation it is asked once, when a text is first read.
class InputAdapter : public Adapter {
 public:
  virtual Var forward(const Var& embedded, Packing& packing) = 0;  // [T, d] -> [T', d]
  // Positions that it takes from every document's context.
  virtual int64_t positions_taken() const { return 0; }
};

// After the whole embedding (positions, types, norm), in every pass, also for tokens that follow a
// cache. May insert tokens as an InputAdapter does.
class EmbeddedAdapter : public Adapter {
 public:
  virtual Var forward(const Var& embedded, Packing& packing) = 0;  // [T, d] -> [T', d]
};

// What most input adapters do: puts tokens [P, d] (any float dtype) before every document. They
// take the document's first P positions and type 0, and carry no label but a first label.
Var put_before(const Var& tokens, const Var& embedded, Packing& packing);
// Or puts each where the packing's slots say. Error where there are none, or they name others.
Var put_into_slots(const Var& tokens, const Var& embedded, Packing& packing);

}  // namespace lk
