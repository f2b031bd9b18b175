// Bits: logic, shifts, fields, counts.
#include <bit>

#include "integer.h"

namespace softcuda {
namespace {

using ptx::Type;

constexpr auto bitAnd = []<class T>(T a, T b) { return static_cast<T>(a & b); };
constexpr auto bitOr = []<class T>(T a, T b) { return static_cast<T>(a | b); };
constexpr auto bitXor = []<class T>(T a, T b) { return static_cast<T>(a ^ b); };
constexpr auto bitNot = []<class T>(T a) { return static_cast<T>(~a); };
constexpr auto logicalNot = []<class T>(T a) { return static_cast<T>(a == 0); };

// Shift counts above the width are clamped to it.
constexpr auto shiftLeft = []<class T>(T a, u32 b) { return b >= 8 * sizeof(T) ? T(0) : static_cast<T>(a << b); };
constexpr auto shiftRight = []<class T>(T a, u32 b) {
    constexpr u32 kBits = 8 * sizeof(T);
    T sign = static_cast<T>(a < 0 ? -1 : 0);
    return b >= kBits ? sign : static_cast<T>(a >> b);
};

// shf: the 64-bit value {b, a} (a the low half) shifted; .l gives the high half, .r the low one.
template <bool kLeft, bool kClamp>
u32 funnel(u32 a, u32 b, u32 c) {
    u32 n = kClamp ? (c < 32 ? c : 32) : c & 31;
    u64 both = static_cast<u64>(b) << 32 | a;
    return kLeft ? static_cast<u32>(both << n >> 32) : static_cast<u32>(both >> n);
}

// lop3: bit (a, b, c) of the table `lut`.
u32 table(u32 a, u32 b, u32 c, u32 lut) {
    u32 result = 0;
    for (u32 k = 0; k < 8; k++) {
        u32 row = (k & 4 ? a : ~a) & (k & 2 ? b : ~b) & (k & 1 ? c : ~c);
        result |= lut >> k & 1 ? row : 0;
    }
    return result;
}
const Inst* lop3(Warp& w, const Inst* i) {
    const u32 *a = w.r<u32>(i->op[1]), *b = w.r<u32>(i->op[2]), *c = w.r<u32>(i->op[3]);
    u32 lut = static_cast<u32>(i->imm);
    forLanes(w.mask, w.r<u32>(i->op[0]), [&](u32 l) { return table(a[l], b[l], c[l], lut); });
    return i + 1;
}

// op: d, a, b, c, p, q; p = (d != 0) or/and q. imm: the table, 0x100 for .and, 0x200 for a negated q.
const Inst* lop3Test(Warp& w, const Inst* i) {
    const u32 *a = w.r<u32>(i->op[1]), *b = w.r<u32>(i->op[2]), *c = w.r<u32>(i->op[3]);
    u32 lut = static_cast<u32>(i->imm), bits = 0, q = w.p(i->op[5]) ^ (i->imm & 0x200 ? kAllLanes : 0);
    for (u32 l = 0; l < kLanes; l++) bits |= static_cast<u32>(table(a[l], b[l], c[l], lut) != 0) << l;
    lop3(w, i);
    setPredicate(w.p(i->op[4]), i->imm & 0x100 ? bits & q : bits | q, w.mask);
    return i + 1;
}

constexpr auto ones = []<class T>(T a) { return std::popcount(a); };
constexpr auto leadingZeros = []<class T>(T a) { return std::countl_zero(a); };

// bfind: the highest bit that differs from the sign, or -1.
template <bool kShift>
constexpr auto highest = []<class T>(T a) {
    using U = std::make_unsigned_t<T>;
    U x = static_cast<U>(a < 0 ? ~a : a);
    u32 zeros = static_cast<u32>(std::countl_zero(x)), width = 8 * sizeof(T);
    return x == 0 ? ~0u : kShift ? zeros : width - 1 - zeros;
};

template <class T>
T reversed(T a) {
    T result = 0;
    for (u32 k = 0; k < 8 * sizeof(T); k++) result = static_cast<T>(result << 1 | (a >> k & 1));
    return result;
}
constexpr auto reverse = []<class T>(T a) { return reversed(a); };

// bfe: `length` bits from `start`; the rest is filled with the last of them (zero if unsigned), beyond the top with the sign.
constexpr auto extract = []<class T>(T a, u32 b, u32 c) {
    using U = std::make_unsigned_t<T>;
    constexpr u32 kBits = 8 * sizeof(T);
    u32 start = b & 0xff, length = c & 0xff;
    if (length == 0) return T(0);
    u32 top = start + length - 1 < kBits - 1 ? start + length - 1 : kBits - 1;
    U fill = std::is_signed_v<T> && (static_cast<U>(a) >> top & 1) ? static_cast<U>(~U(0)) : U(0);
    U bits =
        start >= kBits ? fill : static_cast<U>(static_cast<U>(a) >> start | (start == 0 ? U(0) : static_cast<U>(fill << (kBits - start))));
    U keep = length >= kBits ? static_cast<U>(~U(0)) : static_cast<U>((U(1) << length) - 1);
    return static_cast<T>((bits & keep) | (fill & static_cast<U>(~keep)));
};

// bfi: the low `length` bits of a over those of b from `start`.
constexpr auto insert = []<class T>(T a, T b, u32 c, u32 d) {
    constexpr u32 kBits = 8 * sizeof(T);
    u32 start = c & 0xff, length = d & 0xff;
    if (start >= kBits || length == 0) return b;
    T ones = length >= kBits ? static_cast<T>(~T(0)) : static_cast<T>((T(1) << length) - 1);
    T mask = static_cast<T>(ones << start);
    return static_cast<T>((b & ~mask) | (static_cast<T>(a << start) & mask));
};

// bmsk: `length` ones from `start`, both clamped or taken modulo 32.
template <bool kClamp>
u32 maskOf(u32 a, u32 b) {
    u32 start = kClamp ? (a < 32 ? a : 32) : a & 31, length = kClamp ? (b < 32 ? b : 32) : b & 31;
    u64 ones = (1ull << length) - 1;
    return static_cast<u32>(ones << start);
}

// szext: sign or zero extension from `n` bits.
template <bool kSigned, bool kClamp>
u32 extended(u32 a, u32 b) {
    u32 n = kClamp ? (b < 32 ? b : 32) : b & 31;
    if (n >= 32) return a;
    if (n == 0) return 0;
    u32 shift = 32 - n;
    return kSigned ? static_cast<u32>(static_cast<i32>(a << shift) >> shift) : a << shift >> shift;
}

// fns: the position of the n-th set bit from `base`, upwards for n > 0, downwards for n < 0, or all ones.
u32 findNth(u32 mask, u32 base, i32 n) {
    if (n == 0) return mask >> (base & 31) & 1 ? base : ~0u;
    i32 step = n > 0 ? 1 : -1, left = n > 0 ? n : -n;
    for (i32 k = static_cast<i32>(base); k >= 0 && k < 32; k += step)
        if ((mask >> k & 1) && --left == 0) return static_cast<u32>(k);
    return ~0u;
}

Type bitsType(Type type) { return ptx::bitsOf(type) == 16 ? Type::u16 : ptx::bitsOf(type) == 32 ? Type::u32 : Type::u64; }

Run shift(Binder& b, Type type) {
    bool left = b.in().opcode == "shl";
    switch (left || !ptx::isSigned(type) ? bitsType(type) : type) {
        case Type::u16:
            return left ? lanes2<shiftLeft, u16, u16, u32> : lanes2<shiftRight, u16, u16, u32>;
        case Type::u32:
            return left ? lanes2<shiftLeft, u32, u32, u32> : lanes2<shiftRight, u32, u32, u32>;
        case Type::u64:
            return left ? lanes2<shiftLeft, u64, u64, u32> : lanes2<shiftRight, u64, u64, u32>;
        case Type::s16:
            return lanes2<shiftRight, i16, i16, u32>;
        case Type::s32:
            return lanes2<shiftRight, i32, i32, u32>;
        default:
            return lanes2<shiftRight, i64, i64, u32>;
    }
}

void bindFunnel(Binder& b) {
    const auto& in = b.in();
    bool left = in.has("l"), clamp = in.has("clamp");
    if (left == in.has("r") || clamp == in.has("wrap")) throw b.unsupported();
    b.out().run = left ? (clamp ? lanes3<funnel<true, true>, u32, u32, u32, u32> : lanes3<funnel<true, false>, u32, u32, u32, u32>)
                       : (clamp ? lanes3<funnel<false, true>, u32, u32, u32, u32> : lanes3<funnel<false, false>, u32, u32, u32, u32>);
    bindOperands(b, Type::b32, {Type::b32, Type::b32, Type::u32});
}

void bindLop3(Binder& b) {
    const auto& operands = b.in().operands;
    bool tests = b.in().modifiers.size() == 2 && (b.in().has("or") || b.in().has("and"));
    if (operands.size() != (tests ? 6u : 5u) || (!tests && b.in().modifiers.size() != 1)) throw b.unsupported();
    if (tests && operands[0].kind != ptx::Operand::Kind::pair) throw b.unsupported("a predicate is missing");
    b.write(0, tests ? operands[0].parts[0] : operands[0], Type::b32);
    for (u32 k = 1; k <= 3; k++) b.read(k, operands[k], Type::b32);
    b.out().imm = static_cast<u64>(b.immediate(operands[4])) & 0xff;
    b.out().run = lop3;
    if (!tests) return;
    b.writePredicate(4, operands[0].parts[1]);
    bool negated = b.readPredicate(5, operands[5]);
    b.out().imm |= (b.in().has("and") ? 0x100 : 0) | (negated ? 0x200 : 0);
    b.out().run = lop3Test;
}

// Counts: the source has 32 or 64 bits, the result 32.
bool bindCount(Binder& b, Type type) {
    const std::string& op = b.in().opcode;
    bool wide = ptx::bitsOf(type) == 64, isSigned = ptx::isSigned(type);
    if (op == "popc")
        b.out().run = wide ? lanes1<ones, u32, u64> : lanes1<ones, u32, u32>;
    else if (op == "clz")
        b.out().run = wide ? lanes1<leadingZeros, u32, u64> : lanes1<leadingZeros, u32, u32>;
    else if (op != "bfind")
        return false;
    else if (b.in().has("shiftamt"))
        b.out().run = wide ? (isSigned ? lanes1<highest<true>, u32, i64> : lanes1<highest<true>, u32, u64>)
                           : (isSigned ? lanes1<highest<true>, u32, i32> : lanes1<highest<true>, u32, u32>);
    else
        b.out().run = wide ? (isSigned ? lanes1<highest<false>, u32, i64> : lanes1<highest<false>, u32, u64>)
                           : (isSigned ? lanes1<highest<false>, u32, i32> : lanes1<highest<false>, u32, u32>);
    bindOperands(b, Type::u32, {type});
    return true;
}

bool bindField(Binder& b, Type type) {
    const auto& in = b.in();
    bool wide = ptx::bitsOf(type) == 64, isSigned = ptx::isSigned(type), clamp = in.has("clamp");
    if ((in.opcode == "bmsk" || in.opcode == "szext") && clamp == in.has("wrap")) throw b.unsupported("expected .clamp or .wrap");
    if (in.opcode == "bfe") {
        b.out().run = wide ? (isSigned ? lanes3<extract, i64, i64, u32, u32> : lanes3<extract, u64, u64, u32, u32>)
                           : (isSigned ? lanes3<extract, i32, i32, u32, u32> : lanes3<extract, u32, u32, u32, u32>);
        bindOperands(b, type, {type, Type::u32, Type::u32});
    } else if (in.opcode == "bfi") {
        b.out().run = wide ? lanes4<insert, u64, u64, u64, u32, u32> : lanes4<insert, u32, u32, u32, u32, u32>;
        bindOperands(b, type, {type, type, Type::u32, Type::u32});
    } else if (in.opcode == "bmsk") {
        b.out().run = clamp ? lanes2<maskOf<true>, u32, u32, u32> : lanes2<maskOf<false>, u32, u32, u32>;
        bindOperands(b, type, {Type::u32, Type::u32});
    } else if (in.opcode == "szext") {
        b.out().run = isSigned ? (clamp ? lanes2<extended<true, true>, u32, u32, u32> : lanes2<extended<true, false>, u32, u32, u32>)
                               : (clamp ? lanes2<extended<false, true>, u32, u32, u32> : lanes2<extended<false, false>, u32, u32, u32>);
        bindOperands(b, type, {type, Type::u32});
    } else if (in.opcode == "fns") {
        b.out().run = lanes3<findNth, u32, u32, u32, i32>;
        bindOperands(b, type, {Type::b32, Type::b32, Type::s32});
    } else {
        return false;
    }
    return true;
}

}  // namespace

bool bindBits(Binder& b) {
    const auto& in = b.in();
    const std::string& op = in.opcode;
    Type type = in.type(), bits = bitsType(type);
    if (op == "and" || op == "or" || op == "xor") {
        b.out().run = op == "and" ? integer2<bitAnd>(b, bits) : op == "or" ? integer2<bitOr>(b, bits) : integer2<bitXor>(b, bits);
        bindOperands(b, type, {type, type});
    } else if (op == "not" || op == "cnot") {
        b.out().run = op == "not" ? integer1<bitNot>(b, bits) : integer1<logicalNot>(b, bits);
        bindOperands(b, type, {type});
    } else if (op == "shl" || op == "shr") {
        b.out().run = shift(b, type);
        bindOperands(b, type, {type, Type::u32});
    } else if (op == "brev") {
        b.out().run = ptx::bitsOf(type) == 64 ? lanes1<reverse, u64, u64> : lanes1<reverse, u32, u32>;
        bindOperands(b, type, {type});
    } else if (op == "shf") {
        bindFunnel(b);
    } else if (op == "lop3") {
        bindLop3(b);
    } else {
        return bindCount(b, type) || bindField(b, type);
    }
    return true;
}

}  // namespace softcuda
