// Work that is asked of a device again and again, such as the passes of a training step. On CUDA it
// becomes a graph: the host still walks through the work each time, but what it asks of the device
// is kept (stream capture), put into the graph of the time before, and launched in one call, so
// that hundreds of small kernels do not wait for the host one by one. Where the host reads a result
// (a loss), the graph ends and another begins. On the CPU the work simply runs.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "engine/cuda.h"
#include "engine/memory.h"

namespace lk {

struct DeviceGraph;  // cuda/graph.h

struct GraphCounts {
  int64_t plain = 0;  // runs of the work without graphs: the first, or all
  int64_t made = 0;   // graphs that were made, since there was none or the work's shape was another
  int64_t updated = 0;  // graphs that took new numbers
};

class Repeated {
 public:
  explicit Repeated(Device device);
  ~Repeated();
  Repeated(const Repeated&) = delete;
  Repeated& operator=(const Repeated&) = delete;

  // Calls work() once; all it asked of the device has been asked for on return. Tensors that it
  // makes may live on.
  void run(const std::function<void()>& work);
  const GraphCounts& counts() const { return counts_; }

 private:
  std::unique_ptr<DeviceGraph, void (*)(DeviceGraph*)> graph_;
  GraphCounts counts_;
};

// Of the device (cuda/graph.cc).
DeviceGraph* make_graph(Cuda);
void run_graph(Cuda, DeviceGraph& graph, GraphCounts& counts, const std::function<void()>& work);
void delete_graph(Cuda, DeviceGraph* graph) noexcept;

}  // namespace lk
