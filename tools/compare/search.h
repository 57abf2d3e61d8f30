// The search for the options that a plan's rows leave open.
#pragma once

#include <vector>

#include "tools/compare/execute.h"

namespace lk {

// Gives the runs of each row that searches the choice with the best search_metric (the lowest,
// where that is a loss, a perplexity or an error rate): outcomes are those of plan.search. A choice
// that failed is passed over; a row whose choices all failed keeps its first.
void choose(ComparePlan& plan, const std::vector<Outcome>& outcomes);

}  // namespace lk
