// Operators on values, as Python has them.
#pragma once

#include "data/jinja/value.h"

namespace lk::jinja {

// name: + - * / // % **. Ints have 64 bits; a result beyond is an Error.
Value arithmetic(const std::string& name, const Value& a, const Value& b);
// Python's format % values, with %s, %d and %% alone.
std::string format_text(const std::string& format, const std::vector<Value>& values);
Value negate(const Value& v);
// name: == != < <= > >= in "not in"
bool holds(const std::string& name, const Value& a, const Value& b);

// v.name: a method first, then a key; undefined when there is neither.
Value attribute(const Value& v, const std::string& name);
// v[key]: an item first, then a method; undefined when there is neither.
Value subscript(const Value& v, const Value& key);
// v[begin:end:step] of a str, list or tuple; none for an end left out.
Value slice(const Value& v, const Value& begin, const Value& end, const Value& step);

}  // namespace lk::jinja
