#include "data/jinja/evaluate.h"
#include "data/jinja/filters.h"
#include "data/jinja/operators.h"
#include "data/jinja/tests.h"
#include "engine/error.h"

namespace lk::jinja {

Value Evaluator::evaluate(const Expr& e) {
  const Nesting nesting(*this);
  line_ = e.line;
  budget_.spend(1);
  return evaluate_kind(e);
}

Value Evaluator::evaluate_kind(const Expr& e) {
  switch (e.kind) {
    case ExprKind::constant:
      return e.constant;
    case ExprKind::name:
      return look_up(e.name);
    case ExprKind::list:
      return make_sequence(evaluate_all(e));
    case ExprKind::tuple:
      return make_sequence(evaluate_all(e), Sequence::Kind::tuple);
    case ExprKind::dict:
      return make_dict_of(e);
    case ExprKind::attribute: {
      const Value v = evaluate(*e.items[0]);
      line_ = e.line;
      return attribute(v, e.name);
    }
    case ExprKind::subscript:
    case ExprKind::slice: {
      std::vector<Value> v = evaluate_all(e);
      line_ = e.line;
      // (An item of a list or dict is found in one step.)
      if (e.kind == ExprKind::slice || v[0].string()) budget_.spend(weight_of(v[0]));
      return e.kind == ExprKind::slice ? slice(v[0], v[1], v[2], v[3]) : subscript(v[0], v[1]);
    }
    case ExprKind::call:
      return call(e);
    case ExprKind::filter:
      return filter(e, evaluate(*e.items[0]));
    case ExprKind::test:
      return test(e);
    case ExprKind::negate:
      return negate(evaluate(*e.items[0]));
    case ExprKind::plus: {
      Value v = evaluate(*e.items[0]);
      require(is_number(v), "+ before a {}", type_name(v));
      return v;
    }
    case ExprKind::not_:
      return !truth(evaluate(*e.items[0]));
    case ExprKind::and_:
    case ExprKind::or_:
    case ExprKind::conditional:
      return choose(e);
    case ExprKind::concat:
      return concat(e);
    case ExprKind::arithmetic:
      return binary(e);
    case ExprKind::comparison:
      return compare_chain(e);
  }
  invariant(false, "expression kind {}", static_cast<int>(e.kind));
  return {};
}

Value Evaluator::look_up(const std::string& name) const {
  for (const Scope* s = scope_.get(); s; s = s->outer.get())
    if (const auto found = s->names.find(name); found != s->names.end()) return found->second;
  const auto found = globals_.find(name);
  if (found != globals_.end()) return found->second;
  return Undefined{"'" + name + "' is undefined"};
}

// None for a part that is left out.
std::vector<Value> Evaluator::evaluate_all(const Expr& e) {
  std::vector<Value> out;
  for (const ExprPtr& item : e.items) out.push_back(item ? evaluate(*item) : Value());
  return out;
}

Value Evaluator::make_dict_of(const Expr& e) {
  Dict out;
  for (size_t i = 0; i < e.items.size(); i += 2) {
    const Value key = evaluate(*e.items[i]);
    budget_.spend(2 * weight_of(key));
    out.set(as_string(key, "a key of a dict"), evaluate(*e.items[i + 1]));
  }
  return make_dict(std::move(out));
}

// and, or, a if b else c: the value of one of the items.
Value Evaluator::choose(const Expr& e) {
  if (e.kind == ExprKind::conditional) {
    if (truth(evaluate(*e.items[0]))) return evaluate(*e.items[1]);
    if (e.items[2]) return evaluate(*e.items[2]);
    return Undefined{"the inline if has no else"};
  }
  Value v;
  for (const ExprPtr& item : e.items) {
    v = evaluate(*item);
    if (truth(v) == (e.kind == ExprKind::or_)) break;
  }
  return v;
}

Value Evaluator::concat(const Expr& e) {
  std::string out;
  for (const ExprPtr& item : e.items) {
    const Value v = evaluate(*item);
    budget_.spend(weight_of(v));
    out += to_text(v);
    check_text_size(out.size());
  }
  return out;
}

Value Evaluator::binary(const Expr& e) {
  const Value a = evaluate(*e.items[0]), b = evaluate(*e.items[1]);
  line_ = e.line;
  budget_.spend(weight_of(a) + weight_of(b));
  Value out = arithmetic(e.name, a, b);
  budget_.spend(weight_of(out));
  return out;
}

Value Evaluator::compare_chain(const Expr& e) {
  Value left = evaluate(*e.items[0]);
  for (size_t i = 0; i < e.names.size(); ++i) {
    Value right = evaluate(*e.items[i + 1]);
    line_ = e.line;
    budget_.spend(weight_of(left) + weight_of(right));
    if (!holds(e.names[i], left, right)) return false;
    left = std::move(right);
  }
  return true;
}

Arguments Evaluator::arguments(const CallArgs& args) {
  Arguments out;
  out.budget = &budget_;
  for (const ExprPtr& v : args.positional) out.positional.push_back(evaluate(*v));
  for (const auto& [name, v] : args.named) out.named.emplace_back(name, evaluate(*v));
  return out;
}

Value Evaluator::call(const Expr& e) {
  const Value f = evaluate(*e.items[0]);
  Arguments args = arguments(e.args);
  line_ = e.line;
  require_defined(f);
  const auto* callable = f.as<std::shared_ptr<const Callable>>();
  require(callable != nullptr, "a {} cannot be called", type_name(f));
  budget_.spend((*callable)->weight + args.weight());
  Value out = (*callable)->call(args);
  budget_.spend(weight_of(out));
  return out;
}

Value Evaluator::filter(const Expr& e, const Value& v) {
  Arguments args = arguments(e.args);
  line_ = e.line;
  const bool counts = e.name == "length" || e.name == "count";
  budget_.spend((counts && !v.string() ? 1 : weight_of(v)) + args.weight());
  Value out = apply_filter(e.name, v, args);
  budget_.spend(weight_of(out));
  return out;
}

// The filters of {% filter %} and {% set x | f %}, whose innermost gets a text.
Value Evaluator::filter_chain(const Expr& e, const Value& innermost) {
  return filter(e, e.items[0] ? filter_chain(*e.items[0], innermost) : innermost);
}

Value Evaluator::test(const Expr& e) {
  const Value v = evaluate(*e.items[0]);
  Arguments args = arguments(e.args);
  line_ = e.line;
  budget_.spend(args.weight() + (v.string() ? weight_of(v) : 0));
  return apply_test(e.name, v, args);
}

Value Evaluator::make_namespace(Arguments& args) {
  budget_.spend(100);
  Namespace& out = namespaces_.emplace_back();
  if (!args.positional.empty()) {
    const Value from = args.need("from");
    require(from.dict() != nullptr, "namespace(...) takes a dict or named values, not a {}",
            type_name(from));
    for (const auto& [name, value] : from.dict()->items()) out.attributes[name] = value;
  }
  for (auto& [name, value] : args.take_rest().named) out.attributes[name] = std::move(value);
  return &out;
}

}  // namespace lk::jinja
