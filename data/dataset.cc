#include "data/dataset.h"

#include <utf8proc.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/error.h"
#include "engine/files/json.h"

namespace lk {

bool is_utf8(const std::string& s) {
  utf8proc_int32_t code;
  for (size_t at = 0; at < s.size();) {
    const auto n = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(s.data()) + at,
                                    static_cast<utf8proc_ssize_t>(s.size() - at), &code);
    if (n <= 0) return false;
    at += static_cast<size_t>(n);
  }
  return true;
}

namespace {

// Calls f(line, number) for each line that is not empty; a byte-order mark and carriage returns are
// dropped.
void each_line(const std::filesystem::path& file,
               const std::function<void(const std::string&, int64_t)>& f) {
  std::ifstream in(file, std::ios::binary);
  require(in.good() && !std::filesystem::is_directory(file), "{}: the data file cannot be read",
          file.string());
  std::string line;
  for (int64_t number = 1; std::getline(in, line); ++number) {
    if (number == 1 && line.rfind("\xEF\xBB\xBF", 0) == 0) line.erase(0, 3);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty()) continue;
    require(is_utf8(line), "{}:{}: not valid UTF-8", file.string(), number);
    f(line, number);
  }
}

std::string string_field(const nlohmann::json& record, const char* key, const std::string& where) {
  require(record.contains(key),
          "{}: the key \"{}\" is missing; expected {{\"input\": \"...\", \"output\": \"...\"}}",
          where, key);
  require(record[key].is_string(), "{}: \"{}\" is {}, expected a string", where, key,
          record[key].type_name());
  return record[key].get<std::string>();
}

}  // namespace

std::vector<std::string> ClassData::labels() const {
  std::set<std::string> names;
  for (const ClassRecord& r : records) names.insert(r.label);
  return {names.begin(), names.end()};
}

ClassData read_class_tsv(const std::filesystem::path& file) {
  ClassData data{file, {}, false};
  each_line(file, [&](const std::string& line, int64_t number) {
    std::vector<std::string> fields(1);
    for (const char c : line)
      if (c == '\t')
        fields.emplace_back();
      else
        fields.back() += c;
    require(
        fields.size() == 2 || fields.size() == 3,
        "{}:{}: {} fields parted by tabs; expected label<TAB>text or label<TAB>text_a<TAB>text_b",
        file.string(), number, fields.size());
    require(!fields[0].empty() && !fields[1].empty(), "{}:{}: the {} is empty", file.string(),
            number, fields[0].empty() ? "label" : "text");
    const bool pair = fields.size() == 3;
    require(data.records.empty() || pair == data.pairs,
            "{}:{}: {} fields, but the lines before have {}", file.string(), number, fields.size(),
            data.pairs ? 3 : 2);
    data.pairs = pair;
    data.records.push_back({fields[0], fields[1], pair ? fields[2] : "", number});
  });
  require(!data.records.empty(), "{}: the data set is empty", file.string());
  return data;
}

TextData read_text_jsonl(const std::filesystem::path& file) {
  TextData data{file, {}};
  each_line(file, [&](const std::string& line, int64_t number) {
    const std::string where = file.string() + ":" + std::to_string(number);
    const nlohmann::json record = parse_json(line, where);
    require(record.is_object(), "{}: {}, expected an object {{\"input\": ..., \"output\": ...}}",
            where, record.type_name());
    TextRecord r;
    r.line = number;
    r.input = string_field(record, "input", where);
    if (record.contains("references")) {
      require(record["references"].is_array(),
              "{}: \"references\" is {}, expected a list of strings", where,
              record["references"].type_name());
      for (const auto& reference : record["references"]) {
        require(reference.is_string(), "{}: a reference is {}, expected a string", where,
                reference.type_name());
        r.references.push_back(reference.get<std::string>());
      }
    }
    r.output = record.contains("output") || r.references.empty()
                   ? string_field(record, "output", where)
                   : r.references[0];
    if (r.references.empty()) r.references.push_back(r.output);
    data.records.push_back(std::move(r));
  });
  require(!data.records.empty(), "{}: the data set is empty", file.string());
  return data;
}

DataKind data_kind(const std::filesystem::path& file) {
  const std::string extension = file.extension().string();
  if (extension == ".tsv") return DataKind::class_tsv;
  if (extension == ".conll") return DataKind::tagged;
  if (extension == ".jsonl") return DataKind::text_jsonl;
  if (extension == ".txt") return DataKind::plain_text;
  fail(
      "{}: the kind of data is unknown; expected .tsv (label<TAB>text), .conll "
      "(token<TAB>tag), .jsonl ({{\"input\", \"output\"}}) or .txt",
      file.string());
}

int32_t label_index(const std::vector<std::string>& labels, const ClassData& data,
                    const ClassRecord& record) {
  const auto found = std::lower_bound(labels.begin(), labels.end(), record.label);
  if (found != labels.end() && *found == record.label)
    return static_cast<int32_t>(found - labels.begin());
  std::string some;
  for (size_t i = 0; i < labels.size() && i < 8; ++i) some += (i ? ", " : "") + labels[i];
  fail("{}:{}: the label '{}' does not stand in the training data, which has {} labels ({}{})",
       data.file.string(), record.line, record.label, labels.size(), some,
       labels.size() > 8 ? ", ..." : "");
}

}  // namespace lk
