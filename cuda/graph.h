// What device memory and copies need to know of the work that is being recorded
// (engine/repeated.h).
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <vector>

#include "cuda/graph_memory.h"
#include "cuda/launch.h"
#include "engine/repeated.h"

namespace lk {

struct DeviceGraph {
  DeviceGraph();
  ~DeviceGraph();
  DeviceGraph(const DeviceGraph&) = delete;
  DeviceGraph& operator=(const DeviceGraph&) = delete;

  // Tensors may outlive the graph, and their memory with them.
  std::shared_ptr<GraphMemory> memory;
  // One is filled while the device may still read the other: passed[i] comes after its last run.
  std::array<PinnedMemory, 2> pinned;
  std::array<cudaEvent_t, 2> passed{};
  size_t turn = 0;
  std::vector<void*> freed;  // other memory that was freed meanwhile: it is after the launch
  std::vector<cudaGraphExec_t> parts;  // of a run, between which the host waits
  size_t part = 0;                     // the one that is being recorded
  bool fresh = true;                   // nothing has run yet
  GraphCounts* counts = nullptr;       // of the caller of this run
};

// The graph that this moment's work becomes part of; null when work is done at once.
DeviceGraph* recorded_graph();
// Does what the host has to wait for: what was recorded until now is launched, and what follows
// becomes another part.
void outside_graph(Cuda cuda, const std::function<void()>& wait);
// Gives memory back to the graph that it came from; false where it came from none.
bool give_to_graph(void* data) noexcept;
// A copy from pageable host memory, for the graph that is being recorded.
void record_upload(DeviceGraph& graph, Cuda cuda, void* to, const void* from, size_t bytes);

}  // namespace lk
