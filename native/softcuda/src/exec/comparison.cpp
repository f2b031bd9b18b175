// See comparison.h.
#include "comparison.h"

#include <bit>
#include <map>

#include "half.h"

namespace softcuda {
namespace {

using ptx::Type;

// How a register's lanes become values to compare.
template <class T>
struct Plain {
    using Raw = T;
    static T value(T raw) { return raw; }
};
struct Flushed {
    using Raw = float;
    static float value(float raw) { return std::bit_cast<u32>(raw) & 0x7f800000u ? raw : 0.0f; }
};
template <bool kFtz>
struct Half {
    using Raw = u16;
    static float value(u16 raw) { return kFtz && !(raw & 0x7c00) ? 0.0f : halfToFloat(raw); }
};
struct Bfloat {
    using Raw = u16;
    static float value(u16 raw) { return bfloatToFloat(raw); }
};
template <class Base, u32 shift>
struct HalfOf {
    using Raw = u32;
    static float value(u32 raw) { return Base::value(static_cast<u16>(raw >> shift)); }
};

enum class Compare : u8 { eq, ne, lt, le, gt, ge, equ, neu, ltu, leu, gtu, geu, num, nan };

template <Compare kCompare, class V>
bool holds(V a, V b) {
    switch (kCompare) {
        case Compare::eq:
            return a == b;
        case Compare::ne:
            return a < b || a > b;
        case Compare::lt:
            return a < b;
        case Compare::le:
            return a <= b;
        case Compare::gt:
            return a > b;
        case Compare::ge:
            return a >= b;
        case Compare::equ:
            return !(a < b || a > b);
        case Compare::neu:
            return !(a == b);
        case Compare::ltu:
            return !(a >= b);
        case Compare::leu:
            return !(a > b);
        case Compare::gtu:
            return !(a <= b);
        case Compare::geu:
            return !(a < b);
        case Compare::num:
            return a == a && b == b;
        case Compare::nan:
            return !(a == a && b == b);
    }
    return false;
}

template <Compare kCompare, class Reader>
u32 test(const Warp& w, u32 aOffset, u32 bOffset) {
    const auto* a = reinterpret_cast<const typename Reader::Raw*>(w.regs + aOffset);
    const auto* b = reinterpret_cast<const typename Reader::Raw*>(w.regs + bOffset);
    u32 bits = 0;
    for (u32 l = 0; l < kLanes; l++) bits |= static_cast<u32>(holds<kCompare>(Reader::value(a[l]), Reader::value(b[l]))) << l;
    return bits;
}

template <class Reader>
Test ordered(Compare compare) {
    switch (compare) {
        case Compare::eq:
            return test<Compare::eq, Reader>;
        case Compare::ne:
            return test<Compare::ne, Reader>;
        case Compare::lt:
            return test<Compare::lt, Reader>;
        case Compare::le:
            return test<Compare::le, Reader>;
        case Compare::gt:
            return test<Compare::gt, Reader>;
        case Compare::ge:
            return test<Compare::ge, Reader>;
        default:
            return nullptr;
    }
}

template <class Reader>
Test real(Compare compare) {
    switch (compare) {
        case Compare::equ:
            return test<Compare::equ, Reader>;
        case Compare::neu:
            return test<Compare::neu, Reader>;
        case Compare::ltu:
            return test<Compare::ltu, Reader>;
        case Compare::leu:
            return test<Compare::leu, Reader>;
        case Compare::gtu:
            return test<Compare::gtu, Reader>;
        case Compare::geu:
            return test<Compare::geu, Reader>;
        case Compare::num:
            return test<Compare::num, Reader>;
        case Compare::nan:
            return test<Compare::nan, Reader>;
        default:
            return ordered<Reader>(compare);
    }
}

// `shift`: where the element lies in a register of two.
template <u32 shift>
Test packedTest(Type type, Compare compare, bool ftz) {
    if (type == Type::bf16x2) return real<HalfOf<Bfloat, shift>>(compare);
    return ftz ? real<HalfOf<Half<true>, shift>>(compare) : real<HalfOf<Half<false>, shift>>(compare);
}

Test testOf(Type type, Compare compare, bool ftz) {
    bool equality = compare == Compare::eq || compare == Compare::ne;
    switch (type) {
        case Type::u16:
            return ordered<Plain<u16>>(compare);
        case Type::s16:
            return ordered<Plain<i16>>(compare);
        case Type::u32:
            return ordered<Plain<u32>>(compare);
        case Type::s32:
            return ordered<Plain<i32>>(compare);
        case Type::u64:
            return ordered<Plain<u64>>(compare);
        case Type::s64:
            return ordered<Plain<i64>>(compare);
        case Type::b16:
            return equality ? ordered<Plain<u16>>(compare) : nullptr;
        case Type::b32:
            return equality ? ordered<Plain<u32>>(compare) : nullptr;
        case Type::b64:
            return equality ? ordered<Plain<u64>>(compare) : nullptr;
        case Type::f32:
            return ftz ? real<Flushed>(compare) : real<Plain<float>>(compare);
        case Type::f64:
            return real<Plain<double>>(compare);
        case Type::f16:
            return ftz ? real<Half<true>>(compare) : real<Half<false>>(compare);
        case Type::bf16:
            return real<Bfloat>(compare);
        default:
            return nullptr;
    }
}

// The first modifier; lo, ls, hi and hs compare unsigned values.
Compare compareOf(Binder& b, Type type) {
    static const std::map<std::string, Compare> names = {
        {"eq", Compare::eq},   {"ne", Compare::ne},   {"lt", Compare::lt},   {"le", Compare::le},   {"gt", Compare::gt},
        {"ge", Compare::ge},   {"equ", Compare::equ}, {"neu", Compare::neu}, {"ltu", Compare::ltu}, {"leu", Compare::leu},
        {"gtu", Compare::gtu}, {"geu", Compare::geu}, {"num", Compare::num}, {"nan", Compare::nan}, {"lo", Compare::lt},
        {"ls", Compare::le},   {"hi", Compare::gt},   {"hs", Compare::ge}};
    const auto& modifiers = b.in().modifiers;
    auto found = modifiers.empty() ? names.end() : names.find(modifiers[0]);
    if (found == names.end()) throw b.unsupported("unknown comparison");
    const std::string& name = found->first;
    bool unsignedOnly = name == "lo" || name == "ls" || name == "hi" || name == "hs";
    if (unsignedOnly && (ptx::isSigned(type) || ptx::isFloat(type))) throw b.unsupported("." + name + " needs an unsigned type");
    return found->second;
}

// The modifiers between the comparison and the types.
u32 combineOf(Binder& b, std::size_t types, bool& ftz) {
    const auto& modifiers = b.in().allModifiers();
    u32 combine = none;
    for (std::size_t k = 1; k + types < modifiers.size(); k++) {
        if (modifiers[k] == "ftz")
            ftz = true;
        else if (modifiers[k] == "and" && combine == none)
            combine = both;
        else if (modifiers[k] == "or" && combine == none)
            combine = either;
        else if (modifiers[k] == "xor" && combine == none)
            combine = differ;
        else
            throw b.unsupported("modifier ." + modifiers[k]);
    }
    return combine;
}

}  // namespace

Comparison::Comparison(Binder& b, std::size_t types) : type(b.in().type()), packed(type == Type::f16x2 || type == Type::bf16x2) {
    Compare compare = compareOf(b, type);
    bool ftz = false;
    combine = combineOf(b, types, ftz);
    if (ftz && type != Type::f32 && type != Type::f16 && type != Type::f16x2) throw b.unsupported(".ftz");
    test = packed ? packedTest<0>(type, compare, ftz) : testOf(type, compare, ftz);
    high = packed ? packedTest<16>(type, compare, ftz) : nullptr;
    if (test == nullptr) throw b.unsupported("this comparison of this type");
}

}  // namespace softcuda
