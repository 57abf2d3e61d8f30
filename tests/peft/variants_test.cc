#include "peft/variants.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/support.h"

namespace lk {
namespace {

TEST_CASE("variants: each value is a setting of its method, and methods are made from it") {
  for (const VariantValue& v : variant_values()) {
    CAPTURE(v.method);
    CAPTURE(v.key);
    const MethodInfo& info = find_method(v.method);
    CHECK(std::any_of(info.options.begin(), info.options.end(),
                      [&](const MethodOption& o) { return o.key == v.key; }));
    // The variants of a method all have a value, and they are not all the same.
    for (const std::string& variant : known_variants(info)) {
      const nlohmann::json values = variant_settings(info, variant);
      REQUIRE(values.contains(v.key));
      nlohmann::json all = nlohmann::json::object();
      for (const MethodOption& o : info.options) all[o.key] = nlohmann::json::parse(o.value);
      all.update(values);
      const auto method = info.make(Settings(all, "test"));
      CHECK(method->settings().json()[v.key] == values[v.key]);
    }
    CHECK((v.original != v.hf || v.hf != v.adapterhub || v.key == "encoder_hidden_size"));
  }
}

TEST_CASE("variants: what is new is hf's where HF PEFT has the method, else the authors'") {
  const auto usual = [](const char* name) { return default_variant(find_method(name)); };
  CHECK(usual("lora") == "hf");
  CHECK(usual("prefix") == "hf");
  CHECK(usual("ptuning-v2") == "original");  // it writes prefix tuning's type
  CHECK(usual("qlora") == "original");
  CHECK(usual("houlsby") == "original");
  for (const MethodInfo& m : methods()) {
    CAPTURE(m.name);
    const auto known = known_variants(m);
    CHECK((known.empty() ||
           std::find(known.begin(), known.end(), default_variant(m)) != known.end()));
    CHECK(variant_settings(m, default_variant(m)).is_object());
  }
  CHECK(variant_settings(find_method("adalora"), "original")["orth_reg_weight"] == 0.1);
  CHECK(variant_settings(find_method("prompt"), "adapterhub")["prompt_random_init"] == "uniform");
}

TEST_CASE("variants: one that is not known is named with those that are") {
  const auto says = [](const char* method, const char* variant, const std::string& words) {
    const std::string message =
        test::error_of([&] { variant_settings(find_method(method), variant); });
    CAPTURE(message);
    CHECK(message.find(words) != std::string::npos);
  };
  says("ptuning", "adapterhub", "has no variant 'adapterhub' (known: original, hf)");
  says("bitfit", "hf", "has no variant 'hf' (known: original, and no other that differs)");
  says("lora", "torch", "no variant 'torch' (known: original, hf, adapterhub)");
  CHECK(
      variants_table(find_method("houlsby")).find("| `init_weights` | \"houlsby\" | \"bert\" |") !=
      std::string::npos);
  CHECK(variants_table(find_method("bitfit")).find("do not differ") != std::string::npos);
}

}  // namespace
}  // namespace lk
