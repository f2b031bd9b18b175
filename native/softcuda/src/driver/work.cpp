// Doing the work of streams, on the scheduler's thread.
#include "work.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "../check/checker.h"
#include "../memory/device_memory.h"
#include "capture.h"

namespace softcuda {
namespace {

thread_local bool inHostFunction = false;

// The memory of a place, or null with a fault if it is not there any more.
u8* memoryOf(const Place& place, u64 span, const char* what, Fault& fault) {
    DeviceMemory& memory = DeviceMemory::get();
    bool there = place.kind == Place::Kind::device   ? memory.contains(place.address, span)
                 : place.kind == Place::Kind::pinned ? memory.containsHost(place.address, span)
                                                     : true;
    if (there) return place.kind == Place::Kind::device ? memory.host(place.address) : reinterpret_cast<u8*>(place.address);
    std::string message =
        std::string("out of bounds: ") + what + " of " + std::to_string(span) + " bytes at " + describeAddress(place.address, span);
    std::fprintf(stderr, "softcuda: %s\n", message.c_str());
    if (settings().check != CheckMode::report) fault = {CUDA_ERROR_ILLEGAL_ADDRESS, message};
    return nullptr;
}

Fault copy(const CopyWork& copy) {
    Fault fault;
    u8* to = memoryOf(copy.destination, copy.span(copy.destination), "copy to memory", fault);
    const u8* from = copy.staged ? copy.staged->data() : memoryOf(copy.source, copy.span(copy.source), "copy from memory", fault);
    if (to == nullptr || from == nullptr) return fault;
    DeviceMemory& memory = DeviceMemory::get();
    u64 sourcePitch = copy.staged ? copy.width : copy.source.pitch;
    bool marked = copy.source.kind == Place::Kind::device;
    for (u64 row = 0; row < copy.height; row++) {
        u64 destination = copy.destination.address + row * copy.destination.pitch;
        std::memmove(to + row * copy.destination.pitch, from + row * sourcePitch, copy.width);
        if (copy.destination.kind != Place::Kind::device) continue;
        if (marked)
            memory.copyMarks(destination, copy.source.address + row * copy.source.pitch, copy.width);
        else
            memory.markWritten(destination, copy.width);
    }
    return fault;
}

Fault fill(const FillWork& fill) {
    Fault fault;
    u64 bytes = fill.count * fill.bytes;
    u8* to = memoryOf(fill.destination, bytes, "fill", fault);
    if (to == nullptr) return fault;
    if (fill.bytes == 1)
        std::memset(to, static_cast<int>(fill.value), bytes);
    else
        std::fill_n(reinterpret_cast<u32*>(to), fill.count, fill.value);
    if (fill.destination.kind == Place::Kind::device) DeviceMemory::get().markWritten(fill.destination.address, bytes);
    return fault;
}

// The nodes in an order that their dependencies allow; when checked, a random one of those.
Fault replay(const GraphWork& graph) {
    const auto& nodes = *graph.nodes;
    std::vector<u32> missing(nodes.size()), ready;
    std::vector<std::vector<u32>> later(nodes.size());
    for (u32 k = 0; k < nodes.size(); k++) {
        missing[k] = static_cast<u32>(nodes[k].after.size());
        for (u32 before : nodes[k].after) later[before].push_back(k);
        if (missing[k] == 0) ready.push_back(k);
    }
    u64 random = (settings().seed + graph.serial) * 0x9e3779b97f4a7c15ull + 1;
    while (!ready.empty()) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        std::size_t at = settings().checked() ? random % ready.size() : 0;
        u32 node = ready[at];
        ready.erase(ready.begin() + static_cast<std::ptrdiff_t>(at));
        Fault fault = perform(nodes[node].work);
        if (fault.code != 0) return fault;
        for (u32 next : later[node])
            if (--missing[next] == 0) ready.push_back(next);
    }
    return {};
}

struct Performer {
    Fault operator()(const EmptyWork&) const { return {}; }
    Fault operator()(const KernelWork& work) const { return run(*work.launch); }
    Fault operator()(const CopyWork& work) const { return copy(work); }
    Fault operator()(const FillWork& work) const { return fill(work); }
    Fault operator()(const HostWork& work) const {
        inHostFunction = true;
        work.function(work.data);
        inHostFunction = false;
        return {};
    }
    Fault operator()(const LibraryWork& work) const {
        CUresult code = work.call->work(work.call->data);
        if (code == CUDA_SUCCESS) return {};
        return {code, work.call->name};
    }
    Fault operator()(const ReleaseWork& work) const {
        DeviceMemory::get().release(work.address);
        return {};
    }
    Fault operator()(const GraphWork& work) const { return replay(work); }
};

}  // namespace

Fault perform(const Work& work) { return std::visit(Performer(), work); }

bool insideHostFunction() { return inHostFunction; }

}  // namespace softcuda
