// cuInit, the primary context, and which context is current on a thread.
#include "context.h"

#include <cstdio>
#include <cstdlib>

#include "../check/checker.h"
#include "../memory/device_memory.h"
#include "memory.h"

namespace softcuda {
namespace {

std::atomic<bool> initialisedFlag{false};

struct Primary {
    std::mutex mutex;
    std::shared_ptr<Context> context;
    u32 references = 0;
    // Never destroyed: the scheduler's thread may run until the process ends.
    static Primary& get() {
        static Primary* primary = new Primary;
        return *primary;
    }
};

thread_local std::vector<CUcontext> current;

// The stream of CU_STREAM_PER_THREAD on this thread; it closes when the thread ends.
struct PerThreadStream {
    std::shared_ptr<Stream> stream;
    u64 context = 0;
    ~PerThreadStream() {
        if (stream) stream->closed = true;
    }
};
thread_local PerThreadStream perThread;

// Ends all work and everything that the context owns.
void end(Context& context) {
    {
        Scheduler::Lock lock = context.scheduler.lock();
        context.scheduler.waitAll(lock);
    }
    tellLeaks(context);
    retire(context.handle);
    removeHandlesOf(&context);
    releaseAllMemory(context);
}

// At the end of the process. A program whose context has failed has told enough.
void leave() {
    Primary& primary = Primary::get();
    std::unique_lock lock(primary.mutex, std::try_to_lock);
    if (lock && primary.context != nullptr) tellLeaks(*primary.context);
}

std::shared_ptr<Context> create() {
    DeviceMemory::get();
    auto context = std::make_shared<Context>();
    context->legacy = std::make_shared<Stream>();
    context->legacy->legacy = true;
    context->legacy->owner = context.get();
    context->scheduler.add(context->legacy);
    context->handle = publish<CUcontext>(context);
    return context;
}

}  // namespace

Context::Context() {
    static std::atomic<u64> contexts{0};
    serial = ++contexts;
}

CUresult requireInit() {
    if (insideHostFunction()) return CUDA_ERROR_NOT_PERMITTED;
    return initialisedFlag ? CUDA_SUCCESS : CUDA_ERROR_NOT_INITIALIZED;
}

std::shared_ptr<Context> currentContext(CUresult& status) {
    status = requireInit();
    if (status != CUDA_SUCCESS) return nullptr;
    status = CUDA_ERROR_INVALID_CONTEXT;
    if (current.empty()) return nullptr;
    status = CUDA_ERROR_CONTEXT_IS_DESTROYED;
    return find<Context>(current.back());
}

std::shared_ptr<Stream> streamOf(Context& context, CUstream handle) {
    if (handle == nullptr || handle == CU_STREAM_LEGACY) return context.legacy;
    if (handle == CU_STREAM_PER_THREAD) {
        if (perThread.context != context.serial) {
            if (perThread.stream) perThread.stream->closed = true;
            perThread.stream = std::make_shared<Stream>();
            perThread.stream->owner = &context;
            perThread.context = context.serial;
            Scheduler::Lock lock = context.scheduler.lock();
            context.scheduler.add(perThread.stream);
        }
        return perThread.stream;
    }
    std::shared_ptr<Stream> stream = find<Stream>(handle);
    return stream != nullptr && stream->owner == &context ? stream : nullptr;
}

CUresult refuse(CUresult code, const std::string& why) {
    const char* name = "?";
    cuGetErrorName(code, &name);
    if (settings().checked()) std::fprintf(stderr, "softcuda: %s: %s\n", name, why.c_str());
    return code;
}

EXPORT CUresult cuInit(unsigned int flags) {
    if (insideHostFunction()) return CUDA_ERROR_NOT_PERMITTED;
    if (flags != 0) return CUDA_ERROR_INVALID_VALUE;
    if (!initialisedFlag.exchange(true)) std::atexit(leave);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDriverGetVersion(int* out) {
    if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *out = settings().version;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDevicePrimaryCtxRetain(CUcontext* out, CUdevice device) {
    if (CUresult status = requireDevice(device)) return status;
    if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
    return guarded([&] {
        Primary& primary = Primary::get();
        std::lock_guard lock(primary.mutex);
        if (primary.context == nullptr) primary.context = create();
        primary.references++;
        *out = primary.context->handle;
        return CUDA_SUCCESS;
    });
}

EXPORT CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
    if (CUresult status = requireDevice(device)) return status;
    Primary& primary = Primary::get();
    std::lock_guard lock(primary.mutex);
    if (primary.references == 0) return CUDA_ERROR_INVALID_CONTEXT;
    if (--primary.references == 0) {
        end(*primary.context);
        primary.context = nullptr;
    }
    return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxGetCurrent(CUcontext* out) {
    return initialised([&] {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *out = current.empty() ? nullptr : current.back();
        return CUDA_SUCCESS;
    });
}

EXPORT CUresult cuCtxSetCurrent(CUcontext context) {
    return initialised([&] {
        if (context != nullptr && find<Context>(context) == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
        if (!current.empty()) current.pop_back();
        if (context != nullptr) current.push_back(context);
        return CUDA_SUCCESS;
    });
}

EXPORT CUresult cuCtxPushCurrent_v2(CUcontext context) {
    return initialised([&] {
        if (context == nullptr) return CUDA_ERROR_INVALID_VALUE;
        if (find<Context>(context) == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
        current.push_back(context);
        return CUDA_SUCCESS;
    });
}

EXPORT CUresult cuCtxPopCurrent_v2(CUcontext* out) {
    return initialised([&] {
        if (current.empty()) return CUDA_ERROR_INVALID_CONTEXT;
        if (out != nullptr) *out = current.back();
        current.pop_back();
        return CUDA_SUCCESS;
    });
}

}  // namespace softcuda
