// The families of instructions; see binder.h.
#pragma once

#include "binder.h"

namespace softcuda {

bool bindInteger(Binder& b);     // integer arithmetic, bit operations, shifts, video-free: integer.cpp
bool bindFloat(Binder& b);       // f32, f64: float.cpp
bool bindHalf(Binder& b);        // f16, f16x2, bf16, bf16x2: half.cpp
bool bindApprox(Binder& b);      // ex2, lg2, sin, cos, tanh, rcp, rsqrt, sqrt, div approximations: approx.cpp
bool bindCompare(Binder& b);     // setp, set, selp, slct, logic on predicates: compare.cpp
bool bindMove(Binder& b);        // mov with packing and unpacking, prmt, cvta, isspacep: move.cpp
bool bindConvert(Binder& b);     // cvt: convert.cpp
bool bindMemory(Binder& b);      // ld, st, prefetch, ldmatrix, stmatrix, cp.async: memory*.cpp
bool bindAtomic(Binder& b);      // atom, red: atomic.cpp
bool bindCollective(Binder& b);  // shfl, vote, match, redux, activemask, elect: collective.cpp
bool bindMatrix(Binder& b);      // mma.sync: matrix.cpp
bool bindBarrier(Binder& b);     // bar, barrier, membar, fence, mbarrier, nanosleep: barrier.cpp
bool bindControl(Binder& b);     // special registers that change, trap, brkpt, exit: control.cpp

}  // namespace softcuda
