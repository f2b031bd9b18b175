// How findings and faults are told: where they happened, and which allocation an address belongs to.
#include <cuda.h>

#include <cstdio>
#include <mutex>
#include <set>

#include "../exec/engine.h"
#include "../memory/device_memory.h"
#include "checker.h"

namespace softcuda {
namespace {

struct Kind {
    const char* name;
    int code;
};

Kind kindOf(Finding finding) {
    switch (finding) {
        case Finding::outOfBounds:
            return {"out of bounds", CUDA_ERROR_ILLEGAL_ADDRESS};
        case Finding::misaligned:
            return {"misaligned address", CUDA_ERROR_MISALIGNED_ADDRESS};
        case Finding::uninitialized:
            return {"uninitialized read", CUDA_ERROR_LAUNCH_FAILED};
        case Finding::sharedRace:
            return {"shared memory race", CUDA_ERROR_LAUNCH_FAILED};
        case Finding::divergentBarrier:
            return {"divergent barrier", CUDA_ERROR_LAUNCH_FAILED};
        case Finding::missingWait:
            return {"missing cp.async wait", CUDA_ERROR_LAUNCH_FAILED};
        case Finding::badCollective:
            return {"bad collective", CUDA_ERROR_LAUNCH_FAILED};
    }
    return {"?", CUDA_ERROR_UNKNOWN};
}

std::string triple(u64 x, u64 y, u64 z) {
    char text[72];
    std::snprintf(text, sizeof text, "(%llu,%llu,%llu)", static_cast<unsigned long long>(x), static_cast<unsigned long long>(y),
                  static_cast<unsigned long long>(z));
    return text;
}

std::string hex(u64 n) {
    char text[24];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(n));
    return text;
}

// "kernel k at k.cu:12, PTX line 34 'ld.global.f32 ...', block (0,0,0), thread (5,0,0)"
std::string placeOf(const Warp& w, const Inst* i, u32 lane) {
    const Block& block = *w.block;
    const u32* shape = block.launch->block;
    u64 thread = static_cast<u64>(w.index) * kLanes + lane;
    std::string text = "kernel " + block.kernel->name;
    if (w.function != &block.kernel->function) text += " in function " + w.function->name;
    if (i->site < w.function->sites.size()) {
        const Site& site = w.function->sites[i->site];
        if (site.sourceLine != 0) text += " at " + site.sourceFile + ":" + std::to_string(site.sourceLine);
        text += ", PTX line " + std::to_string(site.ptxLine) + " '" + site.text + "'";
    }
    text += ", block " + triple(block.id[0], block.id[1], block.id[2]);
    return text + ", thread " + triple(thread % shape[0], thread / shape[0] % shape[1], thread / shape[0] / shape[1]);
}

// Whether nothing of this kind was printed yet for this instruction.
bool firstTime(Finding finding, const Warp& w, const Inst* i) {
    static std::mutex mutex;
    static std::set<std::string> told;
    std::string key = w.block->kernel->name + ' ' + w.function->name + ' ' + std::to_string(i->site) + ' ' + kindOf(finding).name;
    std::lock_guard lock(mutex);
    return told.insert(key).second;
}

std::string nameOf(const Allocation& a) {
    return (a.freed ? "freed allocation " : "allocation ") + std::to_string(a.serial) + " (" + a.what + ", " + std::to_string(a.size) +
           " bytes at " + hex(a.address) + ")";
}

}  // namespace

void tell(Finding finding, const Warp& warp, const Inst* inst, u32 lane, const std::string& what) {
    Kind kind = kindOf(finding);
    bool report = settings().check == CheckMode::report;
    if (report && !firstTime(finding, warp, inst)) return;
    std::string message = std::string(kind.name) + ": " + what + "; " + placeOf(warp, inst, lane);
    std::fprintf(stderr, "softcuda: %s\n", message.c_str());
    if (!report) throw FaultException(kind.code, message);
}

void fault(int code, const Warp& warp, const Inst* inst, u32 lane, const std::string& what) {
    std::string message = what + "; " + placeOf(warp, inst, lane);
    std::fprintf(stderr, "softcuda: %s\n", message.c_str());
    throw FaultException(code, message);
}

std::string describeAddress(u64 address, u64 bytes) {
    std::string text = hex(address);
    if (address < kDeviceBase) return text + ", which is neither device memory nor pinned host memory";
    if (address - kSharedWindow < kWindowBytes) return text + ", byte " + std::to_string(address - kSharedWindow) + " of shared memory";
    if (address - kLocalWindow < kWindowBytes) return text + ", byte " + std::to_string(address - kLocalWindow) + " of local memory";
    const DeviceMemory& memory = DeviceMemory::get();
    Allocation below = memory.find(address), above = memory.findAbove(address);
    u64 after = below.size == 0 ? ~0ull : address - below.address;
    if (after < below.size) {
        if (after + bytes <= below.size) return text + ", byte " + std::to_string(after) + " of " + nameOf(below);
        return text + ", " + std::to_string(after + bytes - below.size) + " of its " + std::to_string(bytes) + " bytes past the end of " +
               nameOf(below);
    }
    constexpr u64 kFar = 1ull << 40;
    if ((below.size == 0 || after > kFar) && (above.size == 0 || above.address - address > kFar))
        return text + ", far from everything that was ever allocated";
    if (below.size == 0 || (above.size != 0 && above.address - address < after - below.size))
        return text + ", " + std::to_string(above.address - address) + " bytes before the start of " + nameOf(above);
    return text + ", " + std::to_string(after - below.size) + " bytes past the end of " + nameOf(below);
}

}  // namespace softcuda
