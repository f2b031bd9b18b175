// setp, set, selp, slct, and logic on predicates.
#include <bit>
#include <map>

#include "families.h"
#include "half.h"

namespace softcuda {
namespace {

using ptx::Type;

// A comparison of two registers: a bit for each lane where it holds.
using Test = u32 (*)(const Warp& w, u32 a, u32 b);

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
struct Half {
    using Raw = u16;
    static float value(u16 raw) { return halfToFloat(raw); }
};
struct Bfloat {
    using Raw = u16;
    static float value(u16 raw) { return bfloatToFloat(raw); }
};
struct FlushedHalf {
    using Raw = u16;
    static float value(u16 raw) { return raw & 0x7c00u ? halfToFloat(raw) : 0.0f; }
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

Test testOf(Binder& b, Type type, Compare compare, bool ftz) {
    bool equality = compare == Compare::eq || compare == Compare::ne;
    if (ftz && type != Type::f32 && type != Type::f16 && type != Type::f16x2) throw b.unsupported(".ftz");
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
            return ftz ? real<FlushedHalf>(compare) : real<Half>(compare);
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
    const auto& modifiers = b.in().allModifiers();
    auto found = modifiers.empty() ? names.end() : names.find(modifiers[0]);
    if (found == names.end()) throw b.unsupported("unknown comparison");
    const std::string& name = found->first;
    bool unsignedOnly = name == "lo" || name == "ls" || name == "hi" || name == "hs";
    if (unsignedOnly && (ptx::isSigned(type) || ptx::isFloat(type))) throw b.unsupported("." + name + " needs an unsigned type");
    return found->second;
}

// The modifiers between the comparison and the types.
enum Combine : u32 { none = 0, both = 1, either = 2, differ = 3, combineBits = 3, negated = 4, second = 8 };

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

u32 combined(u32 flags, u32 bits, u32 c) {
    if (flags & negated) c = ~c;
    switch (flags & combineBits) {
        case both:
            return bits & c;
        case either:
            return bits | c;
        case differ:
            return bits ^ c;
        default:
            return bits;
    }
}

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

// f16x2 and bf16x2: p for the low half, q for the high one.
template <class Base>
const Inst* setpPacked(Warp& w, const Inst* i) {
    u32 flags = i->op[5], c = flags & combineBits ? w.p(i->op[4]) : 0;
    const Test* tests = reinterpret_cast<const Test*>(i->imm);
    u32 low = tests[0](w, i->op[2], i->op[3]), high = tests[1](w, i->op[2], i->op[3]);
    setPredicate(w.p(i->op[0]), combined(flags, low, c), w.mask);
    setPredicate(w.p(i->op[1]), combined(flags, high, c), w.mask);
    return i + 1;
}

// The pair of tests of a packed comparison, kept for ever.
template <class Base>
const Test* packedTests(Compare compare) {
    static std::map<Compare, std::pair<Test, Test>> pairs;
    auto& pair = pairs[compare];
    pair = {real<HalfOf<Base, 0>>(compare), real<HalfOf<Base, 16>>(compare)};
    return &pair.first;
}

void bindSetp(Binder& b) {
    const auto& in = b.in();
    Type type = in.type();
    bool ftz = false, packed = type == Type::f16x2 || type == Type::bf16x2;
    Compare compare = compareOf(b, type);
    u32 flags = combineOf(b, 1, ftz);
    if (in.operands.size() != (flags ? 4u : 3u)) throw b.unsupported("wrong number of operands");
    const auto& target = in.operands[0];
    bool pair = target.kind == ptx::Operand::Kind::pair;
    if (packed && (!pair || ftz)) throw b.unsupported();
    b.writePredicate(0, pair ? target.parts[0] : target);
    if (pair) {
        b.writePredicate(1, target.parts[1]);
        flags |= second;
    }
    b.read(2, in.operands[1], type);
    b.read(3, in.operands[2], type);
    if ((flags & combineBits) && b.readPredicate(4, in.operands[3])) flags |= negated;
    b.out().op[5] = flags;
    if (packed) {
        bool half = type == Type::f16x2;
        b.out().imm = reinterpret_cast<u64>(half ? packedTests<Half>(compare) : packedTests<Bfloat>(compare));
        b.out().run = half ? setpPacked<Half> : setpPacked<Bfloat>;
        return;
    }
    Test test = testOf(b, type, compare, ftz);
    if (test == nullptr) throw b.unsupported("this comparison of this type");
    b.out().imm = reinterpret_cast<u64>(test);
    b.out().run = setp;
}

// set: all ones or 1.0 where it holds. op: d, -, a, b, c, flags
template <class T>
const Inst* set(Warp& w, const Inst* i) {
    u32 flags = i->op[5];
    u32 bits = combined(flags, reinterpret_cast<Test>(i->imm)(w, i->op[2], i->op[3]), flags & combineBits ? w.p(i->op[4]) : 0);
    constexpr T kTrue = std::is_same_v<T, float> ? T(1) : static_cast<T>(-1);
    forLanes(w.mask, w.r<T>(i->op[0]), [&](u32 l) { return bits >> l & 1 ? kTrue : T(0); });
    return i + 1;
}

void bindSet(Binder& b) {
    const auto& in = b.in();
    Type source = in.type(), result = in.type(1);
    bool ftz = false;
    Compare compare = compareOf(b, source);
    u32 flags = combineOf(b, 2, ftz);
    Test test = testOf(b, source, compare, ftz);
    if (test == nullptr || (result != Type::u32 && result != Type::s32 && result != Type::f32)) throw b.unsupported();
    if (in.operands.size() != (flags ? 4u : 3u)) throw b.unsupported("wrong number of operands");
    b.write(0, in.operands[0], result);
    b.read(2, in.operands[1], source);
    b.read(3, in.operands[2], source);
    if (flags && b.readPredicate(4, in.operands[3])) flags |= negated;
    b.out().op[5] = flags;
    b.out().imm = reinterpret_cast<u64>(test);
    b.out().run = result == Type::f32 ? set<float> : set<u32>;
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
constexpr auto selectFlushed = []<class T>(T a, T b, float c) { return Flushed::value(c) >= 0 ? a : b; };

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
