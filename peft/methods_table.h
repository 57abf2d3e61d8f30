// The registry for people.
#pragma once

#include <string>

namespace lk {

// A Markdown table, a line for each method: name, what it trains, paper, whose files it reads and
// writes. The README holds it (a test compares).
std::string methods_table();

}  // namespace lk
