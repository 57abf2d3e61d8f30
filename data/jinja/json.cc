#include "data/jinja/json.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "data/jinja/text.h"
#include "engine/error.h"
#include "engine/files/json.h"

namespace lk::jinja {
namespace {

Value from_node(const nlohmann::ordered_json& node, const std::string& name) {
  using Type = nlohmann::ordered_json::value_t;
  switch (node.type()) {
    case Type::boolean:
      return node.get<bool>();
    case Type::number_integer:
      return node.get<int64_t>();
    case Type::number_unsigned:
      require(node.get<uint64_t>() <= INT64_MAX, "{}: {} is too large an int", name, node.dump());
      return node.get<int64_t>();
    case Type::number_float:
      return node.get<double>();
    case Type::string:
      return node.get<std::string>();
    case Type::array: {
      std::vector<Value> items;
      for (const auto& item : node) items.push_back(from_node(item, name));
      return make_sequence(std::move(items));
    }
    case Type::object: {
      Dict dict;
      for (const auto& [key, value] : node.items()) dict.set(key, from_node(value, name));
      return make_dict(std::move(dict));
    }
    default:
      return {};
  }
}

class Writer {
 public:
  explicit Writer(const JsonStyle& style) : style_(style) {}

  void write(const Value& v, int64_t level) {
    check_text_size(out.size());
    if (const Sequence* s = v.sequence(); s && s->kind != Sequence::Kind::generator)
      return block('[', ']', s->items.size(), level,
                   [&](size_t i) { write(s->items[i], level + 1); });
    if (const Dict* d = v.dict()) {
      auto items = d->items();
      if (style_.sort_keys)
        std::stable_sort(items.begin(), items.end(),
                         [](const auto& a, const auto& b) { return a.first < b.first; });
      return block('{', '}', items.size(), level, [&](size_t i) {
        quote(items[i].first);
        out += style_.key_separator;
        write(items[i].second, level + 1);
      });
    }
    if (const std::string* s = v.string()) return quote(*s);
    if (v.is_none())
      out += "null";
    else if (const bool* b = v.as<bool>())
      out += *b ? "true" : "false";
    else if (const double* f = v.as<double>(); f && !std::isfinite(*f))
      out += std::isnan(*f) ? "NaN" : *f < 0 ? "-Infinity" : "Infinity";
    else if (is_number(v))
      out += repr(v);
    else
      fail("tojson: a {} cannot be written as JSON", type_name(v));
  }

  std::string out;

 private:
  template <class F>
  void block(char open, char close, size_t count, int64_t level, const F& item) {
    out += open;
    for (size_t i = 0; i < count; ++i) {
      if (i) out += style_.item_separator;
      new_line(level + 1);
      item(i);
    }
    if (count) new_line(level);
    out += close;
  }

  void new_line(int64_t level) {
    if (style_.indent < 0) return;
    check_text_size(static_cast<size_t>(level * style_.indent));
    out += '\n';
    out.append(static_cast<size_t>(level * style_.indent), ' ');
    check_text_size(out.size());
  }

  void escape(uint32_t unit) { out += fmt::format("\\u{:04x}", unit); }

  void quote(const std::string& text) {
    out += '"';
    for (const char32_t c : to_code_points(text)) {
      static constexpr std::u32string_view kShort = U"\"\\\n\r\t\f\b";
      const size_t at = kShort.find(c);
      if (at != std::u32string_view::npos)
        (out += '\\') += "\"\\nrtfb"[at];
      else if (c < 0x20 || (c >= 0x7F && c < 0x10000 && style_.ensure_ascii))
        escape(c);
      else if (c >= 0x10000 && style_.ensure_ascii)
        escape(0xD800 + ((c - 0x10000) >> 10)), escape(0xDC00 + ((c - 0x10000) & 0x3FF));
      else
        append_utf8(out, c);
    }
    out += '"';
    check_text_size(out.size());
  }

  const JsonStyle& style_;
};

}  // namespace

Value from_json(std::string_view text, const std::string& name) {
  parse_json(text, name);  // the checks
  return from_node(nlohmann::ordered_json::parse(text), name);
}

std::string to_json(const Value& v, const JsonStyle& style) {
  Writer writer(style);
  writer.write(v, 0);
  return std::move(writer.out);
}

}  // namespace lk::jinja
