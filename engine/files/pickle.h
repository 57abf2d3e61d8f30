// Reads the part of Python's pickle format that holds plain data, and runs nothing: what a pickle
// would have Python call stays a record of that call. (Protocol 2 and 3, which torch.save writes;
// Lib/pickletools.py describes them.)
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace lk {

struct PickleValue {
  enum class Kind : uint8_t {
    none,
    boolean,     // number
    integer,     // number
    real,        // real
    text,        // text
    tuple,       // items
    list,        // items
    dict,        // items: key, value, key, value; collections.OrderedDict too
    global,      // text: "module.name"
    call,        // items: a global and the tuple of its arguments
    persistent,  // items: the tuple that names something outside of the pickle
  };
  Kind kind = Kind::none;
  int64_t number = 0;
  double real = 0;
  std::string_view text = {};
  std::vector<const PickleValue*> items = {};
};

class Pickle {
 public:
  // `bytes` begin with a pickle and must outlive this. Error, with the place, for whatever is
  // malformed, for an opcode that plain data does not need, and for a global that `allowed` does
  // not list: nothing that is not expected gets as far as being named by a value.
  Pickle(std::string_view bytes, const std::string& name,
         const std::vector<std::string_view>& allowed);
  const PickleValue& root() const { return *root_; }
  size_t size() const { return size_; }  // bytes of the pickle

 private:
  // Values refer to each other, also in circles; they all live as long as this.
  std::deque<PickleValue> values_;
  std::deque<std::string> names_;
  const PickleValue* root_ = nullptr;
  size_t size_ = 0;
  friend class PickleReader;
};

}  // namespace lk
