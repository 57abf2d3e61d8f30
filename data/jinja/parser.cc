#include "data/jinja/parser.h"

#include <algorithm>

#include "engine/error.h"

namespace lk::jinja {
namespace {

constexpr int32_t kMaxNesting = 100;

std::string describe(const Token& t) {
  switch (t.kind) {
    case TokenKind::text:
      return "text outside of tags";
    case TokenKind::block_begin:
      return "'{%'";
    case TokenKind::block_end:
      return "the end of the tag";
    case TokenKind::print_begin:
      return "'{{'";
    case TokenKind::print_end:
      return "the end of the expression";
    case TokenKind::string:
      return "a string";
    case TokenKind::end:
      return "the end of the template";
    default:
      return "'" + t.text + "'";
  }
}

class StatementParser {
 public:
  explicit StatementParser(const Source& source) : in_(source), expressions_(in_) {}

  Body run() { return statements({}, ""); }

 private:
  // Up to a tag whose name is one of `ends`; its "{%" and name are read. opener: what is to be
  // closed, for the message.
  Body statements(const std::vector<std::string_view>& ends, const std::string& opener,
                  int32_t line = 0) {
    if (++nesting_ > kMaxNesting)
      in_.wrong(line, fmt::format("tags are nested deeper than {}", kMaxNesting));
    Body out;
    for (;;) {
      const Token& t = in_.peek();
      if (t.kind == TokenKind::end) {
        if (!ends.empty())
          in_.wrong(line, fmt::format("this {{% {} %}} is never closed; expected {{% {} %}}",
                                      opener, ends.back()));
        break;
      }
      if (t.kind == TokenKind::text) {
        out.push_back(statement(StmtKind::text, t.line));
        out.back().text = in_.next().text;
      } else if (t.kind == TokenKind::print_begin) {
        out.push_back(statement(StmtKind::print, in_.next().line));
        out.back().expr = expressions_.tuple();
        if (in_.peek().kind != TokenKind::print_end) in_.unexpected("}}");
        in_.next();
      } else {
        in_.next();
        const Token& name = in_.peek();
        if (name.kind == TokenKind::name &&
            std::find(ends.begin(), ends.end(), name.text) != ends.end()) {
          closer_ = in_.next().text;
          break;
        }
        out.push_back(tag());
      }
    }
    --nesting_;
    return out;
  }

  static Stmt statement(StmtKind kind, int32_t line) {
    Stmt s{};
    s.kind = kind;
    s.line = line;
    return s;
  }

  void end_tag() {
    if (in_.peek().kind != TokenKind::block_end) in_.unexpected("%}");
    in_.next();
  }

  // The body up to {% end %}.
  Body body(std::string_view end, const std::string& opener, int32_t line) {
    end_tag();
    Body out = statements({end}, opener, line);
    end_tag();
    return out;
  }

  Stmt tag() {
    const int32_t line = in_.peek().line;
    const std::string name = in_.expect_name("the name of a tag");
    if (name == "if") return if_tag(line);
    if (name == "for") return for_tag(line);
    if (name == "set") return set_tag(line);
    if (name == "macro") return macro_tag(line);
    if (name == "with") return with_tag(line);
    if (name == "filter") {
      Stmt s = statement(StmtKind::filter, line);
      s.expr = expressions_.filters(expressions_.named_filter(nullptr));
      s.body = body("endfilter", name, line);
      return s;
    }
    if (name == "generation") {
      Stmt s = statement(StmtKind::generation, line);
      s.body = body("endgeneration", name, line);
      return s;
    }
    if (name == "break" || name == "continue") {
      if (loops_ == 0) in_.wrong(line, fmt::format("{{% {} %}} outside of a loop", name));
      end_tag();
      return statement(name == "break" ? StmtKind::break_ : StmtKind::continue_, line);
    }
    for (const char* other :
         {"call", "block", "extends", "include", "import", "from", "autoescape"})
      if (name == other) in_.wrong(line, fmt::format("the tag '{}' is not supported", name));
    if (name.starts_with("end") || name.starts_with("el"))
      in_.wrong(line, fmt::format("'{}' closes nothing that is open here", name));
    in_.wrong(line, fmt::format("unknown tag '{}'", name));
  }

