#include "peft/layer_map.h"

#include <cmath>

#include "tests/support.h"

namespace lk {
namespace {

using Names = std::vector<std::string>;

TEST_CASE("layer map: the ranks of A matrices by layer and matrix, as files name them") {
  const std::string bert = "base_model.model.bert.encoder.layer.";
  const std::vector<NamedShape> tensors{
      {bert + "10.attention.self.query.lora_A.weight", {4, 16}},  // before 2, as files are sorted
      {bert + "10.attention.self.query.lora_B.weight", {16, 4}},
      {bert + "2.attention.self.query.lora_A", {0, 16}},  // AdaLoRA's; none left
      {bert + "2.attention.self.query.lora_E", {0, 1}},
      {bert + "2.output.dense.lora_A", {3, 64}},
      {"base_model.model.classifier.weight", {2, 16}},
      {bert + "2.output.dense.lora_Axis", {9, 9}},
  };
  const LayerMap map = rank_map(tensors);
  CHECK(map.layers == Names{"2", "10"});
  CHECK(map.places == Names{"attention.self.query", "output.dense"});
  CHECK(map.at(0, 0) == 0);
  CHECK(map.at(0, 1) == 3);
  CHECK(map.at(1, 0) == 4);
  CHECK(std::isnan(map.at(1, 1)));
  CHECK(!map.constant());
  CHECK(text_of(map) ==
        "rank     [1]     [2]\n"
        "2          0       3\n"
        "10         4       -\n"
        "[1] attention.self.query\n"
        "[2] output.dense\n");
}

TEST_CASE("layer map: T5 has two stacks; embeddings and heads stand outside; AdapterHub's names") {
  const std::vector<NamedShape> tensors{
      {"base_model.model.decoder.block.0.layer.1.EncDecAttention.q.lora_A.weight", {2, 16}},
      {"base_model.model.encoder.block.0.layer.0.SelfAttention.q.lora_A.weight", {5, 16}},
      {"base_model.model.shared.lora_embedding_A", {7, 99}},
  };
  const LayerMap map = rank_map(tensors);
  CHECK(map.layers == Names{"outside", "encoder 0", "decoder 0"});
  CHECK(map.places == Names{"EncDecAttention.q", "SelfAttention.q", "shared"});
  CHECK(map.at(0, 2) == 7);
  CHECK(map.at(1, 1) == 5);
  CHECK(map.at(2, 0) == 2);
  const std::vector<NamedShape> hub{
      {"bert.encoder.layer.1.attention.self.query.loras.name.lora_A", {8, 16}}};
  CHECK(rank_map(hub).places == Names{"attention.self.query"});
  CHECK(rank_map(hub).constant());
  const std::vector<NamedShape> with_pooler{
      {"base_model.model.bert.encoder.layer.0.attention.self.query.lora_A.weight", {4, 16}},
      {"base_model.model.bert.pooler.dense.lora_A.weight", {4, 16}}};
  CHECK(rank_map(with_pooler).values.size() == 4);  // two of them NaN
  CHECK(rank_map(with_pooler).constant());
  CHECK(rank_map({}).layers.empty());
}

TEST_CASE("layer map: numbers of one cell are averaged; a group stands before the place") {
  const std::vector<NamedNumber> numbers{
      {"h.0.attn", "prefix", 0.5}, {"h.0.attn", "prefix", 0.7}, {"h.0.attn", "lora", 0.1}};
  const LayerMap map = layer_map("gate", numbers);
  CHECK(map.places == Names{"prefix attn", "lora attn"});
  CHECK(map.at(0, 0) == doctest::Approx(0.6));
  CHECK(map.at(0, 1) == doctest::Approx(0.1));
}

}  // namespace
}  // namespace lk
