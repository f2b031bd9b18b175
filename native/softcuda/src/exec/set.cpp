// set: a number that tells whether a comparison holds. All ones for integers, one for floating-point types.
#include "comparison.h"

namespace softcuda {
namespace {

using ptx::Type;

// op: d, -, a, b, c, flags, the bits of true. imm: the test.
template <class T>
const Inst* set(Warp& w, const Inst* i) {
    u32 flags = i->op[5], c = flags & combineBits ? w.p(i->op[4]) : 0;
    u32 bits = combined(flags, reinterpret_cast<Test>(i->imm)(w, i->op[2], i->op[3]), c);
    T yes = static_cast<T>(i->op[6]);
    forLanes(w.mask, w.r<T>(i->op[0]), [&](u32 l) { return bits >> l & 1 ? yes : T(0); });
    return i + 1;
}

// Of two halves in a register, each giving 16 bits of the result. form: the test of the high one.
const Inst* setPacked(Warp& w, const Inst* i) {
    u32 flags = i->op[5], c = flags & combineBits ? w.p(i->op[4]) : 0, yes = i->op[6];
    u32 low = combined(flags, reinterpret_cast<Test>(i->imm)(w, i->op[2], i->op[3]), c);
    u32 high = combined(flags, reinterpret_cast<Test>(i->form)(w, i->op[2], i->op[3]), c);
    forLanes(w.mask, w.r<u32>(i->op[0]), [&](u32 l) { return (low >> l & 1 ? yes : 0) | (high >> l & 1 ? yes << 16 : 0); });
    return i + 1;
}

// The bits of true in a result of type `to` for operands of type `from`, or zero where there is no such form.
u32 trueOf(Type to, Type from) {
    bool packed = from == Type::f16x2 || from == Type::bf16x2, half = from == Type::f16 || from == Type::bf16;
    switch (to) {
        case Type::u32:
        case Type::s32:
            return packed ? 0xffff : 0xffffffff;
        case Type::u16:
        case Type::s16:
            return half ? 0xffff : 0;
        case Type::f32:
            return packed || half ? 0 : 0x3f800000;
        case Type::f16:
            return packed || from == Type::bf16 ? 0 : 0x3c00;
        case Type::bf16:
            return packed || from == Type::f16 ? 0 : 0x3f80;
        case Type::f16x2:
            return from == to ? 0x3c00 : 0;
        case Type::bf16x2:
            return from == to ? 0x3f80 : 0;
        default:
            return 0;
    }
}

}  // namespace

void bindSet(Binder& b) {
    const auto& in = b.in();
    Type result = in.type(1);
    Comparison comparison(b, 2);
    u32 flags = comparison.combine, yes = trueOf(result, comparison.type);
    if (yes == 0) throw b.unsupported();
    if (in.operands.size() != (flags ? 4u : 3u)) throw b.unsupported("wrong number of operands");
    b.write(0, in.operands[0], result);
    b.read(2, in.operands[1], comparison.type);
    b.read(3, in.operands[2], comparison.type);
    if (flags && b.readPredicate(4, in.operands[3])) flags |= negated;
    b.out().op[5] = flags;
    b.out().op[6] = yes;
    b.out().imm = reinterpret_cast<u64>(comparison.test);
    if (comparison.packed) b.out().form = reinterpret_cast<const void*>(comparison.high);
    b.out().run = comparison.packed ? setPacked : ptx::bitsOf(result) == 16 ? set<u16> : set<u32>;
}

}  // namespace softcuda
