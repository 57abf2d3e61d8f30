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
  CHECK(test::error_of([] {
          method_settings(find_method("bitfit"), "", {{"rank", "8"}});
        }) == "--rank is no option of the method 'bitfit'");
}

}  // namespace
}  // namespace lk
