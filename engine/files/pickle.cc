#include "engine/files/pickle.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_map>

#include "engine/error.h"

namespace lk {

using Kind = PickleValue::Kind;

// A stack machine: each opcode takes values from the stack and puts one on it.
class PickleReader {
 public:
  PickleReader(Pickle& out, std::string_view bytes, const std::string& name,
               const std::vector<std::string_view>& allowed)
      : out_(out), bytes_(bytes), name_(name), allowed_(allowed) {}

  void run() {
    while (!out_.root_) {
      place_ = at_;
      step(number<uint8_t>());
    }
    out_.size_ = at_;
  }

 private:
  // In a file of weights a tensor takes some twenty values; the bound keeps a file of nothing but
  // opcodes from taking memory many times its size.
  static constexpr size_t kMostValues = size_t{1} << 20;

  template <class... Args>
  void check(bool ok, const char* what, Args&&... args) const {
    if (!ok)
      fail("{}: byte {} of the pickle: {}", name_, place_,
           fmt::vformat(what, fmt::make_format_args(args...)));
  }

  std::string_view take(uint64_t count) {
    check(count <= bytes_.size() - at_, "{} bytes are needed, {} are left; the file is truncated",
          count, bytes_.size() - at_);
    const std::string_view taken = bytes_.substr(at_, count);
    at_ += count;
    return taken;
  }
  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::string_view line() {
    const size_t end = bytes_.find('\n', at_);
    check(end != std::string_view::npos, "a name has no end");
    const std::string_view taken = take(end - at_);
    ++at_;
    return taken;
  }

  PickleValue& push(PickleValue value) {
    check(out_.values_.size() < kMostValues, "more than {} values", kMostValues);
    out_.values_.push_back(std::move(value));
    stack_.push_back(&out_.values_.back());
    return out_.values_.back();
  }
  PickleValue* pop() {
    check(stack_.size() > floor(), "the stack is empty");
    PickleValue* value = stack_.back();
    stack_.pop_back();
    return value;
  }
  PickleValue& top() const {
    check(stack_.size() > floor(), "the stack is empty");
    return *stack_.back();
  }
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  std::vector<const PickleValue*> pop_to_mark() {
    check(!marks_.empty(), "there is no mark");
    const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<const PickleValue*> items(first, stack_.end());
    stack_.erase(first, stack_.end());
    marks_.pop_back();
    return items;
  }
  void push_tuple(int count) {
    std::vector<const PickleValue*> items(static_cast<size_t>(count));
    for (int i = count - 1; i >= 0; --i) items[static_cast<size_t>(i)] = pop();
    push({.kind = Kind::tuple, .items = std::move(items)});
  }
  void push_memo(uint32_t key) {
    const auto found = memo_.find(key);
    check(found != memo_.end(), "refers to value {}, which was not stored", key);
    stack_.push_back(found->second);
  }
  void append(Kind kind, const std::vector<const PickleValue*>& items) {
    PickleValue& to = top();
    check(to.kind == kind && (kind == Kind::list || items.size() % 2 == 0),
          "items are put into what is no {}", kind == Kind::list ? "list" : "dict");
    to.items.insert(to.items.end(), items.begin(), items.end());
  }

  void push_global() {
    const std::string_view module = line(), member = line();
    const std::string& name =
        out_.names_.emplace_back(std::string(module) + "." + std::string(member));
    check(std::find(allowed_.begin(), allowed_.end(), name) != allowed_.end(),
          "it wants Python to use '{}', which a file of weights does not need; nothing of it was "
          "run. If you trust the file, save its weights as safetensors",
          name);
    push({.kind = Kind::global, .text = name});
  }
  void reduce() {
    const PickleValue *arguments = pop(), *function = pop();
    check(function->kind == Kind::global && arguments->kind == Kind::tuple,
          "a call of what is no function");
    if (function->text != "collections.OrderedDict") {
      push({.kind = Kind::call, .items = {function, arguments}});
      return;
    }
    check(arguments->items.empty(), "an OrderedDict that is made with arguments");
    push({.kind = Kind::dict});
  }
  void push_long() {
    const auto count = number<uint8_t>();
    check(count <= 8, "a number of {} bytes; at most 8 are supported", count);
    const std::string_view bytes = take(count);
    uint64_t value = count > 0 && (bytes.back() & 0x80) ? ~uint64_t{0} : 0;
    if (count > 0) std::memcpy(&value, bytes.data(), count);
    push({.kind = Kind::integer, .number = static_cast<int64_t>(value)});
  }

