#include "nn/config.h"

#include <nlohmann/json.hpp>

#include "nn/load.h"
#include "tests/support.h"

namespace lk {
namespace {

using nlohmann::json;

TEST_CASE("config: values are read with their type, or not at all") {
  const Config c = Config::parse(
      R"({"n": 3, "big": 18446744073709551615, "x": 0.5, "s": "t", "b": true, "none": null,
          "list": [1, 2], "bad_list": [1, -2], "object": {"k": 7}})",
      "f.json");
  CHECK(c.integer("n", 1, 3) == 3);
  CHECK(c.integer("none", 1, 3, 2) == 2);
  CHECK(c.number("n", 0, 9, 1) == 3.0);
  CHECK(c.boolean("b", false));
  CHECK(c.string("s", "") == "t");
  CHECK(c.ids("n") == std::vector<int32_t>{3});
  CHECK(c.ids("list") == std::vector<int32_t>{1, 2});
  CHECK(c.ids("gone").empty());
  CHECK(c.object("object").integer("k", 0, 9) == 7);
  const auto says = [](auto&& f, const std::string& words) {
    const std::string message = test::error_of([&] { f(); });
    CAPTURE(message);
    CHECK(message.find(words) != std::string::npos);
    CHECK(message.rfind("f.json", 0) == 0);
  };
  says([&] { c.integer("gone", 1, 3); }, "'gone' is missing");
  says([&] { c.integer("none", 1, 3); }, "'none' is missing");
  says([&] { c.integer("n", 4, 9); }, "'n' is 3; expected 4..9");
  says([&] { c.integer("x", 0, 9); }, "'x' is 0.5; expected a whole number");
  says([&] { c.integer("big", 0, 9); }, "far too large");
  says([&] { c.integer("s", 0, 9, 1); }, "'s' is \"t\"");
  says([&] { c.number("x", 1, 2, 1); }, "'x' is 0.5; expected 1..2");
  says([&] { c.number("b", 1, 2, 1); }, "expected a number");
  says([&] { c.boolean("n", true); }, "expected true or false");
  says([&] { c.string("n", ""); }, "expected a string");
  says([&] { c.ids("bad_list"); }, "expected a token id");
  says([&] { c.object("n"); }, "expected an object");
  says([&] { c.object("object").integer("z", 0, 1); }, "f.json: object: the field 'z'");
  says([&] { c.architecture(); }, "'architectures' is missing");
  says([] { Config::parse("[]", "f.json"); }, "expected a JSON object");
}

const std::map<std::string, std::string>& good() {
  static const std::map<std::string, std::string> configs{
      {"gpt2", R"({"model_type": "gpt2", "vocab_size": 29, "n_embd": 16, "n_layer": 2, "n_head": 4,
                   "n_positions": 48})"},
      {"llama", R"({"model_type": "llama", "vocab_size": 29, "hidden_size": 16,
                    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
                    "intermediate_size": 24, "max_position_embeddings": 48})"},
      {"bert", R"({"model_type": "bert", "vocab_size": 29, "hidden_size": 16,
                   "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 24,
                   "max_position_embeddings": 48, "num_labels": 3})"}};
  return configs;
}

std::string error_with(const std::string& type, const json& changes) {
  json config = json::parse(good().at(type));
  config.update(changes);
  const Task task = type == "bert" ? Task::classification : Task::causal_lm;
  const Config c = Config::parse(config.dump(), "config.json");
  return test::error_of([&] { build_model(c, task); });
}

