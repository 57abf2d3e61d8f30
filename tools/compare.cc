// Runs methods x seeds on one task and sets the results side by side.
#include <CLI/CLI.hpp>

#include "engine/files/atomic_file.h"
#include "engine/files/folder_lock.h"
#include "tools/compare/report.h"
#include "tools/compare/search.h"
#include "tools/train/cli.h"

using namespace lk;

int main(int argc, char** argv) {
  CLI::App app(
      "compare: fine-tune with several methods and seeds, as a TOML file says, and set the results "
      "side by side.\nWhat is done is not done again; a run that was cut off goes on from its "
      "checkpoint.");
  app.footer(R"(The file:
  title = "Methods on banking77"
  description = "..."    # stands above the table
  metrics = ["accuracy"] # of the scores that finetune reports, the main one first
  seeds = [0, 1, 2]
  [options]              # of bin/finetune, for every run
  model = "FOLDER"
  train = "train.tsv"
  dev = "dev.tsv"
  [[run]]                # a row of the table; its options win
  name = "LoRA, rank 8"
  method = "lora"
  rank = 8
  search.lr = [1e-3, 1e-2]  # each is tried, the best is taken and stands in the table
  [search]               # what holds where they are tried, for the first seed
  dev = "dev.tsv"        # not what the table reports
  metric = "perplexity of the answers"  # what decides; else the main one
  max-steps = 100        # quicker than the runs' own, but prefers higher rates
  [[run]]                # nothing trains: bin/evaluate; shots come from train
  name = "16 examples in the prompt"
  method = "none"
  shots = 16)");
  std::string file, output;
  std::vector<std::string> changes;
  std::string title;
  int jobs = 1;
  bool dry = false;
  int64_t steps = 0;
  app.add_option("plan", file, "what to run (TOML)")->required();
  app.add_option("--output", output,
                 "folder for the runs, table.md, section.md, results.json and index.html")
      ->required();
  app.add_option(
         "--set", changes,
         "KEY=VALUE over the file's [options], e.g. train=FILE, or search.KEY=VALUE over its "
         "[search]; again for each")
      ->allow_extra_args(false);
  app.add_option("--title", title, "instead of the file's");
  app.add_option(
         "--jobs", jobs,
         "runs at a time, each with its share of the threads, or OMP_NUM_THREADS where that "
         "is set; small models make more of the cores so, with so many times the memory")
      ->check(CLI::PositiveNumber);
  app.add_flag("--dry-run", dry, "show each run's command; run nothing");
  app.add_option(
         "--try", steps,
         "run only so many updates of each row's first seed, and say how long all will take")
      ->check(CLI::PositiveNumber);
  return run_tool(app, argc, argv, [&] {
    ComparePlan plan = read_plan(file, changes);
    if (!title.empty()) plan.title = title;
    plan.jobs = jobs;
    if (dry) {
      for (const auto* runs : {&plan.search, &plan.runs})
        for (const Run& run : *runs)
          fmt::print("{}{}{}\n", command_of(run, output), is_done(run, output) ? "  # is done" : "",
                     runs == &plan.runs && !run.choice.empty()
                         ? "  # or what the search finds better"
                         : "");
      return;
    }
    const FolderLock lock(output);
    if (steps > 0) {
      const ComparePlan trial = trial_of(plan, steps);
      const std::vector<Outcome> trials = execute(trial, output);
      fmt::print("\n{}", estimate(plan, trials));
      for (const Outcome& o : trials)
        require(o.error.empty(), "the trial of '{}' failed: {}", o.run->name, o.error);
      return;
    }
    if (!plan.search.empty()) {
      fmt::print("search:\n");
      ComparePlan search = plan;
      search.runs = plan.search;
      search.metrics = {plan.search_metric};
      choose(plan, execute(search, output));
      fmt::print("runs:\n");
    }
    const std::vector<Outcome> outcomes = execute(plan, output);
    const std::vector<Row> rows = rows_of(plan, outcomes);
    const std::filesystem::path folder = output;
    std::string command = "bin/compare " + file + " --output " + output;
    for (const std::string& change : changes) command += " --set '" + change + "'";
    if (!title.empty()) command += " --title '" + title + "'";
    if (jobs > 1) command += " --jobs " + std::to_string(jobs);
    write_file_atomically(folder / "table.md", markdown(plan, rows));
    write_file_atomically(folder / "section.md", section(plan, rows, command));
    write_file_atomically(folder / "results.json", json(plan, rows, command));
    write_file_atomically(folder / "index.html", html(plan, rows));
    fmt::print("\n{}\n{}\n", markdown(plan, rows), (folder / "index.html").string());
    for (const Row& r : rows) require(r.error.empty(), "a run of '{}' failed: {}", r.name, r.error);
  });
}
