#include "tools/compare/execute.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <iterator>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "engine/error.h"
#include "engine/files/atomic_file.h"
#include "engine/parallel.h"
#include "tools/train/progress.h"

extern char** environ;

namespace lk {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// The exit code of a tool, which stands beside this program and has `threads`; its output goes to
// `log`.
int run_tool(const std::string& tool, const std::vector<std::string>& arguments,
             const fs::path& log, int threads) {
  const std::string program = (fs::read_symlink("/proc/self/exe").parent_path() / tool).string();
  std::vector<std::string> words{program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::string share = fmt::format("OMP_NUM_THREADS={}", threads);
  std::vector<char*> environment{share.data()};
  for (char** variable = environ; *variable; ++variable)
    if (std::strncmp(*variable, "OMP_NUM_THREADS=", 16) != 0) environment.push_back(*variable);
  environment.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t child = 0;
  const int failed =
      posix_spawn(&child, program.c_str(), &actions, nullptr, argv.data(), environment.data());
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

namespace {

Outcome outcome_of(const ComparePlan& plan, const Run& run, const fs::path& output) {
  const fs::path folder = output / run.folder, command_file = folder / "command.txt";
  std::string command = run.tool;
  for (const std::string& word : run.arguments) command += "\n" + word;
  fs::create_directories(folder);
  const std::string before = text_of(command_file);
  require(before.empty() || before == command,
          "{}: this run was made with other options; give it another name, or remove its folder "
          "to run it again",
          folder.string());
  if (!is_done(run, output)) {
    write_file_atomically(command_file, command);
    std::vector<std::string> arguments = run.arguments;
    arguments.push_back(target(run, folder));
    if (has_checkpoint(folder)) arguments.emplace_back("--resume");
    const int code = run_tool(run.tool, arguments, folder / "output.txt", threads_of(plan.jobs));
    require(!g_interrupted, "interrupted; the same command goes on from here");
    if (code != 0) return {.run = &run, .error = error_in(run.tool, folder / "output.txt", code)};
  }
  const fs::path file = folder / "results.json";
  Outcome out{&run, "", read_record(file), read_losses(folder / "log.jsonl")};
  for (const std::string& metric : plan.metrics)
    require(out.record.after.count(metric) > 0, "{}: there is no score '{}'; there are: {}",
            file.string(), metric, [&] {
              std::string names;
              for (const auto& [name, value] : out.record.after)
                names += (names.empty() ? "" : ", ") + name;
              return names;
            }());
  return out;
}

std::string line_of(const ComparePlan& plan, const Outcome& o, bool was_done) {
  if (!o.error.empty()) return "failed: " + o.error;
  const RunRecord& r = o.record;
  return fmt::format("{} {:.4g}, {}, {}{}", plan.metrics[0], r.after.at(plan.metrics[0]),
                     human_time(r.train_seconds + r.score_seconds),
                     human_bytes(r.peak_memory_bytes), was_done ? " (was done)" : "");
}

}  // namespace

int threads_of(int jobs) {
  return std::getenv("OMP_NUM_THREADS") ? max_threads() : std::max(1, max_threads() / jobs);
}

std::vector<Outcome> execute(const ComparePlan& plan, const fs::path& output) {
  // Ctrl-C reaches the children too, which write their checkpoints and end.
  std::signal(SIGINT, [](int) { g_interrupted = 1; });
  const size_t count = plan.runs.size();
  std::vector<Outcome> out(count);
  std::atomic<size_t> next{0};
  std::mutex one_at_a_time;
  std::exception_ptr broken;
  const auto work = [&] {
    for (size_t i = next++; i < count; i = next++) {
      const Run& run = plan.runs[i];
      const std::string head =
          fmt::format("[{}/{}] {}, seed {}: ", i + 1, count, label_of(run), run.seed);
      try {
        if (plan.jobs == 1) {
          fmt::print("{}", head);
          std::fflush(stdout);
        }
        const bool was_done = is_done(run, output);
        out[i] = outcome_of(plan, run, output);
        const std::lock_guard lock(one_at_a_time);
        fmt::print("{}{}\n", plan.jobs == 1 ? "" : head, line_of(plan, out[i], was_done));
        std::fflush(stdout);
      } catch (...) {
        const std::lock_guard lock(one_at_a_time);
        if (!broken) broken = std::current_exception();
        next = count;  // what runs ends; nothing more begins
      }
    }
  };
  {
    std::vector<std::jthread> others;
    for (int j = 1; j < plan.jobs; ++j) others.emplace_back(work);
    work();
  }
  if (broken) std::rethrow_exception(broken);
  return out;
}

}  // namespace lk
