#include "data/slot_errors.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "engine/error.h"

namespace lk {
namespace {

using Ways = std::vector<std::string>;  // to put a value
using Values = std::vector<std::pair<std::string, Ways>>;

// Attributes with few values. A value's own words are a way too, unless its ways begin with "".
const std::map<std::string, Values>& closed_attributes() {
  static const std::map<std::string, Values> table{
      {"type", {{"coffee shop", {"coffee"}}, {"pub", {}}, {"restaurant", {}}, {"cafe", {}}}},
      {"food",
       {{"Chinese", {}},
        {"English", {"british"}},
        {"French", {}},
        {"Fast food", {"fast food"}},
        {"Indian", {}},
        {"Italian", {}},
        {"Japanese", {"sushi"}},
        {"Spanish", {}},
        {"Thai", {}},
        {"Greek", {}}}},
      {"price",
       {{"cheap", {"low price", "low-price", "inexpensive", "low cost", "low priced"}},
        {"less than £20",
         {"under £20", "below £20", "less than 20", "under 20", "low price", "cheap"}},
        {"moderate",
         {"moderately", "mid price", "mid-price", "average price", "reasonable", "reasonably"}},
        {"£20-25", {"20-25", "£20 to £25", "£20 - £25", "20 to 25", "£20-£25", "moderate"}},
        {"high", {"expensive", "high price", "high-price", "pricey"}},
        {"more than £30",
         {"over £30", "above £30", "more than 30", "over 30", "high price", "expensive"}}}},
      {"customer rating",
       {{"low",
         {"", "low rat", "low customer", "poor", "rated low", "low-rated", "rating is low",
          "rating of low", "1 out of 5", "one star"}},
        {"1 out of 5",
         {"1 star", "one star", "one out of five", "1-star", "1/5", "low rat", "low customer",
          "poor"}},
        {"average",
         {"", "average rat", "average customer", "rated average", "rating is average", "average"}},
        {"3 out of 5",
         {"3 star", "three star", "three out of five", "3-star", "3/5", "average rat",
          "average customer"}},
        {"high",
         {"", "high rat", "high customer", "highly rated", "rated high", "highly", "rating is high",
          "excellent"}},
        {"5 out of 5",
         {"5 star", "five star", "five out of five", "5-star", "5/5", "highly rated", "high rat",
          "high customer", "excellent"}}}},
      {"area",
       {{"riverside", {"river", "riverside"}},
        {"city centre",
         {"city center", "center of the city", "centre of the city", "city-centre", "downtown"}}}},
      {"family friendly",
       {{"yes",
         {"", "family friendly", "family-friendly", "child friendly", "child-friendly",
          "kid friendly", "kid-friendly", "kids friendly", "children friendly", "famil", "child",
          "kid"}},
        {"no",
         {"",
          "not family",
          "not a family",
          "non family",
          "non-family",
          "no famil",
          "not child",
          "not a child",
          "non-child",
          "no child",
          "not kid",
          "not a kid",
          "non-kid",
          "no kid",
          "adult",
          "isn't family",
          "isn't a family",
          "not for famil",
          "not suitable for",
          "not welcome",
          "not allow",
          "doesn't allow",
          "not recommended for",
          "not good for",
          "unfriendly",
          "n't family"}}}},
  };
  return table;
}

std::string lower(const std::string& text) {
  std::string out;
  for (const char c : text)
    out += static_cast<unsigned char>(c) < 128
               ? static_cast<char>(std::tolower(static_cast<unsigned char>(c)))
               : c;
  return out;
}

std::string trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(' '), end = text.find_last_not_of(' ');
  return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

std::string attribute(const std::string& key) {
  std::string name = lower(key);
  if (name == "rating") return "customer rating";
  if (name == "family") return "family friendly";
  return name;
}

// `way` from the beginning of a word on.
bool says(const std::string& text, const std::string& way) {
  for (size_t at = text.find(way); at != std::string::npos; at = text.find(way, at + 1))
    if (at == 0 || !std::isalnum(static_cast<unsigned char>(text[at - 1]))) return true;
  return false;
}

bool says_value(const std::string& text, const std::string& value, const Ways& ways) {
  const bool own = ways.empty() || !ways[0].empty();
  if (own && says(text, lower(value))) return true;
  return std::any_of(ways.begin(), ways.end(),
                     [&](const std::string& way) { return !way.empty() && says(text, way); });
}

// What a text says of an attribute with few values; -1: nothing. A negation holds "family friendly"
// too, and ways of two values may be the same, so that the given value comes first.
bool says_another(const std::string& name, const std::string& text, const std::string& given) {
  const Values& values = closed_attributes().at(name);
  if (name == "family friendly") {
    const bool no = says_value(text, "no", values[1].second),
               yes = !no && says_value(text, "yes", values[0].second);
    return given == "yes" ? no : given == "no" ? yes : no || yes;
  }
  for (const auto& [value, ways] : values)
    if (lower(value) == given && says_value(text, value, ways)) return false;
  return std::any_of(values.begin(), values.end(), [&](const auto& v) {
    return lower(v.first) != given && says_value(text, v.first, v.second);
  });
}

bool says_given(const std::string& name, const std::string& text, const std::string& given) {
  const auto closed = closed_attributes().find(name);
  if (closed == closed_attributes().end()) return says(text, given);
  if (name == "family friendly") {
    const bool no = says_value(text, "no", closed->second[1].second);
    return given == "no" ? no : !no && says_value(text, "yes", closed->second[0].second);
  }
  for (const auto& [value, ways] : closed->second)
    if (lower(value) == given) return says_value(text, value, ways);
  return says(text, given);
}

}  // namespace

std::optional<double> slot_error_rate(const std::vector<std::string>& inputs,
                                      const std::vector<std::string>& texts) {
  require(inputs.size() == texts.size(), "slot errors: {} inputs, but {} texts", inputs.size(),
          texts.size());
  int64_t slots = 0, wrong = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    std::map<std::string, std::string> given;
    for (size_t at = 0; at <= inputs[i].size();) {
      const size_t end = std::min(inputs[i].find('|', at), inputs[i].size());
      const std::string slot = inputs[i].substr(at, end - at);
      const size_t colon = slot.find(':');
      if (colon == std::string::npos) return std::nullopt;
      const std::string name = attribute(trimmed(slot.substr(0, colon)));
      if (name != "name" && name != "near" && closed_attributes().count(name) == 0)
        return std::nullopt;
      given[name] = lower(trimmed(slot.substr(colon + 1)));
      at = end + 1;
    }
    std::string text = lower(texts[i]), rest = text;
    slots += static_cast<int64_t>(given.size());
    // A name such as "The Rice Boat" or "Cafe Rouge" tells nothing of other attributes.
    for (const char* open : {"name", "near"}) {
      const auto slot = given.find(open);
      if (slot == given.end()) continue;
      const std::string& own = slot->second;
      for (size_t at = rest.find(own); own.size() > 2 && at != std::string::npos;
           at = rest.find(own, at))
        rest = rest.substr(0, at) + " , " + rest.substr(at + own.size());
    }
    for (const auto& [name, value] : given)
      wrong += !says_given(name, name == "name" || name == "near" ? text : rest, value);
    for (const auto& [name, values] : closed_attributes()) {
      // "A restaurant" is said of every place, and price and rating share words.
      const auto slot = given.find(name);
      if (slot == given.end() && (name == "type" || name == "price" || name == "customer rating"))
        continue;
      wrong += says_another(name, rest, slot == given.end() ? "" : slot->second);
    }
  }
  return slots == 0
             ? std::nullopt
             : std::optional<double>(static_cast<double>(wrong) / static_cast<double>(slots));
}

}  // namespace lk
