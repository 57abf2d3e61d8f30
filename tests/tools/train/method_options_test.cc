#include "tools/train/method_options.h"

#include "peft/method.h"
#include "tests/support.h"

namespace lk {
namespace {

TEST_CASE(
    "method options: target modules are names, a pattern or all-linear, whatever the default is") {
  for (const char* method : {"lora", "qlora"}) {
    CAPTURE(method);
    const auto given = [&](const std::string& text) {
      return method_settings(find_method(method), "", {{"target-modules", text}});
    };
    CHECK(given("query,value").texts("target_modules") ==
          std::vector<std::string>{"query", "value"});
    CHECK(given("query").texts("target_modules") == std::vector<std::string>{"query"});
    CHECK(given(".*query").text("target_modules") == ".*query");
    CHECK(given("all-linear").text("target_modules") == "all-linear");
  }
  CHECK(method_settings(find_method("qlora"), "", {}).text("target_modules") == "all-linear");
  const MethodInfo& unipelt = find_method("unipelt");
  CHECK(unipelt.make(method_settings(unipelt, "", {{"parts", "lora,prefix"}})) != nullptr);
  CHECK(test::error_of([&] {
          unipelt.make(method_settings(unipelt, "", {{"parts", "adapters,lora"}}));
        }).find("expected some of prefix, adapter, lora") != std::string::npos);
  const auto refused = [](const char* method, const char* flag) {
    return test::error_of([&] { method_settings(find_method(method), "", {{flag, "8"}}); });
  };
  CHECK(refused("bitfit", "rank").find("--rank is no option of the method 'bitfit'; it has --") ==
        0);
  CHECK(refused("prompt", "virtual-token").find("it has --virtual-tokens") != std::string::npos);
}

}  // namespace
}  // namespace lk
