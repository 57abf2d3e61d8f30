// Puts what compare wrote into RESULTS.md.
#include <CLI/CLI.hpp>

#include <filesystem>

#include "engine/files/atomic_file.h"
#include "engine/files/json.h"
#include "tools/compare/document.h"
#include "tools/train/cli.h"

using namespace lk;

int main(int argc, char** argv) {
  CLI::App app(
      "results: put the sections that compare wrote into a Markdown document.\nA section stands "
      "between two comments that name its folder; there it is put again. What is written between "
      "sections stays.");
  std::string file;
  std::vector<std::string> folders;
  app.add_option("document", file, "RESULTS.md; made where it is missing")->required();
  app.add_option("folders", folders, "--output of bin/compare, in the order of new sections")
      ->required();
  return run_tool(app, argc, argv, [&] {
    std::string text = std::filesystem::exists(file) ? read_text(file) : "# Results\n";
    for (const std::string& folder : folders) {
      const std::filesystem::path section = std::filesystem::path(folder) / "section.md";
      require(std::filesystem::exists(section),
              "{}: is missing; bin/compare PLAN --output {} writes it", section.string(), folder);
      text = with_section(text, folder, read_text(section), file);
    }
    write_file_atomically(file, text);
  });
}
