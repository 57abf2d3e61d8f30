#include "tools/compare/execute.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/error.h"
#include "engine/files/atomic_file.h"
#include "tools/train/progress.h"

extern char** environ;

namespace lk {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// The exit code of a tool, which stands beside this program; its output goes to `log`.
int run_tool(const std::string& tool, const std::vector<std::string>& arguments,
             const fs::path& log) {
  const std::string program = (fs::read_symlink("/proc/self/exe").parent_path() / tool).string();
  std::vector<std::string> words{program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t child = 0;
  const int failed = posix_spawn(&child, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  require(failed == 0, "{}: cannot be started: {}", program, std::strerror(failed));
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// What a failed tool said: its line "error: ...", or where to look.
std::string error_in(const std::string& tool, const fs::path& log, int code) {
  std::istringstream lines(text_of(log));
  std::string line, error = fmt::format("{} ended with {}; see {}", tool, code, log.string());
  while (std::getline(lines, line))
    if (line.rfind("error: ", 0) == 0) error = line.substr(7);
  return error;
}

// The curve in at most 200 parts.
std::vector<std::pair<int64_t, double>> read_losses(const fs::path& file) {
  std::vector<std::pair<int64_t, double>> all, out;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    const auto entry = nlohmann::json::parse(line, nullptr, false);
    if (entry.is_object() && entry.contains("step") && entry.contains("loss"))
      all.emplace_back(entry["step"].get<int64_t>(), entry["loss"].get<double>());
  }
  // Each point is the mean of its part, since single steps are noisy.
  const size_t width = std::max<size_t>(1, all.size() / 200);
  for (size_t begin = 0; begin < all.size(); begin += width) {
    const size_t end = std::min(all.size(), begin + width);
    double sum = 0;
    for (size_t i = begin; i < end; ++i) sum += all[i].second;
    out.emplace_back(all[end - 1].first, sum / static_cast<double>(end - begin));
  }
  return out;
}

// --output, or for bin/evaluate its results.
std::string target(const Run& run, const fs::path& folder) {
  return run.tool == "finetune" ? "--output=" + folder.string()
                                : "--results=" + (folder / "results.json").string();
}

bool has_checkpoint(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().filename().string().rfind("checkpoint-", 0) == 0) return true;
  return false;
}

volatile std::sig_atomic_t g_interrupted = 0;

}  // namespace

std::string command_of(const Run& run, const fs::path& output) {
  std::string out = "bin/" + run.tool;
  const auto add = [&](const std::string& word) {
    const bool plain = word.find_first_of(" '\"$&|;<>(){}[]*?\\\n") == std::string::npos;
    std::string quoted = "'";
    for (const char c : word) quoted += c == '\'' ? "'\\''" : std::string(1, c);
    out += " " + (plain ? word : quoted + "'");
  };
  for (const std::string& word : run.arguments) add(word);
  add(target(run, output / run.folder));
  return out;
}

bool is_done(const Run& run, const fs::path& output) {
  return fs::exists(output / run.folder / "results.json");
}

std::vector<Outcome> execute(const ComparePlan& plan, const fs::path& output) {
  // Ctrl-C reaches the child too, which writes its checkpoint and ends.
  std::signal(SIGINT, [](int) { g_interrupted = 1; });
  std::vector<Outcome> out;
  for (size_t i = 0; i < plan.runs.size(); ++i) {
    const Run& run = plan.runs[i];
    const fs::path folder = output / run.folder, command_file = folder / "command.txt";
    std::string command = run.tool;
    for (const std::string& word : run.arguments) command += "\n" + word;
    fs::create_directories(folder);
    const std::string before = text_of(command_file);
    require(before.empty() || before == command,
            "{}: this run was made with other options; give it another name, or remove its folder "
            "to run it again",
            folder.string());
    fmt::print("[{}/{}] {}, seed {}: ", i + 1, plan.runs.size(), run.name, run.seed);
    std::fflush(stdout);
    const bool done = is_done(run, output);
    if (!done) {
      write_file_atomically(command_file, command);
      std::vector<std::string> arguments = run.arguments;
      arguments.push_back(target(run, folder));
      if (has_checkpoint(folder)) arguments.emplace_back("--resume");
      const int code = run_tool(run.tool, arguments, folder / "output.txt");
      require(!g_interrupted, "interrupted; the same command goes on from here");
      if (code != 0) {
        Outcome failed{.run = &run};
        failed.error = error_in(run.tool, folder / "output.txt", code);
        fmt::print("failed: {}\n", failed.error);
        out.push_back(std::move(failed));
        continue;
      }
    }
    const fs::path file = folder / "results.json";
    Outcome outcome{&run, "", read_record(file), read_losses(folder / "log.jsonl")};
    const RunRecord& r = outcome.record;
    for (const std::string& metric : plan.metrics)
      require(r.after.count(metric) > 0, "{}: there is no score '{}'; there are: {}", file.string(),
              metric, [&] {
                std::string names;
                for (const auto& [name, value] : r.after)
                  names += (names.empty() ? "" : ", ") + name;
                return names;
              }());
    fmt::print("{} {:.4g}, {}, {}{}\n", plan.metrics[0], r.after.at(plan.metrics[0]),
               human_time(r.train_seconds + r.score_seconds), human_bytes(r.peak_memory_bytes),
               done ? " (was done)" : "");
    out.push_back(std::move(outcome));
  }
  return out;
}

}  // namespace lk