TEST_CASE("config.json: every size that is missing, of another type, or absurd is named") {
  // Sizes that a file must give, and those that have a default.
  const std::map<std::string, std::pair<std::vector<std::string>, std::vector<std::string>>> sizes{
      {"gpt2", {{}, {"vocab_size", "n_embd", "n_layer", "n_head", "n_positions", "n_inner"}}},
      {"llama",
       {{"vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
         "intermediate_size"},
        {"num_key_value_heads", "max_position_embeddings", "head_dim"}}},
      {"bert",
       {{"vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
         "intermediate_size", "max_position_embeddings"},
        {"type_vocab_size"}}}};
  for (const auto& entry : sizes) {
    const std::string& type = entry.first;
    const auto& fields = entry.second;
    CHECK_NOTHROW(build_model(Config::parse(good().at(type), type),
                              type == "bert" ? Task::classification : Task::causal_lm));
    const auto names = [&](const std::string& field, const json& value) {
      const std::string message = error_with(type, {{field, value}});
      CAPTURE(type);
      CAPTURE(field);
      CAPTURE(value.dump());
      CAPTURE(message);
      CHECK(message.find("config.json: ") != std::string::npos);
      CHECK(message.find(field) != std::string::npos);
    };
    for (const std::string& field : fields.first) names(field, nullptr);
    for (const auto* list : {&fields.first, &fields.second})
      for (const std::string& field : *list)
        for (const json& value : {json(0), json(-1), json("16"), json(1.5), json(true),
                                  json::array({1}), json(int64_t{1} << 40), json(~uint64_t{0})})
          names(field, value);
  }
}

TEST_CASE("config.json: sizes that do not go together, and what is not supported, are named") {
  const struct {
    std::string type;
    json changes;
    std::string words;
  } cases[] = {
      {"gpt2", {{"n_head", 3}}, "n_head"},
      {"llama", {{"num_attention_heads", 3}, {"num_key_value_heads", 3}}, "num_attention_heads"},
      {"llama", {{"num_key_value_heads", 3}}, "num_key_value_heads"},
      {"llama", {{"num_key_value_heads", 8}}, "num_key_value_heads"},
      {"llama", {{"head_dim", 5}}, "head_dim"},
      {"llama", {{"hidden_act", "gelu_pytorch"}}, "hidden_act"},
      {"llama", {{"rms_norm_eps", -1e-5}}, "rms_norm_eps"},
      {"llama", {{"rms_norm_eps", "1e-5"}}, "rms_norm_eps"},
      {"llama", {{"rope_theta", 0}}, "rope_theta"},
      {"llama", {{"rope_scaling", {{"rope_type", "spiral"}, {"factor", 2.0}}}}, "spiral"},
      {"llama", {{"rope_scaling", {{"rope_type", "linear"}}}}, "factor"},
      {"llama", {{"attention_dropout", 1.5}}, "attention_dropout"},
      {"llama", {{"tie_word_embeddings", "yes"}}, "tie_word_embeddings"},
      {"llama", {{"eos_token_id", "</s>"}}, "eos_token_id"},
      {"gpt2", {{"activation_function", "swish9"}}, "swish9"},
      {"gpt2", {{"resid_pdrop", -0.1}}, "resid_pdrop"},
      {"bert", {{"num_attention_heads", 3}}, "num_attention_heads"},
      {"bert", {{"hidden_act", "swish9"}}, "swish9"},
      {"bert", {{"num_labels", nullptr}}, "number of classes is unknown"},
      {"bert", {{"num_labels", -3}}, "num_labels"},
      {"bert", {{"id2label", 3}}, "id2label"},
      {"bert", {{"hidden_dropout_prob", 2}}, "hidden_dropout_prob"},
      {"bert", {{"position_embedding_type", "relative_key"}}, "position_embedding_type"},
      {"bert", {{"model_type", "birt"}}, "'birt' is not supported"},
      {"bert", {{"model_type", nullptr}}, "model_type"},
      {"bert", {{"model_type", 3}}, "model_type"}};
  for (const auto& c : cases) {
    const std::string message = error_with(c.type, c.changes);
    CAPTURE(c.type);
    CAPTURE(c.changes.dump());
    CAPTURE(message);
    CHECK(message.find("config.json: ") != std::string::npos);
    CHECK(message.find(c.words) != std::string::npos);
  }
}

}  // namespace
}  // namespace lk
