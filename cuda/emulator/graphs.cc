// Graphs: what was asked of a captured stream, in order, done again at each launch.
#include "cuda/emulator/graphs.h"

#include <algorithm>

#include "cuda/emulator/scheduler.h"

struct CUgraphExec_st {
  std::vector<emu::Node> nodes;
};

namespace emu {
namespace {

std::vector<cudaStream_t>& captures() {
  static auto& all = *new std::vector<cudaStream_t>;
  return all;
}

cudaError_t invalidate(cudaStream_t stream, cudaError_t error) {
  stream->invalid = true;
  return fail(error);
}

template <class Which>
cudaError_t forbid(cudaError_t error, Which which) {
  for (const cudaStream_t stream : captures())
    if (which(*stream)) return invalidate(stream, error);
  return cudaSuccess;
}

}  // namespace

bool capturing(cudaStream_t stream) { return stream && stream->capture; }

std::optional<cudaError_t> captured(cudaStream_t stream, NodeType type,
                                    std::function<cudaError_t(cudaStream_t)> work) {
  if (!capturing(stream)) {
    const cudaError_t error = forbid_in_capture(stream, cudaErrorStreamCaptureImplicit);
    return error == cudaSuccess ? std::nullopt : std::optional(error);
  }
  if (stream->invalid) return fail(cudaErrorStreamCaptureInvalidated);
  stream->capture->nodes.push_back({type, std::move(work)});
  return cudaSuccess;
}

void forget_capture(cudaStream_t stream) { std::erase(captures(), stream); }

cudaError_t forbid_in_capture(cudaStream_t stream, cudaError_t error) {
  if (!stream)
    return forbid(cudaErrorStreamCaptureImplicit,
                  [](const CUstream_st& s) { return !(s.flags & cudaStreamNonBlocking); });
  return capturing(stream) ? invalidate(stream, error) : cudaSuccess;
}
cudaError_t forbid_in_any_capture() {
  return forbid(cudaErrorStreamCaptureUnsupported, [](const CUstream_st&) { return true; });
}
cudaError_t forbid_unless_relaxed() {
  return forbid(cudaErrorStreamCaptureUnsupported,
                [](const CUstream_st& s) { return s.mode != cudaStreamCaptureModeRelaxed; });
}

}  // namespace emu

using namespace emu;

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  if (!stream) return fail(cudaErrorStreamCaptureUnsupported);
  if (stream->capture) return fail(cudaErrorIllegalState);
  stream->capture = std::make_unique<CUgraph_st>();
  stream->mode = mode;
  stream->invalid = false;
  captures().push_back(stream);
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  if (!graph) return fail(cudaErrorInvalidValue);
  *graph = nullptr;
  if (!capturing(stream)) return fail(cudaErrorIllegalState);
  std::unique_ptr<CUgraph_st> captured = std::move(stream->capture);
  forget_capture(stream);
  if (stream->invalid) return fail(cudaErrorStreamCaptureInvalidated);
  *graph = captured.release();
  return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  if (!status) return fail(cudaErrorInvalidValue);
  *status = !capturing(stream) ? cudaStreamCaptureStatusNone
            : stream->invalid  ? cudaStreamCaptureStatusInvalidated
                               : cudaStreamCaptureStatusActive;
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph,
                                 unsigned long long flags) {
  if (!exec || !graph || flags != 0) return fail(cudaErrorInvalidValue);
  *exec = new CUgraphExec_st{graph->nodes};
  return cudaSuccess;
}

cudaError_t cudaGraphExecUpdate(cudaGraphExec_t exec, cudaGraph_t graph,
                                cudaGraphExecUpdateResultInfo* info) {
  if (!exec || !graph || !info) return fail(cudaErrorInvalidValue);
  *info = {};
  if (exec->nodes.size() != graph->nodes.size())
    info->result = cudaGraphExecUpdateErrorTopologyChanged;
  else if (!std::equal(exec->nodes.begin(), exec->nodes.end(), graph->nodes.begin(),
                       [](const Node& a, const Node& b) { return a.type == b.type; }))
    info->result = cudaGraphExecUpdateErrorNodeTypeChanged;
  if (info->result != cudaGraphExecUpdateSuccess) return fail(cudaErrorGraphExecUpdateFailure);
  exec->nodes = graph->nodes;
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  if (!exec) return fail(cudaErrorInvalidValue);
  if (const cudaError_t error = forbid_in_capture(stream, cudaErrorNotSupported);
      error != cudaSuccess)
    return error;
  for (const Node& node : exec->nodes)
    if (const cudaError_t error = node.work(stream); error != cudaSuccess) return error;
  return cudaSuccess;
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count) {
  if (!graph || !count) return fail(cudaErrorInvalidValue);
  if (nodes) return fail(cudaErrorNotSupported);  // a node has no handle here
  *count = graph->nodes.size();
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  if (!graph) return fail(cudaErrorInvalidValue);
  delete graph;
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  if (!exec) return fail(cudaErrorInvalidValue);
  delete exec;
  return cudaSuccess;
}
