// The places of all lanes of one access at once.
#pragma once

#include "memory_access.h"

namespace softcuda {

struct Places {
    u32 mask = 0;        // lanes that have one
    bool dense = false;  // all 32 lanes, each behind the one before without a gap
    u8* at[kLanes];      // of each lane in the mask; at[0] is the first byte where dense
};

// The places of `bytes` bytes at addresses[l] of every lane in w.mask; checks and marks as the functions in memory_access.h do, at the cost
// of a few vector operations where all lanes lie in one allocation. `values` as of checkShared().
using PlaceAll = void (*)(Warp& w, const Inst* i, const u64* addresses, u32 bytes, Access access, const u8* values, Places& places);

void globalPlaces(Warp& w, const Inst* i, const u64* addresses, u32 bytes, Access access, const u8* values, Places& places);
void sharedPlaces(Warp& w, const Inst* i, const u64* addresses, u32 bytes, Access access, const u8* values, Places& places);
void localPlaces(Warp& w, const Inst* i, const u64* addresses, u32 bytes, Access access, const u8* values, Places& places);
void genericPlaces(Warp& w, const Inst* i, const u64* addresses, u32 bytes, Access access, const u8* values, Places& places);

// As placeOf().
PlaceAll placesOf(Binder& b);

}  // namespace softcuda
