// Integer products: mul, mad (.lo, .hi, .wide), mul24, mad24, dp4a, dp2a.
#include "integer.h"

#include <limits>

namespace softcuda {
namespace {

using ptx::Type;

template <class T>
struct Wider;
template <>
struct Wider<u16> {
    using Of = u32;
};
template <>
struct Wider<i16> {
    using Of = i32;
};
template <>
struct Wider<u32> {
    using Of = u64;
};
template <>
struct Wider<i32> {
    using Of = i64;
};
template <>
struct Wider<u64> {
    using Of = unsigned __int128;
};
template <>
struct Wider<i64> {
    using Of = __int128;
};

constexpr auto low = []<class T>(T a, T b) { return static_cast<T>(static_cast<u64>(a) * static_cast<u64>(b)); };
constexpr auto high = []<class T>(T a, T b) {
    using Wide = typename Wider<T>::Of;
    return static_cast<T>(static_cast<Wide>(a) * static_cast<Wide>(b) >> 8 * sizeof(T));
};
constexpr auto wide = []<class T>(T a, T b) {
    using Wide = typename Wider<T>::Of;
    return static_cast<Wide>(static_cast<Wide>(a) * static_cast<Wide>(b));
};
constexpr auto lowAdd = []<class T>(T a, T b, T c) {
    return static_cast<T>(static_cast<u64>(a) * static_cast<u64>(b) + static_cast<u64>(c));
};
constexpr auto highAdd = []<class T>(T a, T b, T c) { return static_cast<T>(static_cast<u64>(high(a, b)) + static_cast<u64>(c)); };
constexpr auto wideAdd = []<class T, class W>(T a, T b, W c) { return static_cast<W>(static_cast<u64>(wide(a, b)) + static_cast<u64>(c)); };

// mul24, mad24: the low 24 bits of each source; .hi gives bits 47..16 of the product.
template <class T>
i64 product24(T a, T b) {
    auto cut = [](T x) { return static_cast<i64>(static_cast<T>(static_cast<T>(static_cast<u32>(x) << 8) >> 8)); };
    return cut(a) * cut(b);
}
constexpr auto low24 = []<class T>(T a, T b) { return static_cast<T>(product24(a, b)); };
constexpr auto high24 = []<class T>(T a, T b) { return static_cast<T>(product24(a, b) >> 16); };
constexpr auto low24Add = []<class T>(T a, T b, T c) { return static_cast<T>(product24(a, b) + c); };
constexpr auto high24Add = []<class T>(T a, T b, T c) { return static_cast<T>((product24(a, b) >> 16) + c); };

// .sat: limited to the range of s32.
i32 limited(i64 x) {
    constexpr i64 low = std::numeric_limits<i32>::min(), high = std::numeric_limits<i32>::max();
    return static_cast<i32>(x < low ? low : x > high ? high : x);
}
constexpr auto highAddSaturated = [](i32 a, i32 b, i32 c) { return limited((static_cast<i64>(a) * b >> 32) + c); };
constexpr auto high24AddSaturated = [](i32 a, i32 b, i32 c) { return limited((product24(a, b) >> 16) + c); };

// dp4a: four products of bytes; dp2a: two of a 16-bit half by a byte of the low or high half of b.
template <bool signedA, bool signedB>
u32 dot4(u32 a, u32 b, u32 c) {
    for (u32 k = 0; k < 32; k += 8) {
        u8 x = static_cast<u8>(a >> k), y = static_cast<u8>(b >> k);
        c += static_cast<u32>((signedA ? static_cast<i8>(x) : static_cast<i32>(x)) * (signedB ? static_cast<i8>(y) : static_cast<i32>(y)));
    }
    return c;
}
template <bool signedA, bool signedB, bool upper>
u32 dot2(u32 a, u32 b, u32 c) {
    for (u32 k = 0; k < 2; k++) {
        u16 x = static_cast<u16>(a >> 16 * k);
        u8 y = static_cast<u8>(b >> (8 * k + (upper ? 16 : 0)));
        c += static_cast<u32>((signedA ? static_cast<i16>(x) : static_cast<i32>(x)) * (signedB ? static_cast<i8>(y) : static_cast<i32>(y)));
    }
    return c;
}
template <bool signedA, bool signedB>
Run dot(bool four, bool upper) {
    if (four) return lanes3<dot4<signedA, signedB>, u32, u32, u32, u32>;
    return upper ? lanes3<dot2<signedA, signedB, true>, u32, u32, u32, u32> : lanes3<dot2<signedA, signedB, false>, u32, u32, u32, u32>;
}

Type doubled(Binder& b, Type type) {
    switch (type) {
        case Type::u16:
            return Type::u32;
        case Type::s16:
            return Type::s32;
        case Type::u32:
            return Type::u64;
        case Type::s32:
            return Type::s64;
        default:
            throw b.unsupported(".wide needs 16 or 32 bits");
    }
}

void bindWide(Binder& b, Type type, bool add) {
    Type result = doubled(b, type);
    if (add)
        bindOperands(b, result, {type, type, result});
    else
        bindOperands(b, result, {type, type});
    switch (type) {
        case Type::u16:
            b.out().run = add ? lanes3<wideAdd, u32, u16, u16, u32> : lanes2<wide, u32, u16, u16>;
            break;
        case Type::s16:
            b.out().run = add ? lanes3<wideAdd, i32, i16, i16, i32> : lanes2<wide, i32, i16, i16>;
            break;
        case Type::u32:
            b.out().run = add ? lanes3<wideAdd, u64, u32, u32, u64> : lanes2<wide, u64, u32, u32>;
            break;
        default:
            b.out().run = add ? lanes3<wideAdd, i64, i32, i32, i64> : lanes2<wide, i64, i32, i32>;
            break;
    }
}

void bindDot(Binder& b) {
    const auto& in = b.in();
    Type a = in.type(1), c = in.type(0);
    if (ptx::bitsOf(a) != 32 || ptx::bitsOf(c) != 32) throw b.unsupported();
    bool four = in.opcode == "dp4a", upper = in.has("hi");
    if (!four && !upper && !in.has("lo")) throw b.unsupported(".lo or .hi is missing");
    bool signedA = ptx::isSigned(a), signedB = ptx::isSigned(c);
    b.out().run = signedA ? (signedB ? dot<true, true>(four, upper) : dot<true, false>(four, upper))
                          : (signedB ? dot<false, true>(four, upper) : dot<false, false>(four, upper));
    bindOperands(b, Type::b32, {Type::b32, Type::b32, Type::b32});
}

// mad.hi.sat.s32 and mad24.hi.sat.s32, the only ones with .sat.
void bindSaturated(Binder& b, Type type, Run run) {
    if (type != Type::s32 || !b.in().has("hi") || b.in().operands.size() != 4) throw b.unsupported(".sat");
    bindOperands(b, type, {type, type, type});
    b.out().run = run;
}

void bind24(Binder& b, Type type, bool add) {
    if (type != Type::u32 && type != Type::s32) throw b.unsupported("the type must be u32 or s32");
    if (b.in().has("sat")) return bindSaturated(b, type, lanes3<high24AddSaturated, i32, i32, i32, i32>);
    bool upper = b.in().has("hi"), s = type == Type::s32;
    if (upper == b.in().has("lo")) throw b.unsupported("expected .lo or .hi");
    if (add) {
        bindOperands(b, type, {type, type, type});
        b.out().run = upper ? (s ? lanes3<high24Add, i32, i32, i32, i32> : lanes3<high24Add, u32, u32, u32, u32>)
                            : (s ? lanes3<low24Add, i32, i32, i32, i32> : lanes3<low24Add, u32, u32, u32, u32>);
    } else {
        bindOperands(b, type, {type, type});
        b.out().run = upper ? (s ? lanes2<high24, i32, i32, i32> : lanes2<high24, u32, u32, u32>)
                            : (s ? lanes2<low24, i32, i32, i32> : lanes2<low24, u32, u32, u32>);
    }
}

}  // namespace

bool bindMultiply(Binder& b) {
    const auto& in = b.in();
    Type type = in.type();
    if (in.opcode == "dp4a" || in.opcode == "dp2a") {
        bindDot(b);
    } else if (in.opcode == "mul24" || in.opcode == "mad24") {
        bind24(b, type, in.opcode == "mad24");
    } else if (in.opcode == "mul" || in.opcode == "mad") {
        bool add = in.opcode == "mad";
        if (in.has("sat")) {
            bindSaturated(b, type, lanes3<highAddSaturated, i32, i32, i32, i32>);
        } else if (in.has("wide")) {
            bindWide(b, type, add);
        } else if (in.has("lo") || in.has("hi")) {
            if (add)
                bindOperands(b, type, {type, type, type});
            else
                bindOperands(b, type, {type, type});
            if (add)
                b.out().run = in.has("lo") ? integer3<lowAdd>(b, type) : integer3<highAdd>(b, type);
            else
                b.out().run = in.has("lo") ? integer2<low>(b, type) : integer2<high>(b, type);
        } else {
            throw b.unsupported(".lo, .hi or .wide is missing");
        }
    } else {
        return false;
    }
    return true;
}

}  // namespace softcuda
