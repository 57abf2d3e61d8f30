// InputAdapter: rows in front of a text, and positions moved.
#include <doctest/doctest.h>

#include "nn/generate.h"
#include "tests/nn/hooks/parts.h"
#include "tests/oracle.h"

namespace lk {
namespace {

using namespace test;

TEST_CASE("InputAdapter: the embeddings of real tokens act as those tokens in front") {
  const std::vector<int32_t> front{3, 17, 8};
  const Documents documents = random_documents({5, 1, 9}, 2);
  for (const std::string& type : tiny_types()) {
    CAPTURE(type);
    auto model = tiny_model(type, DType::f32);
    Packed whole = pack(with_front(front, documents)), rest = pack(documents);
    const auto adapter = std::make_shared<Front>();
    bool first = true;
    model->visit_embeddings([&](Embedding& e) {
      if (first) adapter->tokens.var = e(front, DType::f32).value();
      first = false;
    });
    if (type == "bert")
      for (size_t b = 0; b < documents.size(); ++b)
        for (size_t t = 0; t < documents[b].size() + front.size(); ++t) {
          const int32_t kind = t >= front.size() + 2;
          whole.packing.type_ids.push_back(kind);
          if (t >= front.size()) rest.packing.type_ids.push_back(kind);
        }
    // What stands before a virtual token is none of the text's: no label there but the first.
    for (size_t b = 0; b < documents.size(); ++b) {
      const auto at = whole.packing.labels.begin() + whole.packing.offsets[b];
      std::fill(at, at + 2, -100);
      rest.packing.first_labels.push_back(at[2]);
    }
    const Tensor expected = hidden_of(*model, whole);
    const double loss = loss_of(*model, whole).value().item();
    model->input_adapters() = {adapter};
    Packing moved;
    CHECK(same_bits(hidden_of(*model, rest, &moved), expected));
    CHECK(moved.positions == whole.packing.positions);
    CHECK(moved.offsets == whole.packing.offsets);
    CHECK(moved.labels == whole.packing.labels);
    if (type == "bert") CHECK(moved.type_ids == whole.packing.type_ids);
    CHECK(loss_of(*model, rest).value().item() == loss);
    rest.packing.first_labels.clear();
    hidden_of(*model, rest, &moved);
    CHECK(moved.labels[2] == -100);
    // Two adapters, one after the other, and one with no tokens at all.
    const auto none = std::make_shared<Front>();
    none->tokens.var = Tensor::empty({0, 16}, DType::f32);
    const auto head = std::make_shared<Front>(), tail = std::make_shared<Front>();
    head->tokens.var = adapter->tokens.var.value().rows(0, 1).clone();
    tail->tokens.var = adapter->tokens.var.value().rows(1, 3).clone();
    model->input_adapters() = {none, tail, head};
    CHECK(same_bits(hidden_of(*model, rest), expected));
  }
}

TEST_CASE("InputAdapter: generation inserts once, and the context counts virtual tokens") {
  const std::vector<int32_t> front{3, 17, 8};
  const Documents prompts = random_documents({5, 1, 9}, 2);
  for (const char* type : {"gpt2", "llama"}) {
    CAPTURE(type);
    auto model = tiny_model(type, DType::f32);
    GenerateOptions options;
    options.max_new_tokens = 100;  // the context of 48 ends it
    const Documents expected = generate(*model, with_front(front, prompts), options);
    const auto adapter = std::make_shared<Front>();
    model->visit_embeddings([&](Embedding& e) {
      if (!adapter->tokens.var.defined()) adapter->tokens.var = e(front, DType::f32).value();
    });
    model->input_adapters() = {adapter};
    const Documents got = generate(*model, prompts, options);
    CHECK(got == expected);
    CHECK(got[1].size() == 48 - 1 - 3);
    CHECK(error_of([&] {
            hidden_of(*model, pack(random_documents({46}, 1)));
          }).find("49 tokens with the virtual ones, more than the model's context of 48") !=
          std::string::npos);
  }
}

}  // namespace
}  // namespace lk
