// Writes the demo's data: records of invented restaurants and sentences that say what the records
// say.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/files/atomic_file.h"
#include "engine/rng.h"
#include "tools/train/cli.h"

using namespace lk;

namespace {

using Words = std::vector<std::string>;
const Words kFirst{"Golden",  "Silver", "Old",   "Green", "Little", "Red",    "Quiet", "Broken",
                   "Crooked", "Blue",   "Merry", "Lucky", "White",  "Copper", "Hidden"};
const Words kSecond{"Lantern", "Anchor", "Kettle", "Orchard", "Harbour",
                    "Fox",     "Garden", "Bridge", "Mill",    "Table",
                    "Heron",   "Cellar", "Oak",    "Spoon",   "Gate"};
const Words kType{"restaurant", "pub", "coffee shop", "tavern", "bakery"};
const Words kFood{"Italian", "Indian", "Chinese", "French", "Thai", "Greek", "English", "Spanish"};
const Words kPrice{"cheap", "moderate", "expensive"};
const Words kArea{"riverside", "city centre", "old town", "harbour"};
const Words kRating{"low", "average", "high"};

using Record = std::map<std::string, std::string>;

std::string line_of(const Record& r) {
  std::string out;
  for (const char* key : {"name", "type", "food", "price", "rating", "area", "family", "near"})
    if (r.count(key)) out += (out.empty() ? "" : " | ") + std::string(key) + ": " + r.at(key);
  return out;
}

std::string price_word(const std::string& p) { return p == "moderate" ? "moderately priced" : p; }
std::string article(const std::string& next) {
  return std::string("aeiouAEIOU").find(next[0]) != std::string::npos ? "an" : "a";
}

// One of three ways to say a record. Every value is said, in words that follow from the value
// alone.
std::string say(const Record& r, int style) {
  const auto has = [&](const char* key) { return r.count(key) > 0; };
  const std::string food = has("food") ? r.at("food") + " food" : "";
  const std::string place =
      has("area") ? (r.at("area") == "riverside" ? "by the riverside" : "in the " + r.at("area"))
                  : "";
  const std::string near = has("near") ? "near " + r.at("near") : "";
  const std::string adjective = has("price") ? price_word(r.at("price")) + " " : "";
  std::string out;
  if (style == 0) {
    out =
        r.at("name") + " is " + article(adjective + r.at("type")) + " " + adjective + r.at("type");
    if (!food.empty()) out += " that serves " + food;
    if (!place.empty()) out += " " + place;
    if (!near.empty()) out += " " + near;
    out += ".";
  } else if (style == 1) {
    const std::string where = place + (place.empty() || near.empty() ? "" : " ") + near;
    if (where.empty())
      out = "There is " + article(adjective + r.at("type")) + " " + adjective + r.at("type") +
            " called " + r.at("name") + ".";
    else
      out = where + " there is " + article(adjective + r.at("type")) + " " + adjective +
            r.at("type") + " called " + r.at("name") + ".";
    out[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(out[0])));
    if (!food.empty()) out += " It serves " + food + ".";
  } else {
    out = "The " + adjective + r.at("type") + " " + r.at("name");
    if (!near.empty()) out += " " + near;
    out += !food.empty() ? " offers " + food : " welcomes guests";
    if (!place.empty()) out += " " + place;
    out += ".";
  }
  if (has("rating") && has("family"))
    out += " It has " + article(r.at("rating")) + " " + r.at("rating") + " rating and is " +
           (r.at("family") == "yes" ? "" : "not ") + "family friendly.";
  else if (has("rating"))
    out += " It has " + article(r.at("rating")) + " " + r.at("rating") + " rating.";
  else if (has("family"))
    out += std::string(" It is ") + (r.at("family") == "yes" ? "" : "not ") + "family friendly.";
  return out;
}

class Maker {
 public:
  explicit Maker(uint64_t seed) : random_(seed, 1) {
    for (const auto& a : kFirst)
      for (const auto& b : kSecond) names_.push_back("The " + a + " " + b);
    random_.shuffle(names_);
  }
  // Names are parted too: a test restaurant was never seen in training.
  Record record(size_t name_begin, size_t name_end) {
    Record r;
    const auto one = [&](const Words& w) {
      return w[random_.below(static_cast<uint32_t>(w.size()))];
    };
    const auto some_name = [&] {
      return names_[name_begin + random_.below(static_cast<uint32_t>(name_end - name_begin))];
    };
    r["name"] = some_name();
    r["type"] = one(kType);
    if (random_.uniform() < 0.85f) r["food"] = one(kFood);
    if (random_.uniform() < 0.75f) r["price"] = one(kPrice);
    if (random_.uniform() < 0.5f) r["rating"] = one(kRating);
    if (random_.uniform() < 0.7f) r["area"] = one(kArea);
    if (random_.uniform() < 0.5f) r["family"] = random_.uniform() < 0.5f ? "yes" : "no";
    if (random_.uniform() < 0.35f) {
      r["near"] = some_name();
      if (r["near"] == r["name"]) r.erase("near");
    }
    return r;
  }
  int style() { return static_cast<int>(random_.below(3)); }

 private:
  Random random_;
  Words names_;
};

void write_set(Maker& maker, const std::filesystem::path& file, size_t count, size_t name_begin,
               size_t name_end, bool references, std::set<std::string>& seen) {
  std::string text;
  for (size_t n = 0; n < count;) {
    const Record r = maker.record(name_begin, name_end);
    const std::string input = line_of(r);
    if (!seen.insert(input).second) continue;
    const int style = maker.style();
    nlohmann::ordered_json json{{"input", input}, {"output", say(r, style)}};
    if (references) json["references"] = {say(r, 0), say(r, 1), say(r, 2)};
    text += json.dump() + "\n";
    ++n;
  }
  write_file_atomically(file, text);
  fmt::print("{}: {} records\n", file.string(), count);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("make_demo_data: records of invented restaurants and sentences that say them");
  std::string output;
  uint64_t seed = 7;
  app.add_option("--output", output, "folder for train.jsonl, dev.jsonl and test.jsonl")
      ->required();
  app.add_option("--seed", seed, "")->capture_default_str();
  return run_tool(app, argc, argv, [&] {
    std::filesystem::create_directories(output);
    Maker maker(seed);
    std::set<std::string> seen;
    const std::filesystem::path folder = output;
    write_set(maker, folder / "train.jsonl", 4000, 0, 165, false, seen);
    write_set(maker, folder / "dev.jsonl", 100, 165, 195, true, seen);
    write_set(maker, folder / "test.jsonl", 300, 195, 225, true, seen);
  });
}