  Stmt if_tag(int32_t line) {
    Stmt s = statement(StmtKind::if_, line);
    do {
      Branch branch;
      branch.condition = expressions_.tuple(false);
      end_tag();
      branch.body = statements({"elif", "else", "endif"}, "if", line);
      s.branches.push_back(std::move(branch));
    } while (closer_ == "elif");
    if (closer_ == "else") {
      end_tag();
      s.else_body = statements({"endif"}, "if", line);
    }
    end_tag();
    return s;
  }

  Stmt for_tag(int32_t line) {
    Stmt s = statement(StmtKind::for_, line);
    s.target = expressions_.target(false);
    if (!in_.skip_name("in")) in_.unexpected("'in'");
    s.expr = expressions_.tuple(false, "recursive");
    if (in_.skip_name("if")) s.condition = expressions_.expression();
    if (in_.skip_name("recursive"))
      in_.wrong(line, "a recursive loop is not supported; write a macro");
    end_tag();
    ++loops_;
    s.body = statements({"else", "endfor"}, "for", line);
    --loops_;
    if (closer_ == "else") {
      end_tag();
      s.else_body = statements({"endfor"}, "for", line);
    }
    end_tag();
    return s;
  }

  Stmt set_tag(int32_t line) {
    Stmt s = statement(StmtKind::set, line);
    s.target = expressions_.target(true);
    if (in_.skip_symbol("=")) {
      s.expr = expressions_.tuple();
      end_tag();
      return s;
    }
    s.kind = StmtKind::set_block;
    s.expr = expressions_.filters(nullptr);
    s.body = body("endset", "set", line);
    return s;
  }

  Stmt macro_tag(int32_t line) {
    Stmt s = statement(StmtKind::macro, line);
    s.text = in_.expect_name("the name of the macro");
    in_.expect_symbol("(");
    while (!in_.peek().is_symbol(")")) {
      std::string name = in_.expect_name("the name of a parameter");
      ExprPtr otherwise = in_.skip_symbol("=") ? expressions_.expression() : nullptr;
      if (!otherwise && !s.parameters.empty() && s.parameters.back().second)
        in_.wrong(line, fmt::format("the parameter '{}' has no default but stands behind one that "
                                    "has",
                                    name));
      s.parameters.emplace_back(std::move(name), std::move(otherwise));
      if (!in_.skip_symbol(",")) break;
    }
    in_.expect_symbol(")");
    // A loop around the macro is not one that its body could break.
    const int32_t outer = std::exchange(loops_, 0);
    s.body = body("endmacro", "macro", line);
    loops_ = outer;
    return s;
  }

  Stmt with_tag(int32_t line) {
    Stmt s = statement(StmtKind::with, line);
    while (in_.peek().kind != TokenKind::block_end) {
      if (!s.values.empty()) in_.expect_symbol(",");
      std::string name = in_.expect_name("a name to assign to");
      in_.expect_symbol("=");
      s.values.emplace_back(std::move(name), expressions_.expression());
    }
    s.body = body("endwith", "with", line);
    return s;
  }

  TokenReader in_;
  ExpressionParser expressions_;
  std::string closer_;
  int32_t nesting_ = 0, loops_ = 0;
};

}  // namespace

bool TokenReader::skip_name(std::string_view name) {
  if (!peek().is_name(name)) return false;
  next();
  return true;
}

bool TokenReader::skip_symbol(std::string_view symbol) {
  if (!peek().is_symbol(symbol)) return false;
  next();
  return true;
}

void TokenReader::expect_symbol(std::string_view symbol) {
  if (!skip_symbol(symbol)) unexpected("'" + std::string(symbol) + "'");
}

std::string TokenReader::expect_name(const char* what) {
  if (peek().kind != TokenKind::name) unexpected(what);
  return next().text;
}

void TokenReader::unexpected(const std::string& wanted) const {
  wrong(peek().line, fmt::format("expected {}, found {}", wanted, describe(peek())));
}

Body parse(const Source& source) { return StatementParser(source).run(); }

}  // namespace lk::jinja
