// What one warp-level access costs in memory traffic, for the counters. All take the byte offsets or addresses of the lanes of `mask`.
#pragma once

#include "../counters.h"
#include "warp.h"

namespace softcuda {

// Global memory: bytes asked for, and 32-byte sectors touched.
void countGlobal(Counters& counters, const u64* addresses, u32 mask, u32 bytes, bool store);

// Shared memory: passes over the 32 banks of 4 bytes. Lanes are served in groups: all at once for at most 4 bytes a lane, halves for 8,
// quarters for 16; in a group each distinct word of a bank takes a pass. Without conflicts every group takes one.
void countShared(Counters& counters, const u64* offsets, u32 mask, u32 bytes);

}  // namespace softcuda
