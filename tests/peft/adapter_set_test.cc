// Several adapters in one model: by name, and one for each document of a batch.
#include "peft/adapter_set.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "autograd/ops.h"
#include "nn/generate.h"
#include "peft/adapter_files.h"
#include "tests/oracle.h"
#include "tests/peft/contract.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk {
namespace {

struct Kind {
  const char *method, *settings;
};
// One of each hook; all may stand in one batch.
const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all{
      {"lora", R"({"r": 2, "target_modules": "all-linear"})"},
      {"ia3", R"({"target_modules": "all-linear", "feedforward_modules": ["down"]})"},
      {"prefix", R"({"num_virtual_tokens": 3})"},
      {"prefix", R"({"num_virtual_tokens": 2, "prefix_positions": "keep"})"},
      {"prompt", R"({"num_virtual_tokens": 4})"},
      {"pfeiffer", R"({"reduction_factor": 4, "inv_adapter": "nice"})"},
      {"mam", R"({"prefix_length": 2, "bottleneck_size": 3, "reduction_factor": 4})"},
      {"unipelt", R"({"prefix_length": 2, "bottleneck_size": 3, "reduction_factor": 4, "r": 2})"}};
  return all;
}

std::string name_of(size_t i) { return std::string(1, static_cast<char>('a' + i)); }

struct Loaded {
  test::TempDir dir;
  std::unique_ptr<Model> model;
  std::unique_ptr<AdapterSet> set;
  explicit Loaded(const std::string& type) : model(test::tiny_model(type, DType::f32)) {
    set = std::make_unique<AdapterSet>(*model);
    for (size_t i = 0; i < kinds().size(); ++i) {
      test::write_adapter(dir / name_of(i), type, kinds()[i].method, kinds()[i].settings,
                          100 * (i + 1));
      set->add(name_of(i), dir / name_of(i));
    }
  }
  // The adapter in a model of its own.
  std::unique_ptr<Model> alone(const std::string& type, const std::string& name,
                               std::unique_ptr<Method>& method) const {
    auto one = test::tiny_model(type, DType::f32);
    if (!name.empty()) method = load_adapter(dir / name, read_adapter_config(dir / name), *one);
    return one;
  }
};

const std::vector<std::string> kTypes{"gpt2", "llama", "bert", "t5"};

TEST_CASE("adapters are switched by name, and the base comes back to the bit") {
  for (const std::string& type : kTypes) {
    CAPTURE(type);
    Loaded l(type);
    const test::Packed batch = test::pack(test::random_documents({5, 9, 3}, 5));
    const Tensor base = test::hidden_of(*test::tiny_model(type, DType::f32), batch);
    CHECK(test::same_bits(test::hidden_of(*l.model, batch), base));
    for (const std::string name : {"c", "a", "h", "", "e"}) {
      CAPTURE(name);
      std::unique_ptr<Method> method;
      const auto alone = l.alone(type, name, method);
      l.set->use(name);
      CHECK(test::same_bits(test::hidden_of(*l.model, batch), test::hidden_of(*alone, batch)));
    }
    l.set.reset();
    CHECK(test::same_bits(test::hidden_of(*l.model, batch), base));
  }
}

TEST_CASE("each document of a batch takes its own adapter, as if it were alone") {
  for (const std::string& type : kTypes) {
    CAPTURE(type);
    Loaded l(type);
    const test::Documents documents = test::random_documents({5, 2, 7, 3, 4, 6, 1, 5, 2, 3}, 6);
    const std::vector<std::string> names{"d", "a", "", "f", "a", "h", "c", "e", "g", "b"};
    l.set->use_each(names);
    Packing moved;
    const Tensor together = test::hidden_of(*l.model, test::pack(documents), &moved);
    for (size_t i = 0; i < documents.size(); ++i) {
      CAPTURE(names[i]);
      std::unique_ptr<Method> method;
      const auto alone = l.alone(type, names[i], method);
      const Tensor expected = test::hidden_of(*alone, test::pack({documents[i]}));
      const Tensor rows = together.rows(moved.offsets[i], moved.offsets[i + 1]).clone();
      CHECK(rows.shape() == expected.shape());
      CHECK(test::max_difference(rows, expected) <= 1e-5 * test::max_magnitude(expected));
    }
  }
}

