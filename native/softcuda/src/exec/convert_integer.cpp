// Integer to integer conversions, and cvt.pack.
#include <type_traits>

#include "convert.h"

namespace softcuda {
namespace {

using ptx::Type;

// The low bits as a T, extended to the result's register.
template <class T, class From, class To>
const Inst* extend(Warp& w, const Inst* i) {
    const From* a = w.r<From>(i->op[1]);
    forLanes(w.mask, w.r<To>(i->op[0]), [&](u32 l) { return static_cast<To>(static_cast<T>(a[l])); });
    return i + 1;
}

template <class T, class From>
Run extendTo(u32 bits) {
    return bits == 16 ? extend<T, From, u16> : bits == 32 ? extend<T, From, u32> : extend<T, From, u64>;
}

template <class T>
Run extendFrom(u32 fromBits, u32 toBits) {
    return fromBits == 16 ? extendTo<T, u16>(toBits) : fromBits == 32 ? extendTo<T, u32>(toBits) : extendTo<T, u64>(toBits);
}

Run extension(Type type, u32 from, u32 to) {
    switch (type) {
        case Type::u8:
            return extendFrom<u8>(from, to);
        case Type::s8:
            return extendFrom<i8>(from, to);
        case Type::u16:
            return extendFrom<u16>(from, to);
        case Type::s16:
            return extendFrom<i16>(from, to);
        case Type::u32:
            return extendFrom<u32>(from, to);
        case Type::s32:
            return extendFrom<i32>(from, to);
        default:
            return extendFrom<u64>(from, to);
    }
}

// op: d, a, b, c, bits of a field; imm: whether fields are signed.
const Inst* pack(Warp& w, const Inst* i) {
    const i32 *a = w.r<i32>(i->op[1]), *b = w.r<i32>(i->op[2]);
    const u32* c = w.r<u32>(i->op[3]);
    u32 bits = i->op[4];
    i32 least = i->imm ? -(1 << (bits - 1)) : 0, most = (1 << (i->imm ? bits - 1 : bits)) - 1;
    u32 field = (1u << bits) - 1;
    forLanes(w.mask, w.r<u32>(i->op[0]), [&](u32 l) {
        u32 high = static_cast<u32>(a[l] < least ? least : a[l] > most ? most : a[l]) & field;
        u32 low = static_cast<u32>(b[l] < least ? least : b[l] > most ? most : b[l]) & field;
        return (bits == 16 ? 0 : c[l] << 2 * bits) | high << bits | low;
    });
    return i + 1;
}

}  // namespace

Run integerConversion(const ConvertForm& form) {
    const NumberFormat &from = *numberFormat(form.from), &to = *numberFormat(form.to);
    if (to.bits <= from.bits) return extension(form.to, form.fromBits, form.toBits);
    // A negative value in an unsigned type ends where the type does.
    bool cut = from.negative && !to.negative && form.toBits > to.bits;
    return cut ? nullptr : extension(form.from, form.fromBits, form.toBits);
}

void bindConvertPack(Binder& b) {
    const auto& in = b.in();
    const auto& names = in.allModifiers();
    bool three = names.size() == 5 && names[4] == "b32";
    if (names.size() < 4 || names[1] != "sat" || names[3] != "s32" || (names.size() != 4 && !three)) throw b.unsupported();
    const std::string& field = names[2];
    std::string width = field.substr(1);
    bool known = (field[0] == 'u' || field[0] == 's') && (three ? width == "2" || width == "4" || width == "8" : width == "16");
    if (!known || in.operands.size() != (three ? 4u : 3u)) throw b.unsupported();
    b.write(0, in.operands[0], Type::u32);
    b.read(1, in.operands[1], Type::s32);
    b.read(2, in.operands[2], Type::s32);
    b.read(3, in.operands[three ? 3 : 2], Type::b32);
    b.out().op[4] = static_cast<u32>(std::stoul(width));
    b.out().imm = field[0] == 's';
    b.out().run = pack;
}

}  // namespace softcuda
