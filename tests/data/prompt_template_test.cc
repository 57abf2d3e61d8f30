#include "data/prompt_template.h"

#include "tests/support.h"

namespace lk {
namespace {

TEST_CASE("prompt template: the prompt ends at the answer, an example goes on after it") {
  const PromptTemplate t("{{Review}}: {text}\nFeeling: {label}\n\n", "label");
  const Fields fields{{"text", "a {good} one"}, {"label", "glad"}};
  CHECK(t.prompt(fields) == "{Review}: a {good} one\nFeeling: ");
  CHECK(t.example(fields) == "{Review}: a {good} one\nFeeling: glad\n\n");
  CHECK(t.after() == "\n\n");
}

TEST_CASE("prompt template: what cannot be is named") {
  const auto says = [](const std::string& text, const std::string& words) {
    const std::string message = test::error_of([&] {
      PromptTemplate(text, "label").prompt({{"text", "x"}, {"label", "y"}});
    });
    CAPTURE(message);
    CHECK(message.find(words) != std::string::npos);
  };
  says("{text", "at character 1");
  says("a } {label}", "at character 3");
  says("{text}", "holds {label} 0 times");
  says("{text}{label}{label}", "holds {label} 2 times");
  says("{label} {text}", "begins with the answer");
  says("x {label} {text}", "the slot {text} after the answer");
  says("{words} {label}",
       "the template's slot {words} is not known for this data; there are: {label}, {text}");
}

}  // namespace
}  // namespace lk
