// Wall-clock time of work on either device.
#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

#include "engine/device.h"

namespace lk {

using Clock = std::chrono::steady_clock;
inline double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

inline double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

// Waits for what a device was asked to do.
inline void finish(Device device) {
  if (device == Device::cuda) synchronize(Cuda{});
}

// The median of five samples of `count` calls after one call, in ms a call.
template <class F>
double time_ms(F&& f, int count = 1, Device device = Device::cpu) {
  f();
  finish(device);
  std::vector<double> all;
  for (int i = 0; i < 5; ++i) {
    const auto start = Clock::now();
    for (int k = 0; k < count; ++k) f();
    finish(device);
    all.push_back(since(start) * 1e3 / count);
  }
  return median(all);
}

}  // namespace lk
