// The test runner: doctest's options, and --jobs=N for N processes. Its last line is `N passed, N
// failed` (test cases), skipped ones counted apart.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <fmt/core.h>

#include <cstdlib>
#include <exception>
#include <string_view>

#include "tests/runner.h"

int main(int argc, char** argv) try {
  int jobs = 1;
  for (int i = 1; i < argc; ++i)
    if (const std::string_view option = argv[i]; option.starts_with("--jobs="))
      jobs = std::atoi(argv[i] + 7);
  doctest::Context context(argc, argv);
  const lk::test::Tally tally =
      jobs == 1 ? lk::test::run_cases(context) : lk::test::run_cases_in_processes(context, jobs);
  if (context.shouldExit()) return 0;
  fmt::print("{} passed, {} failed\n", tally.passed, tally.failed);
  return tally.failed ? 1 : 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "tests: {}\n", e.what());
  return 1;
}
