#include "peft/nearest.h"

#include <algorithm>

namespace lk {
namespace {

size_t distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0]++;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t above = row[j + 1];
      row[j + 1] = std::min({row[j + 1] + 1, row[j] + 1, diagonal + (a[i] == b[j] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row.back();
}

}  // namespace

std::string nearest(const std::string& wanted, std::vector<std::string> candidates, size_t count) {
  std::stable_sort(candidates.begin(), candidates.end(),
                   [&](const std::string& a, const std::string& b) {
                     return distance(a, wanted) < distance(b, wanted);
                   });
  if (count > 0 && candidates.size() > count) candidates.resize(count);
  std::string out;
  for (const std::string& c : candidates) out += (out.empty() ? "" : ", ") + c;
  return out;
}

}  // namespace lk
