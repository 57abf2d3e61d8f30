// Walks the tree of a template.
#pragma once

#include <deque>

#include "data/jinja/ast.h"
#include "data/jinja/template.h"

namespace lk::jinja {

// The names that a loop, macro or block sets; those outside are seen through `outer`.
struct Scope {
  std::unordered_map<std::string, Value> names;
  std::shared_ptr<Scope> outer;
};

// One rendering.
class Evaluator {
 public:
  Evaluator(const Dict& variables, Budget budget);

  Rendered run(const Body& body);
  int32_t line() const { return line_; }  // of what was evaluated last

 private:
  enum class Flow : uint8_t { normal, break_, continue_ };

  // Statements (evaluate.cc).
  Flow execute(const Body& body);
  Flow execute(const Stmt& s);
  Flow execute_if(const Stmt& s);
  Flow execute_for(const Stmt& s);
  Flow execute_with(const Stmt& s);
  void set_block(const Stmt& s);
  void define_macro(const Stmt& s);
  Value call_macro(const Stmt& s, const std::shared_ptr<Scope>& home, Arguments& args);
  void assign(const Target& target, const Value& v);
  std::vector<Value> loop_items(const Stmt& s);
  void write(const std::string& text);
  // What the body writes, in a scope of its own.
  std::string captured(const Body& body);

  // Expressions (evaluate_expression.cc).
  Value evaluate(const Expr& e);
  Value evaluate_kind(const Expr& e);
  Value look_up(const std::string& name) const;
  std::vector<Value> evaluate_all(const Expr& e);
  Value make_dict_of(const Expr& e);
  Value choose(const Expr& e);
  Value concat(const Expr& e);
  Value binary(const Expr& e);
  Value compare_chain(const Expr& e);
  Value call(const Expr& e);
  Value filter(const Expr& e, const Value& v);
  Value filter_chain(const Expr& e, const Value& innermost);
  Value test(const Expr& e);
  Arguments arguments(const CallArgs& args);
  Value make_namespace(Arguments& args);

  struct Nesting;
  std::unordered_map<std::string, Value> globals_;
  std::deque<Namespace> namespaces_;
  std::shared_ptr<Scope> scope_;
  Rendered rendered_;
  std::string* out_;
  Budget budget_;
  int32_t line_ = 1, depth_ = 0;
};

struct Evaluator::Nesting {
  Evaluator& e;
  explicit Nesting(Evaluator& evaluator);
  ~Nesting() { --e.depth_; }
};

}  // namespace lk::jinja
