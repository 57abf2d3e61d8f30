// Tokens to tree: the grammar of Jinja 3.1 as far as chat templates need it.
#pragma once

#include "data/jinja/ast.h"
#include "data/jinja/lexer.h"

namespace lk::jinja {

// Error with line for wrong grammar, for a tag or form that is not supported, and for nesting
// deeper than 100 tags or 200 operators.
Body parse(const Source& source);

// What statements and expressions share: the place in the token list.
class TokenReader {
 public:
  explicit TokenReader(const Source& source) : source_(source), tokens_(tokenize(source)) {}

  const Token& peek(size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  Token next() { return tokens_[at_ < tokens_.size() - 1 ? at_++ : at_]; }
  bool skip_name(std::string_view name);
  bool skip_symbol(std::string_view symbol);
  void expect_symbol(std::string_view symbol);
  std::string expect_name(const char* what);
  [[noreturn]] void wrong(int32_t line, const std::string& message) const {
    source_.fail_at(line, message);
  }
  [[noreturn]] void unexpected(const std::string& wanted) const;

 private:
  const Source& source_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
};

// Expressions (parse_expression.cc).
class ExpressionParser {
 public:
  explicit ExpressionParser(TokenReader& reader) : in_(reader) {}

  ExprPtr expression(bool conditional = true);
  // One expression, or several parted by commas as a tuple. `end`: a name that ends it.
  ExprPtr tuple(bool conditional = true, std::string_view end = "");
  // "| name(args) | ...", applied to `value`, which may be null.
  ExprPtr filters(ExprPtr value);
  // "name(args)" alone.
  ExprPtr named_filter(ExprPtr value);
  // Names, or ns.attribute where `attributes`; parted by commas.
  Target target(bool attributes);

 private:
  ExprPtr make(ExprKind kind, int32_t line, std::vector<ExprPtr> items, std::string name = "");
  ExprPtr chain(ExprKind kind, std::string_view word, ExprPtr (ExpressionParser::*part)());
  ExprPtr or_operand();
  ExprPtr and_operand();
  ExprPtr not_operand();
  ExprPtr comparison();
  ExprPtr sum();
  ExprPtr concat();
  ExprPtr product();
  ExprPtr power();
  ExprPtr unary(bool with_filters);
  ExprPtr primary();
  ExprPtr parenthesis();
  ExprPtr list();
  ExprPtr dict();
  ExprPtr postfix(ExprPtr value);
  ExprPtr dot(ExprPtr value);
  ExprPtr subscript(ExprPtr value);
  ExprPtr filter_or_test(ExprPtr value);
  ExprPtr test(ExprPtr value);
  ExprPtr call(ExprPtr value);
  CallArgs arguments();
  Target one_target(bool attributes);
  bool tuple_end(std::string_view end) const;

  TokenReader& in_;
  int32_t depth_ = 0;
};

}  // namespace lk::jinja
