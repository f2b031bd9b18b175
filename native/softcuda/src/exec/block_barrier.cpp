// bar.sync, bar.arrive, bar.red, barrier.* and bar.warp.sync.
//
// A warp counts as 32 threads at a barrier, as on the hardware. The barrier completes when the expected number has arrived: the whole
// block, or the count that the instruction gives. When checked, all lanes of a warp that have not ended must arrive together (the
// instructions that nvcc emits are `.aligned`); `barrier.sync` in diverged code is a finding too.
#include "block_barrier.h"

#include <cuda.h>

#include "../check/checker.h"
#include "../check/shared_shadow.h"
#include "families.h"
#include "flow_control.h"

namespace softcuda {
namespace {

enum Mode : u64 { sync = 0, arrive = 1, popc = 2, all = 3, any = 4, modeBits = 7, counted = 8, negated = 16 };

void deliver(Warp& w, const BarrierState& barrier) {
    const Inst* i = w.waitInst;
    u64 mode = i->imm & modeBits;
    if (mode == popc) forLanes(w.waitMask, w.r<u32>(i->op[3]), [&](u32) { return barrier.votes; });
    if (mode == all) setPredicate(w.p(i->op[3]), barrier.votes == barrier.voters ? kAllLanes : 0, w.waitMask);
    if (mode == any) setPredicate(w.p(i->op[3]), barrier.votes != 0 ? kAllLanes : 0, w.waitMask);
}

void release(Block& block, u32 index) {
    BarrierState barrier = block.barriers[index];
    block.barriers[index] = {};
    u32 waiting = 0;
    for (u32 k = 0; k < block.warpCount; k++) {
        Warp& w = block.warps[k];
        if (w.state != WarpState::barrier || w.waitBarrier != index) continue;
        deliver(w, barrier);
        w.state = WarpState::ready;
        waiting |= 1u << k;
    }
    if (block.shadow) orderAtBarrier(block.shadow, index, waiting);
}

u32 uniform(Warp& w, const Inst* i, u32 op, const char* what) {
    const u32* values = w.r<u32>(op);
    u32 first = static_cast<u32>(__builtin_ctz(w.mask));
    for (u32 l = 0; l < kLanes; l++)
        if ((w.mask >> l & 1) && values[l] != values[first])
            fault(CUDA_ERROR_ILLEGAL_INSTRUCTION, w, i, l, std::string(what) + " differs between the lanes of a warp");
    return values[first];
}

void checkAligned(Warp& w, const Inst* i, u32 index) {
    if (!settings().checked() || w.mask == liveLanes(w)) return;
    u32 missing = liveLanes(w) & ~w.mask;
    u32 lane = static_cast<u32>(__builtin_ctz(missing));
    tell(Finding::divergentBarrier, w, i, lane,
         "barrier " + std::to_string(index) + " is reached by " + std::to_string(__builtin_popcount(w.mask)) + " of the " +
             std::to_string(__builtin_popcount(liveLanes(w))) + " threads of the warp");
}

const Inst* blockBarrier(Warp& w, const Inst* i) {
    u32 index = uniform(w, i, i->op[0], "the barrier's number");
    if (index >= 16) fault(CUDA_ERROR_ILLEGAL_INSTRUCTION, w, i, 0, "barrier " + std::to_string(index) + " does not exist: there are 16");
    checkAligned(w, i, index);
    Block& block = *w.block;
    BarrierState& barrier = block.barriers[index];
    u32 expected = i->imm & counted ? uniform(w, i, i->op[1], "the barrier's thread count") : block.warpCount * kLanes;
    if (expected == 0 || expected % kLanes != 0 || expected > block.warpCount * kLanes)
        fault(CUDA_ERROR_ILLEGAL_INSTRUCTION, w, i, 0,
              "a barrier for " + std::to_string(expected) + " threads in a block of " + std::to_string(block.warpCount) + " warps");
    if (barrier.expectedThreads != 0 && barrier.expectedThreads != expected)
        tell(Finding::divergentBarrier, w, i, static_cast<u32>(__builtin_ctz(w.mask)),
             "barrier " + std::to_string(index) + " is in use for " + std::to_string(barrier.expectedThreads) +
                 " threads, this warp expects " + std::to_string(expected));
    barrier.expectedThreads = expected;
    barrier.arrivedThreads += kLanes;
    barrier.arrivedWarps |= 1u << w.index;
    if (block.shadow) releaseTo(block.shadow, w.index, barrierObject(index));
    u64 mode = i->imm & modeBits;
    if (mode >= popc) {
        u32 votes = (w.p(i->op[2]) ^ (i->imm & negated ? kAllLanes : 0)) & w.mask;
        barrier.votes += static_cast<u32>(__builtin_popcount(votes));
        barrier.voters += static_cast<u32>(__builtin_popcount(w.mask));
    }
    if (mode != arrive) {
        w.state = WarpState::barrier;
        w.waitBarrier = index;
        w.waitInst = i;
        w.waitMask = w.mask;
        w.pc = i + 1;
    }
    if (barrier.arrivedThreads >= expected) release(block, index);
    return w.state == WarpState::barrier ? nullptr : i + 1;
}

const Inst* warpBarrier(Warp& w, const Inst* i) {
    const u32* members = w.r<u32>(i->op[0]);
    for (u32 l = 0; settings().checked() && l < kLanes; l++) {
        if (!(w.mask >> l & 1)) continue;
        u32 missing = (members[l] & liveLanes(w) & ~w.mask) | (members[l] >> l & 1 ? 0 : 1u << l);
        if (missing == 0) continue;
        tell(Finding::divergentBarrier, w, i, l, "bar.warp.sync with a mask that names lanes which are not here, or not this one");
        break;
    }
    if (w.block->shadow) orderInWarp(w.block->shadow, w, w.mask);
    return i + 1;
}

// The operands after the destination: number, thread count, predicate.
void bindBlockBarrier(Binder& b, u64 mode) {
    const auto& operands = b.in().operands;
    std::size_t at = 0, end = operands.size() - (mode >= popc ? 1 : 0);
    if (operands.size() < (mode >= popc ? 3u : mode == arrive ? 2u : 1u)) throw b.unsupported("too few operands");
    if (mode == popc) b.write(3, operands[at++], ptx::Type::u32);
    if (mode == all || mode == any) b.writePredicate(3, operands[at++]);
    b.read(0, operands[at++], ptx::Type::u32);
    if (at < end) {
        b.read(1, operands[at++], ptx::Type::u32);
        mode |= counted;
    }
    if (at != end) throw b.unsupported("too many operands");
    if ((mode & modeBits) >= popc && b.readPredicate(2, operands[at])) mode |= negated;
    b.out().imm = mode;
    b.out().run = blockBarrier;
}

}  // namespace

bool bindBlockBarrier(Binder& b) {
    const auto& in = b.in();
    if (in.opcode != "bar" && in.opcode != "barrier") return false;
    if (in.has("cluster")) throw b.unsupported("clusters are not supported");
    // Neither changes what is done.
    in.has("cta");
    in.has("aligned");
    if (in.has("warp")) {
        if (!in.has("sync")) throw b.unsupported();
        b.read(0, in.operands.at(0), ptx::Type::b32);
        b.out().run = warpBarrier;
    } else if (in.has("sync")) {
        bindBlockBarrier(b, sync);
    } else if (in.has("arrive")) {
        bindBlockBarrier(b, arrive);
    } else if (in.has("red") && (in.has("popc") || in.has("and") || in.has("or"))) {
        if (in.type() != (in.has("popc") ? ptx::Type::u32 : ptx::Type::pred)) throw b.unsupported();
        bindBlockBarrier(b, in.has("popc") ? popc : in.has("and") ? all : any);
    } else {
        throw b.unsupported();
    }
    return true;
}

bool releaseAfterExit(Block& block) {
    if (settings().checked()) return false;
    u32 exited = 0;
    for (u32 k = 0; k < block.warpCount; k++) exited += block.warps[k].state == WarpState::exited ? kLanes : 0;
    bool released = false;
    for (u32 index = 0; index < 16; index++) {
        const BarrierState& barrier = block.barriers[index];
        if (barrier.arrivedThreads == 0 || barrier.arrivedThreads + exited < barrier.expectedThreads) continue;
        release(block, index);
        released = true;
    }
    return released;
}

void tellStuck(Block& block) {
    std::string others;
    Warp* waiting = nullptr;
    for (u32 k = 0; k < block.warpCount; k++) {
        Warp& w = block.warps[k];
        if (w.state == WarpState::barrier && waiting == nullptr)
            waiting = &w;
        else
            others += (others.empty() ? "" : ", ") + std::string("warp ") + std::to_string(k) +
                      (w.state == WarpState::barrier ? " waits at barrier " + std::to_string(w.waitBarrier) : " has ended");
    }
    const BarrierState& barrier = block.barriers[waiting->waitBarrier];
    std::string what = "barrier " + std::to_string(waiting->waitBarrier) + " waits for ever: " + std::to_string(barrier.arrivedThreads) +
                       " of " + std::to_string(barrier.expectedThreads) + " threads arrived; " + others;
    u32 lane = static_cast<u32>(__builtin_ctz(waiting->waitMask));
    if (!settings().checked()) fault(CUDA_ERROR_LAUNCH_TIMEOUT, *waiting, waiting->waitInst, lane, what);
    tell(Finding::divergentBarrier, *waiting, waiting->waitInst, lane, what);
    for (u32 index = 0; index < 16; index++)
        if (block.barriers[index].arrivedThreads != 0) release(block, index);
}

}  // namespace softcuda
