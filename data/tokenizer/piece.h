// What flows through the tokenizer: pieces of text, handed on one at a time (nothing is collected).
#pragma once

#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

namespace lk {

// A borrowed callable, valid as long as the callable it was made from.
template <class Signature>
class FunctionRef;

template <class R, class... Args>
class FunctionRef<R(Args...)> {
 public:
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, FunctionRef>)
      FunctionRef(F&& f)  // NOLINT: lambdas convert at the call; the constraint spares copies
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(f)))),
        call_([](void* object, Args... args) -> R {
          return (*static_cast<std::remove_reference_t<F>*>(object))(std::forward<Args>(args)...);
        }) {}
  R operator()(Args... args) const { return call_(object_, std::forward<Args>(args)...); }

 private:
  void* object_;
  R (*call_)(void*, Args...);
};

// A piece of text (valid UTF-8) on its way to the model.
struct Piece {
  std::string_view text;
  bool at_start = false;  // begins with the first character of the whole input
};

using PieceSink = FunctionRef<void(Piece)>;
using TextSink = FunctionRef<void(std::string_view)>;

}  // namespace lk
