// Graphs by stream capture (CUDA Programming Guide, "CUDA Graphs"): each run is captured anew and
// put into the executable graph of the run before, which fails only where the work's shape is
// another; then there is a new one.
#include "cuda/graph.h"

#include <algorithm>
#include <cstring>

namespace lk {
namespace {

DeviceGraph* g_recorded = nullptr;

// Memory of graphs, also of those that are gone, while tensors live in it.
std::vector<std::shared_ptr<GraphMemory>>& memories() {
  static auto& all = *new std::vector<std::shared_ptr<GraphMemory>>;
  return all;
}

void forget_unused_memories() {
  std::erase_if(memories(), [](const auto& m) { return m.use_count() == 1 && m->empty(); });
}

void begin(DeviceGraph& graph, cudaStream_t stream) {
  // Relaxed: the graph's memory may be taken meanwhile.
  check_cuda(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), "recording a graph");
  g_recorded = &graph;
}

using Captured = std::unique_ptr<CUgraph_st, void (*)(cudaGraph_t)>;

// Null where what was asked of the stream cannot be a graph.
Captured end(cudaStream_t stream) {
  g_recorded = nullptr;
  cudaGraph_t captured = nullptr;
  cudaStreamEndCapture(stream, &captured);
  return {captured, [](cudaGraph_t graph) {
            if (graph) cudaGraphDestroy(graph);
          }};
}

// Whether the executable graph now does what was captured.
bool update(cudaGraphExec_t launched, cudaGraph_t captured) {
  cudaGraphExecUpdateResultInfo info{};
  const cudaError_t error = cudaGraphExecUpdate(launched, captured, &info);
  if (error == cudaSuccess) return true;
  cudaGetLastError();
  if (error != cudaErrorGraphExecUpdateFailure) check_cuda(error, "updating a graph");
  return false;
}

void free_pending(DeviceGraph& graph, cudaStream_t stream) {
  for (void* data : graph.freed) cudaFreeAsync(data, stream);
  graph.freed.clear();
}

// Ends the part that is being recorded, and has the device do it.
void launch_part(DeviceGraph& graph, cudaStream_t stream) {
  const Captured captured = end(stream);
  if (!captured) check_cuda(cudaGetLastError(), "recording a graph");
  invariant(captured != nullptr, "a capture ended without a graph");
  size_t nodes = 0;
  check_cuda(cudaGraphGetNodes(captured.get(), nullptr, &nodes), "a graph");
  if (nodes > 0) {
    if (graph.part == graph.parts.size()) graph.parts.push_back(nullptr);
    cudaGraphExec_t& launched = graph.parts[graph.part++];
    if (launched && update(launched, captured.get())) {
      ++graph.counts->updated;
    } else {
      if (launched) check_cuda(cudaGraphExecDestroy(launched), "a graph");
      launched = nullptr;
      check_cuda(cudaGraphInstantiate(&launched, captured.get(), 0), "making a graph");
      ++graph.counts->made;
    }
    check_cuda(cudaGraphLaunch(launched, stream), "launching a graph");
  }
  free_pending(graph, stream);
}

// The pool's memory that the first run left is the graph's from now on.
void trim_pool(cudaStream_t stream) {
  cudaMemPool_t pool = nullptr;
  check_cuda(cudaDeviceGetDefaultMemPool(&pool, current_device()), "the memory pool");
  check_cuda(cudaStreamSynchronize(stream), "earlier kernels");
  check_cuda(cudaMemPoolTrimTo(pool, 0), "the memory pool");
}

}  // namespace

DeviceGraph::DeviceGraph() : memory(std::make_shared<GraphMemory>()) {
  for (cudaEvent_t& event : passed)
    check_cuda(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "an event");
  memories().push_back(memory);
}

DeviceGraph::~DeviceGraph() {
  cudaStreamSynchronize(cuda_stream);
  for (const cudaGraphExec_t launched : parts)
    if (launched) cudaGraphExecDestroy(launched);
  for (const cudaEvent_t event : passed) cudaEventDestroy(event);
  memory.reset();
  forget_unused_memories();
}

DeviceGraph* recorded_graph() { return g_recorded; }

bool give_to_graph(void* data) noexcept {
  for (const auto& memory : memories()) {
    if (!memory->give(data)) continue;
    forget_unused_memories();
    return true;
  }
  return false;
}

void record_upload(DeviceGraph& graph, Cuda cuda, void* to, const void* from, size_t bytes) {
  void* const pinned = graph.pinned[graph.turn].take(bytes);
  std::memcpy(pinned, from, bytes);
  check_cuda(cudaMemcpyAsync(to, pinned, bytes, cudaMemcpyHostToDevice, cuda.stream),
             "a copy to the device");
}

DeviceGraph* make_graph(Cuda) {
  // The default stream cannot be captured. This one waits for it, and it for this one.
  if (!cuda_stream) check_cuda(cudaStreamCreate(&cuda_stream), "a stream");
  return new DeviceGraph;
}

void outside_graph(Cuda cuda, const std::function<void()>& wait) {
  DeviceGraph& graph = *g_recorded;
  launch_part(graph, cuda.stream);
  wait();
  begin(graph, cuda.stream);
}

void run_graph(Cuda cuda, DeviceGraph& graph, GraphCounts& counts,
               const std::function<void()>& work) {
  invariant(!g_recorded, "a graph is recorded within another");
  if (graph.fresh) {
    // Loads the libraries and kernels, which no capture allows.
    work();
    trim_pool(cuda.stream);
    graph.fresh = false;
    ++counts.plain;
    return;
  }
  graph.turn = 1 - graph.turn;
  check_cuda(cudaEventSynchronize(graph.passed[graph.turn]), "an earlier graph");
  graph.pinned[graph.turn].reset();
  graph.part = 0;
  graph.counts = &counts;
  try {
    begin(graph, cuda.stream);
    work();
    launch_part(graph, cuda.stream);
  } catch (...) {
    if (g_recorded) end(cuda.stream);
    cudaGetLastError();
    free_pending(graph, cuda.stream);
    // Parts that were launched may still read their pinned memory.
    cudaEventRecord(graph.passed[graph.turn], cuda.stream);
    throw;
  }
  check_cuda(cudaEventRecord(graph.passed[graph.turn], cuda.stream), "an event");
}

void delete_graph(Cuda, DeviceGraph* graph) noexcept { delete graph; }

}  // namespace lk
