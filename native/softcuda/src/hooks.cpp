// The hooks, on top of the device's memory, the checker's settings and the counters.
#include "hooks.h"

#include <cstdio>
#include <cstring>
#include <mutex>
#include <set>

#include "check/checker.h"
#include "counters.h"
#include "memory/device_memory.h"

namespace softcuda {
namespace {

CUresult told(const char* kind, CUresult code, const char* what, const std::string& where) {
    static std::mutex mutex;
    static std::set<std::string> reported;
    std::lock_guard lock(mutex);
    bool report = settings().check == CheckMode::report;
    if (!report || reported.insert(std::string(kind) + ' ' + what).second)
        std::fprintf(stderr, "softcuda: %s: %s; %s\n", kind, where.c_str(), what);
    return report ? CUDA_SUCCESS : code;
}

// The first byte of the pieces that nothing wrote; `extent` if all are written.
u64 firstUnwritten(const u8* shadow, u64 bytes, u64 pitch, u64 count, u64 extent) {
    for (u64 piece = 0; piece < count; piece++) {
        const u8* start = shadow + piece * pitch;
        const void* gap = std::memchr(start, 0, bytes);
        if (gap != nullptr) return static_cast<u64>(static_cast<const u8*>(gap) - shadow);
    }
    return extent;
}

}  // namespace
}  // namespace softcuda

using namespace softcuda;

CUresult softcudaResolve(unsigned long long address, unsigned long long bytes, unsigned long long pitch, unsigned long long count,
                         int access, const char* what, void** host) {
    *host = nullptr;
    DeviceMemory& memory = DeviceMemory::get();
    u64 extent = (count - 1) * pitch + bytes;
    if (memory.containsHost(address, extent)) {
        *host = reinterpret_cast<void*>(address);
        return CUDA_SUCCESS;
    }
    if (!memory.contains(address, extent)) return told("out of bounds", CUDA_ERROR_ILLEGAL_ADDRESS, what, describeAddress(address, extent));
    *host = memory.host(address);
    u8* shadow = memory.shadow(address);
    if (shadow == nullptr) return CUDA_SUCCESS;
    if (pitch == bytes) {
        bytes = extent;
        count = 1;
    }
    if (access & softcudaRead) {
        u64 gap = firstUnwritten(shadow, bytes, pitch, count, extent);
        if (gap < extent) {
            CUresult code = told("uninitialized read", CUDA_ERROR_LAUNCH_FAILED, what, describeAddress(address + gap, 1));
            if (code != CUDA_SUCCESS) return code;
        }
    }
    if (access & softcudaWrite)
        for (u64 piece = 0; piece < count; piece++) memory.markWritten(address + piece * pitch, bytes);
    return CUDA_SUCCESS;
}

void softcudaCount(const char* name, unsigned long long mmaFlops, unsigned long long bytesRead, unsigned long long bytesWritten) {
    if (!settings().counted()) return;
    Counters counters;
    counters.launches = 1;
    counters.mmaFlops = mmaFlops;
    counters.globalLoadBytes = bytesRead;
    counters.globalStoreBytes = bytesWritten;
    counters.globalLoadSectors = (bytesRead + 31) / 32;
    counters.globalStoreSectors = (bytesWritten + 31) / 32;
    counters.globalLoadDistinct = counters.globalLoadSectors;
    counters.globalStoreDistinct = counters.globalStoreSectors;
    addCounters(name, counters);
}

unsigned softcudaThreads(void) { return settings().threads; }
