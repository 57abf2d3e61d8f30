// Runs test cases and counts them; shared out among processes where asked.
#pragma once

namespace doctest {
class Context;
}

namespace lk::test {

struct Tally {
  unsigned passed = 0;
  unsigned failed = 0;
};

// The test cases that the context's options choose, in this process.
Tally run_cases(doctest::Context& context);

// The same in `jobs` processes of one thread each: whichever is idle takes the next test case. One
// that ends its process counts as failed, and another process goes on with the rest.
Tally run_cases_in_processes(doctest::Context& context, int jobs);

}  // namespace lk::test
