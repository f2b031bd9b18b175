// How a warp moves between paths and frames.
#pragma once

#include "decoder.h"

namespace softcuda {

// Writes the registers of `function` that hold constants and special registers into the frame at w.regs.
void fillFrame(Warp& w, const Function& function);

// Starts a warp at the entry of its kernel; w.lanes, block and memory are set.
void startWarp(Warp& w, const Function& function);

// Lanes leave the kernel or return from the function; gives what runs next, or null when the warp has ended.
const Inst* endLanes(Warp& w, u32 lanes);
const Inst* returnLanes(Warp& w, u32 lanes);

inline u32 liveLanes(const Warp& w) { return w.lanes & ~w.exited; }

}  // namespace softcuda
