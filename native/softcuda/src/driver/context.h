// The primary context, and what every call of the driver starts with.
#pragma once

#include <cuda.h>

#include <map>
#include <new>

#include "../check/checker.h"
#include "scheduler.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace softcuda {

struct PinnedBlock {
    u64 size = 0;
    bool allocated = false;  // by the driver; otherwise registered
};

struct Context : Object {
    Context();
    CUcontext handle = nullptr;
    u64 serial = 0;
    Scheduler scheduler;
    std::shared_ptr<Stream> legacy;
    // Under the scheduler's lock.
    std::map<u64, PinnedBlock> pinned;
    std::map<u64, TicketRef> releasing;  // addresses that cuMemFreeAsync frees, and when
    std::vector<std::shared_ptr<Capture>> captures;
};

// cuInit has been called, on a thread that may call the driver.
CUresult requireInit();
// The context of the calling thread. `status` says why there is none.
std::shared_ptr<Context> currentContext(CUresult& status);
CUresult requireDevice(CUdevice device, const char* function = __builtin_FUNCTION());
// The stream of a handle, also of the three that need no handle; null if there is none.
std::shared_ptr<Stream> streamOf(Context& context, CUstream handle);
// Says on stderr, when checked, why a call is refused, and returns `code`.
CUresult refuse(CUresult code, const std::string& why);
// Tells on stderr, when checked, what cuMemAlloc and cuMemAllocAsync gave and nobody freed; nothing of a context that has failed, where
// nothing can be freed.
void tellLeaks(Context& context);

template <class F>
CUresult guarded(F f) {
    try {
        return f();
    } catch (const std::bad_alloc&) {
        return CUDA_ERROR_OUT_OF_MEMORY;
    } catch (const std::exception& e) {
        return refuse(CUDA_ERROR_UNKNOWN, e.what());
    }
}

// f() once cuInit has been called.
template <class F>
CUresult initialised(F f, const char* function = __builtin_FUNCTION()) {
    CUresult status = requireInit();
    if (status == CUDA_SUCCESS) status = static_cast<CUresult>(planted(function));
    return status == CUDA_SUCCESS ? guarded(f) : status;
}

// f(context) with the context of the calling thread, even if it has failed; the failure is what the call then returns.
template <class F>
CUresult inAnyContext(F f, const char* function = __builtin_FUNCTION()) {
    CUresult status;
    std::shared_ptr<Context> context = currentContext(status);
    if (context == nullptr) return status;
    if (int code = planted(function)) return static_cast<CUresult>(code);
    status = guarded([&] { return f(*context); });
    return status == CUDA_SUCCESS ? context->scheduler.failure() : status;
}

// f(context) with the context of the calling thread, unless it has failed.
template <class F>
CUresult inContext(F f, const char* function = __builtin_FUNCTION()) {
    CUresult status;
    std::shared_ptr<Context> context = currentContext(status);
    if (context == nullptr) return status;
    if (int code = planted(function)) return static_cast<CUresult>(code);
    if (context->scheduler.failure() != CUDA_SUCCESS) return context->scheduler.failure();
    return guarded([&] { return f(*context); });
}

}  // namespace softcuda
