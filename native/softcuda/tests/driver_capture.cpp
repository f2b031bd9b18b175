// The rules of stream capture: what is forbidden, what invalidates a sequence, and with which code.
#include "driver.h"

namespace {

CUstream stream, other;
CUdeviceptr memory;

void open() {
    openContext();
    stream = newStream();
    other = newStream();
    MUST(cuMemAlloc(&memory, 1024));
}

void begin(CUstream s = stream, CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_GLOBAL) {
    MUST(cuStreamBeginCapture(s, mode));
    MUST(cuMemsetD8Async(memory, 1, 16, s));
}

void checkStatus(CUstream s, CUstreamCaptureStatus wanted) {
    CUstreamCaptureStatus status = static_cast<CUstreamCaptureStatus>(77);
    OK(cuStreamIsCapturing(s, &status));
    CHECK(status == wanted, "%d", status);
}

// The sequence is still good.
void endsWell(CUstream s = stream) {
    CUgraph graph = nullptr;
    checkStatus(s, CU_STREAM_CAPTURE_STATUS_ACTIVE);
    OK(cuStreamEndCapture(s, &graph));
    CHECK(graph != nullptr);
    OK(cuGraphDestroy(graph));
}

// The sequence has been invalidated: what is submitted is refused, the end says so and gives no graph, and the stream is usable again.
void endsInvalidated(CUstream s = stream) {
    CUgraph graph = reinterpret_cast<CUgraph>(1);
    checkStatus(s, CU_STREAM_CAPTURE_STATUS_INVALIDATED);
    EXPECT(cuMemsetD8Async(memory, 1, 16, s), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    EXPECT(cuStreamEndCapture(s, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    CHECK(graph == nullptr);
    checkStatus(s, CU_STREAM_CAPTURE_STATUS_NONE);
    OK(cuMemsetD8Async(memory, 1, 16, s));
    OK(cuStreamSynchronize(s));
}

void beginAndEnd() {
    open();
    CUgraph graph = nullptr;
    checkStatus(stream, CU_STREAM_CAPTURE_STATUS_NONE);
    EXPECT(cuStreamEndCapture(stream, &graph), CUDA_ERROR_ILLEGAL_STATE);
    for (CUstreamCaptureMode mode : {CU_STREAM_CAPTURE_MODE_GLOBAL, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL, CU_STREAM_CAPTURE_MODE_RELAXED}) {
        begin(stream, mode);
        EXPECT(cuStreamBeginCapture(stream, mode), CUDA_ERROR_ILLEGAL_STATE);
        endsWell();
    }
    EXPECT(cuStreamBeginCapture(nullptr, CU_STREAM_CAPTURE_MODE_GLOBAL), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuStreamBeginCapture(CU_STREAM_LEGACY, CU_STREAM_CAPTURE_MODE_RELAXED), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
           CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuStreamBeginCapture(stream, static_cast<CUstreamCaptureMode>(9)), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuStreamIsCapturing(stream, nullptr), CUDA_ERROR_INVALID_VALUE);
    begin();
    EXPECT(cuStreamEndCapture(stream, nullptr), CUDA_ERROR_INVALID_VALUE);
    cuStreamEndCapture(stream, &graph);
    begin(CU_STREAM_PER_THREAD);
    endsWell(CU_STREAM_PER_THREAD);
    OK(cuMemFree(memory));
}

// Waiting for or asking about a stream that is captured, or a context that has one.
void synchronisation() {
    open();
    CUevent event = newEvent();
    const std::function<CUresult()> forbidden[] = {[] { return cuStreamSynchronize(stream); }, [] { return cuStreamQuery(stream); },
                                                   [] { return cuCtxSynchronize(); }};
    for (const auto& call : forbidden) {
        begin();
        EXPECT(call(), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
        endsInvalidated();
    }
    // Other streams and events may be waited for where the mode allows what a capture cannot see.
    begin(stream, CU_STREAM_CAPTURE_MODE_RELAXED);
    OK(cuStreamSynchronize(other));
    OK(cuStreamQuery(other));
    OK(cuEventRecord(event, other));
    OK(cuEventSynchronize(event));
    OK(cuEventQuery(event));
    endsWell();
    begin();
    EXPECT(cuEventQuery(event), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    endsInvalidated();
    OK(cuMemFree(memory));
}

// Events that were recorded in a captured stream stand for nodes, not for work.
void capturedEvents() {
    open();
    CUevent event = newEvent(), start = newEvent();
    float milliseconds;
    OK(cuEventRecord(start, stream));
    OK(cuStreamSynchronize(stream));
    const std::function<CUresult()> forbidden[] = {[&] { return cuEventQuery(event); }, [&] { return cuEventSynchronize(event); }};
    for (const auto& call : forbidden) {
        begin();
        OK(cuEventRecord(event, stream));
        EXPECT(call(), CUDA_ERROR_CAPTURED_EVENT);
        endsInvalidated();
        EXPECT(cuEventQuery(event), CUDA_ERROR_CAPTURED_EVENT);
        OK(cuEventRecord(event, stream));
        OK(cuEventSynchronize(event));
        OK(cuEventElapsedTime(&milliseconds, start, event));
    }
    OK(cuMemFree(memory));
}

// The legacy stream waits for blocking streams, which it cannot while one is captured; streams made with NON_BLOCKING do not matter to it.
void legacyStream() {
    open();
    CUstreamCaptureStatus status;
    std::vector<char> host(16);
    const std::function<CUresult()> synchronous[] = {[] { return cuMemsetD8(memory, 1, 16); },
                                                     [&] { return cuMemcpyDtoH(host.data(), memory, 16); }};
    for (const auto& call : synchronous) {
        begin();
        EXPECT(call(), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
        endsInvalidated();
        begin(stream, CU_STREAM_CAPTURE_MODE_RELAXED);
        EXPECT(call(), CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
        endsInvalidated();
    }
    const std::function<CUresult()> forbidden[] = {[] { return cuMemsetD8Async(memory, 1, 16, nullptr); },
                                                   [] { return cuStreamSynchronize(nullptr); },
                                                   [] {
                                                       return cuLaunchHostFunc(
                                                           CU_STREAM_LEGACY, [](void*) {}, nullptr);
                                                   }};
    for (const auto& call : forbidden) {
        begin();
        EXPECT(call(), CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
        endsInvalidated();
    }
    begin();
    EXPECT(cuStreamIsCapturing(nullptr, &status), CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
    endsWell();
    CUstream free = newStream(CU_STREAM_NON_BLOCKING);
    begin(free);
    OK(cuMemsetD8Async(memory + 512, 1, 16, nullptr));
    OK(cuStreamSynchronize(nullptr));
    OK(cuStreamIsCapturing(nullptr, &status));
    CHECK(status == CU_STREAM_CAPTURE_STATUS_NONE);
    endsWell(free);
    OK(cuMemFree(memory));
}

// Calls that a capture cannot see are forbidden to its thread, in mode GLOBAL to all threads, in mode RELAXED to none.
void unsafeCalls() {
    open();
    CUcontext context;
    MUST(cuCtxGetCurrent(&context));
    auto allocate = [] {
        CUdeviceptr p = 0;
        CUresult result = cuMemAlloc(&p, 64);
        if (result == CUDA_SUCCESS) OK(cuMemFree(p));
        return result;
    };
    auto elsewhere = [&] {
        CUresult result = CUDA_ERROR_UNKNOWN;
        std::thread([&] {
            MUST(cuCtxSetCurrent(context));
            result = allocate();
        }).join();
        return result;
    };
    begin();
    EXPECT(allocate(), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    endsInvalidated();
    begin();
    EXPECT(elsewhere(), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    endsInvalidated();
    begin(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
    OK(elsewhere());
    endsWell();
    begin(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
    EXPECT(allocate(), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    endsInvalidated();
    begin(stream, CU_STREAM_CAPTURE_MODE_RELAXED);
    OK(allocate());
    OK(elsewhere());
    endsWell();
    OK(cuMemFree(memory));
}

// Dependencies may not cross the edge of a sequence, nor join two sequences; forks must come back.
void edges() {
    open();
    CUevent event = newEvent(CU_EVENT_DISABLE_TIMING), second = newEvent(CU_EVENT_DISABLE_TIMING);
    CUgraph graph = nullptr;
    OK(cuEventRecord(event, other));
    begin();
    EXPECT(cuStreamWaitEvent(stream, event, 0), CUDA_ERROR_STREAM_CAPTURE_ISOLATION);
    endsInvalidated();

    begin();
    begin(other);
    OK(cuEventRecord(event, other));
    EXPECT(cuStreamWaitEvent(stream, event, 0), CUDA_ERROR_STREAM_CAPTURE_MERGE);
    cuStreamEndCapture(stream, &graph);
    if (graph != nullptr) OK(cuGraphDestroy(graph));
    graph = nullptr;
    cuStreamEndCapture(other, &graph);
    if (graph != nullptr) OK(cuGraphDestroy(graph));
    checkStatus(stream, CU_STREAM_CAPTURE_STATUS_NONE);
    checkStatus(other, CU_STREAM_CAPTURE_STATUS_NONE);

    begin();
    OK(cuEventRecord(event, stream));
    OK(cuStreamWaitEvent(other, event, 0));
    OK(cuMemsetD8Async(memory + 64, 1, 16, other));
    graph = reinterpret_cast<CUgraph>(1);
    EXPECT(cuStreamEndCapture(stream, &graph), CUDA_ERROR_STREAM_CAPTURE_UNJOINED);
    CHECK(graph == nullptr);
    checkStatus(stream, CU_STREAM_CAPTURE_STATUS_NONE);
    checkStatus(other, CU_STREAM_CAPTURE_STATUS_NONE);

    begin();
    OK(cuEventRecord(event, stream));
    OK(cuStreamWaitEvent(other, event, 0));
    OK(cuEventRecord(second, other));
    EXPECT(cuStreamEndCapture(other, &graph), CUDA_ERROR_STREAM_CAPTURE_UNMATCHED);
    graph = nullptr;
    cuStreamWaitEvent(stream, second, 0);
    cuStreamEndCapture(stream, &graph);
    if (graph != nullptr) OK(cuGraphDestroy(graph));
    checkStatus(stream, CU_STREAM_CAPTURE_STATUS_NONE);
    OK(cuMemFree(memory));
}

// A sequence ends in the thread that began it, unless its mode is RELAXED.
void threads() {
    open();
    CUcontext context;
    MUST(cuCtxGetCurrent(&context));
    auto endElsewhere = [&] {
        CUresult result = CUDA_ERROR_UNKNOWN;
        std::thread([&] {
            MUST(cuCtxSetCurrent(context));
            CUgraph graph = nullptr;
            result = cuStreamEndCapture(stream, &graph);
            if (graph != nullptr) OK(cuGraphDestroy(graph));
        }).join();
        return result;
    };
    for (CUstreamCaptureMode mode : {CU_STREAM_CAPTURE_MODE_GLOBAL, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL}) {
        begin(stream, mode);
        EXPECT(endElsewhere(), CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD);
        CUgraph graph = nullptr;
        cuStreamEndCapture(stream, &graph);
        if (graph != nullptr) OK(cuGraphDestroy(graph));
        checkStatus(stream, CU_STREAM_CAPTURE_STATUS_NONE);
    }
    begin(stream, CU_STREAM_CAPTURE_MODE_RELAXED);
    OK(endElsewhere());
    checkStatus(stream, CU_STREAM_CAPTURE_STATUS_NONE);
    OK(cuMemFree(memory));
}

}  // namespace

int main() {
    group("begin and end", beginAndEnd);
    group("synchronisation", synchronisation);
    group("captured events", capturedEvents);
    group("legacy stream", legacyStream);
    group("unsafe calls", unsafeCalls);
    group("edges", edges);
    group("threads", threads);
    return report("driver_capture");
}
