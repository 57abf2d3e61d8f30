#include "tests/runner.h"

#include <doctest/doctest.h>
#include <fmt/core.h>
#include <omp.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <new>

#include "engine/error.h"
#include "tests/quiet_reporter.h"

namespace lk::test {
namespace {

// What doctest says of a run; the name of the test case that runs now.
struct Listener : QuietReporter {
  explicit Listener(const doctest::ContextOptions&) {}
  static inline unsigned chosen = 0, executed = 0, failed = 0;
  static inline char private_name[200] = {};
  static inline char* name = private_name;

  void test_run_start() override { executed = 0; }
  void test_case_start(const doctest::TestCaseData& test) override {
    ++executed;
    std::strncpy(name, test.m_name, sizeof(private_name) - 1);
  }
  void test_run_end(const doctest::TestRunStats& stats) override {
    chosen = stats.numTestCasesPassingFilters;
    failed = stats.numTestCasesFailed;
  }
};
DOCTEST_REGISTER_LISTENER("runner", 1, Listener);

// What the processes share.
constexpr int kMaxJobs = 64;
constexpr int kNoMoreCases = 99;  // how a process ends that was not ended by a test case
struct Shared {
  std::atomic<unsigned> next{1};  // the next test case: doctest counts from 1
  std::atomic<unsigned> passed{0}, failed{0};
  char running[kMaxJobs][sizeof(Listener::private_name)] = {};
};

Shared& map_shared() {
  void* memory =
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  require(memory != MAP_FAILED, "tests: no memory to share between processes: {}",
          std::strerror(errno));
  return *new (memory) Shared;
}

// One process's work: test cases until there are no more.
void take_cases(doctest::Context& context, Shared& shared, int slot) {
  Listener::name = shared.running[slot];
  context.setOption("minimal", true);  // only of failures
  for (unsigned number = 0; number == 0 || number < Listener::chosen;) {
    number = shared.next++;
    context.setOption("first", static_cast<int>(number));
    context.setOption("last", static_cast<int>(number));
    const Tally tally = run_cases(context);
    shared.passed += tally.passed;
    shared.failed += tally.failed;
  }
}

pid_t start_process(doctest::Context& context, Shared& shared, int slot) {
  std::fflush(stdout);
  const pid_t process = fork();
  require(process >= 0, "tests: no process can be started: {}", std::strerror(errno));
  if (process != 0) return process;
  omp_set_num_threads(1);
  take_cases(context, shared, slot);
  std::fflush(stdout);
  _exit(kNoMoreCases);
}

}  // namespace

Tally run_cases(doctest::Context& context) {
  context.run();
  return {Listener::executed - Listener::failed, Listener::failed};
}

Tally run_cases_in_processes(doctest::Context& context, int jobs) {
  require(jobs > 0 && jobs <= kMaxJobs, "tests: --jobs={}: expected 1 to {}", jobs, kMaxJobs);
  // For the programs that tests start: one thread each too, unless a test says how many.
  setenv("OMP_NUM_THREADS", "1", 0);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // whole lines of whoever prints
  Shared& shared = map_shared();
  std::map<pid_t, int> slots;
  for (int slot = 0; slot < jobs; ++slot) slots[start_process(context, shared, slot)] = slot;
  while (!slots.empty()) {
    int status = 0;
    const pid_t process = waitpid(-1, &status, 0);
    const auto found = slots.find(process);
    if (found == slots.end()) continue;
    const int slot = found->second;
    slots.erase(found);
    if (WIFEXITED(status) && WEXITSTATUS(status) == kNoMoreCases) continue;
    fmt::print("FAILED: the process of the test case '{}' ended: {} {}\n", shared.running[slot],
               WIFSIGNALED(status) ? "signal" : "exit code",
               WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    ++shared.failed;
    slots[start_process(context, shared, slot)] = slot;
  }
  return {shared.passed, shared.failed};
}

}  // namespace lk::test
