#include "access_count.h"

#include <algorithm>

namespace softcuda {
namespace {

// How many different values there are among the first `count`; sorts them.
u32 distinct(u64* values, u32 count) {
    std::sort(values, values + count);
    return static_cast<u32>(std::unique(values, values + count) - values);
}

// Passes for the lanes of one group.
u32 passes(const u64* offsets, u32 lanes, u32 bytes) {
    u64 words[kLanes * 4];
    u32 count = 0;
    for (u32 rest = lanes; rest != 0; rest &= rest - 1) {
        u64 offset = offsets[__builtin_ctz(rest)];
        for (u64 word = offset / 4; word <= (offset + bytes - 1) / 4; word++) words[count++] = word;
    }
    u32 used = distinct(words, count), banks[32] = {}, most = 0;
    for (u32 k = 0; k < used; k++) most = std::max(most, ++banks[words[k] % 32]);
    return most;
}

}  // namespace

void countGlobal(Counters& counters, const u64* addresses, u32 mask, u32 bytes, bool store) {
    u64 sectors[kLanes * 2];
    u32 count = 0;
    for (u32 rest = mask; rest != 0; rest &= rest - 1) {
        u64 first = addresses[__builtin_ctz(rest)] / 32, last = (addresses[__builtin_ctz(rest)] + bytes - 1) / 32;
        sectors[count++] = first;
        if (last != first) sectors[count++] = last;
    }
    u64 asked = static_cast<u64>(bytes) * static_cast<u32>(__builtin_popcount(mask));
    (store ? counters.globalStoreBytes : counters.globalLoadBytes) += asked;
    u32 touched = distinct(sectors, count);
    (store ? counters.globalStoreSectors : counters.globalLoadSectors) += touched;
    SectorSet& all = store ? counters.stored : counters.loaded;
    for (u32 k = 0; k < touched; k++) all.insert(sectors[k]);
    counters.globalRequests++;
}

void countShared(Counters& counters, const u64* offsets, u32 mask, u32 bytes) {
    u32 groupLanes = bytes <= 4 ? 32 : 128 / bytes;
    counters.sharedAccesses++;
    for (u32 first = 0; first < kLanes; first += groupLanes) {
        u32 group = mask & (groupLanes == 32 ? kAllLanes : ((1u << groupLanes) - 1) << first);
        if (group == 0) continue;
        counters.sharedWavefronts += passes(offsets, group, bytes);
        counters.sharedIdeal++;
    }
}

}  // namespace softcuda