TEST_CASE("gradients of a mixed batch are those of its documents alone") {
  Loaded l("t5");
  for (const bool checkpointing : {false, true}) {
    CAPTURE(checkpointing);
    const test::Documents documents = test::random_documents({5, 4, 6}, 7);
    const std::vector<std::string> names{"a", "c", "a"};
    const auto gradients = [&](const std::function<void()>& pass) {
      std::vector<Parameter*> parameters;
      const auto collect = [&](Parameter& p) {  // blocks share a prefix's
        if (std::find(parameters.begin(), parameters.end(), &p) == parameters.end())
          parameters.push_back(&p);
      };
      for (const char* name : {"a", "c"}) {
        l.set->use(name);
        l.model->visit_linears([&](Linear& linear) {
          for (const auto& hook : linear.adapters()) hook->visit(collect);
        });
        for (Block& b : l.model->blocks())
          if (b.kv) b.kv->visit(collect);
      }
      for (Parameter* p : parameters) p->make_trainable();
      pass();
      std::vector<Tensor> out;
      for (Parameter* p : parameters) {
        REQUIRE(p->var.grad().defined());
        out.push_back(p->var.grad().clone());
        p->freeze();
      }
      return out;
    };
    l.model->gradient_checkpointing = checkpointing;
    const auto mixed = gradients([&] {
      l.set->use_each(names);
      backward(test::loss_of(*l.model, test::pack(documents)));
    });
    l.model->gradient_checkpointing = false;
    const auto alone = gradients([&] {
      for (size_t i = 0; i < names.size(); ++i) {
        l.set->use(names[i]);
        backward(test::loss_of(*l.model, test::pack({documents[i]})));
      }
    });
    REQUIRE(mixed.size() == alone.size());
    for (size_t i = 0; i < mixed.size(); ++i)
      CHECK(test::max_difference(mixed[i], alone[i]) <=
            1e-4 * test::max_magnitude(alone[i]) + 1e-6);
  }
}

TEST_CASE("generation: prompts that end at different times keep their adapters, with beams too") {
  for (const std::string type : {"gpt2", "llama", "t5"})
    for (const int64_t beams : {1, 3}) {
      CAPTURE(type);
      CAPTURE(beams);
      Loaded l(type);
      const test::Documents prompts = test::random_documents({4, 9, 3, 5, 2}, 8);
      const std::vector<std::string> names{"c", "", "a", "e", "g"};
      GenerateOptions o;
      o.max_new_tokens = 8;
      o.num_beams = beams;
      o.eos_ids = {3, 7, 11, 19};
      const auto one = [&](size_t i) {
        std::unique_ptr<Method> method;
        const auto alone = l.alone(type, names[i], method);
        return generate(*alone, {prompts[i]}, o)[0];
      };
      std::vector<std::vector<int32_t>> expected;
      for (size_t i = 0; i < prompts.size(); ++i) expected.push_back(one(i));
      o.before_pass = [&](const std::vector<size_t>& documents) {
        std::vector<std::string> now;
        for (const size_t p : documents) now.push_back(names[p]);
        l.set->use_each(now);
      };
      CHECK(generate(*l.model, prompts, o) == expected);
    }
}

TEST_CASE("adapters that change shared weights go one at a time") {
  const std::string type = "llama";
  test::TempDir dir;
  test::write_adapter(dir / "lora", type, "lora", R"({"r": 2})", 1);
  test::write_adapter(dir / "tokens", type, "trainable-tokens", R"({"token_indices": [3, 7]})", 2);
  {
    const auto model = test::tiny_model(type, DType::f32);
    const auto method = test::method_of("ln-tuning", "{}");
    method->attach(*model, 1);
    uint64_t seed = 5;
    for (Parameter* p : select_parameters(*model, *method))
      p->set(test::random_tensor(p->shape, DType::f32, ++seed));
    save_adapter(dir / "norms", *model, *method, find_method("ln-tuning"), "", {});
  }
  const auto model = test::tiny_model(type, DType::f32);
  const test::Packed batch = test::pack(test::random_documents({5, 4}, 5));
  const Tensor base = test::hidden_of(*model, batch);
  AdapterSet set(*model);
  for (const char* name : {"lora", "tokens", "norms"}) set.add(name, dir / name);
  for (const char* name : {"norms", "tokens"}) {
    set.use(name);
    CHECK(test::max_difference(test::hidden_of(*model, batch), base) > 1e-3);
    set.use("");
    CHECK(test::same_bits(test::hidden_of(*model, batch), base));
    set.use_each({name, name});  // no mixture
    CHECK(test::max_difference(test::hidden_of(*model, batch), base) > 1e-3);
  }
  CHECK(test::error_of([&] {
          set.use_each({"lora", "norms"});
        }).find("use it alone") != std::string::npos);
  CHECK(test::error_of([&] {
          set.use_each({"tokens", "lora"});
        }).find("changes the embedding") != std::string::npos);
  CHECK(test::error_of([&] { set.use("lara"); }).find("nearest: lora") != std::string::npos);
  CHECK(test::error_of([&] { set.add("lora", dir / "lora"); }).find("two adapters") !=
        std::string::npos);
  set.use_each({"lora", ""});
  const test::Packed three = test::pack(test::random_documents({5, 4, 2}, 5));
  CHECK(test::error_of([&] { test::hidden_of(*model, three); }).find("but 3 are read") !=
        std::string::npos);
}

}  // namespace
}  // namespace lk