  void step(uint8_t opcode) {
    switch (opcode) {
      case 0x80: {  // PROTO
        const auto protocol = number<uint8_t>();
        return check(protocol == 2 || protocol == 3,
                     "protocol {} is not supported; torch.save writes 2 by itself", protocol);
      }
      case 'N':
        push({});
        return;
      case 0x88:  // NEWTRUE
      case 0x89:  // NEWFALSE
        push({.kind = Kind::boolean, .number = opcode == 0x88});
        return;
      case 'J':  // BININT
        push({.kind = Kind::integer, .number = number<int32_t>()});
        return;
      case 'K':  // BININT1
        push({.kind = Kind::integer, .number = number<uint8_t>()});
        return;
      case 'M':  // BININT2
        push({.kind = Kind::integer, .number = number<uint16_t>()});
        return;
      case 0x8a:  // LONG1
        return push_long();
      case 'G': {  // BINFLOAT, the only one that is big-endian
        const auto bits = __builtin_bswap64(number<uint64_t>());
        push({.kind = Kind::real, .real = std::bit_cast<double>(bits)});
        return;
      }
      case 'X':  // BINUNICODE
        push({.kind = Kind::text, .text = take(number<uint32_t>())});
        return;
      case ')':  // EMPTY_TUPLE
        return push_tuple(0);
      case 0x85:  // TUPLE1
      case 0x86:  // TUPLE2
      case 0x87:  // TUPLE3
        return push_tuple(opcode - 0x84);
      case 't': {  // TUPLE
        std::vector<const PickleValue*> items = pop_to_mark();
        push({.kind = Kind::tuple, .items = std::move(items)});
        return;
      }
      case ']':  // EMPTY_LIST
        push({.kind = Kind::list});
        return;
      case '}':  // EMPTY_DICT
        push({.kind = Kind::dict});
        return;
      case 'a':  // APPEND
        return append(Kind::list, {pop()});
      case 'e':  // APPENDS
        return append(Kind::list, pop_to_mark());
      case 's': {  // SETITEM
        const PickleValue *value = pop(), *key = pop();
        return append(Kind::dict, {key, value});
      }
      case 'u':  // SETITEMS
        return append(Kind::dict, pop_to_mark());
      case '(':  // MARK
        marks_.push_back(stack_.size());
        return;
      case 'q':  // BINPUT
        memo_[number<uint8_t>()] = &top();
        return;
      case 'r':  // LONG_BINPUT
        memo_[number<uint32_t>()] = &top();
        return;
      case 'h':  // BINGET
        return push_memo(number<uint8_t>());
      case 'j':  // LONG_BINGET
        return push_memo(number<uint32_t>());
      case 'c':  // GLOBAL
        return push_global();
      case 'R':  // REDUCE
        return reduce();
      case 'b': {  // BUILD: attributes of a dict (torch's `_metadata`), which hold no tensor
        pop();
        return check(top().kind == Kind::dict, "attributes are given to what is no dict");
      }
      case 'Q': {  // BINPERSID
        const PickleValue* id = pop();
        check(id->kind == Kind::tuple, "a persistent id that is no tuple");
        push({.kind = Kind::persistent, .items = id->items});
        return;
      }
      case '.':  // STOP
        out_.root_ = pop();
        return;
      default:
        check(false, "opcode {:#04x} is not one that a file of weights needs", opcode);
    }
  }

  Pickle& out_;
  std::string_view bytes_;
  const std::string& name_;
  const std::vector<std::string_view>& allowed_;
  size_t at_ = 0, place_ = 0;
  std::vector<PickleValue*> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint32_t, PickleValue*> memo_;
};

Pickle::Pickle(std::string_view bytes, const std::string& name,
               const std::vector<std::string_view>& allowed) {
  PickleReader(*this, bytes, name, allowed).run();
}

}  // namespace lk
