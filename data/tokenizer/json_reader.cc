#include "data/tokenizer/json_reader.h"

#include <utility>

#include "engine/error.h"

namespace lk {

namespace {

// What a table is made of.
struct Value {
  enum Kind { kText, kInteger, kNumber, kOther } kind;
  std::string_view text = {};
  int64_t integer = 0;
  double number = 0;
};

// {"token": id, ...} or [["token", score], ...].
class VocabReader {
 public:
  VocabReader(ModelTables& tables, const std::string& name) : tables_(tables), name_(name) {}

  void open(bool object) {
    ++depth_;
    if (depth_ == 1) {
      tables_.vocab_kind =
          object ? ModelTables::VocabKind::kObject : ModelTables::VocabKind::kArray;
    } else if (depth_ == 2 && is_array() && !object) {
      filled_ = 0;
    } else {
      wrong();
    }
  }
  // True when the table is complete.
  bool close() {
    if (depth_ == 2 && filled_ != 2) wrong();
    return --depth_ == 0;
  }
  void key(std::string_view token) {
    if (is_array()) wrong();
    tables_.tokens.add(token);
  }
  void value(const Value& v) {
    if (!is_array() && depth_ == 1) {
      if (v.kind != Value::kInteger) wrong();
      tables_.ids.push_back(v.integer);
    } else if (depth_ == 2 && filled_ == 0 && v.kind == Value::kText) {
      tables_.tokens.add(v.text);
      ++filled_;
    } else if (depth_ == 2 && filled_ == 1 &&
               (v.kind == Value::kInteger || v.kind == Value::kNumber)) {
      tables_.scores.push_back(v.kind == Value::kInteger ? static_cast<double>(v.integer)
                                                         : v.number);
      ++filled_;
    } else {
      wrong();
    }
  }

 private:
  bool is_array() const { return tables_.vocab_kind == ModelTables::VocabKind::kArray; }
  [[noreturn]] void wrong() const {
    const size_t count = tables_.tokens.size();
    fail(
        "{}: field model.vocab: expected an object of token to id, or an array of [token, score]; "
        "entry {}{} is something else",
        name_, count == 0 ? 0 : count - 1,
        count == 0 ? "" : fmt::format(" (\"{}\") or the next", tables_.tokens[count - 1]));
  }
  ModelTables& tables_;
  const std::string& name_;
  int depth_ = 0;
  int filled_ = 0;  // members of the inner array
};

// ["left right", ...] or [["left", "right"], ...].
class MergesReader {
 public:
  MergesReader(ModelTables& tables, const std::string& name) : tables_(tables), name_(name) {}

  void open(bool object) {
    if (object || ++depth_ > 2) wrong();
    tables_.has_merges = true;
    filled_ = 0;
  }
  bool close() {
    if (depth_ == 2 && filled_ != 2) wrong();
    return --depth_ == 0;
  }
  void key(std::string_view) { wrong(); }
  void value(const Value& v) {
    if (v.kind != Value::kText || filled_ == 2 || depth_ == 0) wrong();
    if (depth_ == 2) {
      (filled_++ == 0 ? tables_.left : tables_.right).add(v.text);
      return;
    }
    const size_t space = v.text.find(' ');
    if (space == v.text.npos || v.text.find(' ', space + 1) != v.text.npos) wrong();
    tables_.left.add(v.text.substr(0, space));
    tables_.right.add(v.text.substr(space + 1));
  }

 private:
  [[noreturn]] void wrong() const {
    fail(
        "{}: field model.merges: entry {} is not \"left right\" (one space) or [\"left\", "
        "\"right\"]",
        name_, tables_.left.size() - (depth_ == 2 && filled_ > 0 ? 1 : 0));
  }
  ModelTables& tables_;
  const std::string& name_;
  int depth_ = 0;
  int filled_ = 0;
};

// Takes the events of nlohmann's parser: builds the document, but sends the tables to their
// readers.
class Reader {
 public:
  Reader(TokenizerJson& out, const std::string& name, size_t size)
      : out_(out), name_(name), size_(size), vocab_(out.tables, name), merges_(out.tables, name) {}

