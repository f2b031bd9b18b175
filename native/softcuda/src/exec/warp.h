// The state that instructions act on, and the decoded instruction itself.
//
// A warp's registers lie in one file of bytes: a 64-bit register is 32 u64 (256 bytes), a 32-bit one 32 u32 (128 bytes), a 16-bit one
// 32 u16 (64 bytes), a predicate one u32 with a bit a lane. Immediates and most special registers are registers too (written once), so a
// handler only ever reads register-file offsets. Vectors of lanes are 64-byte aligned.
#pragma once

#include <vector>

#include "../base.h"

namespace softcuda {

struct Warp;
struct Block;
struct Launch;
struct Kernel;
struct Counters;
struct BlockShadow;
struct Site;

struct Inst;
// Executes one instruction for the lanes of `Warp::mask`; returns the next one, or null to leave the warp (Warp::pc and state are set).
using Run = const Inst* (*)(Warp&, const Inst*);

struct alignas(64) Inst {
    Run run = nullptr;
    u32 op[7] = {};       // register-file offsets in bytes, destination first by custom
    u32 site = 0;         // index into Function::sites: PTX line, CUDA source line, text
    u64 imm = 0;          // what the handler wants: an address offset, a mode, ...
    u32* list = nullptr;  // more register-file offsets (vectors, fragments), owned by the Function
    union {
        const Inst* target = nullptr;  // of a branch
        const void* form;              // what a handler's family keeps beside, for ever
    };
};

enum class WarpState : u8 { ready, barrier, exited };

// One entry of the divergence stack: lanes `mask` continue at `pc` and wait for their siblings at `reconverge`.
struct Path {
    const Inst* pc;
    const Inst* reconverge;
    u32 mask;
};

struct Frame {
    const Inst* returnTo;
    u8* regs;
    u32 active;
    u32 pathBase;
    u32 localBase;
    const struct Function* function;
};

// A cp.async that has been issued and not landed: the copy is made when it must be visible, not before.
struct PendingCopy {
    const u8* source;
    u32 destination;  // offset in shared memory
    u16 bytes;        // copied: 4, 8, 16
    u16 sourceBytes;  // the rest is filled with zero
    u8 lane;
    u32 group;  // commit group; kOpenGroup until committed
    u32 site;
    u32 serial;  // Warp::issuedCopies when it was issued
};
inline constexpr u32 kOpenGroup = 0xffffffffu;

struct Warp {
    u8* regs = nullptr;  // of the current frame
    u32 active = 0;      // lanes on the current path
    u32 mask = 0;        // lanes that the current instruction acts on: active, or fewer under a guard
    const Inst* pc = nullptr;
    WarpState state = WarpState::ready;
    u32 index = 0;   // in the block
    u32 lanes = 0;   // lanes that exist
    u32 exited = 0;  // lanes that have ended
    Block* block = nullptr;
    const struct Function* function = nullptr;  // of the current frame
    Counters* counters = nullptr;               // null when nothing is counted
    u32 localBase = 0;                          // of the current frame, in each lane's local memory
    u8* local = nullptr;                        // [lane][localStride]
    u32 localStride = 0;
    u8* localShadow = nullptr;       // as `local`: 1 where written; null when unchecked
    u32 budget = 0;                  // backward branches left in this turn
    u32 carry = 0;                   // CC.CF, a bit a lane
    u32 random = 1;                  // xorshift state, from the seed and the warp
    u32 waitBarrier = 0;             // the barrier that state == barrier waits at
    const Inst* waitInst = nullptr;  // the instruction that waits there, and its lanes
    u32 waitMask = 0;
    u8* regsEnd = nullptr;    // of the memory for frames
    std::vector<Path> paths;  // the last one is running; paths[i].mask holds the lanes of the paths above that wait for it
    std::vector<Frame> frames;
    std::vector<PendingCopy> copies;
    u32 committedGroups[kLanes] = {};
    u32 issuedCopies = 0;
    const Inst* failedWait = nullptr;  // the last wait for an mbarrier that found it incomplete

