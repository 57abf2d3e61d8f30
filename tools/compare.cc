// Runs methods x seeds on one task and sets the results side by side.
#include "engine/files/atomic_file.h"
#include "engine/files/folder_lock.h"
#include "tools/compare/report.h"
#include "tools/train/cli.h"

using namespace lk;

int main(int argc, char** argv) {
  CLI::App app(
      "compare: fine-tune with several methods and seeds, as a TOML file says, and set the results "
      "side by side.\nWhat is done is not done again; a run that was cut off goes on from its "
      "checkpoint.");
  app.footer(R"(The file:
  title = "Methods on banking77"
  metric = "accuracy"    # of the scores that finetune reports
  seeds = [0, 1, 2]
  [options]              # of bin/finetune, for every run
  model = "FOLDER"
  train = "train.tsv"
  dev = "dev.tsv"
  [[run]]                # a row of the table; its options win
  name = "LoRA, rank 8"
  method = "lora"
  rank = 8)");
  std::string file, output;
  std::vector<std::string> changes;
  app.add_option("plan", file, "what to run (TOML)")->required();
  app.add_option("--output", output, "folder for the runs, table.md, results.json and index.html")
      ->required();
  app.add_option("--set", changes,
                 "KEY=VALUE over the file's [options], e.g. train=FILE; again for each")
      ->allow_extra_args(false);
  return run_tool(app, argc, argv, [&] {
    const ComparePlan plan = read_plan(file, changes);
    const FolderLock lock(output);
    const std::vector<Outcome> outcomes = execute(plan, output);
    const std::vector<Row> rows = rows_of(plan, outcomes);
    const std::filesystem::path folder = output;
    write_file_atomically(folder / "table.md", markdown(plan, rows));
    write_file_atomically(folder / "results.json", json(plan, rows));
    write_file_atomically(folder / "index.html", html(plan, rows));
    fmt::print("\n{}\n{}\n", markdown(plan, rows), (folder / "index.html").string());
    for (const Row& r : rows) require(r.error.empty(), "a run of '{}' failed: {}", r.name, r.error);
  });
}
