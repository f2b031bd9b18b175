// setp, selp, slct, and logic on predicates.
#include "comparison.h"
#include "families.h"
#include "float_lanes.h"

namespace softcuda {
namespace {

using ptx::Type;

// op: p, q, a, b, c, flags
const Inst* setp(Warp& w, const Inst* i) {
    u32 bits = reinterpret_cast<Test>(i->imm)(w, i->op[2], i->op[3]);
    u32 flags = i->op[5];
    if (flags == 0) {
        setPredicate(w.p(i->op[0]), bits, w.mask);
        return i + 1;
    }
    u32 c = flags & combineBits ? w.p(i->op[4]) : 0;
    setPredicate(w.p(i->op[0]), combined(flags, bits, c), w.mask);
    if (flags & second) setPredicate(w.p(i->op[1]), combined(flags, ~bits, c), w.mask);
    return i + 1;
}

// f16x2 and bf16x2: p for the low half, q (if there) for the high one. imm: the test of the low half, form: of the high one.
const Inst* setpPacked(Warp& w, const Inst* i) {
    u32 flags = i->op[5], c = flags & combineBits ? w.p(i->op[4]) : 0;
    u32 low = reinterpret_cast<Test>(i->imm)(w, i->op[2], i->op[3]), high = 0;
    if (flags & second) high = reinterpret_cast<Test>(i->form)(w, i->op[2], i->op[3]);
    setPredicate(w.p(i->op[0]), combined(flags, low, c), w.mask);
    if (flags & second) setPredicate(w.p(i->op[1]), combined(flags, high, c), w.mask);
    return i + 1;
}

void bindSetp(Binder& b) {
    const auto& in = b.in();
    Comparison comparison(b, 1);
    u32 flags = comparison.combine;
    if (in.operands.size() != (flags ? 4u : 3u)) throw b.unsupported("wrong number of operands");
    const auto& target = in.operands[0];
    bool pair = target.kind == ptx::Operand::Kind::pair;
    if (pair && (comparison.type == Type::f16 || comparison.type == Type::bf16)) throw b.unsupported("a second predicate");
    b.writePredicate(0, pair ? target.parts[0] : target);
    if (pair) {
        b.writePredicate(1, target.parts[1]);
        flags |= second;
    }
    b.read(2, in.operands[1], comparison.type);
    b.read(3, in.operands[2], comparison.type);
    if ((flags & combineBits) && b.readPredicate(4, in.operands[3])) flags |= negated;
    b.out().op[5] = flags;
    b.out().imm = reinterpret_cast<u64>(comparison.test);
    if (comparison.packed) b.out().form = reinterpret_cast<const void*>(comparison.high);
    b.out().run = comparison.packed ? setpPacked : setp;
}

template <class T>
const Inst* selp(Warp& w, const Inst* i) {
    const T *a = w.r<T>(i->op[1]), *b = w.r<T>(i->op[2]);
    u32 p = w.p(i->op[3]) ^ static_cast<u32>(i->imm);
    forLanes(w.mask, w.r<T>(i->op[0]), [&](u32 l) { return p >> l & 1 ? a[l] : b[l]; });
    return i + 1;
}

void bindSelp(Binder& b) {
    const auto& in = b.in();
    Type type = in.type();
    if (in.operands.size() != 4) throw b.unsupported("wrong number of operands");
    b.write(0, in.operands[0], type);
    b.read(1, in.operands[1], type);
    b.read(2, in.operands[2], type);
    b.out().imm = b.readPredicate(3, in.operands[3]) ? kAllLanes : 0;
    switch (ptx::bitsOf(type)) {
        case 16:
            b.out().run = selp<u16>;
            break;
        case 32:
            b.out().run = selp<u32>;
            break;
        case 64:
            b.out().run = selp<u64>;
            break;
        default:
            throw b.unsupported();
    }
}

// slct: a where c >= 0, else b.
constexpr auto select = []<class T, class C>(T a, T b, C c) { return c >= 0 ? a : b; };
constexpr auto selectFlushed = []<class T>(T a, T b, float c) { return flush(c) >= 0 ? a : b; };

template <class T>
Run slct(bool real, bool ftz) {
    if (!real) return lanes3<select, T, T, T, i32>;
    return ftz ? lanes3<selectFlushed, T, T, T, float> : lanes3<select, T, T, T, float>;
}

void bindSlct(Binder& b) {
    const auto& in = b.in();
    Type by = in.type(), type = in.type(1);
    if ((by != Type::s32 && by != Type::f32) || in.operands.size() != 4) throw b.unsupported();
    b.write(0, in.operands[0], type);
    b.read(1, in.operands[1], type);
    b.read(2, in.operands[2], type);
    b.read(3, in.operands[3], by);
    bool real = by == Type::f32, ftz = in.has("ftz");
    switch (ptx::bitsOf(type)) {
        case 16:
            b.out().run = slct<u16>(real, ftz);
            break;
        case 32:
            b.out().run = slct<u32>(real, ftz);
            break;
        default:
            b.out().run = slct<u64>(real, ftz);
            break;
    }
}

template <char kOp>
const Inst* logic(Warp& w, const Inst* i) {
    u32 a = w.p(i->op[1]) ^ (i->imm & 1 ? kAllLanes : 0);
    u32 b = kOp == '!' ? 0 : w.p(i->op[2]) ^ (i->imm & 2 ? kAllLanes : 0);
    setPredicate(w.p(i->op[0]), kOp == '&' ? a & b : kOp == '|' ? a | b : kOp == '^' ? a ^ b : ~a, w.mask);
    return i + 1;
}

bool bindLogic(Binder& b) {
    const auto& in = b.in();
    const std::string& op = in.opcode;
    if (op == "and")
        b.out().run = logic<'&'>;
    else if (op == "or")
        b.out().run = logic<'|'>;
    else if (op == "xor")
        b.out().run = logic<'^'>;
    else if (op == "not")
        b.out().run = logic<'!'>;
    else
        return false;
    if (in.operands.size() != (op == "not" ? 2u : 3u)) throw b.unsupported("wrong number of operands");
    b.writePredicate(0, in.operands[0]);
    u64 flags = b.readPredicate(1, in.operands[1]) ? 1 : 0;
    if (op != "not" && b.readPredicate(2, in.operands[2])) flags |= 2;
    b.out().imm = flags;
    return true;
}

}  // namespace

bool bindCompare(Binder& b) {
    const std::string& op = b.in().opcode;
    if (op == "setp")
        bindSetp(b);
    else if (op == "set")
        bindSet(b);
    else if (op == "selp")
        bindSelp(b);
    else if (op == "slct")
        bindSlct(b);
    else
        return b.in().type() == Type::pred && bindLogic(b);
    return true;
}

}  // namespace softcuda
