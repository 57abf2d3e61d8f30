#include "data/jinja/template.h"

#include "data/jinja/evaluate.h"
#include "data/jinja/parser.h"
#include "engine/error.h"

namespace lk::jinja {

struct Template::Parts {
  Source source;
  Body body;
  bool has_generation = false;
};

namespace {

bool any_generation(const Body& body) {
  for (const Stmt& s : body) {
    if (s.kind == StmtKind::generation || any_generation(s.body) || any_generation(s.else_body))
      return true;
    for (const Branch& b : s.branches)
      if (any_generation(b.body)) return true;
  }
  return false;
}

}  // namespace

Template::Template(const std::string& text, const std::string& name) {
  auto parts = std::make_shared<Parts>();
  parts->source = {name, normalize_lines(text, name)};
  parts->body = parse(parts->source);
  parts->has_generation = any_generation(parts->body);
  parts_ = std::move(parts);
}

Rendered Template::render(const Dict& variables, Budget budget) const {
  Evaluator evaluator(variables, budget);
  try {
    return evaluator.run(parts_->body);
  } catch (const Error& e) {
    parts_->source.fail_at(evaluator.line(), e.what());
  }
}

bool Template::has_generation() const { return parts_->has_generation; }

}  // namespace lk::jinja
