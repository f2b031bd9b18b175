// What happened to each byte of a block's shared memory: who wrote and read it since it was last ordered, what is still on its way.
//
// An access races with an earlier one to the same byte if one of them writes, they are not both atomic, and nothing orders them: a barrier
// of the block between different warps, a warp-synchronising instruction between lanes of one warp.
#pragma once

#include "../exec/memory_access.h"
#include "../exec/warp.h"

namespace softcuda {

struct BlockShadow;

// Created once for each block that runs at a time, and reset for each new one. Where not all warps meet at every barrier
// (`partialBarriers`) the order is kept for each pair of warps.
BlockShadow* newBlockShadow();
void deleteBlockShadow(BlockShadow* shadow);
void resetBlockShadow(BlockShadow* shadow, u32 sharedBytes, u32 warpCount, bool partialBarriers);

// Fills fresh shared memory with the poison pattern.
void poisonShared(u8* shared, u32 bytes);

// Checks and records one instruction's accesses: lane l of `mask` touches `bytes` bytes at offsets[l], inside of shared memory. `values`
// holds what lanes write, lane l's at values + l * bytes: lanes of one instruction may write the same bytes to the same place; null where
// that does not matter.
void checkShared(BlockShadow* shadow, Warp& w, const Inst* i, u32 mask, const u64* offsets, u32 bytes, Access access, const u8* values);
// A cp.async is issued to these bytes, which count as written: nobody may touch them until it lands.
void beginCopy(BlockShadow* shadow, u64 offset, u32 bytes);
void landCopy(BlockShadow* shadow, const Warp& w, u32 lane, u64 offset, u32 bytes);

// What `warp` did is ordered before what those do that acquire from the object afterwards. Objects: offsets of mbarriers, barrierObject().
void releaseTo(BlockShadow* shadow, u32 warp, u32 object);
void acquireFrom(BlockShadow* shadow, u32 warp, u32 object);
inline u32 barrierObject(u32 index) { return 0x80000000u | index; }
// Barrier `index` has completed, and the warps of `waiting` (bit a warp) go on; all that arrived had released to its object.
void orderAtBarrier(BlockShadow* shadow, u32 index, u32 waiting);

// The lanes of `mask` of this warp have met (bar.warp.sync, shfl.sync, ...).
void orderInWarp(BlockShadow* shadow, Warp& w, u32 mask);

}  // namespace softcuda
