// Device memory: allocation, at once or in the order of a stream, and its release.
#include "memory.h"

#include <cstdio>
#include <cstdlib>

#include "../check/checker.h"
#include "../memory/device_memory.h"
#include "capture.h"
#include "stream.h"

namespace softcuda {
namespace {

// Leaks that are named one by one.
constexpr u64 kToldLeaks = 8;

constexpr char kAllocated[] = "cuMemAlloc", kAllocatedAsync[] = "cuMemAllocAsync";

// Allocates; when there is no room, waits for the releases that are under way first. 0 if there is none after that.
u64 allocate(Context& context, u64 bytes, const char* what) {
    DeviceMemory& memory = DeviceMemory::get();
    if (u64 address = memory.allocate(bytes, what)) return address;
    {
        Scheduler::Lock lock = context.scheduler.lock();
        std::vector<TicketRef> tickets;
        for (const auto& [address, ticket] : context.releasing) tickets.push_back(ticket);
        context.scheduler.wait(lock, tickets);
    }
    return memory.allocate(bytes, what);
}

CUresult outOfMemory(u64 bytes, const char* what) {
    return refuse(CUDA_ERROR_OUT_OF_MEMORY, std::string(what) + " of " + std::to_string(bytes) + " bytes with " +
                                                std::to_string(DeviceMemory::get().free()) + " of " +
                                                std::to_string(DeviceMemory::get().total()) + " free");
}

// Whether an address is the start of a live allocation of calls, whose release is not under way. Under the scheduler's lock.
bool releasable(const Context& context, u64 address) {
    Allocation found = DeviceMemory::get().find(address);
    if (found.size == 0 || found.freed || found.address != address) return false;
    if (found.what != kAllocated && found.what != kAllocatedAsync) return false;
    auto pending = context.releasing.find(address);
    return pending == context.releasing.end() || pending->second->done;
}

CUresult badFree(u64 address, const char* what) {
    return refuse(CUDA_ERROR_INVALID_VALUE, std::string(what) + " of " + describeAddress(address, 1) + ": no live allocation starts there");
}

}  // namespace

void tellLeaks(Context& context) {
    if (!settings().checked() || context.scheduler.failure() != CUDA_SUCCESS) return;
    Scheduler::Lock lock = context.scheduler.lock();
    u64 count = 0, bytes = 0;
    std::string some;
    DeviceMemory::get().forEachLive([&](const Allocation& a) {
        auto pending = context.releasing.find(a.address);
        bool released = pending != context.releasing.end() && !pending->second->done;
        if (released || (a.what != kAllocated && a.what != kAllocatedAsync)) return;
        bytes += a.size;
        if (count++ < kToldLeaks)
            some += (some.empty() ? "" : ", ") + std::to_string(a.serial) + " (" + a.what + ", " + std::to_string(a.size) + " bytes)";
    });
    if (count == 0) return;
    std::fprintf(stderr, "softcuda: leak: %llu allocation%s of %llu bytes never freed: %s%s\n", static_cast<unsigned long long>(count),
                 count == 1 ? "" : "s", static_cast<unsigned long long>(bytes), some.c_str(), count > kToldLeaks ? ", ..." : "");
}

void releaseAllMemory(Context& context) {
    DeviceMemory& memory = DeviceMemory::get();
    std::vector<u64> addresses;
    memory.forEachLive([&](const Allocation& a) {
        if (a.what == kAllocated || a.what == kAllocatedAsync) addresses.push_back(a.address);
    });
    for (u64 address : addresses) memory.release(address);
    for (const auto& [address, block] : context.pinned) {
        void* start = reinterpret_cast<void*>(address);
        memory.removeHost(start);
        if (block.allocated) std::free(start);
    }
    context.pinned.clear();
}

EXPORT CUresult cuMemAlloc_v2(CUdeviceptr* out, size_t bytes) {
    return inContext([&](Context& context) {
        if (out == nullptr || bytes == 0) return CUDA_ERROR_INVALID_VALUE;
        if (CUresult status = requireNoCapture(context)) return status;
        u64 address = allocate(context, bytes, kAllocated);
        if (address == 0) return outOfMemory(bytes, kAllocated);
        *out = address;
        return CUDA_SUCCESS;
    });
}

// Waits for all work first, as the real driver does.
EXPORT CUresult cuMemFree_v2(CUdeviceptr address) {
    return inAnyContext([&](Context& context) {
        if (address == 0) return CUDA_SUCCESS;
        Scheduler::Lock lock = context.scheduler.lock();
        if (CUresult status = requireNoCapture(context, lock)) return status;
        if (!releasable(context, address)) return badFree(address, "cuMemFree");
        context.scheduler.waitAll(lock);
        return DeviceMemory::get().release(address) ? CUDA_SUCCESS : badFree(address, "cuMemFree");
    });
}

EXPORT CUresult cuMemGetInfo_v2(size_t* free, size_t* total) {
    return inContext([&](Context&) {
        if (free == nullptr || total == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *free = DeviceMemory::get().free();
        *total = DeviceMemory::get().total();
        return CUDA_SUCCESS;
    });
}

EXPORT CUresult cuMemAllocAsync(CUdeviceptr* out, size_t bytes, CUstream handle) {
    return inContext([&](Context& context) {
        if (out == nullptr || bytes == 0) return CUDA_ERROR_INVALID_VALUE;
        if (streamOf(context, handle) == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        if (capturing(context, handle)) return refuse(CUDA_ERROR_NOT_SUPPORTED, "cuMemAllocAsync during capture");
        u64 address = allocate(context, bytes, kAllocatedAsync);
        if (address == 0) return outOfMemory(bytes, kAllocatedAsync);
        *out = address;
        return CUDA_SUCCESS;
    });
}

EXPORT CUresult cuMemFreeAsync(CUdeviceptr address, CUstream handle) {
    return inContext([&](Context& context) {
        std::shared_ptr<Stream> stream = streamOf(context, handle);
        if (stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        if (address == 0) return CUDA_ERROR_INVALID_VALUE;
        Scheduler::Lock lock = context.scheduler.lock();
        if (stream->capture) return refuse(CUDA_ERROR_NOT_SUPPORTED, "cuMemFreeAsync during capture");
        if (CUresult status = requireUncapturedBlocking(context, *stream)) return status;
        std::erase_if(context.releasing, [](const auto& entry) { return entry.second->done; });
        if (!releasable(context, address)) return badFree(address, "cuMemFreeAsync");
        context.releasing[address] = context.scheduler.submit(*stream, ReleaseWork{address});
        return CUDA_SUCCESS;
    });
}

}  // namespace softcuda
