#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "data/jinja/parser.h"
#include "engine/error.h"

namespace lk::jinja {
namespace {

constexpr int32_t kMaxDepth = 200;

std::vector<ExprPtr> items_of(ExprPtr a, ExprPtr b = nullptr) {
  std::vector<ExprPtr> out;
  out.push_back(std::move(a));
  if (b) out.push_back(std::move(b));
  return out;
}

struct Nesting {
  int32_t& depth;
  Nesting(int32_t& d, const TokenReader& in) : depth(d) {
    if (++depth > kMaxDepth)
      in.wrong(in.peek().line, fmt::format("an expression is nested deeper than {}", kMaxDepth));
  }
  ~Nesting() { --depth; }
};

}  // namespace

ExprPtr ExpressionParser::make(ExprKind kind, int32_t line, std::vector<ExprPtr> items,
                               std::string name) {
  auto e = std::make_unique<Expr>();
  e->kind = kind;
  e->line = line;
  e->name = std::move(name);
  e->items = std::move(items);
  for (const ExprPtr& item : e->items)
    if (item) e->depth = std::max(e->depth, item->depth + 1);
  if (e->depth > kMaxDepth)
    in_.wrong(line, fmt::format("an expression has more than {} operators in a row", kMaxDepth));
  return e;
}

ExprPtr ExpressionParser::expression(bool conditional) {
  const Nesting nesting(depth_, in_);
  ExprPtr value = or_operand();
  while (conditional && in_.peek().is_name("if")) {
    const int32_t line = in_.next().line;
    std::vector<ExprPtr> items;
    items.push_back(or_operand());
    items.push_back(std::move(value));
    items.push_back(in_.skip_name("else") ? expression() : nullptr);
    value = make(ExprKind::conditional, line, std::move(items));
  }
  return value;
}

bool ExpressionParser::tuple_end(std::string_view end) const {
  const Token& t = in_.peek();
  return t.kind == TokenKind::block_end || t.kind == TokenKind::print_end ||
         t.kind == TokenKind::end || t.is_symbol(")") || (!end.empty() && t.is_name(end));
}

ExprPtr ExpressionParser::tuple(bool conditional, std::string_view end) {
  const int32_t line = in_.peek().line;
  std::vector<ExprPtr> items;
  bool commas = false;
  while (!tuple_end(end)) {
    items.push_back(expression(conditional));
    if (!in_.skip_symbol(",")) break;
    commas = true;
  }
  if (items.empty()) in_.unexpected("an expression");
  if (!commas) return std::move(items[0]);
  return make(ExprKind::tuple, line, std::move(items));
}

// part word part word ...: one node for all.
ExprPtr ExpressionParser::chain(ExprKind kind, std::string_view word,
                                ExprPtr (ExpressionParser::*part)()) {
  const int32_t line = in_.peek().line;
  ExprPtr first = (this->*part)();
  const auto more = [&] {
    return kind == ExprKind::concat ? in_.skip_symbol(word) : in_.skip_name(word);
  };
  if (!more()) return first;
  std::vector<ExprPtr> items = items_of(std::move(first));
  do items.push_back((this->*part)());
  while (more());
  return make(kind, line, std::move(items));
}

ExprPtr ExpressionParser::or_operand() {
  return chain(ExprKind::or_, "or", &ExpressionParser::and_operand);
}
ExprPtr ExpressionParser::and_operand() {
  return chain(ExprKind::and_, "and", &ExpressionParser::not_operand);
}
ExprPtr ExpressionParser::concat() {
  return chain(ExprKind::concat, "~", &ExpressionParser::product);
}

ExprPtr ExpressionParser::not_operand() {
  const Nesting nesting(depth_, in_);
  const int32_t line = in_.peek().line;
  if (in_.skip_name("not")) return make(ExprKind::not_, line, items_of(not_operand()));
  return comparison();
}

ExprPtr ExpressionParser::comparison() {
  const int32_t line = in_.peek().line;
  ExprPtr first = sum();
  std::vector<std::string> names;
  std::vector<ExprPtr> items;
  for (;;) {
    const Token& t = in_.peek();
    if (t.kind == TokenKind::symbol && (t.text == "==" || t.text == "!=" || t.text == "<" ||
                                        t.text == "<=" || t.text == ">" || t.text == ">=")) {
      names.push_back(in_.next().text);
    } else if (in_.skip_name("in")) {
      names.emplace_back("in");
    } else if (t.is_name("not") && in_.peek(1).is_name("in")) {
      in_.next();
      in_.next();
      names.emplace_back("not in");
    } else {
      break;
    }
    if (items.empty()) items.push_back(std::move(first));
    items.push_back(sum());
  }
  if (names.empty()) return first;
  ExprPtr e = make(ExprKind::comparison, line, std::move(items));
  e->names = std::move(names);
  return e;
}

ExprPtr ExpressionParser::sum() {
  ExprPtr left = concat();
  while (in_.peek().is_symbol("+") || in_.peek().is_symbol("-")) {
    const Token t = in_.next();
    left = make(ExprKind::arithmetic, t.line, items_of(std::move(left), concat()), t.text);
  }
  return left;
}

ExprPtr ExpressionParser::product() {
  ExprPtr left = power();
  while (in_.peek().is_symbol("*") || in_.peek().is_symbol("/") || in_.peek().is_symbol("//") ||
         in_.peek().is_symbol("%")) {
    const Token t = in_.next();
    left = make(ExprKind::arithmetic, t.line, items_of(std::move(left), power()), t.text);
  }
  return left;
}

ExprPtr ExpressionParser::power() {
  ExprPtr left = unary(true);
  while (in_.peek().is_symbol("**")) {
    const Token t = in_.next();
    left = make(ExprKind::arithmetic, t.line, items_of(std::move(left), unary(true)), t.text);
  }
  return left;
}

ExprPtr ExpressionParser::unary(bool with_filters) {
  const Nesting nesting(depth_, in_);
  const Token& t = in_.peek();
  ExprPtr value;
  if (t.is_symbol("-") || t.is_symbol("+")) {
    const Token sign = in_.next();
    value = make(sign.text == "-" ? ExprKind::negate : ExprKind::plus, sign.line,
                 items_of(unary(false)));
  } else {
    value = primary();
  }
  value = postfix(std::move(value));
  return with_filters ? filter_or_test(std::move(value)) : std::move(value);
}

ExprPtr ExpressionParser::primary() {
  const Token& t = in_.peek();
  const auto constant = [&](Value v) {
    ExprPtr e = make(ExprKind::constant, t.line, {});
    e->constant = std::move(v);
    return e;
  };
  switch (t.kind) {
    case TokenKind::name: {
      const Token name = in_.next();
      if (name.text == "true" || name.text == "True") return constant(true);
      if (name.text == "false" || name.text == "False") return constant(false);
      if (name.text == "none" || name.text == "None") return constant({});
      return make(ExprKind::name, name.line, {}, name.text);
    }
    case TokenKind::string: {
      std::string text;
      while (in_.peek().kind == TokenKind::string) text += in_.next().text;
      return constant(text);
    }
    case TokenKind::integer: {
      const Token number = in_.next();
      const bool prefix = number.text.size() > 2 && !std::isdigit(number.text[1]);
      const int base = !prefix                        ? 10
                       : (number.text[1] | 32) == 'x' ? 16
                       : number.text[1] == 'o'        ? 8
                                                      : 2;
      int64_t value = 0;
      const char *begin = number.text.data() + (prefix ? 2 : 0),
                 *end = number.text.data() + number.text.size();
      const auto [stop, error] = std::from_chars(begin, end, value, base);
      if (error != std::errc() || stop != end)
        in_.wrong(number.line, fmt::format("the number {} does not fit 64 bits", number.text));
      return constant(value);
    }
    case TokenKind::decimal:
      return constant(std::strtod(in_.next().text.c_str(), nullptr));
    default:
      break;
  }
  if (t.is_symbol("(")) return parenthesis();
  if (t.is_symbol("[")) return list();
  if (t.is_symbol("{")) return dict();
  in_.unexpected("an expression");
}

ExprPtr ExpressionParser::parenthesis() {
  const int32_t line = in_.next().line;
  ExprPtr out = in_.peek().is_symbol(")") ? make(ExprKind::tuple, line, {}) : tuple();
  in_.expect_symbol(")");
  return out;
}

ExprPtr ExpressionParser::list() {
  const int32_t line = in_.next().line;
  std::vector<ExprPtr> items;
  while (!in_.peek().is_symbol("]")) {
    items.push_back(expression());
    if (!in_.skip_symbol(",")) break;
  }
  in_.expect_symbol("]");
  return make(ExprKind::list, line, std::move(items));
}

ExprPtr ExpressionParser::dict() {
  const int32_t line = in_.next().line;
  std::vector<ExprPtr> items;
  while (!in_.peek().is_symbol("}")) {
    items.push_back(expression());
    in_.expect_symbol(":");
    items.push_back(expression());
    if (!in_.skip_symbol(",")) break;
  }
  in_.expect_symbol("}");
  return make(ExprKind::dict, line, std::move(items));
}

ExprPtr ExpressionParser::postfix(ExprPtr value) {
  for (;;) {
    if (in_.peek().is_symbol("."))
      value = dot(std::move(value));
    else if (in_.peek().is_symbol("["))
      value = subscript(std::move(value));
    else if (in_.peek().is_symbol("("))
      value = call(std::move(value));
    else
      return value;
  }
}

ExprPtr ExpressionParser::dot(ExprPtr value) {
  const int32_t line = in_.next().line;
  if (in_.peek().kind == TokenKind::integer)
    return make(ExprKind::subscript, line, items_of(std::move(value), primary()));
  std::string name = in_.expect_name("a name behind the dot");
  return make(ExprKind::attribute, line, items_of(std::move(value)), std::move(name));
}

ExprPtr ExpressionParser::subscript(ExprPtr value) {
  const int32_t line = in_.next().line;
  std::vector<ExprPtr> items = items_of(std::move(value));
  const auto ends = [&] { return in_.peek().is_symbol(":") || in_.peek().is_symbol("]"); };
  const auto part = [&] { items.push_back(ends() ? nullptr : expression()); };
  part();
  bool slice = false;
  for (int i = 0; i < 2 && in_.skip_symbol(":"); ++i) {
    slice = true;
    part();
  }
  if (in_.peek().is_symbol(",")) in_.wrong(line, "a subscript of several parts is not supported");
  in_.expect_symbol("]");
  if (!slice && !items[1]) in_.wrong(line, "expected a subscript between [ and ]");
  if (slice) items.resize(4);
  return make(slice ? ExprKind::slice : ExprKind::subscript, line, std::move(items));
}

ExprPtr ExpressionParser::filter_or_test(ExprPtr value) {
  for (;;) {
    if (in_.skip_symbol("|"))
      value = named_filter(std::move(value));
    else if (in_.peek().is_name("is"))
      value = test(std::move(value));
    else if (in_.peek().is_symbol("("))
      value = call(std::move(value));
    else
      return value;
  }
}

ExprPtr ExpressionParser::filters(ExprPtr value) {
  while (in_.skip_symbol("|")) value = named_filter(std::move(value));
  return value;
}

ExprPtr ExpressionParser::named_filter(ExprPtr value) {
  const int32_t line = in_.peek().line;
  std::string name = in_.expect_name("the name of a filter");
  ExprPtr e = make(ExprKind::filter, line, {}, std::move(name));
  e->depth = value ? value->depth + 1 : 1;
  if (e->depth > kMaxDepth)
    in_.wrong(line, fmt::format("more than {} filters in a row", kMaxDepth));
  e->items.push_back(std::move(value));
  if (in_.peek().is_symbol("(")) e->args = arguments();
  return e;
}

ExprPtr ExpressionParser::test(ExprPtr value) {
  const int32_t line = in_.next().line;
  const bool negated = in_.skip_name("not");
  ExprPtr e =
      make(ExprKind::test, line, items_of(std::move(value)), in_.expect_name("the name of a test"));
  const Token& t = in_.peek();
  const bool word = t.kind == TokenKind::name;
  if (t.is_symbol("(")) {
    e->args = arguments();
  } else if ((word && t.text != "else" && t.text != "or" && t.text != "and") ||
             t.kind == TokenKind::string || t.kind == TokenKind::integer ||
             t.kind == TokenKind::decimal || t.is_symbol("[") || t.is_symbol("{")) {
    if (t.is_name("is")) in_.wrong(t.line, "tests cannot be chained with 'is'");
    e->args.positional.push_back(postfix(primary()));
  }
  return negated ? make(ExprKind::not_, line, items_of(std::move(e))) : std::move(e);
}

ExprPtr ExpressionParser::call(ExprPtr value) {
  const int32_t line = in_.peek().line;
  ExprPtr e = make(ExprKind::call, line, items_of(std::move(value)));
  e->args = arguments();
  return e;
}

CallArgs ExpressionParser::arguments() {
  const Nesting nesting(depth_, in_);
  in_.expect_symbol("(");
  CallArgs out;
  while (!in_.peek().is_symbol(")")) {
    const Token& t = in_.peek();
    if (t.is_symbol("*") || t.is_symbol("**"))
      in_.wrong(t.line, "*args and **kwargs in a call are not supported");
    if (t.kind == TokenKind::name && in_.peek(1).is_symbol("=")) {
      std::string name = in_.next().text;
      in_.next();
      out.named.emplace_back(std::move(name), expression());
    } else {
      if (!out.named.empty())
        in_.wrong(t.line, "an argument without a name stands behind one with a name");
      out.positional.push_back(expression());
    }
    if (!in_.skip_symbol(",")) break;
  }
  in_.expect_symbol(")");
  return out;
}

Target ExpressionParser::one_target(bool attributes) {
  const Nesting nesting(depth_, in_);
  if (in_.skip_symbol("(")) {
    Target out = target(attributes);
    in_.expect_symbol(")");
    return out;
  }
  Target out;
  const int32_t line = in_.peek().line;
  out.name = in_.expect_name("a name to assign to");
  for (const char* word : {"true", "false", "none", "True", "False", "None"})
    if (out.name == word) in_.wrong(line, fmt::format("'{}' cannot be assigned to", word));
  if (attributes && in_.skip_symbol(".")) out.attribute = in_.expect_name("a name behind the dot");
  return out;
}

Target ExpressionParser::target(bool attributes) {
  Target first = one_target(attributes);
  if (!in_.peek().is_symbol(",")) return first;
  Target all;
  all.parts.push_back(std::move(first));
  while (in_.skip_symbol(",") && in_.peek().kind == TokenKind::name && !in_.peek().is_name("in"))
    all.parts.push_back(one_target(attributes));
  return all;
}

}  // namespace lk::jinja
