#include "capture.h"

#include <algorithm>

#include "graph.h"

namespace softcuda {
namespace {

bool active(const std::shared_ptr<Capture>& capture) { return capture != nullptr && !capture->ended; }

// Whether a call that is unsafe during capture is one now, on this thread.
bool forbids(const Capture& capture) {
    if (capture.thread == std::this_thread::get_id()) return capture.mode != CU_STREAM_CAPTURE_MODE_RELAXED;
    return capture.mode == CU_STREAM_CAPTURE_MODE_GLOBAL;
}

// Which nodes are `from` or come before them.
std::vector<bool> before(const std::vector<GraphNode>& nodes, const std::vector<u32>& from) {
    std::vector<bool> reached(nodes.size());
    for (u32 node : from) reached[node] = true;
    // Nodes come after those that they depend on.
    for (std::size_t node = nodes.size(); node-- > 0;)
        if (reached[node])
            for (u32 earlier : nodes[node].after) reached[earlier] = true;
    return reached;
}

// Whether every stream of the capture has been joined to its origin.
bool joined(const Context& context, const std::shared_ptr<Capture>& capture, const Stream& origin) {
    std::vector<bool> reached = before(capture->nodes, origin.captureAfter);
    for (const auto& stream : context.scheduler.streams())
        if (stream->capture == capture)
            for (u32 node : stream->captureAfter)
                if (!reached[node]) return false;
    return true;
}

void finish(Context& context, const std::shared_ptr<Capture>& capture) {
    capture->ended = true;
    for (const auto& stream : context.scheduler.streams())
        if (stream->capture == capture) {
            stream->capture = nullptr;
            stream->captureAfter.clear();
        }
    std::erase(context.captures, capture);
}

CUresult endCapture(Context& context, Stream& stream, CUgraph* out) {
    std::shared_ptr<Capture> capture = stream.capture;
    *out = nullptr;
    if (!active(capture)) return CUDA_ERROR_ILLEGAL_STATE;
    if (capture->origin != &stream) {
        capture->invalidated = true;
        return CUDA_ERROR_STREAM_CAPTURE_UNMATCHED;
    }
    if (capture->mode != CU_STREAM_CAPTURE_MODE_RELAXED && capture->thread != std::this_thread::get_id())
        return CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
    CUresult status = capture->invalidated               ? CUDA_ERROR_STREAM_CAPTURE_INVALIDATED
                      : joined(context, capture, stream) ? CUDA_SUCCESS
                                                         : CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
    finish(context, capture);
    if (status == CUDA_SUCCESS) *out = makeGraph(context, std::move(capture->nodes));
    return status;
}

}  // namespace

CUresult captureNode(Stream& stream, Work work) {
    Capture& capture = *stream.capture;
    if (capture.invalidated) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    capture.nodes.push_back({std::move(work), stream.captureAfter});
    stream.captureAfter = {static_cast<u32>(capture.nodes.size() - 1)};
    return CUDA_SUCCESS;
}

CUresult requireUncapturedBlocking(Context& context, const Stream& stream) {
    if (!stream.legacy) return CUDA_SUCCESS;
    CUresult status = CUDA_SUCCESS;
    for (const auto& other : context.scheduler.streams())
        if (other->blocking && active(other->capture)) {
            other->capture->invalidated = true;
            status = CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
        }
    return status;
}

CUresult requireUncaptured(Context& context, const Stream& stream) {
    if (!active(stream.capture)) return requireUncapturedBlocking(context, stream);
    stream.capture->invalidated = true;
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}

CUresult joinCapture(Context& context, Stream& stream, const std::shared_ptr<Capture>& capture, const std::vector<u32>& nodes) {
    if (capture->ended) return CUDA_ERROR_CAPTURED_EVENT;
    if (active(stream.capture) && stream.capture != capture) {
        stream.capture->invalidated = capture->invalidated = true;
        return CUDA_ERROR_STREAM_CAPTURE_MERGE;
    }
    if (CUresult status = requireUncapturedBlocking(context, stream)) return status;
    if (stream.legacy) {
        capture->invalidated = true;
        return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
    }
    if (capture->invalidated) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    stream.capture = capture;
    for (u32 node : nodes)
        if (std::find(stream.captureAfter.begin(), stream.captureAfter.end(), node) == stream.captureAfter.end())
            stream.captureAfter.push_back(node);
    return CUDA_SUCCESS;
}

CUresult requireNoCapture(Context& context, const Scheduler::Lock&) {
    CUresult status = CUDA_SUCCESS;
    for (const auto& capture : context.captures)
        if (forbids(*capture)) {
            capture->invalidated = true;
            status = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
        }
    return status;
}

CUresult requireNoCaptureOfLegacy(Context& context) {
    Scheduler::Lock lock = context.scheduler.lock();
    if (CUresult status = requireUncapturedBlocking(context, *context.legacy)) return status;
    return requireNoCapture(context, lock);
}

EXPORT CUresult cuStreamBeginCapture_v2(CUstream handle, CUstreamCaptureMode mode) {
    return inContext([&](Context& context) {
        if (mode > CU_STREAM_CAPTURE_MODE_RELAXED) return CUDA_ERROR_INVALID_VALUE;
        std::shared_ptr<Stream> stream = streamOf(context, handle);
        if (stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        Scheduler::Lock lock = context.scheduler.lock();
        if (stream->legacy) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
        if (active(stream->capture)) return CUDA_ERROR_ILLEGAL_STATE;
        auto capture = std::make_shared<Capture>();
        capture->origin = stream.get();
        capture->mode = mode;
        capture->thread = std::this_thread::get_id();
        context.captures.push_back(capture);
        stream->capture = capture;
        return CUDA_SUCCESS;
    });
}

EXPORT CUresult cuStreamEndCapture(CUstream handle, CUgraph* out) {
    return inContext([&](Context& context) {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        std::shared_ptr<Stream> stream = streamOf(context, handle);
        if (stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        Scheduler::Lock lock = context.scheduler.lock();
        return endCapture(context, *stream, out);
    });
}

EXPORT CUresult cuStreamIsCapturing(CUstream handle, CUstreamCaptureStatus* out) {
    return inContext([&](Context& context) {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        std::shared_ptr<Stream> stream = streamOf(context, handle);
        if (stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        Scheduler::Lock lock = context.scheduler.lock();
        *out = CU_STREAM_CAPTURE_STATUS_NONE;
        if (stream->legacy)
            for (const auto& other : context.scheduler.streams())
                if (other->blocking && active(other->capture)) return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
        if (active(stream->capture))
            *out = stream->capture->invalidated ? CU_STREAM_CAPTURE_STATUS_INVALIDATED : CU_STREAM_CAPTURE_STATUS_ACTIVE;
        return CUDA_SUCCESS;
    });
}

}  // namespace softcuda
