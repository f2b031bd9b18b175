// What happened to each byte of a block's shared memory since the last barrier: who wrote, who read, what is still on its way.
#pragma once

#include "../exec/warp.h"

namespace softcuda {

struct BlockShadow;

// Created once a worker thread and reset for each block; all take the current instruction for the report.
BlockShadow* newBlockShadow();
void deleteBlockShadow(BlockShadow* shadow);
void resetBlockShadow(BlockShadow* shadow, u32 sharedBytes, u32 warpCount, bool partialBarriers);

// `warps` (bit a warp) have met at a barrier: what each did before it is ordered before what any of them does after.
void orderAtBarrier(BlockShadow* shadow, u32 warps);
// Fills fresh shared memory with the poison pattern.
void poisonShared(u8* shared, u32 bytes);

// The lanes of `mask` of this warp have met (bar.warp.sync, shfl.sync, ...).
void orderInWarp(BlockShadow* shadow, Warp& warp, u32 mask);

}  // namespace softcuda
