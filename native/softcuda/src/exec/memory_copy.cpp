// cp.async and its groups. What is copied lands as late as the manual allows: when its thread waits for it.
#include <algorithm>
#include <cstring>

#include "../check/shared_shadow.h"
#include "access_count.h"
#include "families.h"
#include "flow_control.h"
#include "memory_access.h"

namespace softcuda {
namespace {

using ptx::Operand;
using ptx::Type;

enum Flags : u32 { wideTarget = 1, wideSource = 2, sourceSize = 4, ignoreSource = 8, negated = 16 };

// op: target, source, size of the source or predicate that ignores it, flags, bytes; imm: offsets of target (low half) and source.
struct Copy {
    u64 target, source;
    u32 bytes, sourceBytes;
};

Copy copyOf(Warp& w, const Inst* i, u32 lane) {
    u32 flags = i->op[3], bytes = i->op[4];
    u64 targetOffset = static_cast<u64>(static_cast<i32>(i->imm)), sourceOffset = static_cast<u64>(static_cast<i64>(i->imm) >> 32);
    Copy copy{addressOf(w, i->op[0], flags & wideTarget, targetOffset, lane),
              addressOf(w, i->op[1], flags & wideSource, sourceOffset, lane), bytes, bytes};
    if (!(flags & wideTarget)) copy.target = static_cast<u32>(copy.target);
    if (flags & sourceSize) copy.sourceBytes = std::min(bytes, w.r<u32>(i->op[2])[lane]);
    if ((flags & ignoreSource) && (w.p(i->op[2]) >> lane & 1) != (flags & negated ? 1u : 0u)) copy.sourceBytes = 0;
    return copy;
}

// The source must be aligned to the whole copy, and is read only as far as it goes.
const u8* sourceOf(Warp& w, const Inst* i, u32 lane, const Copy& copy) {
    if (copy.sourceBytes == copy.bytes || copy.source % copy.bytes != 0)
        return globalPlace(w, i, lane, copy.source, copy.bytes, Access::read);
    const u8* first = globalPlace(w, i, lane, copy.source, 1, Access::read);
    for (u32 k = 1; k < copy.sourceBytes && first != nullptr; k++)
        if (globalPlace(w, i, lane, copy.source + k, 1, Access::read) == nullptr) first = nullptr;
    return first;
}

const Inst* copyAsync(Warp& w, const Inst* i) {
    u64 targets[kLanes] = {}, sources[kLanes] = {};
    u32 reading = 0, bytes = i->op[4];
    for (u32 rest = w.mask; rest != 0; rest &= rest - 1) {
        u32 lane = static_cast<u32>(__builtin_ctz(rest));
        Copy copy = copyOf(w, i, lane);
        targets[lane] = copy.target;
        sources[lane] = copy.source;
        reading |= static_cast<u32>(copy.sourceBytes != 0) << lane;
        const u8* from = copy.sourceBytes == 0 ? nullptr : sourceOf(w, i, lane, copy);
        if (from == nullptr && copy.sourceBytes != 0) continue;
        if (sharedPlace(w, i, lane, copy.target, bytes, Access::write) == nullptr) continue;
        if (w.block->shadow) beginCopy(w.block->shadow, copy.target, bytes);
        w.copies.push_back({from, static_cast<u32>(copy.target), static_cast<u16>(bytes), static_cast<u16>(copy.sourceBytes),
                            static_cast<u8>(lane), kOpenGroup, i->site, w.issuedCopies++});
    }
    if (w.counters) {
        if (reading != 0) countGlobal(*w.counters, sources, reading, bytes, false);
        countShared(*w.counters, targets, w.mask, bytes);
    }
    return i + 1;
}

void land(Warp& w, const PendingCopy& copy) {
    u8* to = w.block->shared + copy.destination;
    if (copy.sourceBytes != 0) std::memcpy(to, copy.source, copy.sourceBytes);
    std::memset(to + copy.sourceBytes, 0, copy.bytes - copy.sourceBytes);
    if (w.block->shadow) landCopy(w.block->shadow, w, copy.lane, copy.destination, copy.bytes);
}

const Inst* commit(Warp& w, const Inst* i) {
    for (PendingCopy& copy : w.copies)
        if ((w.mask >> copy.lane & 1) && copy.group == kOpenGroup) copy.group = w.committedGroups[copy.lane];
    for (u32 rest = w.mask; rest != 0; rest &= rest - 1) w.committedGroups[__builtin_ctz(rest)]++;
    return i + 1;
}

// All but the last imm groups of each lane land.
const Inst* waitGroups(Warp& w, const Inst* i) {
    landCopies(w, w.mask, [&](const PendingCopy& copy) {
        return copy.group != kOpenGroup && static_cast<u64>(w.committedGroups[copy.lane] - copy.group) > i->imm;
    });
    return i + 1;
}

const Inst* waitAll(Warp& w, const Inst* i) {
    landCopies(w, w.mask, [](const PendingCopy&) { return true; });
    return i + 1;
}

void bindStart(Binder& b) {
    const auto& in = b.in();
    const auto& operands = in.operands;
    bool shared = in.has("shared") || in.has("shared::cta");
    for (const char* prefetched : {"L2::64B", "L2::128B", "L2::256B"}) in.has(prefetched);
    std::size_t count = operands.size() - (in.has("L2::cache_hint") ? 1 : 0);
    if (!shared || !in.has("global") || (!in.has("ca") && !in.has("cg")) || count < 3 || count > 4) throw b.unsupported();
    in.ignore({"L2::64B", "L2::128B", "L2::256B"});
    i64 bytes = b.immediate(operands[2]);
    if (bytes != 16 && (in.has("cg") || (bytes != 4 && bytes != 8))) throw b.unsupported("a copy of this size");
    AddressOperand target = b.address(0, operands[0]), source = b.address(1, operands[1]);
    u32 flags = (target.wide ? u32{wideTarget} : 0) | (source.wide ? u32{wideSource} : 0);
    if (count == 4) {
        bool predicate = operands[3].kind == Operand::Kind::reg && b.bits(operands[3]) == 1;
        if (!predicate)
            b.read(2, operands[3], Type::u32);
        else if (b.readPredicate(2, operands[3]))
            flags |= negated;
        flags |= predicate ? u32{ignoreSource} : u32{sourceSize};
    }
    b.out().op[3] = flags;
    b.out().op[4] = static_cast<u32>(bytes);
    b.out().imm = static_cast<u32>(target.offset) | source.offset << 32;
    b.out().run = copyAsync;
}

}  // namespace

void landCopies(Warp& w, u32 lanes, const std::function<bool(const PendingCopy&)>& due) {
    auto kept = w.copies.begin();
    for (const PendingCopy& copy : w.copies) {
        if ((lanes >> copy.lane & 1) && due(copy))
            land(w, copy);
        else
            *kept++ = copy;
    }
    w.copies.erase(kept, w.copies.end());
}

bool bindCopy(Binder& b) {
    const auto& in = b.in();
    if (in.opcode != "cp" || !in.has("async")) return false;
    if (in.has("bulk") || in.has("mbarrier")) return false;
    if (in.has("commit_group")) {
        b.out().run = commit;
    } else if (in.has("wait_all")) {
        b.out().run = waitAll;
    } else if (in.has("wait_group")) {
        b.out().imm = static_cast<u64>(b.immediate(in.operands.at(0)));
        b.out().run = waitGroups;
    } else {
        bindStart(b);
    }
    return true;
}

}  // namespace softcuda
