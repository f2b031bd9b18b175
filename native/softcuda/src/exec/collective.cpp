// Instructions that look at other lanes: shfl, vote, match, redux, activemask, elect.
#include <bit>
#include <cstring>

#include "../check/checker.h"
#include "../check/shared_shadow.h"
#include "families.h"
#include "flow_control.h"

namespace softcuda {
namespace {

using ptx::Operand;
using ptx::Type;

// Every lane that runs must be named in its member mask, and every named lane that has not ended must run. Members are ordered.
void meet(Warp& w, const Inst* i, u32 maskOffset) {
    if (w.block->shadow) orderInWarp(w.block->shadow, w, w.mask);
    if (!settings().checked()) return;
    const u32* members = w.r<u32>(maskOffset);
    u32 absent = 0, unnamed = 0;
    for (u32 l = 0; l < kLanes; l++) {
        u32 here = w.mask >> l & 1;
        absent |= here ? members[l] : 0;
        unnamed |= (here & ~(members[l] >> l) & 1) << l;
    }
    absent &= liveLanes(w) & ~w.mask;
    if (absent != 0)
        tell(Finding::badCollective, w, i, static_cast<u32>(__builtin_ctz(absent)),
             "the member mask names this lane, which does not execute the instruction");
    if (unnamed != 0)
        tell(Finding::badCollective, w, i, static_cast<u32>(__builtin_ctz(unnamed)),
             "this lane executes the instruction and is not in its member mask");
}

// What a lane reads from one that does not execute the shuffle is undefined.
void checkSources(Warp& w, const Inst* i, const u32* sources, u32 valid) {
    for (u32 rest = w.mask & valid; rest != 0; rest &= rest - 1) {
        u32 lane = static_cast<u32>(__builtin_ctz(rest));
        if (w.mask >> sources[lane] & 1) continue;
        tell(Finding::badCollective, w, i, lane,
             "this lane reads lane " + std::to_string(sources[lane]) + ", which does not execute the instruction");
        return;
    }
}

enum class Shuffle : u8 { up, down, bfly, idx };

// op: d, p, a, b, c, members; imm: whether p is wanted.
template <Shuffle kMode>
const Inst* shfl(Warp& w, const Inst* i) {
    meet(w, i, i->op[5]);
    u32 a[kLanes];
    std::memcpy(a, w.r<u32>(i->op[2]), sizeof a);
    const u32 *b = w.r<u32>(i->op[3]), *c = w.r<u32>(i->op[4]);
    u32 valid = 0, result[kLanes], sources[kLanes];
    for (u32 l = 0; l < kLanes; l++) {
        u32 segment = c[l] >> 8 & 0x1f, clamp = c[l] & 0x1f, by = b[l] & 0x1f;
        u32 most = (l & segment) | (clamp & ~segment), least = l & segment;
        i32 from = kMode == Shuffle::up     ? static_cast<i32>(l) - static_cast<i32>(by)
                   : kMode == Shuffle::down ? static_cast<i32>(l + by)
                   : kMode == Shuffle::bfly ? static_cast<i32>(l ^ by)
                                            : static_cast<i32>(least | (by & ~segment));
        bool inside = kMode == Shuffle::up ? from >= static_cast<i32>(most) : from <= static_cast<i32>(most);
        u32 source = inside ? static_cast<u32>(from) & 31 : l;
        sources[l] = source;
        result[l] = a[source];
        valid |= static_cast<u32>(inside) << l;
    }
    if (w.mask != kAllLanes && settings().checked()) checkSources(w, i, sources, valid);
    forLanes(w.mask, w.r<u32>(i->op[0]), [&](u32 l) { return result[l]; });
    if (i->imm) setPredicate(w.p(i->op[1]), valid, w.mask);
    return i + 1;
}

void bindShfl(Binder& b) {
    const auto& in = b.in();
    if (!in.has("sync")) throw b.unsupported("shfl without .sync");
    if (in.operands.size() != 5 || in.type() != Type::b32) throw b.unsupported();
    const Operand& target = in.operands[0];
    bool pair = target.kind == Operand::Kind::pair;
    b.write(0, pair ? target.parts[0] : target, Type::b32);
    if (pair) b.writePredicate(1, target.parts[1]);
    b.out().imm = pair;
    for (u32 k = 1; k < 5; k++) b.read(k + 1, in.operands[k], Type::b32);
    if (in.has("up"))
        b.out().run = shfl<Shuffle::up>;
    else if (in.has("down"))
        b.out().run = shfl<Shuffle::down>;
    else if (in.has("bfly"))
        b.out().run = shfl<Shuffle::bfly>;
    else if (in.has("idx"))
        b.out().run = shfl<Shuffle::idx>;
    else
        throw b.unsupported();
}

// The members of each lane may differ (several groups meet in one instruction): F(members & running lanes, lane) gives its result.
template <class F>
u32 eachGroup(Warp& w, u32 maskOffset, F f) {
    const u32* members = w.r<u32>(maskOffset);
    u32 bits = 0;
    for (u32 l = 0; l < kLanes; l++)
        if (w.mask >> l & 1) bits |= static_cast<u32>(f(members[l] & w.mask, l)) << l;
    return bits;
}

enum class Vote : u8 { all, any, uni };

// op: p, a, members; imm: a is negated.
template <Vote kMode>
const Inst* vote(Warp& w, const Inst* i) {
    meet(w, i, i->op[2]);
    u32 a = w.p(i->op[1]) ^ static_cast<u32>(i->imm);
    u32 bits = eachGroup(w, i->op[2], [&](u32 members, u32) {
        u32 yes = a & members;
        return kMode == Vote::all ? yes == members : kMode == Vote::any ? yes != 0 : yes == 0 || yes == members;
    });
    setPredicate(w.p(i->op[0]), bits, w.mask);
    return i + 1;
}

const Inst* ballot(Warp& w, const Inst* i) {
    meet(w, i, i->op[2]);
    u32 a = (w.p(i->op[1]) ^ static_cast<u32>(i->imm)) & w.mask;
    const u32* members = w.r<u32>(i->op[2]);
    forLanes(w.mask, w.r<u32>(i->op[0]), [&](u32 l) { return a & members[l]; });
    return i + 1;
}

void bindVote(Binder& b) {
    const auto& in = b.in();
    if (!in.has("sync") || in.operands.size() != 3) throw b.unsupported("vote without .sync");
    bool bits = in.has("ballot");
    if (bits)
        b.write(0, in.operands[0], Type::b32);
    else
        b.writePredicate(0, in.operands[0]);
    b.out().imm = b.readPredicate(1, in.operands[1]) ? kAllLanes : 0;
    b.read(2, in.operands[2], Type::b32);
    if (bits)
        b.out().run = ballot;
    else if (in.has("all"))
        b.out().run = vote<Vote::all>;
    else if (in.has("any"))
        b.out().run = vote<Vote::any>;
    else if (in.has("uni"))
        b.out().run = vote<Vote::uni>;
    else
        throw b.unsupported();
}

// op: d, p, a, members; imm: whether p is wanted (match.all).
template <class T, bool kAll>
const Inst* match(Warp& w, const Inst* i) {
    meet(w, i, i->op[3]);
    T a[kLanes];
    std::memcpy(a, w.r<T>(i->op[2]), sizeof a);
    const u32* members = w.r<u32>(i->op[3]);
    u32 result[kLanes] = {}, agree = 0;
    for (u32 l = 0; l < kLanes; l++) {
        u32 group = members[l] & w.mask, equal = 0;
        for (u32 k = 0; k < kLanes; k++) equal |= static_cast<u32>(a[k] == a[l]) << k;
        bool all = (equal & group) == group;
        result[l] = kAll ? (all ? group : 0) : equal & group;
        agree |= static_cast<u32>(all) << l;
    }
    forLanes(w.mask, w.r<u32>(i->op[0]), [&](u32 l) { return result[l]; });
    if (i->imm) setPredicate(w.p(i->op[1]), agree, w.mask);
    return i + 1;
}

void bindMatch(Binder& b) {
    const auto& in = b.in();
    bool all = in.has("all"), wide = in.type() == Type::b64;
    if (!in.has("sync") || in.operands.size() != 3 || all == in.has("any") || (!wide && in.type() != Type::b32)) throw b.unsupported();
    const Operand& target = in.operands[0];
    bool pair = target.kind == Operand::Kind::pair;
    if (pair && !all) throw b.unsupported("a predicate of match.any");
    b.write(0, pair ? target.parts[0] : target, Type::b32);
    if (pair) b.writePredicate(1, target.parts[1]);
    b.out().imm = pair;
    b.read(2, in.operands[1], in.type());
    b.read(3, in.operands[2], Type::b32);
    b.out().run = wide ? (all ? match<u64, true> : match<u64, false>) : (all ? match<u32, true> : match<u32, false>);
}

// op: d, a, members
template <auto F, class T>
const Inst* redux(Warp& w, const Inst* i) {
    meet(w, i, i->op[2]);
    T a[kLanes];
    std::memcpy(a, w.r<T>(i->op[1]), sizeof a);
    const u32* members = w.r<u32>(i->op[2]);
    T result[kLanes] = {};
    u32 known = 0;
    for (u32 l = 0; l < kLanes; l++) {
        if (!(w.mask >> l & 1)) continue;
        u32 group = members[l] & w.mask, first = static_cast<u32>(std::countr_zero(group));
        if (first < l && (known >> first & 1) && members[first] == members[l]) {
            result[l] = result[first];
        } else {
            T sum = a[first];
            for (u32 k = first + 1; k < kLanes; k++)
                if (group >> k & 1) sum = F(sum, a[k]);
            result[l] = sum;
        }
        known |= 1u << l;
    }
    forLanes(w.mask, w.r<T>(i->op[0]), [&](u32 l) { return result[l]; });
    return i + 1;
}

constexpr auto add = [](u32 a, u32 b) { return a + b; };
constexpr auto both = [](u32 a, u32 b) { return a & b; };
constexpr auto either = [](u32 a, u32 b) { return a | b; };
constexpr auto differ = [](u32 a, u32 b) { return a ^ b; };
constexpr auto least = []<class T>(T a, T b) { return a < b ? a : b; };
constexpr auto greatest = []<class T>(T a, T b) { return a > b ? a : b; };

// Of two numbers; -0 is below +0. A NaN gives way to a number, or with kNaN wins.
template <bool kMost, bool kAbs, bool kNaN>
constexpr auto extreme = [](u32 a, u32 b) -> u32 {
    constexpr u32 kMagnitude = 0x7fffffff, kInfinity = 0x7f800000;
    if (kAbs) a &= kMagnitude, b &= kMagnitude;
    bool aIsNaN = (a & kMagnitude) > kInfinity, bIsNaN = (b & kMagnitude) > kInfinity;
    if ((aIsNaN && bIsNaN) || (kNaN && (aIsNaN || bIsNaN))) return kMagnitude;
    if (aIsNaN || bIsNaN) return aIsNaN ? b : a;
    // The bits of numbers in the order of integers.
    i32 x = static_cast<i32>(a), y = static_cast<i32>(b);
    x ^= x >> 31 & static_cast<i32>(kMagnitude), y ^= y >> 31 & static_cast<i32>(kMagnitude);
    return (x < y) == kMost ? b : a;
};

// As redux; a single member too becomes a magnitude or the canonical NaN.
template <bool kMost, bool kAbs, bool kNaN>
const Inst* reduxFloat(Warp& w, const Inst* i) {
    const Inst* next = redux<extreme<kMost, kAbs, kNaN>, u32>(w, i);
    u32* d = w.r<u32>(i->op[0]);
    forLanes(w.mask, d, [&](u32 l) { return extreme<kMost, kAbs, kNaN>(d[l], d[l]); });
    return next;
}

template <bool kMost>
Run reduxFloatOf(bool abs, bool nan) {
    if (abs) return nan ? reduxFloat<kMost, true, true> : reduxFloat<kMost, true, false>;
    return nan ? reduxFloat<kMost, false, true> : reduxFloat<kMost, false, false>;
}

void bindReduxFloat(Binder& b) {
    const auto& in = b.in();
    bool abs = in.has("abs"), nan = in.has("NaN");
    if (in.has("min") == in.has("max") || in.modifiers.size() != 3u + abs + nan) throw b.unsupported();
    b.out().run = in.has("max") ? reduxFloatOf<true>(abs, nan) : reduxFloatOf<false>(abs, nan);
}

void bindRedux(Binder& b) {
    const auto& in = b.in();
    Type type = in.type();
    bool isSigned = type == Type::s32;
    if (!in.has("sync") || in.operands.size() != 3 || (in.modifiers.size() != 3 && type != Type::f32)) throw b.unsupported();
    if (type != Type::u32 && type != Type::s32 && type != Type::b32 && type != Type::f32) throw b.unsupported("this type");
    if ((type == Type::b32) != (in.has("and") || in.has("or") || in.has("xor"))) throw b.unsupported("this operation of this type");
    b.write(0, in.operands[0], type);
    b.read(1, in.operands[1], type);
    b.read(2, in.operands[2], Type::b32);
    if (type == Type::f32)
        bindReduxFloat(b);
    else if (in.has("add"))
        b.out().run = redux<add, u32>;
    else if (in.has("min"))
        b.out().run = isSigned ? redux<least, i32> : redux<least, u32>;
    else if (in.has("max"))
        b.out().run = isSigned ? redux<greatest, i32> : redux<greatest, u32>;
    else if (in.has("and"))
        b.out().run = redux<both, u32>;
    else if (in.has("or"))
        b.out().run = redux<either, u32>;
    else if (in.has("xor"))
        b.out().run = redux<differ, u32>;
    else
        throw b.unsupported();
}

const Inst* activeMask(Warp& w, const Inst* i) {
    forLanes(w.mask, w.r<u32>(i->op[0]), [&](u32) { return w.mask; });
    return i + 1;
}

// elect.sync d|p, members: the lowest member; p holds in it alone.
const Inst* elect(Warp& w, const Inst* i) {
    meet(w, i, i->op[2]);
    const u32* members = w.r<u32>(i->op[2]);
    u32 leaders = eachGroup(w, i->op[2], [](u32 group, u32 lane) { return static_cast<u32>(std::countr_zero(group)) == lane; });
    u32 result[kLanes];
    for (u32 l = 0; l < kLanes; l++) result[l] = static_cast<u32>(std::countr_zero(members[l] & w.mask));
    forLanes(w.mask, w.r<u32>(i->op[0]), [&](u32 l) { return result[l]; });
    setPredicate(w.p(i->op[1]), leaders, w.mask);
    return i + 1;
}

void bindElect(Binder& b) {
    const auto& in = b.in();
    if (!in.has("sync") || in.operands.size() != 2 || in.operands[0].kind != Operand::Kind::pair) throw b.unsupported();
    b.write(0, in.operands[0].parts[0], Type::b32);
    b.writePredicate(1, in.operands[0].parts[1]);
    b.read(2, in.operands[1], Type::b32);
    b.out().run = elect;
}

}  // namespace

bool bindCollective(Binder& b) {
    const std::string& op = b.in().opcode;
    if (op == "shfl") {
        bindShfl(b);
    } else if (op == "vote") {
        bindVote(b);
    } else if (op == "match") {
        bindMatch(b);
    } else if (op == "redux") {
        bindRedux(b);
    } else if (op == "elect") {
        bindElect(b);
    } else if (op == "activemask") {
        b.write(0, b.in().operands.at(0), Type::b32);
        b.out().run = activeMask;
    } else {
        return false;
    }
    return true;
}

}  // namespace softcuda
