// A template as a tree.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/jinja/value.h"

namespace lk::jinja {

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

struct CallArgs {
  std::vector<ExprPtr> positional;
  std::vector<std::pair<std::string, ExprPtr>> named;
};

// Which members an expression uses beside kind and line:
enum class ExprKind : uint8_t {
  constant,     // constant
  name,         // name
  list,         // items
  tuple,        // items
  dict,         // items: key, value, key, value, ...
  attribute,    // items[0].name
  subscript,    // items[0][items[1]]
  slice,        // items[0][items[1]:items[2]:items[3]], an end that is left out is null
  call,         // items[0](args)
  filter,       // items[0] | name(args); items[0] null: the body of {% filter %} or {% set %}
  test,         // items[0] is name(args)
  negate,       // -items[0]
  plus,         // +items[0]
  not_,         // not items[0]
  and_,         // items
  or_,          // items
  concat,       // items, joined by ~
  arithmetic,   // items[0] name items[1], name one of + - * / // % **
  comparison,   // items[0] names[0] items[1] names[1] items[2] ...
  conditional,  // items[1] if items[0] else items[2] (may be null)
};

struct Expr {
  ExprKind kind;
  int32_t line;
  int32_t depth = 1;
  std::string name;
  std::vector<std::string> names;
  Value constant;
  std::vector<ExprPtr> items;
  CallArgs args;
};

// What is assigned to: a name, ns.attribute, or several of them.
struct Target {
  std::string name, attribute;  // attribute is empty for a plain name
  std::vector<Target> parts;    // not empty: unpack into these
};

struct Stmt;
using Body = std::vector<Stmt>;

enum class StmtKind : uint8_t {
  text,        // text
  print,       // expr
  if_,         // branches, else_body
  for_,        // target, expr, condition (may be null), body, else_body
  set,         // target, expr
  set_block,   // target, expr (a chain of filters or null), body
  filter,      // expr, body
  with,        // values, body
  macro,       // text (its name), parameters, body
  generation,  // body
  break_,      //
  continue_,   //
};

struct Branch;

struct Stmt {
  StmtKind kind;
  int32_t line;
  std::string text;
  Target target;
  ExprPtr expr, condition;
  Body body, else_body;
  std::vector<Branch> branches;                             // of an if
  std::vector<std::pair<std::string, ExprPtr>> parameters;  // of a macro; default or null
  std::vector<std::pair<std::string, ExprPtr>> values;      // of a with
};

struct Branch {
  ExprPtr condition;
  Body body;
};

}  // namespace lk::jinja
