#include "data/tokenizer/json_node.h"

#include "data/tokenizer/unicode.h"

namespace lk {

std::string JsonNode::where() const {
  return path_.empty() ? *file_ + ": " : fmt::format("{}: field {}: ", *file_, path_);
}

void JsonNode::wrong_type(const char* expected) const {
  fail("found {}, expected {}", value_->type_name(), expected);
}

std::optional<JsonNode> JsonNode::find(std::string_view key) const {
  expect_object();
  const auto it = value_->find(key);
  if (it == value_->end() || it->is_null()) return std::nullopt;
  return JsonNode(*it, *file_, path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key));
}

JsonNode JsonNode::at(std::string_view key) const {
  auto member = find(key);
  if (!member) fail("the member \"{}\" is missing", key);
  return *std::move(member);
}

JsonNode JsonNode::item(size_t index) const {
  return {(*value_)[index], *file_, fmt::format("{}[{}]", path_, index)};
}

const std::string& JsonNode::text() const {
  if (!value_->is_string()) wrong_type("a string");
  return value_->get_ref<const std::string&>();
}

bool JsonNode::boolean() const {
  if (!value_->is_boolean()) wrong_type("true or false");
  return value_->get<bool>();
}

int64_t JsonNode::integer(int64_t least, int64_t most) const {
  if (!value_->is_number_integer()) wrong_type("an integer");
  const bool huge = value_->is_number_unsigned() && value_->get<uint64_t>() > INT64_MAX;
  if (huge || value_->get<int64_t>() < least || value_->get<int64_t>() > most)
    fail("found {}, expected an integer from {} to {}", value_->dump(), least, most);
  return value_->get<int64_t>();
}

double JsonNode::number() const {
  if (!value_->is_number()) wrong_type("a number");
  return value_->get<double>();
}

char32_t JsonNode::character() const {
  const std::string& s = text();
  if (s.empty() || unicode::count_code_points(s) != 1)
    fail("found \"{}\", expected one character", s);
  return unicode::decode_at(s, 0).value;
}

void JsonNode::expect_object() const {
  if (!value_->is_object()) wrong_type("an object");
}

void JsonNode::expect_array() const {
  if (!value_->is_array()) wrong_type("an array");
}

bool JsonNode::boolean_or(std::string_view key, bool otherwise) const {
  const auto member = find(key);
  return member ? member->boolean() : otherwise;
}

std::string JsonNode::text_or(std::string_view key, std::string_view otherwise) const {
  const auto member = find(key);
  return member ? member->text() : std::string(otherwise);
}

int64_t JsonNode::integer_or(std::string_view key, int64_t least, int64_t most,
                             int64_t otherwise) const {
  const auto member = find(key);
  return member ? member->integer(least, most) : otherwise;
}

}  // namespace lk
