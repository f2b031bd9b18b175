// What ends a kernel by force, the registers that change while it runs, and barriers of the block.
#include <cuda.h>

#include <chrono>

#include "../check/checker.h"
#include "families.h"
#include "warp.h"

namespace softcuda {

bool bindBlockBarrier(Binder& b);  // block_barrier.cpp

namespace {

u64 nanoseconds() {
    auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<u64>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

u32 firstLane(const Warp& w) { return static_cast<u32>(__builtin_ctz(w.mask)); }

const Inst* trap(Warp& w, const Inst* i) { fault(CUDA_ERROR_LAUNCH_FAILED, w, i, firstLane(w), "trap"); }
const Inst* breakpoint(Warp& w, const Inst* i) { fault(CUDA_ERROR_LAUNCH_FAILED, w, i, firstLane(w), "brkpt without a debugger"); }

// %clock and its kin count nanoseconds: there is no timing model.
template <class T, u32 shift>
const Inst* clock(Warp& w, const Inst* i) {
    T now = static_cast<T>(nanoseconds() >> shift);
    forLanes(w.mask, w.r<T>(i->op[0]), [&](u32) { return now; });
    return i + 1;
}

bool bindClock(Binder& b) {
    const auto& in = b.in();
    if (in.opcode != "mov" || in.operands.size() != 2 || in.operands[1].kind != ptx::Operand::Kind::reg) return false;
    const std::string& name = in.operands[1].name;
    bool wide = name == "%clock64" || name == "%globaltimer";
    if (!wide && name != "%clock" && name != "%clock_hi" && name != "%globaltimer_lo" && name != "%globaltimer_hi") return false;
    if (ptx::bitsOf(in.type()) != (wide ? 64u : 32u)) throw b.unsupported();
    b.write(0, in.operands[0], wide ? ptx::Type::u64 : ptx::Type::u32);
    b.out().run = wide ? clock<u64, 0> : name.ends_with("_hi") ? clock<u32, 32> : clock<u32, 0>;
    return true;
}

}  // namespace

bool bindControl(Binder& b) {
    const std::string& op = b.in().opcode;
    if (op == "trap")
        b.out().run = trap;
    else if (op == "brkpt")
        b.out().run = breakpoint;
    else
        return bindBlockBarrier(b) || bindClock(b);
    return true;
}

}  // namespace softcuda
