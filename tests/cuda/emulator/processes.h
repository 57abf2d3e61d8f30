// Processes that work together, without a launcher.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/communicator.h"

namespace lk::test {

struct ProcessOutcome {
  std::vector<double> values;  // what f returned
  std::string error;           // or of the Error that it threw
};

// Calls f in `count` processes, which are this one's children, and waits for all. A process that an
// Error ends leaves the others waiting for it: they are ended, and have neither values nor error.
std::vector<ProcessOutcome> in_processes(
    int count, const std::function<std::vector<double>(Communicator& processes)>& f);

}  // namespace lk::test
