// The example of cuda/emulator/README.md does what the README says.
#include <doctest/doctest.h>

#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "tests/tools/tool_run.h"

namespace lk::test {
namespace {

// The indented blocks of a text of Markdown, without their four spaces.
std::vector<std::string> blocks_of(const std::string& text) {
  std::vector<std::string> blocks;
  std::istringstream lines(text);
  std::string line, blank;  // lines within a block, or between it and what follows
  bool inside = false;
  while (std::getline(lines, line)) {
    if (line.empty()) {
      blank += "\n";
    } else if (line.starts_with("    ")) {
      if (!inside)
        blocks.emplace_back();
      else
        blocks.back() += blank;
      blocks.back() += line.substr(4) + "\n";
      inside = true;
      blank.clear();
    } else {
      inside = false;
      blank.clear();
    }
  }
  return blocks;
}

TEST_CASE("the emulator's README: its example builds, runs and prints what stands there") {
  const std::string readme = read_file("cuda/emulator/README.md");
  const auto blocks = blocks_of(readme.substr(readme.find("## Your own kernel in 20 lines")));
  REQUIRE(blocks.size() >= 2);
  CHECK(blocks[0].starts_with("// scale.cu\n"));
  const size_t end = blocks[1].find("\n\n");  // between commands and output
  REQUIRE(end != std::string::npos);
  const std::string commands = blocks[1].substr(0, end), output = blocks[1].substr(end + 2);

  // A root of the repository in which one may write.
  const TempDir dir;
  for (const char* folder : {"cuda", "engine"})
    std::filesystem::create_directory_symlink(std::filesystem::absolute(folder), dir / folder);
  write_file(dir / "scale.cu", blocks[0]);
  const Outcome ran = run(dir, "set -e; cd " + dir.path().string() + "\n" + commands);
  INFO(ran.text);
  REQUIRE(ran.code == 0);

  std::istringstream said(ran.text), wanted(output);
  std::string line, want;
  while (std::getline(wanted, want)) {
    REQUIRE(std::getline(said, line));
    if (want.starts_with("...")) {  // a path, which depends on the folder
      CHECK(line.ends_with(want.substr(3)));
    } else {
      CHECK(line == want);
    }
  }
  CHECK(!std::getline(said, line));
}

}  // namespace
}  // namespace lk::test