  bool null() { return scalar({Value::kOther}, nullptr); }
  bool boolean(bool v) { return scalar({Value::kOther}, v); }
  bool number_integer(int64_t v) { return scalar({Value::kInteger, {}, v}, v); }
  bool number_unsigned(uint64_t v) {
    const bool fits = v <= INT64_MAX;
    return scalar({Value::kInteger, {}, fits ? static_cast<int64_t>(v) : INT64_MAX}, v);
  }
  bool number_float(double v, const std::string&) { return scalar({Value::kNumber, {}, 0, v}, v); }
  bool string(std::string& v) {
    const Value value{Value::kText, v};
    return table_ == Table::kNone ? (place(std::move(v)), true) : scalar(value, nullptr);
  }
  bool binary(Json::binary_t&) { return false; }
  bool key(std::string& k) {
    if (table_ == Table::kVocab) {
      vocab_.key(k);
    } else if (table_ == Table::kMerges) {
      merges_.key(k);
    } else {
      const bool in_model = stack_.size() == 2 && path_ == "model";
      if (stack_.size() == 1) path_ = k;
      const bool table = in_model && (k == "vocab" || k == "merges");
      const bool again = k == "vocab" ? out_.tables.vocab_kind != ModelTables::VocabKind::kNone
                                      : out_.tables.has_merges;
      require(table ? !again : !stack_.back()->contains(k), "{}: the key \"{}\" stands twice",
              name_, k);
      if (table)
        table_ = k == "vocab" ? Table::kVocab : Table::kMerges;
      else
        key_ = std::move(k);
    }
    return true;
  }
  bool start_object(size_t) { return open(true); }
  bool start_array(size_t) { return open(false); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool parse_error(size_t at, const std::string&, const nlohmann::detail::exception& e) {
    const std::string what = e.what();  // "[json.exception...] parse error at line ...: ..."
    const size_t start = what.find("] ");
    fail("{}: not valid JSON at byte {} of {}{}: {}", name_, at, size_,
         at >= size_ ? " (is the file truncated?)" : "",
         start == what.npos ? what : what.substr(start + 2));
  }

 private:
  enum class Table { kNone, kVocab, kMerges };

  bool scalar(const Value& value, Json json) {
    if (table_ == Table::kVocab)
      vocab_.value(value);
    else if (table_ == Table::kMerges)
      merges_.value(value);
    else
      place(std::move(json));
    return true;
  }
  Json* place(Json json) {
    if (stack_.empty()) {
      out_.document = std::move(json);
      return &out_.document;
    }
    Json& parent = *stack_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(json));
      return &parent.back();
    }
    return &(parent[key_] = std::move(json));
  }
  bool open(bool object) {
    if (table_ == Table::kVocab) {
      vocab_.open(object);
    } else if (table_ == Table::kMerges) {
      merges_.open(object);
    } else {
      require(stack_.size() < 100, "{}: nested more than 100 deep", name_);
      stack_.push_back(place(object ? Json::object() : Json::array()));
    }
    return true;
  }
  bool close() {
    if (table_ == Table::kNone)
      stack_.pop_back();
    else if (table_ == Table::kVocab ? vocab_.close() : merges_.close())
      table_ = Table::kNone;
    return true;
  }

  TokenizerJson& out_;
  const std::string& name_;
  size_t size_;
  VocabReader vocab_;
  MergesReader merges_;
  Table table_ = Table::kNone;
  std::vector<Json*> stack_;  // open objects and arrays
  std::string path_;          // the last key of the outermost object
  std::string key_;
};

}  // namespace

TokenizerJson read_tokenizer_json(std::string_view text, const std::string& name) {
  require(!text.empty(), "{}: the file is empty; a JSON object was expected", name);
  TokenizerJson out;
  Reader reader(out, name, text.size());
  Json::sax_parse(text.begin(), text.end(), &reader);
  return out;
}

}  // namespace lk