    template <class T>
    T* r(u32 offset) {
        return reinterpret_cast<T*>(regs + offset);
    }
    u32& p(u32 offset) { return *reinterpret_cast<u32*>(regs + offset); }
};

struct BarrierState {
    u32 arrivedWarps = 0;     // bit a warp
    u32 arrivedThreads = 0;   // as the hardware counts: whole warps
    u32 expectedThreads = 0;  // 0: not in use
    u32 votes = 0;            // of barrier.red: threads whose predicate holds, and that took part
    u32 voters = 0;
};

// A cp.async.mbarrier.arrive whose copies have not landed: it arrives when they do.
struct PendingArrival {
    u32 barrier;  // offset in shared memory
    Warp* warp;
    u8 lane;
    u32 copies;  // Warp::issuedCopies when it was issued
};

struct Block {
    const Launch* launch = nullptr;
    const Kernel* kernel = nullptr;
    u32 id[3] = {};  // %ctaid
    u64 linear = 0;
    u32 worker = 0;        // which CPU thread runs it (%smid)
    u8* shared = nullptr;  // static, then dynamic shared memory
    u32 sharedBytes = 0;
    BlockShadow* shadow = nullptr;  // null when unchecked
    u32 warpCount = 0;
    Warp* warps = nullptr;
    BarrierState barriers[16];
    std::vector<PendingArrival> arrivals;
    u32 idleWaits = 0;  // waits for mbarriers in a row that failed while no warp could do anything else
};

// --- Helpers for handlers ---------------------------------------------------------------------------------------------------------

// d[lane] = f(lane) for the lanes of `mask`; the full warp takes a loop that g++ vectorises. f may read lane l of the destination's own
// place, and of no other lane.
template <class T, class F>
inline __attribute__((always_inline)) void forLanes(u32 mask, T* d, F f) {
    if (__builtin_expect(mask == kAllLanes, 1)) {
#pragma GCC ivdep
        for (u32 l = 0; l < kLanes; l++) d[l] = f(l);
    } else {
#pragma GCC ivdep
        for (u32 l = 0; l < kLanes; l++) d[l] = (mask >> l & 1) ? f(l) : d[l];
    }
}

// Handlers of instructions whose lanes are independent: op[0] = F(op[1], op[2], ...).
template <auto F, class D, class A>
const Inst* lanes1(Warp& w, const Inst* i) {
    const A* a = w.r<A>(i->op[1]);
    forLanes(w.mask, w.r<D>(i->op[0]), [&](u32 l) { return static_cast<D>(F(a[l])); });
    return i + 1;
}
template <auto F, class D, class A, class B>
const Inst* lanes2(Warp& w, const Inst* i) {
    const A* a = w.r<A>(i->op[1]);
    const B* b = w.r<B>(i->op[2]);
    forLanes(w.mask, w.r<D>(i->op[0]), [&](u32 l) { return static_cast<D>(F(a[l], b[l])); });
    return i + 1;
}
template <auto F, class D, class A, class B, class C>
const Inst* lanes3(Warp& w, const Inst* i) {
    const A* a = w.r<A>(i->op[1]);
    const B* b = w.r<B>(i->op[2]);
    const C* c = w.r<C>(i->op[3]);
    forLanes(w.mask, w.r<D>(i->op[0]), [&](u32 l) { return static_cast<D>(F(a[l], b[l], c[l])); });
    return i + 1;
}
template <auto F, class D, class A, class B, class C, class E>
const Inst* lanes4(Warp& w, const Inst* i) {
    const A* a = w.r<A>(i->op[1]);
    const B* b = w.r<B>(i->op[2]);
    const C* c = w.r<C>(i->op[3]);
    const E* e = w.r<E>(i->op[4]);
    forLanes(w.mask, w.r<D>(i->op[0]), [&](u32 l) { return static_cast<D>(F(a[l], b[l], c[l], e[l])); });
    return i + 1;
}

// Sets the lanes of `mask` in predicate `d` to `bits`.
inline void setPredicate(u32& d, u32 bits, u32 mask) { d = (d & ~mask) | (bits & mask); }

}  // namespace softcuda
