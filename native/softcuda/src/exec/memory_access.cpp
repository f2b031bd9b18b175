#include "memory_access.h"

#include <cuda.h>

#include <cstring>

#include "../check/checker.h"
#include "../check/shared_shadow.h"
#include "../memory/device_memory.h"
#include "engine.h"
#include "program.h"

namespace softcuda {
namespace {

// Told when checked; what hardware faults on when not. Null: the access is skipped.
u8* outside(Warp& w, const Inst* i, u32 lane, u64 address, u32 bytes) {
    std::string what = std::to_string(bytes) + " bytes at " + describeAddress(address, bytes);
    if (!settings().checked()) fault(CUDA_ERROR_ILLEGAL_ADDRESS, w, i, lane, "illegal address: " + what);
    tell(Finding::outOfBounds, w, i, lane, what);
    return nullptr;
}

u8* misaligned(Warp& w, const Inst* i, u32 lane, u64 address, u32 bytes) {
    std::string what = std::to_string(bytes) + " bytes at " + describeAddress(address, bytes);
    if (!settings().checked()) fault(CUDA_ERROR_MISALIGNED_ADDRESS, w, i, lane, "misaligned address: " + what);
    tell(Finding::misaligned, w, i, lane, what);
    return nullptr;
}

}  // namespace

u8* globalPlace(Warp& w, const Inst* i, u32 lane, u64 address, u32 bytes, Access access) {
    DeviceMemory& memory = DeviceMemory::get();
    if (address % bytes != 0) return misaligned(w, i, lane, address, bytes);
    if (address < kDeviceBase && memory.containsHost(address, bytes)) return reinterpret_cast<u8*>(address);
    bool inside = memory.inArena(address, bytes) && (!settings().checked() || memory.contains(address, bytes));
    if (!inside) return outside(w, i, lane, address, bytes);
    if (u8* marks = memory.shadow(address)) {
        if (reads(access) && std::memchr(marks, 0, bytes) != nullptr)
            tell(Finding::uninitialized, w, i, lane, std::to_string(bytes) + " bytes at " + describeAddress(address, bytes));
        if (writes(access)) std::memset(marks, 1, bytes);
    }
    return memory.host(address);
}

u8* sharedPlace(Warp& w, const Inst* i, u32 lane, u64 address, u32 bytes, Access access) {
    Block& block = *w.block;
    if (address % bytes != 0) return misaligned(w, i, lane, kSharedWindow + address, bytes);
    if (address >= block.sharedBytes || bytes > block.sharedBytes - address) {
        std::string what = std::to_string(bytes) + " bytes at byte " + std::to_string(address) + " of the block's " +
                           std::to_string(block.sharedBytes) + " bytes of shared memory";
        if (!settings().checked()) fault(CUDA_ERROR_ILLEGAL_ADDRESS, w, i, lane, "illegal address: " + what);
        tell(Finding::outOfBounds, w, i, lane, what);
        return nullptr;
    }
    if (block.shadow) {
        u64 offsets[kLanes] = {};
        offsets[lane] = address;
        checkShared(block.shadow, w, i, 1u << lane, offsets, bytes, access, nullptr);
    }
    return block.shared + address;
}

u8* localPlace(Warp& w, const Inst* i, u32 lane, u64 address, u32 bytes, Access access) {
    if (address % bytes != 0) return misaligned(w, i, lane, kLocalWindow + address, bytes);
    u32 limit = w.localBase + w.function->localBytes;
    if (address >= limit || bytes > limit - address) {
        std::string what = std::to_string(bytes) + " bytes at byte " + std::to_string(static_cast<i64>(address)) + " of the thread's " +
                           std::to_string(limit) + " bytes of local memory";
        if (!settings().checked()) fault(CUDA_ERROR_ILLEGAL_ADDRESS, w, i, lane, "illegal address: " + what);
        tell(Finding::outOfBounds, w, i, lane, what);
        return nullptr;
    }
    u64 at = static_cast<u64>(lane) * w.localStride + address;
    if (w.localShadow) {
        if (reads(access) && std::memchr(w.localShadow + at, 0, bytes) != nullptr)
            tell(Finding::uninitialized, w, i, lane,
                 std::to_string(bytes) + " bytes at byte " + std::to_string(address) + " of local memory were never written");
        if (writes(access)) std::memset(w.localShadow + at, 1, bytes);
    }
    return w.local + at;
}

u8* genericPlace(Warp& w, const Inst* i, u32 lane, u64 address, u32 bytes, Access access) {
    if (address - kSharedWindow < kWindowBytes) return sharedPlace(w, i, lane, address - kSharedWindow, bytes, access);
    if (address - kLocalWindow < kWindowBytes) return localPlace(w, i, lane, address - kLocalWindow, bytes, access);
    const auto& parameters = w.block->launch->parameters;
    if (address - kParameterWindow < parameters.size() && !writes(access) && bytes <= parameters.size() - (address - kParameterWindow))
        return const_cast<u8*>(parameters.data()) + (address - kParameterWindow);
    return globalPlace(w, i, lane, address, bytes, access);
}

Place placeOf(Binder& b) {
    const auto& in = b.in();
    if (in.has("global") || in.has("const")) return globalPlace;
    if (in.has("shared") || in.has("shared::cta")) return sharedPlace;
    if (in.has("local")) return localPlace;
    if (in.has("shared::cluster") || in.has("param") || in.has("param::entry")) throw b.unsupported("this state space");
    return genericPlace;
}

}  // namespace softcuda
