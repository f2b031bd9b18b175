// Branches, reconvergence, calls and returns.
//
// The paths of a diverged warp form a stack. A branch whose lanes disagree leaves an entry that waits at the immediate post-dominator with
// all its lanes, and puts one entry for each side above it; the last entry runs. When it reaches the point where it meets its siblings, the
// entry is dropped and the next one runs, at last the one that waits with all lanes. A side that starts at the meeting point needs no
// entry.
#include "flow_control.h"

#include <cuda.h>

#include <algorithm>
#include <cstring>

#include "../check/checker.h"
#include "../counters.h"
#include "../memory/device_memory.h"
#include "engine.h"

namespace softcuda {
namespace {

template <class T>
void broadcast(u8* at, u64 value) {
    for (u32 l = 0; l < kLanes; l++) reinterpret_cast<T*>(at)[l] = static_cast<T>(value);
}

u32 laneMask(Special which, u32 lane) {
    u32 eq = 1u << lane, lt = eq - 1;
    switch (which) {
        case Special::lanemaskEq:
            return eq;
        case Special::lanemaskLe:
            return lt | eq;
        case Special::lanemaskLt:
            return lt;
        case Special::lanemaskGe:
            return ~lt;
        default:
            return ~(lt | eq);
    }
}

u32 specialValue(const Warp& w, Special which, u32 lane) {
    const Block& block = *w.block;
    const Launch& launch = *block.launch;
    u32 thread = w.index * kLanes + lane;
    auto dimension = [&](Special first) { return static_cast<u32>(which) - static_cast<u32>(first); };
    switch (which) {
        case Special::tidX:
            return thread % launch.block[0];
        case Special::tidY:
            return thread / launch.block[0] % launch.block[1];
        case Special::tidZ:
            return thread / launch.block[0] / launch.block[1];
        case Special::ntidX:
        case Special::ntidY:
        case Special::ntidZ:
            return launch.block[dimension(Special::ntidX)];
        case Special::ctaidX:
        case Special::ctaidY:
        case Special::ctaidZ:
            return block.id[dimension(Special::ctaidX)];
        case Special::nctaidX:
        case Special::nctaidY:
        case Special::nctaidZ:
            return launch.grid[dimension(Special::nctaidX)];
        case Special::laneid:
            return lane;
        case Special::warpid:
            return w.index;
        case Special::nwarpid:
            return block.warpCount;
        case Special::smid:
            return block.worker;
        case Special::nsmid:
            return settings().threads;
        case Special::dynamicShared:
            return launch.dynamicShared;
        case Special::totalShared:
            return block.sharedBytes;
        case Special::gridid:
            return static_cast<u32>(launch.serial);
        case Special::zero:
            return 0;
        case Special::one:
            return 1;
        default:
            return laneMask(which, lane);
    }
}

const Inst* resume(Warp& w) {
    const Path& top = w.paths.back();
    w.active = w.mask = top.mask;
    return top.pc;
}

// Back to the caller's frame, with the results of all lanes; gives where it goes on.
const Inst* popFrame(Warp& w) {
    const Frame frame = w.frames.back();
    const CallTarget& target = *reinterpret_cast<const CallTarget*>((frame.returnTo - 1)->imm);
    for (const auto& result : target.results) std::memcpy(frame.regs + result.caller, w.regs + result.callee, result.bytes);
    w.regs = frame.regs;
    w.localBase = frame.localBase;
    w.function = frame.function;
    w.frames.pop_back();
    return frame.returnTo;
}

// Where the lanes of a branch meet again; null if they do not.
const Inst* meetingOf(const Inst* i) { return i->list == nullptr ? nullptr : *reinterpret_cast<const Inst* const*>(i->list); }

// Splits the running path: `pcs[k]` with `masks[k]`; side `first` runs first, any if there is no such side.
const Inst* diverge(Warp& w, const Inst* meeting, const Inst* const* pcs, const u32* masks, u32 count, u32 first) {
    if (w.counters) w.counters->divergentBranches++;
    const Inst* outer = w.paths.back().reconverge;
    if (meeting == nullptr) meeting = outer;
    if (meeting == outer)
        w.paths.pop_back();
    else
        w.paths.back().pc = meeting;
    // The entry that is pushed last runs first.
    u32 start = first < count ? first + 1 : 0;
    if (first >= count && settings().checked()) {
        w.random ^= w.random << 13, w.random ^= w.random >> 17, w.random ^= w.random << 5;
        start = w.random % count;
    }
    for (u32 k = 0; k < count; k++) {
        u32 side = (start + k) % count;
        if (pcs[side] != meeting || meeting == nullptr) w.paths.push_back({pcs[side], meeting, masks[side]});
    }
    return resume(w);
}

const Inst* go(Warp& w, const Inst* from, const Inst* to) {
    if (to <= from && --w.budget == 0) {
        w.pc = to;
        return nullptr;
    }
    return to;
}

template <class Register, class Value>
const Inst* loadAreaOf(Warp& w, const Inst* i) {
    const u8* from = w.regs + i->op[1] + i->imm;
    u32 size = i->op[2];
    forLanes(w.mask, w.r<Register>(i->op[0]), [&](u32 l) {
        Value value;
        std::memcpy(&value, from + l * size, sizeof value);
        return static_cast<Register>(value);
    });
    return i + 1;
}

template <class Register, class Value>
const Inst* storeAreaOf(Warp& w, const Inst* i) {
    u8* to = w.regs + i->op[1] + i->imm;
    u32 size = i->op[2];
    const Register* values = w.r<Register>(i->op[0]);
    for (u32 l = 0; l < kLanes; l++) {
        Value value = static_cast<Value>(values[l]);
        if (w.mask >> l & 1) std::memcpy(to + l * size, &value, sizeof value);
    }
    return i + 1;
}

template <class Register>
Run areaOf(bool store, ptx::Type type) {
    bool extend = ptx::isSigned(type);
    switch (ptx::bitsOf(type)) {
        case 8:
            return store ? storeAreaOf<Register, u8> : extend ? loadAreaOf<Register, i8> : loadAreaOf<Register, u8>;
        case 16:
            return store ? storeAreaOf<Register, u16> : extend ? loadAreaOf<Register, i16> : loadAreaOf<Register, u16>;
        case 32:
            return store ? storeAreaOf<Register, u32> : extend ? loadAreaOf<Register, i32> : loadAreaOf<Register, u32>;
        default:
            return store ? storeAreaOf<Register, u64> : loadAreaOf<Register, u64>;
    }
}

Run area(bool store, u32 bits, ptx::Type type) {
    return bits == 16 ? areaOf<u16>(store, type) : bits == 32 ? areaOf<u32>(store, type) : areaOf<u64>(store, type);
}

}  // namespace

void fillFrame(Warp& w, const Function& function) {
    for (const auto& c : function.constants) {
        u8* at = w.regs + c.offset;
        if (c.bits == 1)
            *reinterpret_cast<u32*>(at) = static_cast<u32>(c.value);
        else if (c.bits == 16)
            broadcast<u16>(at, c.value);
        else if (c.bits == 32)
            broadcast<u32>(at, c.value);
        else
            broadcast<u64>(at, c.value);
    }
    for (const auto& [offset, which] : function.specials)
        for (u32 l = 0; l < kLanes; l++) {
            if (which == Special::gridid)
                w.r<u64>(offset)[l] = w.block->launch->serial;
            else
                w.r<u32>(offset)[l] = specialValue(w, which, l);
        }
}

void startWarp(Warp& w, const Function& function) {
    w.function = &function;
    w.exited = 0;
    w.localBase = 0;
    w.state = WarpState::ready;
    w.paths.clear();
    w.frames.clear();
    w.copies.clear();
    w.failedWait = nullptr;
    std::fill(w.committedGroups, w.committedGroups + kLanes, 0);
    w.paths.push_back({function.code.data(), nullptr, w.lanes});
    w.pc = resume(w);
    fillFrame(w, function);
}

const Inst* endLanes(Warp& w, u32 lanes) {
    w.exited |= lanes;
    for (auto& path : w.paths) path.mask &= ~lanes;
    while (!w.paths.empty() && w.paths.back().mask == 0) {
        w.paths.pop_back();
        if (!w.frames.empty() && w.paths.size() == w.frames.back().pathBase) {
            // The last lanes of a call have ended: the caller goes on with those that returned, if any.
            const Inst* next = popFrame(w);
            if (!w.paths.empty()) w.paths.back().pc = next;
        }
    }
    if (w.paths.empty()) {
        w.active = w.mask = 0;
        w.state = WarpState::exited;
        return nullptr;
    }
    return resume(w);
}

const Inst* returnLanes(Warp& w, u32 lanes) {
    std::size_t base = w.frames.back().pathBase;
    for (std::size_t p = base; p < w.paths.size(); p++) w.paths[p].mask &= ~lanes;
    while (w.paths.size() > base && w.paths.back().mask == 0) w.paths.pop_back();
    if (w.paths.size() > base) return resume(w);
    const Inst* next = popFrame(w);
    w.active = w.mask = w.paths.back().mask;
    return next;
}

namespace control {

const Inst* guarded(Warp& w, const Inst* i) {
    w.mask = w.active & (w.p(i->op[0]) ^ static_cast<u32>(i->imm));
    if (w.mask == 0) {
        w.mask = w.active;
        return i + 2;
    }
    const Inst* next = i[1].run(w, i + 1);
    w.mask = w.active;
    return next;
}

const Inst* reconverge(Warp& w, const Inst* i) {
    if (w.paths.back().reconverge != i) return i + 1;
    w.paths.pop_back();
    return resume(w);
}

const Inst* countBlock(Warp& w, const Inst* i) {
    const u32* counts = w.function->blockClasses[i->imm].data();
    for (u32 c = 0; c < static_cast<u32>(InstClass::count); c++) w.counters->classes[c] += counts[c];
    w.counters->laneInstructions += static_cast<u64>(counts[static_cast<u32>(InstClass::count)]) * __builtin_popcount(w.active);
    return i + 1;
}

const Inst* jump(Warp& w, const Inst* i) { return go(w, i, i->target); }

const Inst* branch(Warp& w, const Inst* i) {
    u32 taken = w.active & (w.p(i->op[0]) ^ (i->imm ? kAllLanes : 0));
    if (w.counters) w.counters->branches++;
    if (taken == 0) return i + 1;
    if (taken == w.active) return go(w, i, i->target);
    const Inst* pcs[] = {i->target, i + 1};
    const u32 masks[] = {taken, w.active & ~taken};
    const Inst* next = diverge(w, meetingOf(i), pcs, masks, 2, i->op[control::firstSide]);
    return i->target <= i ? go(w, next, next) : next;
}

const Inst* branchTable(Warp& w, const Inst* i) {
    const auto& table = *reinterpret_cast<const std::vector<const Inst*>*>(i->imm);
    const u32* index = w.r<u32>(i->op[0]);
    std::vector<const Inst*> pcs;
    std::vector<u32> masks;
    if (w.counters) w.counters->branches++;
    for (u32 rest = w.active; rest != 0;) {
        u32 lane = static_cast<u32>(__builtin_ctz(rest));
        if (index[lane] >= table.size()) fault(CUDA_ERROR_ILLEGAL_INSTRUCTION, w, i, lane, "brx.idx beyond its table of targets");
        const Inst* target = table[index[lane]];
        u32 mask = 0;
        for (u32 l = lane; l < kLanes; l++)
            if ((rest >> l & 1) && index[l] < table.size() && table[index[l]] == target) mask |= 1u << l;
        pcs.push_back(target);
        masks.push_back(mask);
        rest &= ~mask;
    }
    if (pcs.size() == 1) return go(w, i, pcs[0]);
    const Inst* next = diverge(w, meetingOf(i), pcs.data(), masks.data(), static_cast<u32>(pcs.size()), ~0u);
    return go(w, i, next);
}

const Inst* leave(Warp& w, const Inst* i) {
    if (w.mask == w.active) return endLanes(w, w.mask);
    u32 stay = w.active & ~w.mask;
    endLanes(w, w.mask);
    w.active = stay;
    return i + 1;
}

const Inst* returnFrom(Warp& w, const Inst* i) {
    if (w.mask == w.active) return returnLanes(w, w.mask);
    u32 stay = w.active & ~w.mask;
    returnLanes(w, w.mask);
    w.active = stay;
    return i + 1;
}

// A called function's local memory is new with each call.
void freshenLocal(Warp& w, u32 bytes) {
    if (w.localShadow == nullptr || bytes == 0) return;
    for (u32 rest = w.mask; rest != 0; rest &= rest - 1) {
        std::size_t at = static_cast<std::size_t>(__builtin_ctz(rest)) * w.localStride + w.localBase;
        std::memset(w.localShadow + at, 0, bytes);
        std::memset(w.local + at, kPoison, bytes);
    }
}

const Inst* call(Warp& w, const Inst* i) {
    const CallTarget& target = *reinterpret_cast<const CallTarget*>(i->imm);
    const Function& callee = *target.function;
    u8* regs = w.regs + w.function->frameBytes;
    u32 localBase = w.localBase + w.function->localBytes;
    if (regs + callee.frameBytes > w.regsEnd || localBase + callee.localBytes > w.localStride)
        fault(CUDA_ERROR_LAUNCH_FAILED, w, i, static_cast<u32>(__builtin_ctz(w.mask)), "calls nested too deep: the stack is exhausted");
    for (const auto& argument : target.arguments) std::memcpy(regs + argument.callee, w.regs + argument.caller, argument.bytes);
    w.frames.push_back({i + 1, w.regs, w.active, static_cast<u32>(w.paths.size()), w.localBase, w.function});
    w.regs = regs;
    w.localBase = localBase;
    w.function = &callee;
    freshenLocal(w, callee.localBytes);
    fillFrame(w, callee);
    w.paths.push_back({callee.code.data(), nullptr, w.mask});
    return resume(w);
}

const Inst* localAddress(Warp& w, const Inst* i) {
    u64 address = w.localBase + i->imm;
    if (i->op[1] == 64)
        forLanes(w.mask, w.r<u64>(i->op[0]), [&](u32) { return address; });
    else
        forLanes(w.mask, w.r<u32>(i->op[0]), [&](u32) { return static_cast<u32>(address); });
    return i + 1;
}

Run loadArea(u32 registerBits, ptx::Type type) { return area(false, registerBits, type); }
Run storeArea(u32 registerBits, ptx::Type type) { return area(true, registerBits, type); }

}  // namespace control
}  // namespace softcuda
