// Conformance of integer arithmetic: add, sub, div, rem, abs, neg, min, max, sad, and two 16-bit values in a register.
#include "conformance.h"

using namespace conformance;

namespace {

template <class T>
using Unsigned = std::make_unsigned_t<T>;

// "add" of T: "add.s32".
template <class T>
std::string named(const std::string& opcode) {
    return opcode + (std::is_signed_v<T> ? ".s" : ".u") + std::to_string(8 * sizeof(T));
}

template <class T>
void common() {
    using U = Unsigned<T>;
    form(named<T>("add"), [](T a, T b) -> T { return static_cast<T>(static_cast<U>(a) + static_cast<U>(b)); });
    form(named<T>("sub"), [](T a, T b) -> T { return static_cast<T>(static_cast<U>(a) - static_cast<U>(b)); });
    form(named<T>("min"), [](T a, T b) -> T { return b < a ? b : a; });
    form(named<T>("max"), [](T a, T b) -> T { return b > a ? b : a; });
    // Division by zero is unspecified by the manual; GPUs give all ones for the quotient and the remainder.
    form(named<T>("div"), [](T a, T b) -> T {
        if (b == 0) return static_cast<T>(~0ull);
        if (std::is_signed_v<T> && b == static_cast<T>(-1)) return static_cast<T>(~static_cast<U>(a) + 1);
        return static_cast<T>(a / b);
    });
    form(named<T>("rem"), [](T a, T b) -> T {
        if (b == 0) return static_cast<T>(~0ull);
        if (std::is_signed_v<T> && b == static_cast<T>(-1)) return 0;
        return static_cast<T>(a % b);
    });
    form(named<T>("sad"), [](T a, T b, T c) -> T {
        U distance = static_cast<U>(b < a ? static_cast<U>(a) - static_cast<U>(b) : static_cast<U>(b) - static_cast<U>(a));
        return static_cast<T>(distance + static_cast<U>(c));
    });
}

template <class T>
void signedOnly() {
    form(named<T>("neg"), [](T a) -> T { return static_cast<T>(~static_cast<Unsigned<T>>(a) + 1); });
    form(named<T>("abs"), [](T a) -> T { return a < 0 ? static_cast<T>(~static_cast<Unsigned<T>>(a) + 1) : a; });
}

i32 limited(i64 x) { return static_cast<i32>(std::min<i64>(std::max<i64>(x, INT32_MIN), INT32_MAX)); }

void saturating() {
    form("add.sat.s32", [](i32 a, i32 b) -> i32 { return limited(i64{a} + b); });
    form("sub.sat.s32", [](i32 a, i32 b) -> i32 { return limited(i64{a} - b); });
    form("min.relu.s32", [](i32 a, i32 b) -> i32 { return std::max(std::min(a, b), 0); });
    form("max.relu.s32", [](i32 a, i32 b) -> i32 { return std::max(std::max(a, b), 0); });
}

void immediates() {
    form("add.s32 $d, $a, -5", [](u32 a) -> u32 { return a - 5; });
    form("add.s64 $d, $a, 0x123456789abcdef", [](u64 a) -> u64 { return a + 0x123456789abcdefull; });
    form("sub.s16 $d, 7, $a", [](u16 a) -> u16 { return static_cast<u16>(7 - a); });
    form("add.u64 $d, $a, -1", [](u64 a) -> u64 { return a - 1; });
    form("sub.u32 $d, 0U, $a", [](u32 a) -> u32 { return 0 - a; });
    form("rem.u32 $d, $a, 10", [](u32 a) -> u32 { return a % 10; });
}

// F of each half; T is the type of the halves.
template <class T, class F>
void packed(const std::string& text, F f) {
    form(text, [f](u32 a, u32 b) -> u32 {
        u16 low = static_cast<u16>(f(static_cast<T>(a & 0xffff), static_cast<T>(b & 0xffff)));
        u16 high = static_cast<u16>(f(static_cast<T>(a >> 16), static_cast<T>(b >> 16)));
        return high << 16 | low;
    });
}

void packedForms() {
    packed<u16>("add.u16x2", [](u16 a, u16 b) { return a + b; });
    packed<i16>("add.s16x2", [](i16 a, i16 b) { return a + b; });
    packed<u16>("min.u16x2", [](u16 a, u16 b) { return std::min(a, b); });
    packed<u16>("max.u16x2", [](u16 a, u16 b) { return std::max(a, b); });
    packed<i16>("min.s16x2", [](i16 a, i16 b) { return std::min(a, b); });
    packed<i16>("max.s16x2", [](i16 a, i16 b) { return std::max(a, b); });
    packed<i16>("min.relu.s16x2", [](i16 a, i16 b) { return std::max<int>(std::min(a, b), 0); });
    packed<i16>("max.relu.s16x2", [](i16 a, i16 b) { return std::max<int>(std::max(a, b), 0); });
}

}  // namespace

int main() {
    common<u16>();
    common<i16>();
    common<u32>();
    common<i32>();
    common<u64>();
    common<i64>();
    signedOnly<i16>();
    signedOnly<i32>();
    signedOnly<i64>();
    saturating();
    immediates();
    packedForms();
    return runForms("conformance_integer");
}
