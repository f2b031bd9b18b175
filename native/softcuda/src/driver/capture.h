// Stream capture: sequences under way, and what calls may not do meanwhile.
#pragma once

#include <thread>

#include "context.h"

namespace softcuda {

// Work of a graph, and the nodes before it.
struct GraphNode {
    Work work;
    std::vector<u32> after;
};

struct Capture {
    const Stream* origin = nullptr;
    CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_GLOBAL;
    std::thread::id thread;
    bool invalidated = false;
    bool ended = false;
    std::vector<GraphNode> nodes;
};

// Under the scheduler's lock:

// Adds a node to the graph that is captured from the stream.
CUresult captureNode(Stream& stream, Work work);
// CUDA_ERROR_STREAM_CAPTURE_IMPLICIT if the stream is the legacy one while a blocking stream is captured; what is captured is then invalid.
CUresult requireUncapturedBlocking(Context& context, const Stream& stream);
// CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED if the stream is captured, or requireUncapturedBlocking; what is captured is then invalid.
CUresult requireUncaptured(Context& context, const Stream& stream);
// Has the stream come after `nodes` of the capture, which it joins if it is in none.
CUresult joinCapture(Context& context, Stream& stream, const std::shared_ptr<Capture>& capture, const std::vector<u32>& nodes);

// Refuses calls that are unsafe while something is captured, as its mode says; what is captured is then invalid.
CUresult requireNoCapture(Context& context, const Scheduler::Lock& lock);
inline CUresult requireNoCapture(Context& context) { return requireNoCapture(context, context.scheduler.lock()); }
// The same for calls that use the legacy stream and are synchronous to it.
CUresult requireNoCaptureOfLegacy(Context& context);

}  // namespace softcuda
