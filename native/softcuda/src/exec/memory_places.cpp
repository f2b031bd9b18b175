#include "memory_places.h"

#include <algorithm>
#include <cstring>

#include "../check/checker.h"
#include "../check/shared_shadow.h"
#include "../memory/device_memory.h"
#include "access_count.h"
#include "engine.h"
#include "program.h"

namespace softcuda {
namespace {

// What a warp's addresses have in common.
struct Extent {
    u64 least = ~0ull, most = 0;  // of the lanes of the mask
    bool aligned = true;
    bool dense = false;
};

Extent extentOf(const u64* addresses, u32 mask, u32 bytes) {
    Extent extent;
    u64 all = 0;
    if (mask == kAllLanes) {
        u64 gaps = 0, first = addresses[0];
        for (u32 l = 0; l < kLanes; l++) {
            extent.least = std::min(extent.least, addresses[l]);
            extent.most = std::max(extent.most, addresses[l]);
            all |= addresses[l];
            gaps |= addresses[l] - first - l * bytes;
        }
        extent.dense = gaps == 0;
    } else {
        for (u32 l = 0; l < kLanes; l++) {
            bool here = mask >> l & 1;
            extent.least = std::min(extent.least, here ? addresses[l] : ~u64{0});
            extent.most = std::max(extent.most, here ? addresses[l] : u64{0});
            all |= here ? addresses[l] : 0;
        }
    }
    extent.aligned = (all & (bytes - 1)) == 0;
    return extent;
}

// One lane after the other: tells what is wrong, in which lane.
void placeEach(Place place, Warp& w, const Inst* i, const u64* addresses, u32 bytes, Access access, Places& places) {
    for (u32 rest = w.mask; rest != 0; rest &= rest - 1) {
        u32 lane = static_cast<u32>(__builtin_ctz(rest));
        places.at[lane] = place(w, i, lane, addresses[lane], bytes, access);
        if (places.at[lane] != nullptr) places.mask |= 1u << lane;
    }
}

void placeAt(u8* base, const u64* offsets, const Extent& extent, u32 mask, Places& places) {
    places.mask = mask;
    places.dense = extent.dense;
    for (u32 l = 0; l < kLanes; l++) places.at[l] = base + offsets[l];
}

// The allocations that this thread met last.
class AllocationCache {
public:
    // Whether [least, end) lies in one live allocation.
    bool contains(u64 least, u64 end) {
        DeviceMemory& memory = DeviceMemory::get();
        u64 generation = memory.generation();
        if (generation != generation_) {
            for (Range& range : ranges_) range = {};
            generation_ = generation;
        }
        for (const Range& range : ranges_)
            if (least >= range.begin && end <= range.end) return true;
        Allocation found = memory.find(least);
        if (found.size == 0 || found.freed || least < found.address || end > found.address + found.size) return false;
        ranges_[next_++ % kRanges] = {found.address, found.address + found.size};
        return true;
    }

private:
    static constexpr u32 kRanges = 8;
    struct Range {
        u64 begin = 0, end = 0;
    };
    Range ranges_[kRanges];
    u64 generation_ = 0;
    u32 next_ = 0;
};

bool inOneAllocation(const Extent& extent, u32 bytes) {
    static thread_local AllocationCache cache;
    DeviceMemory& memory = DeviceMemory::get();
    if (extent.least < kDeviceBase || extent.most >= kSharedWindow) return false;
    if (!settings().checked()) return memory.inArena(extent.most, bytes);
    return cache.contains(extent.least, extent.most + bytes);
}

template <class T>
bool allWritten(const u8* marks, const u64* addresses, u64 least, u32 mask) {
    T wanted;
    std::memset(&wanted, 1, sizeof wanted);
    bool all = true;
    for (u32 rest = mask; rest != 0; rest &= rest - 1) {
        T found;
        std::memcpy(&found, marks + (addresses[__builtin_ctz(rest)] - least), sizeof found);
        all &= found == wanted;
    }
    return all;
}

bool written(const u8* marks, const u64* addresses, const Extent& extent, u32 mask, u32 bytes) {
    if (extent.dense) return std::memchr(marks, 0, static_cast<std::size_t>(bytes) * kLanes) == nullptr;
    switch (bytes) {
        case 1:
            return allWritten<u8>(marks, addresses, extent.least, mask);
        case 2:
            return allWritten<u16>(marks, addresses, extent.least, mask);
        case 4:
            return allWritten<u32>(marks, addresses, extent.least, mask);
        case 8:
            return allWritten<u64>(marks, addresses, extent.least, mask);
        default:
            for (u32 rest = mask; rest != 0; rest &= rest - 1)
                if (std::memchr(marks + (addresses[__builtin_ctz(rest)] - extent.least), 0, bytes) != nullptr) return false;
            return true;
    }
}

void mark(u8* marks, const u64* addresses, const Extent& extent, u32 mask, u32 bytes) {
    if (extent.dense) {
        std::memset(marks, 1, static_cast<std::size_t>(bytes) * kLanes);
        return;
    }
    for (u32 rest = mask; rest != 0; rest &= rest - 1) std::memset(marks + (addresses[__builtin_ctz(rest)] - extent.least), 1, bytes);
}

}  // namespace

void globalPlaces(Warp& w, const Inst* i, const u64* addresses, u32 bytes, Access access, const u8*, Places& places) {
    if (w.mask == 0) return;
    if (w.counters) countGlobal(*w.counters, addresses, w.mask, bytes, writes(access));
    Extent extent = extentOf(addresses, w.mask, bytes);
    if (!extent.aligned || !inOneAllocation(extent, bytes)) return placeEach(globalPlace, w, i, addresses, bytes, access, places);
    DeviceMemory& memory = DeviceMemory::get();
    if (u8* marks = memory.shadow(extent.least)) {
        if (reads(access) && !written(marks, addresses, extent, w.mask, bytes))
            return placeEach(globalPlace, w, i, addresses, bytes, access, places);
        if (writes(access)) mark(marks, addresses, extent, w.mask, bytes);
    }
    placeAt(memory.host(kDeviceBase) - kDeviceBase, addresses, extent, w.mask, places);
}

void sharedPlaces(Warp& w, const Inst* i, const u64* addresses, u32 bytes, Access access, const u8* values, Places& places) {
    if (w.mask == 0) return;
    Block& block = *w.block;
    if (w.counters) countShared(*w.counters, addresses, w.mask, bytes);
    Extent extent = extentOf(addresses, w.mask, bytes);
    if (!extent.aligned || extent.most >= block.sharedBytes || bytes > block.sharedBytes - extent.most)
        return placeEach(sharedPlace, w, i, addresses, bytes, access, places);
    if (block.shadow) checkShared(block.shadow, w, i, w.mask, addresses, bytes, access, values);
    placeAt(block.shared, addresses, extent, w.mask, places);
}

void localPlaces(Warp& w, const Inst* i, const u64* addresses, u32 bytes, Access access, const u8*, Places& places) {
    placeEach(localPlace, w, i, addresses, bytes, access, places);
}

void genericPlaces(Warp& w, const Inst* i, const u64* addresses, u32 bytes, Access access, const u8* values, Places& places) {
    if (w.mask == 0) return;
    Extent extent = extentOf(addresses, w.mask, bytes);
    if (extent.most < kSharedWindow) return globalPlaces(w, i, addresses, bytes, access, values, places);
    if (extent.least - kSharedWindow < kWindowBytes && extent.most - kSharedWindow < kWindowBytes) {
        u64 offsets[kLanes];
        for (u32 l = 0; l < kLanes; l++) offsets[l] = addresses[l] - kSharedWindow;
        return sharedPlaces(w, i, offsets, bytes, access, values, places);
    }
    placeEach(genericPlace, w, i, addresses, bytes, access, places);
}

PlaceAll placesOf(Binder& b) {
    Place place = placeOf(b);
    if (place == globalPlace) return globalPlaces;
    if (place == sharedPlace) return sharedPlaces;
    return place == localPlace ? localPlaces : genericPlaces;
}

}  // namespace softcuda
