// Pinned host memory: allocated by the driver, or registered.
#include <unistd.h>

#include <cstdlib>

#include "../memory/device_memory.h"
#include "capture.h"
#include "memory.h"

namespace softcuda {
namespace {

constexpr unsigned kAllocationFlags = CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP | CU_MEMHOSTALLOC_WRITECOMBINED;
constexpr unsigned kRegistrationFlags = CU_MEMHOSTREGISTER_PORTABLE | CU_MEMHOSTREGISTER_DEVICEMAP | CU_MEMHOSTREGISTER_READ_ONLY;

CUresult allocate(void** out, u64 bytes) {
    return inContext([&](Context& context) {
        if (out == nullptr || bytes == 0) return CUDA_ERROR_INVALID_VALUE;
        Scheduler::Lock lock = context.scheduler.lock();
        if (CUresult status = requireNoCapture(context, lock)) return status;
        u64 page = static_cast<u64>(sysconf(_SC_PAGESIZE));
        if (bytes > ~0ull - page) return CUDA_ERROR_OUT_OF_MEMORY;
        void* start = std::aligned_alloc(page, (bytes + page - 1) / page * page);
        if (start == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
        DeviceMemory::get().addHost(start, bytes, "pinned host memory");
        context.pinned[reinterpret_cast<u64>(start)] = {bytes, true};
        *out = start;
        return CUDA_SUCCESS;
    });
}

// Whether any byte of a range is pinned already.
bool overlaps(const Context& context, u64 start, u64 bytes) {
    auto after = context.pinned.lower_bound(start);
    if (after != context.pinned.end() && after->first - start < bytes) return true;
    if (after == context.pinned.begin()) return false;
    const auto& [before, block] = *std::prev(after);
    return start - before < block.size;
}

// Ends the pinning of a block, once no work can use it.
CUresult unpin(void* start, bool allocated, CUresult otherwise) {
    return inAnyContext([&](Context& context) {
        if (start == nullptr) return CUDA_ERROR_INVALID_VALUE;
        Scheduler::Lock lock = context.scheduler.lock();
        if (CUresult status = requireNoCapture(context, lock)) return status;
        auto found = context.pinned.find(reinterpret_cast<u64>(start));
        if (found == context.pinned.end() || found->second.allocated != allocated) return otherwise;
        context.pinned.erase(found);
        context.scheduler.waitAll(lock);
        DeviceMemory::get().removeHost(start);
        if (allocated) std::free(start);
        return CUDA_SUCCESS;
    });
}

}  // namespace

EXPORT CUresult cuMemAllocHost_v2(void** out, size_t bytes) { return allocate(out, bytes); }

EXPORT CUresult cuMemHostAlloc(void** out, size_t bytes, unsigned int flags) {
    if (CUresult status = requireInit()) return status;
    return (flags & ~kAllocationFlags) != 0 ? CUDA_ERROR_INVALID_VALUE : allocate(out, bytes);
}

EXPORT CUresult cuMemFreeHost(void* start) { return unpin(start, true, CUDA_ERROR_INVALID_VALUE); }

EXPORT CUresult cuMemHostRegister_v2(void* start, size_t bytes, unsigned int flags) {
    return inContext([&](Context& context) {
        u64 address = reinterpret_cast<u64>(start);
        if (start == nullptr || bytes == 0 || address >= kDeviceBase || bytes > kDeviceBase - address) return CUDA_ERROR_INVALID_VALUE;
        if ((flags & CU_MEMHOSTREGISTER_IOMEMORY) != 0) return CUDA_ERROR_NOT_SUPPORTED;
        if ((flags & ~kRegistrationFlags) != 0) return CUDA_ERROR_INVALID_VALUE;
        Scheduler::Lock lock = context.scheduler.lock();
        if (CUresult status = requireNoCapture(context, lock)) return status;
        if (overlaps(context, address, bytes)) return CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED;
        DeviceMemory::get().addHost(start, bytes, "registered host memory");
        context.pinned[address] = {bytes, false};
        return CUDA_SUCCESS;
    });
}

EXPORT CUresult cuMemHostUnregister(void* start) { return unpin(start, false, CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED); }

}  // namespace softcuda
