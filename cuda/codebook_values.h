// A code book as an argument of a launch.
#pragma once

namespace lk {

template <int Count>
struct Values {
  float at[Count];
};
template <int Count, class Array>
Values<Count> values_of(const Array& from) {
  Values<Count> v;
  for (int i = 0; i < Count; ++i) v.at[i] = from[i];
  return v;
}

}  // namespace lk
