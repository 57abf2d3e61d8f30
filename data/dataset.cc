#include "data/dataset.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "data/jinja/json.h"
#include "data/jinja/text.h"
#include "engine/error.h"
#include "engine/files/json.h"

namespace lk {
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
    require(jinja::is_utf8(line), "{}:{}: not valid UTF-8", file.string(), number);
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
    require(!record.contains("messages"),
            "{}: a conversation ({{\"messages\"}}), but the lines before have {{\"input\", "
            "\"output\"}}",
            where);
    TextRecord r;
    r.line = number;
    r.input = string_field(record, "input", where);
    for (const auto& [key, value] : record.items())
      if (value.is_string() && key != "output") r.fields[key] = value.get<std::string>();
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

namespace {

// Checks a message and tells whether it is an answer of the assistant that is not empty.
bool check_message(const jinja::Value& message, size_t index, const std::string& where) {
  const jinja::Dict* m = message.dict();
  require(m != nullptr, "{}: message {} is a {}, expected {{\"role\": ..., \"content\": ...}}",
          where, index, jinja::type_name(message));
  const jinja::Value* role = m->find("role");
  require(role && role->string(), "{}: message {} has no \"role\" that is a string", where, index);
  constexpr std::array<std::string_view, 5> kRoles{"system", "developer", "user", "assistant",
                                                   "tool"};
  require(std::find(kRoles.begin(), kRoles.end(), *role->string()) != kRoles.end(),
          "{}: message {} has the role '{}', expected system, developer, user, assistant or tool",
          where, index, *role->string());
  const jinja::Value* content = m->find("content");
  const bool calls = m->find("tool_calls") && jinja::truth(*m->find("tool_calls"));
  if (calls && (!content || content->is_none())) return *role->string() == "assistant";
  require(content != nullptr, "{}: message {} has no \"content\"", where, index);
  require(content->string() || content->sequence(),
          "{}: the content of message {} is a {}, expected a string or a list of {{\"type\": "
          "\"text\", \"text\": ...}}",
          where, index, jinja::type_name(*content));
  if (content->sequence())
    for (const jinja::Value& part : content->sequence()->items) {
      const jinja::Value *type = part.dict() ? part.dict()->find("type") : nullptr,
                         *text = part.dict() ? part.dict()->find("text") : nullptr;
      require(type && type->string() && *type->string() == "text" && text && text->string(),
              "{}: message {} has a part that is not {{\"type\": \"text\", \"text\": ...}}; other "
              "kinds are not supported",
              where, index);
    }
  return *role->string() == "assistant" && (calls || !text_of(message).empty());
}

}  // namespace

std::string role_of(const jinja::Value& message) { return *message.dict()->find("role")->string(); }

std::string text_of(const jinja::Value& message) {
  const jinja::Value* content = message.dict()->find("content");
  if (!content || content->is_none()) return "";
  if (content->string()) return *content->string();
  std::string out;
  for (const jinja::Value& part : content->sequence()->items)
    out += *part.dict()->find("text")->string();
  return out;
}

ChatData read_chat_jsonl(const std::filesystem::path& file) {
  ChatData data{file, {}};
  each_line(file, [&](const std::string& line, int64_t number) {
    const std::string where = file.string() + ":" + std::to_string(number);
    const jinja::Value record = jinja::from_json(line, where);
    require(record.dict() != nullptr, "{}: {}, expected an object {{\"messages\": [...]}}", where,
            jinja::type_name(record));
    const jinja::Value *messages = record.dict()->find("messages"),
                       *tools = record.dict()->find("tools");
    require(messages != nullptr, "{}: the key \"messages\" is missing, which the lines before have",
            where);
    require(messages->sequence() && !messages->sequence()->items.empty(),
            "{}: \"messages\" is {}, expected a list of messages", where,
            messages->sequence() ? "empty" : "a " + jinja::type_name(*messages));
    require(!tools || tools->is_none() || tools->sequence(), "{}: \"tools\" is not a list of tools",
            where);
    bool answered = false;
    const auto& items = messages->sequence()->items;
    for (size_t i = 0; i < items.size(); ++i)
      answered = check_message(items[i], i, where) || answered;
    require(answered,
            "{}: no message of the assistant has content; there is nothing to learn from it",
            where);
    data.records.push_back({*messages, tools ? *tools : jinja::Value(), number});
  });
  require(!data.records.empty(), "{}: the data set is empty", file.string());
  return data;
}

namespace {

// Whether the first line of the file is an object with "messages". A broken line is the reader's
// business.
bool has_messages(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string line;
  while (line.find_first_not_of("\xEF\xBB\xBF\r") == std::string::npos && std::getline(in, line)) {
  }
  if (line.rfind("\xEF\xBB\xBF", 0) == 0) line.erase(0, 3);
  const auto record = nlohmann::json::parse(line, nullptr, false);
  return record.is_object() && record.contains("messages");
}

}  // namespace

DataKind data_kind(const std::filesystem::path& file) {
  const std::string extension = file.extension().string();
  if (extension == ".tsv") return DataKind::class_tsv;
  if (extension == ".conll") return DataKind::tagged;
  if (extension == ".jsonl")
    return has_messages(file) ? DataKind::chat_jsonl : DataKind::text_jsonl;
  if (extension == ".txt") return DataKind::plain_text;
  fail(
      "{}: the kind of data is unknown; expected .tsv (label<TAB>text), .conll (token<TAB>tag), "
      ".jsonl ({{\"input\", "
      "\"output\"}} or {{\"messages\"}}) or .txt",
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
