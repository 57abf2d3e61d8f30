#include "tools/compare/document.h"

#include "tests/support.h"

namespace lk {
namespace {

TEST_CASE("results: a section is put in once, and again in its place; other words stay") {
  std::string text = with_section("# Results\n", "out/a", "### A\n", "R.md");
  CHECK(text == "# Results\n\n<!-- compare: out/a -->\n### A\n<!-- end: out/a -->\n");
  text = with_section(text + "\nThe trend shows.\n", "out/b", "### B\n", "R.md");
  text = with_section(text, "out/a", "### A, again\n", "R.md");
  CHECK(text ==
        "# Results\n\n<!-- compare: out/a -->\n### A, again\n<!-- end: out/a -->\n\nThe trend "
        "shows.\n\n<!-- compare: out/b -->\n### B\n<!-- end: out/b -->\n");
  CHECK(with_section(text, "out/b", "### B\n", "R.md") == text);
}

TEST_CASE("results: a comment that is gone is an error, not a second section") {
  const std::string begun = "<!-- compare: a -->\n", ended = "<!-- end: a -->\n";
  for (const std::string& text : {begun, ended, ended + begun})
    CHECK(test::error_of([&] {
            with_section(text, "a", "x", "R.md");
          }).find("R.md: of the comments") == 0);
}

}  // namespace
}  // namespace lk
