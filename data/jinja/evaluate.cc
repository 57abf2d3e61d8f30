#include "data/jinja/evaluate.h"

#include "data/jinja/filters.h"
#include "data/jinja/globals.h"
#include "engine/error.h"

namespace lk::jinja {
namespace {

// Sets a variable for a while.
template <class T>
struct Restore {
  T& place;
  T before;
  Restore(T& p, T now) : place(p), before(std::exchange(p, std::move(now))) {}
  ~Restore() { place = std::move(before); }
};

}  // namespace

Evaluator::Nesting::Nesting(Evaluator& evaluator) : e(evaluator) {
  constexpr int32_t kMax = 600;
  require(e.depth_ < kMax, "nested too deep; is there a macro that calls itself without end?");
  ++e.depth_;
}

Evaluator::Evaluator(const Dict& variables, Budget budget)
    : globals_(global_functions()),
      scope_(std::make_shared<Scope>()),
      out_(&rendered_.text),
      budget_(budget) {
  globals_["namespace"] =
      make_function("namespace", [this](Arguments& args) { return make_namespace(args); });
  for (const auto& [name, value] : variables.items()) globals_[name] = value;
}

Rendered Evaluator::run(const Body& body) {
  execute(body);
  return std::move(rendered_);
}

void Evaluator::write(const std::string& text) {
  budget_.spend(static_cast<int64_t>(text.size() / 64));
  check_text_size(out_->size() + text.size());
  *out_ += text;
}

std::string Evaluator::captured(const Body& body) {
  std::string text;
  const Restore<std::string*> out(out_, &text);
  const Restore<std::shared_ptr<Scope>> scope(scope_, std::make_shared<Scope>(Scope{{}, scope_}));
  execute(body);
  return text;
}

Evaluator::Flow Evaluator::execute(const Body& body) {
  const Nesting nesting(*this);
  for (const Stmt& s : body)
    if (const Flow flow = execute(s); flow != Flow::normal) return flow;
  return Flow::normal;
}

Evaluator::Flow Evaluator::execute(const Stmt& s) {
  line_ = s.line;
  budget_.spend(1);
  switch (s.kind) {
    case StmtKind::text:
      write(s.text);
      break;
    case StmtKind::print: {
      const Value v = evaluate(*s.expr);
      line_ = s.line;
      write(to_text(v));
      break;
    }
    case StmtKind::if_:
      return execute_if(s);
    case StmtKind::for_:
      return execute_for(s);
    case StmtKind::set:
      assign(s.target, evaluate(*s.expr));
      break;
    case StmtKind::set_block:
      set_block(s);
      break;
    case StmtKind::filter: {
      const Value v = filter_chain(*s.expr, captured(s.body));
      write(to_text(v));
      break;
    }
    case StmtKind::with:
      return execute_with(s);
    case StmtKind::macro:
      define_macro(s);
      break;
    case StmtKind::generation: {
      const size_t begin = rendered_.text.size();
      const bool outermost = out_ == &rendered_.text;
      write(captured(s.body));
      if (outermost) rendered_.generated.emplace_back(begin, rendered_.text.size());
      break;
    }
    case StmtKind::break_:
      return Flow::break_;
    case StmtKind::continue_:
      return Flow::continue_;
  }
  return Flow::normal;
}

Evaluator::Flow Evaluator::execute_if(const Stmt& s) {
  for (const Branch& branch : s.branches)
    if (truth(evaluate(*branch.condition))) return execute(branch.body);
  return execute(s.else_body);
}

// The items that pass the loop's own `if`.
std::vector<Value> Evaluator::loop_items(const Stmt& s) {
  const Value sequence = evaluate(*s.expr);
  line_ = s.line;
  budget_.spend(weight_of(sequence));
  std::vector<Value> items = iterate(sequence);
  if (!s.condition) return items;
  std::vector<Value> kept;
  for (Value& item : items) {
    const Restore<std::shared_ptr<Scope>> scope(scope_, std::make_shared<Scope>(Scope{{}, scope_}));
    assign(s.target, item);
    if (truth(evaluate(*s.condition))) kept.push_back(std::move(item));
  }
  return kept;
}

Evaluator::Flow Evaluator::execute_for(const Stmt& s) {
  auto sequence = std::make_shared<Sequence>();
  sequence->items = loop_items(s);
  if (sequence->items.empty()) {
    const Restore<std::shared_ptr<Scope>> scope(scope_, std::make_shared<Scope>(Scope{{}, scope_}));
    return execute(s.else_body);
  }
  for (size_t i = 0; i < sequence->items.size(); ++i) {
    line_ = s.line;
    budget_.spend(1);
    const Restore<std::shared_ptr<Scope>> scope(scope_, std::make_shared<Scope>(Scope{{}, scope_}));
    scope_->names["loop"] = Value(std::make_shared<const Loop>(Loop{sequence, i}));
    assign(s.target, sequence->items[i]);
    if (execute(s.body) == Flow::break_) break;
  }
  return Flow::normal;
}

Evaluator::Flow Evaluator::execute_with(const Stmt& s) {
  auto inner = std::make_shared<Scope>(Scope{{}, scope_});
  for (const auto& [name, value] : s.values) inner->names[name] = evaluate(*value);
  const Restore<std::shared_ptr<Scope>> scope(scope_, inner);
  return execute(s.body);
}

void Evaluator::set_block(const Stmt& s) {
  Value v = captured(s.body);
  if (s.expr) v = filter_chain(*s.expr, v);
  line_ = s.line;
  assign(s.target, v);
}

// Holds its scope weakly: the scope holds the macro.
void Evaluator::define_macro(const Stmt& s) {
  scope_->names[s.text] =
      make_function(s.text, [this, &s, weak = std::weak_ptr<Scope>(scope_)](Arguments& args) {
        const auto home = weak.lock();
        require(home != nullptr, "the macro '{}' is called outside of where it was defined",
                s.text);
        return call_macro(s, home, args);
      });
}

Value Evaluator::call_macro(const Stmt& s, const std::shared_ptr<Scope>& home, Arguments& args) {
  const int32_t line = line_;
  std::string text;
  {
    const Restore<std::string*> out(out_, &text);
    const Restore<std::shared_ptr<Scope>> scope(scope_, std::make_shared<Scope>(Scope{{}, home}));
    for (const auto& [name, otherwise] : s.parameters) {
      const bool given = args.has(name);
      Value v = args.take(name, {});
      if (!given)
        v = otherwise ? evaluate(*otherwise)
                      : Value(Undefined{fmt::format("parameter '{}' was not provided", name)});
      scope_->names[name] = std::move(v);
    }
    args.done("the macro '" + s.text + "'");
    execute(s.body);
  }
  line_ = line;
  return text;
}

void Evaluator::assign(const Target& target, const Value& v) {
  if (target.parts.empty()) {
    if (target.attribute.empty()) {
      scope_->names[target.name] = v;
      return;
    }
    const Value owner = look_up(target.name);
    const auto* ns = owner.as<Namespace*>();
    require(ns != nullptr, "'{}' is a {}; only a namespace() has attributes that can be set",
            target.name, type_name(owner));
    (*ns)->attributes[target.attribute] = v;
    return;
  }
  require_defined(v);
  const std::vector<Value> items = iterate(v);
  require(items.size() == target.parts.size(), "{} values cannot be unpacked into {} names",
          items.size(), target.parts.size());
  for (size_t i = 0; i < items.size(); ++i) assign(target.parts[i], items[i]);
}

}  // namespace lk::jinja
