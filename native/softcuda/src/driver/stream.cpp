// Streams: creation, order, waiting.
#include "stream.h"

#include <algorithm>

#include "capture.h"

namespace softcuda {
namespace {

// A smaller number is a higher priority.
constexpr int kHighestPriority = -5, kLowestPriority = 0;

CUresult create(CUstream* out, unsigned int flags, int priority) {
    return inContext([&](Context& context) {
        if (out == nullptr || (flags & ~static_cast<unsigned>(CU_STREAM_NON_BLOCKING)) != 0) return CUDA_ERROR_INVALID_VALUE;
        auto stream = std::make_shared<Stream>();
        stream->owner = &context;
        stream->blocking = flags == CU_STREAM_DEFAULT;
        stream->priority = std::clamp(priority, kHighestPriority, kLowestPriority);
        Scheduler::Lock lock = context.scheduler.lock();
        context.scheduler.add(stream);
        *out = publish<CUstream>(stream);
        return CUDA_SUCCESS;
    });
}

}  // namespace

CUresult enqueue(Context& context, CUstream handle, Work work, TicketRef* ticket, std::vector<TicketRef> after) {
    std::shared_ptr<Stream> stream = streamOf(context, handle);
    if (stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    Scheduler::Lock lock = context.scheduler.lock();
    if (stream->capture) return captureNode(*stream, std::move(work));
    if (CUresult status = requireUncapturedBlocking(context, *stream)) return status;
    TicketRef submitted = context.scheduler.submit(*stream, std::move(work), std::move(after));
    if (ticket != nullptr) *ticket = submitted;
    return CUDA_SUCCESS;
}

CUresult await(Context& context, const TicketRef& ticket) {
    if (ticket != nullptr) {
        Scheduler::Lock lock = context.scheduler.lock();
        context.scheduler.wait(lock, {ticket});
    }
    return context.scheduler.failure();
}

bool capturing(Context& context, CUstream handle) {
    std::shared_ptr<Stream> stream = streamOf(context, handle);
    Scheduler::Lock lock = context.scheduler.lock();
    return stream != nullptr && stream->capture != nullptr;
}

EXPORT CUresult cuStreamCreate(CUstream* out, unsigned int flags) { return create(out, flags, kLowestPriority); }

EXPORT CUresult cuStreamCreateWithPriority(CUstream* out, unsigned int flags, int priority) { return create(out, flags, priority); }

EXPORT CUresult cuStreamDestroy_v2(CUstream handle) {
    return inAnyContext([&](Context& context) {
        auto stream = find<Stream>(handle);
        if (stream == nullptr || stream->owner != &context) return CUDA_ERROR_INVALID_HANDLE;
        Scheduler::Lock lock = context.scheduler.lock();
        if (stream->capture) stream->capture->invalidated = true;
        stream->closed = true;
        retire(handle);
        return CUDA_SUCCESS;
    });
}

EXPORT CUresult cuStreamSynchronize(CUstream handle) {
    return inContext([&](Context& context) {
        std::shared_ptr<Stream> stream = streamOf(context, handle);
        if (stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        Scheduler::Lock lock = context.scheduler.lock();
        if (CUresult status = requireUncaptured(context, *stream)) return status;
        context.scheduler.wait(lock, context.scheduler.lastOf(*stream));
        return context.scheduler.failure();
    });
}

EXPORT CUresult cuStreamQuery(CUstream handle) {
    return inContext([&](Context& context) {
        std::shared_ptr<Stream> stream = streamOf(context, handle);
        if (stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        Scheduler::Lock lock = context.scheduler.lock();
        if (CUresult status = requireUncaptured(context, *stream)) return status;
        if (!context.scheduler.finished(context.scheduler.lastOf(*stream))) return CUDA_ERROR_NOT_READY;
        return context.scheduler.failure();
    });
}

EXPORT CUresult cuCtxSynchronize() {
    return inContext([&](Context& context) {
        Scheduler::Lock lock = context.scheduler.lock();
        for (const auto& stream : context.scheduler.streams())
            if (stream->capture && !stream->capture->ended) {
                stream->capture->invalidated = true;
                return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
            }
        context.scheduler.waitAll(lock);
        return context.scheduler.failure();
    });
}

EXPORT CUresult cuLaunchHostFunc(CUstream handle, CUhostFn function, void* data) {
    return inContext([&](Context& context) {
        if (function == nullptr) return CUDA_ERROR_INVALID_VALUE;
        return enqueue(context, handle, HostWork{function, data});
    });
}

}  // namespace softcuda
