// Virtual tokens anywhere in a text: P-tuning's template.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "autograd/ops.h"
#include "peft/method.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk {
namespace {

std::unique_ptr<Method> method_of(const std::string& name, int64_t count, nlohmann::json more) {
  const MethodInfo& info = find_method(name);
  nlohmann::json values = nlohmann::json::object();
  for (const MethodOption& o : info.options) values[o.key] = nlohmann::json::parse(o.value);
  values["num_virtual_tokens"] = count;
  values["prompt_placement"] = "template";
  values.update(more);
  return info.make(Settings(values, "test"));
}

// Three texts; virtual tokens 0 and 1 stand at two places of the first and the last.
test::Packed batch_with_slots() {
  test::Packed batch = test::pack(test::random_documents({7, 4, 6}, 3));
  batch.packing.slots.assign(batch.ids.size(), -1);
  batch.packing.slots[1] = 0;
  batch.packing.slots[5] = 1;
  batch.packing.slots[11] = 0;
  batch.packing.slots[12] = 1;
  return batch;
}

TEST_CASE("virtual tokens in slots: with the embeddings of words they are these words") {
  for (const std::string& type : test::tiny_types()) {
    CAPTURE(type);
    const auto model = test::tiny_model(type, DType::f64);
    test::Packed batch = batch_with_slots(), words = batch;
    words.packing.slots.clear();
    for (size_t t = 0; t < batch.ids.size(); ++t)
      if (batch.packing.slots[t] >= 0) {
        words.ids[t] = batch.packing.slots[t] == 0 ? 5 : 11;
        batch.ids[t] = 0;
      }
    const double expected = test::loss_of(*model, words).value().item();
    CHECK(model->max_length() == 48);
    const auto method = method_of("prompt", 2, {{"prompt_tuning_init", "RANDOM"}});
    method->attach(*model, 1);
    CHECK(model->max_length() == 48);  // the text counts them
    CHECK(std::abs(test::loss_of(*model, batch).value().item() - expected) > 1e-3);
    Embedding* table = nullptr;
    model->visit_embeddings([&](Embedding& e) { table = table ? table : &e; });
    method->visit([&](Parameter& p) {
      p.set((*table)(std::vector<int32_t>{5, 11}, DType::f64).value());
    });
    CHECK(std::abs(test::loss_of(*model, batch).value().item() - expected) <= 1e-9);
  }
}

TEST_CASE("virtual tokens in slots: gradients against central differences") {
  for (const std::string& type : test::tiny_types())
    for (const char* kind : {"prompt", "MLP", "LSTM"}) {
      CAPTURE(type);
      CAPTURE(kind);
      const auto model = test::tiny_model(type, DType::f64);
      const bool prompt = std::string(kind) == "prompt";
      const auto method =
          method_of(prompt ? "prompt" : "ptuning", 2,
                    prompt ? nlohmann::json{{"prompt_tuning_init", "RANDOM"}}
                           : nlohmann::json{{"encoder_reparameterization_type", kind}});
      method->attach(*model, 1);
      std::vector<Parameter*> parameters;
      model->visit_parameters([](Parameter& p) { p.freeze(); });
      method->visit([&](Parameter& p) {
        p.make_trainable();
        parameters.push_back(&p);
      });
      CHECK(test::gradient_error(*model, batch_with_slots(), parameters) <= 1e-6);
    }
}

TEST_CASE("virtual tokens in slots: a template and an adapter that do not fit") {
  const auto model = test::tiny_model("bert", DType::f32);
  const auto says = [&](const test::Packed& batch, const std::string& words) {
    const std::string message = test::error_of([&] { test::loss_of(*model, batch); });
    CAPTURE(message);
    CHECK(message.find(words) != std::string::npos);
  };
  says(batch_with_slots(), "no adapter fills their places");
  const auto method = method_of("prompt", 1, {{"prompt_tuning_init", "RANDOM"}});
  method->attach(*model, 1);
  says(batch_with_slots(), "the template has 2 or more virtual tokens, the adapter 1");
  says(test::pack(test::random_documents({4}, 1)), "this text has no place for them");
  CHECK(test::error_of([&] {
          method_of("prompt", 1, {{"prompt_placement", "behind"}})->attach(*model, 1);
        }).find("prompt_placement is 'behind'") != std::string::npos);
  // A prompt that stands before the text leaves a template's places empty.
  const auto other = test::tiny_model("bert", DType::f32);
  method_of("prompt", 1, {{"prompt_placement", "before"}, {"prompt_tuning_init", "RANDOM"}})
      ->attach(*other, 1);
  CHECK(test::error_of([&] {
          test::loss_of(*other, batch_with_slots());
        }).find("no adapter fills") != std::string::npos);
}

}  // namespace
}  // namespace lk
