// Events: marks in streams, waits for them, and the time between them.
#include <algorithm>

#include "capture.h"
#include "stream.h"

namespace softcuda {
namespace {

struct Event : Object {
    bool timed = true;
    // Of the last record: what ends with it, or where in a capture it is. Under the scheduler's lock.
    TicketRef ticket;
    std::shared_ptr<Capture> capture;
    std::vector<u32> captureAfter;
};

constexpr unsigned kCreationFlags = CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING | CU_EVENT_INTERPROCESS;

std::shared_ptr<Event> eventOf(const Context& context, CUevent handle) {
    auto event = find<Event>(handle);
    return event != nullptr && event->owner == &context ? event : nullptr;
}

CUresult record(Context& context, Event& event, Stream& stream) {
    Scheduler::Lock lock = context.scheduler.lock();
    if (stream.capture) {
        if (stream.capture->invalidated) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
        event.ticket = nullptr;
        event.capture = stream.capture;
        event.captureAfter = stream.captureAfter;
        return CUDA_SUCCESS;
    }
    if (CUresult status = requireUncapturedBlocking(context, stream)) return status;
    event.capture = nullptr;
    event.ticket = context.scheduler.submit(stream, EmptyWork());
    return CUDA_SUCCESS;
}

CUresult waitFor(Context& context, const Event& event, Stream& stream) {
    Scheduler::Lock lock = context.scheduler.lock();
    if (event.capture) return joinCapture(context, stream, event.capture, event.captureAfter);
    if (stream.capture) {
        // What a graph does cannot wait for what is outside of it.
        bool invalid = stream.capture->invalidated;
        stream.capture->invalidated = true;
        return invalid ? CUDA_ERROR_STREAM_CAPTURE_INVALIDATED : CUDA_ERROR_STREAM_CAPTURE_ISOLATION;
    }
    if (CUresult status = requireUncapturedBlocking(context, stream)) return status;
    if (event.ticket && !event.ticket->done) context.scheduler.submit(stream, EmptyWork(), {event.ticket});
    return CUDA_SUCCESS;
}

CUresult elapsed(float* out, CUevent startHandle, CUevent endHandle) {
    return inContext([&](Context& context) {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        auto start = eventOf(context, startHandle), end = eventOf(context, endHandle);
        if (start == nullptr || end == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        Scheduler::Lock lock = context.scheduler.lock();
        if (start->capture || end->capture) return CUDA_ERROR_CAPTURED_EVENT;
        if (!start->timed || !end->timed || !start->ticket || !end->ticket) return CUDA_ERROR_INVALID_HANDLE;
        if (!context.scheduler.finished({start->ticket, end->ticket})) return CUDA_ERROR_NOT_READY;
        *out = std::chrono::duration<float, std::milli>(end->ticket->at - start->ticket->at).count();
        return CUDA_SUCCESS;
    });
}

// Whether the event has happened; if `wait`, waits until it has.
CUresult happened(CUevent handle, bool wait) {
    return inContext([&](Context& context) {
        auto event = eventOf(context, handle);
        if (event == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        Scheduler::Lock lock = context.scheduler.lock();
        if (event->capture) {
            event->capture->invalidated = true;
            return CUDA_ERROR_CAPTURED_EVENT;
        }
        if (!wait)
            if (CUresult status = requireNoCapture(context, lock)) return status;
        if (event->ticket == nullptr) return CUDA_SUCCESS;
        if (wait) context.scheduler.wait(lock, {event->ticket});
        if (!context.scheduler.finished({event->ticket})) return CUDA_ERROR_NOT_READY;
        return context.scheduler.failure();
    });
}

}  // namespace

EXPORT CUresult cuEventCreate(CUevent* out, unsigned int flags) {
    return inContext([&](Context& context) {
        if (out == nullptr || (flags & ~kCreationFlags) != 0) return CUDA_ERROR_INVALID_VALUE;
        bool timed = (flags & CU_EVENT_DISABLE_TIMING) == 0;
        if ((flags & CU_EVENT_INTERPROCESS) != 0) return timed ? CUDA_ERROR_INVALID_VALUE : CUDA_ERROR_NOT_SUPPORTED;
        auto event = std::make_shared<Event>();
        event->owner = &context;
        event->timed = timed;
        *out = publish<CUevent>(event);
        return CUDA_SUCCESS;
    });
}

EXPORT CUresult cuEventDestroy_v2(CUevent handle) {
    return inAnyContext([&](Context& context) {
        if (eventOf(context, handle) == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        retire(handle);
        return CUDA_SUCCESS;
    });
}

EXPORT CUresult cuEventRecord(CUevent handle, CUstream streamHandle) {
    return inContext([&](Context& context) {
        auto event = eventOf(context, handle);
        auto stream = streamOf(context, streamHandle);
        if (event == nullptr || stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        return record(context, *event, *stream);
    });
}

EXPORT CUresult cuStreamWaitEvent(CUstream streamHandle, CUevent handle, unsigned int flags) {
    return inContext([&](Context& context) {
        // Inside a capture the flag asks for a node, outside of one it is invalid.
        bool external = flags == CU_EVENT_WAIT_EXTERNAL && capturing(context, streamHandle);
        if (flags != CU_EVENT_WAIT_DEFAULT) return external ? CUDA_ERROR_NOT_SUPPORTED : CUDA_ERROR_INVALID_VALUE;
        auto event = eventOf(context, handle);
        auto stream = streamOf(context, streamHandle);
        if (event == nullptr || stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        return waitFor(context, *event, *stream);
    });
}

EXPORT CUresult cuEventQuery(CUevent handle) { return happened(handle, false); }

EXPORT CUresult cuEventSynchronize(CUevent handle) { return happened(handle, true); }

EXPORT CUresult cuEventElapsedTime_v2(float* out, CUevent start, CUevent end) { return elapsed(out, start, end); }

// The name of earlier headers.
#undef cuEventElapsedTime
EXPORT CUresult cuEventElapsedTime(float* out, CUevent start, CUevent end) { return elapsed(out, start, end); }

}  // namespace softcuda
