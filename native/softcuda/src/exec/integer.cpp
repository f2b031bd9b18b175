// Integer arithmetic: add, sub, div, rem, abs, neg, min, max, sad.
#include "integer.h"

#include <limits>
#include <type_traits>

#include "families.h"

namespace softcuda {
namespace {

using ptx::Type;

template <class T>
using Unsigned = std::make_unsigned_t<T>;

constexpr auto add = []<class T>(T a, T b) { return static_cast<T>(static_cast<Unsigned<T>>(a) + static_cast<Unsigned<T>>(b)); };
constexpr auto sub = []<class T>(T a, T b) { return static_cast<T>(static_cast<Unsigned<T>>(a) - static_cast<Unsigned<T>>(b)); };
constexpr auto neg = []<class T>(T a) { return static_cast<T>(0 - static_cast<Unsigned<T>>(a)); };
constexpr auto abs = []<class T>(T a) { return static_cast<T>(a < 0 ? 0 - static_cast<Unsigned<T>>(a) : static_cast<Unsigned<T>>(a)); };
constexpr auto least = []<class T>(T a, T b) { return a < b ? a : b; };
constexpr auto greatest = []<class T>(T a, T b) { return a > b ? a : b; };
constexpr auto leastRelu = []<class T>(T a, T b) {
    T m = a < b ? a : b;
    return m > 0 ? m : T(0);
};
constexpr auto greatestRelu = []<class T>(T a, T b) {
    T m = a > b ? a : b;
    return m > 0 ? m : T(0);
};

// The quotient and the remainder of a division by zero are all ones, as on GPUs; the least value by -1 wraps.
constexpr auto divide = []<class T>(T a, T b) {
    if (b == 0) return static_cast<T>(-1);
    if (std::is_signed_v<T> && b == static_cast<T>(-1)) return static_cast<T>(0 - static_cast<Unsigned<T>>(a));
    return static_cast<T>(a / b);
};
constexpr auto remainder = []<class T>(T a, T b) {
    if (b == 0) return static_cast<T>(-1);
    if (std::is_signed_v<T> && b == static_cast<T>(-1)) return T(0);
    return static_cast<T>(a % b);
};

// |a - b| + c
constexpr auto absoluteDifference = []<class T>(T a, T b, T c) {
    auto x = static_cast<Unsigned<T>>(a), y = static_cast<Unsigned<T>>(b);
    return static_cast<T>((a < b ? y - x : x - y) + static_cast<Unsigned<T>>(c));
};

i32 clampToInt(i64 x) {
    constexpr i64 low = std::numeric_limits<i32>::min(), high = std::numeric_limits<i32>::max();
    return static_cast<i32>(x < low ? low : x > high ? high : x);
}
constexpr auto addSaturated = [](i32 a, i32 b) { return clampToInt(static_cast<i64>(a) + b); };
constexpr auto subSaturated = [](i32 a, i32 b) { return clampToInt(static_cast<i64>(a) - b); };

// Applies F to the two 16-bit halves.
template <auto F, class T>
u32 halves(u32 a, u32 b) {
    u16 low = static_cast<u16>(F(static_cast<T>(a), static_cast<T>(b)));
    u16 high = static_cast<u16>(F(static_cast<T>(a >> 16), static_cast<T>(b >> 16)));
    return low | static_cast<u32>(high) << 16;
}
template <auto F>
Run packed(bool isSigned) {
    if (isSigned) return lanes2<[](u32 a, u32 b) { return halves<F, i16>(a, b); }, u32, u32, u32>;
    return lanes2<[](u32 a, u32 b) { return halves<F, u16>(a, b); }, u32, u32, u32>;
}

bool bindPacked(Binder& b, Type type) {
    const auto& in = b.in();
    bool isSigned = type == Type::s16x2, relu = in.has("relu");
    if (relu && !isSigned) throw b.unsupported(".relu needs s16x2");
    if (in.opcode == "add")
        b.out().run = packed<add>(false);
    else if (in.opcode == "min")
        b.out().run = relu ? packed<leastRelu>(true) : packed<least>(isSigned);
    else if (in.opcode == "max")
        b.out().run = relu ? packed<greatestRelu>(true) : packed<greatest>(isSigned);
    else
        return false;
    bindOperands(b, Type::b32, {Type::b32, Type::b32});
    return true;
}

Run minimumOrMaximum(Binder& b, Type type) {
    bool minimum = b.in().opcode == "min";
    if (!b.in().has("relu")) return minimum ? integer2<least>(b, type) : integer2<greatest>(b, type);
    if (type != Type::s32) throw b.unsupported(".relu needs s32 or s16x2");
    return minimum ? lanes2<leastRelu, i32, i32, i32> : lanes2<greatestRelu, i32, i32, i32>;
}

Run sum(Binder& b, Type type) {
    bool plus = b.in().opcode == "add";
    if (!b.in().has("sat")) return plus ? integer2<add>(b, type) : integer2<sub>(b, type);
    if (type != Type::s32) throw b.unsupported(".sat needs s32");
    return plus ? lanes2<addSaturated, i32, i32, i32> : lanes2<subSaturated, i32, i32, i32>;
}

}  // namespace

bool isInteger(Type type) {
    switch (type) {
        case Type::u16:
        case Type::u32:
        case Type::u64:
        case Type::s16:
        case Type::s32:
        case Type::s64:
        case Type::b16:
        case Type::b32:
        case Type::b64:
            return true;
        default:
            return false;
    }
}

void bindOperands(Binder& b, Type result, std::initializer_list<Type> sources) {
    const auto& operands = b.in().operands;
    if (operands.size() != sources.size() + 1) throw b.unsupported("wrong number of operands");
    b.write(0, operands[0], result);
    u32 k = 1;
    for (Type type : sources) {
        b.read(k, operands[k], type);
        k++;
    }
}

bool bindInteger(Binder& b) {
    const auto& in = b.in();
    const std::string& op = in.opcode;
    Type type = in.type();
    if (type == Type::u16x2 || type == Type::s16x2) return bindPacked(b, type);
    if (!isInteger(type)) return false;
    if (bindCarry(b) || bindMultiply(b) || bindBits(b)) return true;
    Run run = nullptr;
    if (op == "add" || op == "sub")
        run = sum(b, type);
    else if (op == "div")
        run = integer2<divide>(b, type);
    else if (op == "rem")
        run = integer2<remainder>(b, type);
    else if (op == "min" || op == "max")
        run = minimumOrMaximum(b, type);
    if (run != nullptr) {
        bindOperands(b, type, {type, type});
    } else if (op == "abs" || op == "neg") {
        if (!ptx::isSigned(type)) throw b.unsupported("the type must be signed");
        run = op == "abs" ? integer1<abs>(b, type) : integer1<neg>(b, type);
        bindOperands(b, type, {type});
    } else if (op == "sad") {
        run = integer3<absoluteDifference>(b, type);
        bindOperands(b, type, {type, type, type});
    }
    b.out().run = run;
    return run != nullptr;
}

}  // namespace softcuda
