#include "data/metrics.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <map>
#include <set>

#include "engine/error.h"

namespace lk {
namespace {

// Words and single punctuation marks, lower case.
std::vector<std::string> words(const std::string& text) {
  std::vector<std::string> out;
  bool inside = false;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (std::isspace(u)) {
      inside = false;
    } else if (u < 128 && std::ispunct(u)) {
      out.emplace_back(1, c);
      inside = false;
    } else {
      if (!inside) out.emplace_back();
      out.back() += static_cast<char>(u < 128 ? std::tolower(u) : u);
      inside = true;
    }
  }
  return out;
}

std::string trimmed(const std::string& s) {
  const auto space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  const auto begin = std::find_if_not(s.begin(), s.end(), space);
  const auto end = std::find_if_not(s.rbegin(), s.rend(), space).base();
  return begin < end ? std::string(begin, end) : std::string();
}

using Counts = std::map<std::vector<std::string>, int64_t>;
Counts ngrams(const std::vector<std::string>& tokens, size_t n) {
  Counts out;
  for (size_t i = 0; i + n <= tokens.size(); ++i)
    ++out[{tokens.begin() + static_cast<std::ptrdiff_t>(i),
           tokens.begin() + static_cast<std::ptrdiff_t>(i + n)}];
  return out;
}

int64_t common_subsequence(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  std::vector<int64_t> row(b.size() + 1, 0);
  for (const std::string& x : a) {
    int64_t diagonal = 0;
    for (size_t j = 0; j < b.size(); ++j) {
      const int64_t above = row[j + 1];
      row[j + 1] = x == b[j] ? diagonal + 1 : std::max(row[j + 1], row[j]);
      diagonal = above;
    }
  }
  return row.back();
}

void check(size_t predicted, size_t expected) {
  require(predicted == expected && predicted > 0,
          "a metric needs as many predictions as answers and at least one; got {} and {}",
          predicted, expected);
}

}  // namespace

double accuracy(std::span<const int32_t> predicted, std::span<const int32_t> expected) {
  check(predicted.size(), expected.size());
  int64_t hits = 0;
  for (size_t i = 0; i < predicted.size(); ++i) hits += predicted[i] == expected[i];
  return static_cast<double>(hits) / static_cast<double>(predicted.size());
}

double macro_f1(std::span<const int32_t> predicted, std::span<const int32_t> expected) {
  check(predicted.size(), expected.size());
  std::map<int32_t, std::array<double, 3>> counts;  // hits, predicted, expected
  for (size_t i = 0; i < predicted.size(); ++i) {
    counts[predicted[i]][1] += 1;
    counts[expected[i]][2] += 1;
    if (predicted[i] == expected[i]) counts[predicted[i]][0] += 1;
  }
  double total = 0;
  for (const auto& [label, c] : counts) total += 2 * c[0] / (c[1] + c[2]);
  return total / static_cast<double>(counts.size());
}

double matthews(std::span<const int32_t> predicted, std::span<const int32_t> expected) {
  check(predicted.size(), expected.size());
  std::map<int32_t, std::pair<double, double>> counts;
  double hits = 0;
  const auto n = static_cast<double>(predicted.size());
  for (size_t i = 0; i < predicted.size(); ++i) {
    counts[predicted[i]].first += 1;
    counts[expected[i]].second += 1;
    hits += predicted[i] == expected[i];
  }
  double pt = 0, pp = 0, tt = 0;
  for (const auto& [label, c] : counts)
    pt += c.first * c.second, pp += c.first * c.first, tt += c.second * c.second;
  const double below = std::sqrt((n * n - pp) * (n * n - tt));
  return below == 0 ? 0 : (hits * n - pt) / below;
}

double exact_match(const std::vector<std::string>& predicted, const References& references) {
  check(predicted.size(), references.size());
  int64_t hits = 0;
  for (size_t i = 0; i < predicted.size(); ++i)
    hits += std::any_of(references[i].begin(), references[i].end(),
                        [&](const std::string& r) { return trimmed(r) == trimmed(predicted[i]); });
  return static_cast<double>(hits) / static_cast<double>(predicted.size());
}

double bleu(const std::vector<std::string>& predicted, const References& references) {
  check(predicted.size(), references.size());
  double hits[4] = {}, totals[4] = {}, length = 0, reference_length = 0;
  for (size_t i = 0; i < predicted.size(); ++i) {
    const auto tokens = words(predicted[i]);
    length += static_cast<double>(tokens.size());
    int64_t closest = -1;
    std::vector<std::vector<std::string>> refs;
    for (const std::string& r : references[i]) {
      refs.push_back(words(r));
      const auto size = static_cast<int64_t>(refs.back().size()),
                 own = static_cast<int64_t>(tokens.size());
      if (closest < 0 || std::abs(size - own) < std::abs(closest - own) ||
          (std::abs(size - own) == std::abs(closest - own) && size < closest))
        closest = size;
    }
    reference_length += static_cast<double>(std::max<int64_t>(closest, 0));
    for (size_t n = 1; n <= 4; ++n) {
      Counts most;
      for (const auto& r : refs)
        for (const auto& [gram, count] : ngrams(r, n)) most[gram] = std::max(most[gram], count);
      for (const auto& [gram, count] : ngrams(tokens, n)) {
        totals[n - 1] += static_cast<double>(count);
        const auto found = most.find(gram);
        if (found != most.end()) hits[n - 1] += static_cast<double>(std::min(count, found->second));
      }
    }
  }
  double log_precision = 0;
  for (int n = 0; n < 4; ++n) {
    if (hits[n] == 0) return 0;
    log_precision += std::log(hits[n] / totals[n]) / 4;
  }
  const double brevity = length >= reference_length ? 0 : 1 - reference_length / length;
  return 100 * std::exp(log_precision + brevity);
}

double rouge_l(const std::vector<std::string>& predicted, const References& references) {
  check(predicted.size(), references.size());
  double total = 0;
  for (size_t i = 0; i < predicted.size(); ++i) {
    const auto tokens = words(predicted[i]);
    double best = 0;
    for (const std::string& r : references[i]) {
      const auto other = words(r);
      const auto common = static_cast<double>(common_subsequence(tokens, other));
      if (common > 0)
        best = std::max(best, 2 * common / static_cast<double>(tokens.size() + other.size()));
    }
    total += best;
  }
  return 100 * total / static_cast<double>(predicted.size());
}

}  // namespace lk
