// Events: creation, what a query says before and after, times, misuse.
#include "driver.h"

// cuda.h maps the name to its second version; both are exported.
#undef cuEventElapsedTime
extern "C" CUresult CUDAAPI cuEventElapsedTime(float* milliseconds, CUevent start, CUevent end);

namespace {

void creation() {
    openContext();
    CUevent event = nullptr;
    for (unsigned flags : {CU_EVENT_DEFAULT, CU_EVENT_BLOCKING_SYNC, CU_EVENT_DISABLE_TIMING}) {
        OK(cuEventCreate(&event, flags));
        OK(cuEventDestroy(event));
        EXPECT(cuEventDestroy(event), CUDA_ERROR_INVALID_HANDLE);
        EXPECT(cuEventRecord(event, nullptr), CUDA_ERROR_INVALID_HANDLE);
        EXPECT(cuEventQuery(event), CUDA_ERROR_INVALID_HANDLE);
        EXPECT(cuEventSynchronize(event), CUDA_ERROR_INVALID_HANDLE);
        EXPECT(cuStreamWaitEvent(nullptr, event, 0), CUDA_ERROR_INVALID_HANDLE);
    }
    EXPECT(cuEventCreate(nullptr, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuEventCreate(&event, 0x100), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuEventCreate(&event, CU_EVENT_INTERPROCESS), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuEventDestroy(nullptr), CUDA_ERROR_INVALID_HANDLE);
    EXPECT(cuEventRecord(nullptr, nullptr), CUDA_ERROR_INVALID_HANDLE);
    EXPECT(cuEventSynchronize(nullptr), CUDA_ERROR_INVALID_HANDLE);
    EXPECT(cuEventQuery(nullptr), CUDA_ERROR_INVALID_HANDLE, CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuStreamWaitEvent(nullptr, nullptr, 0), CUDA_ERROR_INVALID_HANDLE);
    event = newEvent();
    EXPECT(cuStreamWaitEvent(nullptr, event, 0x10), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuStreamWaitEvent(nullptr, event, CU_EVENT_WAIT_EXTERNAL), CUDA_ERROR_INVALID_VALUE);
    CUstream gone = newStream();
    MUST(cuStreamDestroy(gone));
    EXPECT(cuEventRecord(event, gone), CUDA_ERROR_INVALID_HANDLE);
    EXPECT(cuStreamWaitEvent(gone, event, 0), CUDA_ERROR_INVALID_HANDLE);
    OK(cuEventDestroy(event));
}

// An event that was never recorded stands for no work.
void neverRecorded() {
    openContext();
    CUstream stream = newStream();
    CUevent event = newEvent();
    OK(cuEventQuery(event));
    OK(cuEventSynchronize(event));
    OK(cuStreamWaitEvent(stream, event, 0));
    OK(cuStreamSynchronize(stream));
    OK(cuEventDestroy(event));
    OK(cuStreamDestroy(stream));
}

void beforeAndAfter() {
    openContext();
    CUstream stream = newStream();
    for (unsigned flags : {CU_EVENT_DEFAULT, CU_EVENT_BLOCKING_SYNC, CU_EVENT_DISABLE_TIMING}) {
        CUevent early = newEvent(flags), event = newEvent(flags);
        OK(cuEventRecord(early, stream));
        Gate gate(stream);
        OK(cuEventRecord(event, stream));
        EXPECT(cuEventQuery(event), CUDA_ERROR_NOT_READY);
        OK(cuEventSynchronize(early));
        OK(cuEventQuery(early));
        EXPECT(cuEventQuery(event), CUDA_ERROR_NOT_READY);
        gate.open();
        OK(cuEventSynchronize(event));
        OK(cuEventQuery(event));
        CHECK(gate.passed());
        OK(cuEventDestroy(early));
        OK(cuEventDestroy(event));
    }
    OK(cuStreamDestroy(stream));
}

using Elapsed = CUresult(CUDAAPI*)(float*, CUevent, CUevent);

void times(Elapsed elapsed) {
    CUstream stream = newStream();
    CUevent start = newEvent(), end = newEvent(CU_EVENT_BLOCKING_SYNC), never = newEvent(), untimed = newEvent(CU_EVENT_DISABLE_TIMING);
    float milliseconds = -1;
    OK(cuEventRecord(start, stream));
    Gate gate(stream);
    OK(cuEventRecord(untimed, stream));
    OK(cuEventRecord(end, stream));
    EXPECT(elapsed(&milliseconds, start, end), CUDA_ERROR_NOT_READY);
    OK(cuEventSynchronize(start));
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    gate.open();
    OK(cuStreamSynchronize(stream));
    OK(elapsed(&milliseconds, start, end));
    CHECK(milliseconds >= 29 && milliseconds < 9000, "%f ms", milliseconds);
    OK(elapsed(&milliseconds, start, start));
    CHECK(milliseconds == 0, "%f ms", milliseconds);
    OK(elapsed(&milliseconds, end, start));
    CHECK(milliseconds <= -29, "%f ms", milliseconds);
    EXPECT(elapsed(&milliseconds, never, end), CUDA_ERROR_INVALID_HANDLE);
    EXPECT(elapsed(&milliseconds, start, never), CUDA_ERROR_INVALID_HANDLE);
    EXPECT(elapsed(&milliseconds, start, untimed), CUDA_ERROR_INVALID_HANDLE);
    EXPECT(elapsed(&milliseconds, untimed, end), CUDA_ERROR_INVALID_HANDLE);
    EXPECT(elapsed(&milliseconds, nullptr, end), CUDA_ERROR_INVALID_HANDLE);
    EXPECT(elapsed(nullptr, start, end), CUDA_ERROR_INVALID_VALUE);
    OK(cuStreamDestroy(stream));
    for (CUevent event : {start, end, never, untimed}) OK(cuEventDestroy(event));
}

void bothVersions() {
    openContext();
    times(cuEventElapsedTime);
    times(cuEventElapsedTime_v2);
}

// Recording again replaces what the event stood for.
void recordedAgain() {
    openContext();
    CUstream stream = newStream(), other = newStream();
    CUevent event = newEvent();
    OK(cuEventRecord(event, other));
    OK(cuEventSynchronize(event));
    Gate gate(stream);
    OK(cuEventRecord(event, stream));
    EXPECT(cuEventQuery(event), CUDA_ERROR_NOT_READY);
    OK(cuEventRecord(event, other));
    gate.open();
    OK(cuEventSynchronize(event));
    OK(cuCtxSynchronize());
    Gate second(stream);
    OK(cuEventRecord(event, stream));
    EXPECT(cuEventQuery(event), CUDA_ERROR_NOT_READY);
    second.open();
    OK(cuEventSynchronize(event));
    CHECK(gate.passed() && second.passed());
    OK(cuEventQuery(event));
    OK(cuEventDestroy(event));
    OK(cuStreamDestroy(stream));
    OK(cuStreamDestroy(other));
}

// Events recorded in the legacy stream stand for the blocking streams' work too.
void legacyStream() {
    openContext();
    CUstream stream = newStream();
    CUevent event = newEvent();
    Gate gate(stream);
    OK(cuEventRecord(event, nullptr));
    EXPECT(cuEventQuery(event), CUDA_ERROR_NOT_READY);
    gate.open();
    OK(cuEventSynchronize(event));
    CHECK(gate.passed());
    OK(cuEventDestroy(event));
    OK(cuStreamDestroy(stream));
}

}  // namespace

int main() {
    group("creation", creation);
    group("never recorded", neverRecorded);
    group("before and after", beforeAndAfter);
    group("times", bothVersions);
    group("recorded again", recordedAgain);
    group("legacy stream", legacyStream);
    return report("driver_events");
}
