// Conformance of multiplication and of sums with carry: mul, mad, mul24, mad24, dp4a, dp2a, add.cc, addc, sub.cc, subc, mad.cc, madc.
#include "conformance.h"

using namespace conformance;

namespace {

using i128 = __int128;
using u128 = unsigned __int128;

// The exact product, and its bits from `from` up, as T.
template <class T>
i128 product(T a, T b) {
    if constexpr (std::is_same_v<T, u64>)
        return static_cast<i128>(static_cast<u128>(a) * b);
    else
        return static_cast<i128>(a) * b;
}
template <class T>
T part(i128 x, u32 from) {
    return static_cast<T>(static_cast<u128>(x) >> from);
}

template <class T>
std::string named(const std::string& opcode) {
    return opcode + (std::is_signed_v<T> ? ".s" : ".u") + std::to_string(8 * sizeof(T));
}

template <class T>
void products() {
    constexpr u32 kBits = 8 * sizeof(T);
    form(named<T>("mul.lo"), [](T a, T b) -> T { return part<T>(product(a, b), 0); });
    form(named<T>("mul.hi"), [](T a, T b) -> T { return part<T>(product(a, b), kBits); });
    form(named<T>("mad.lo"), [](T a, T b, T c) -> T { return static_cast<T>(part<u64>(product(a, b), 0) + static_cast<u64>(c)); });
    form(named<T>("mad.hi"), [](T a, T b, T c) -> T { return static_cast<T>(part<u64>(product(a, b), kBits) + static_cast<u64>(c)); });
}

template <class T, class Wide>
void wideProducts() {
    form(named<T>("mul.wide"), [](T a, T b) -> Wide { return part<Wide>(product(a, b), 0); });
    form(named<T>("mad.wide"),
         [](T a, T b, Wide c) -> Wide { return static_cast<Wide>(part<u64>(product(a, b), 0) + static_cast<u64>(c)); });
}

i32 limited(i64 x) { return static_cast<i32>(std::min<i64>(std::max<i64>(x, INT32_MIN), INT32_MAX)); }

// The low 24 bits of a source.
i64 low24(u32 x) { return x & 0xffffff; }
i64 low24(i32 x) {
    i64 bits = x & 0xffffff;
    return bits >= 0x800000 ? bits - 0x1000000 : bits;
}

template <class T>
void products24() {
    form(named<T>("mul24.lo"), [](T a, T b) -> T { return static_cast<T>(low24(a) * low24(b)); });
    form(named<T>("mul24.hi"), [](T a, T b) -> T { return static_cast<T>(low24(a) * low24(b) >> 16); });
    form(named<T>("mad24.lo"), [](T a, T b, T c) -> T { return static_cast<T>(low24(a) * low24(b) + c); });
    form(named<T>("mad24.hi"), [](T a, T b, T c) -> T { return static_cast<T>((low24(a) * low24(b) >> 16) + c); });
}

// Part k of a register of bytes or 16-bit values.
template <class Part>
i64 piece(u32 x, u32 k) {
    return static_cast<Part>(x >> 8 * sizeof(Part) * k);
}

template <class A8, class B8, class A16>
void dotProducts(const std::string& types) {
    form("dp4a" + types, [](u32 a, u32 b, u32 c) -> u32 {
        i64 sum = c;
        for (u32 k = 0; k < 4; k++) sum += piece<A8>(a, k) * piece<B8>(b, k);
        return static_cast<u32>(sum);
    });
    form("dp2a.lo" + types, [](u32 a, u32 b, u32 c) -> u32 {
        return static_cast<u32>(c + piece<A16>(a, 0) * piece<B8>(b, 0) + piece<A16>(a, 1) * piece<B8>(b, 1));
    });
    form("dp2a.hi" + types, [](u32 a, u32 b, u32 c) -> u32 {
        return static_cast<u32>(c + piece<A16>(a, 0) * piece<B8>(b, 2) + piece<A16>(a, 1) * piece<B8>(b, 3));
    });
}

// Each sum also leaves its carry in $e: 1 for a carry of add or mad, all ones for a borrow of sub.
template <class T>
void carries(const std::string& type) {
    constexpr u32 kBits = 8 * sizeof(T);
    auto text = [&](std::string body) {
        for (std::size_t at; (at = body.find("#")) != std::string::npos;) body.replace(at, 1, type);
        return body;
    };
    auto split = [](u128 sum) { return std::pair(static_cast<T>(sum), static_cast<T>(sum >> kBits & 1)); };
    form(text("add.cc.# $d, $a, $b; addc.# $e, 0, 0;"), [split](T a, T b) { return split(u128{a} + b); });
    form(text("sub.cc.# $d, $a, $b; subc.# $e, 0, 0;"),
         [](T a, T b) { return std::pair(static_cast<T>(a - b), static_cast<T>(a < b ? ~T{0} : T{0})); });
    // A carry in of 1 where x is not zero.
    form(text("add.cc.# $d, $x, -1; addc.cc.# $d, $a, $b; addc.# $e, $c, 0;"), [split](T a, T b, T c, T x) {
        auto [low, carry] = split(u128{a} + b + (x != 0));
        return std::pair(low, static_cast<T>(c + carry));
    });
    // A borrow of 1 where x is not zero.
    form(text("sub.cc.# $d, 0, $x; subc.cc.# $d, $a, $b; subc.# $e, $c, 0;"), [](T a, T b, T c, T x) {
        u128 take = u128{b} + (x != 0);
        return std::pair(static_cast<T>(a - take), static_cast<T>(c - (u128{a} < take ? 1 : 0)));
    });
}

// mad with the carry; signed types multiply as such.
template <class T>
void carriedProducts(const std::string& type) {
    constexpr u32 kBits = 8 * sizeof(T);
    using U = std::make_unsigned_t<T>;
    auto sum = [](i128 whole, u32 from, T c, u32 in) {
        u128 x = u128{part<U>(whole, from)} + static_cast<U>(c) + in;
        return std::pair(static_cast<T>(x), static_cast<T>(x >> kBits));
    };
    for (u32 from : {0u, kBits}) {
        std::string half = from == 0 ? ".lo" : ".hi", carry = "; addc." + type + " $e, 0, 0;";
        form("mad" + half + ".cc." + type + " $d, $a, $b, $c" + carry, [=](T a, T b, T c) { return sum(product(a, b), from, c, 0); });
        std::string first = "add.cc." + type + " $d, $x, -1; ";
        form(first + "madc" + half + ".cc." + type + " $d, $a, $b, $c" + carry,
             [=](T a, T b, T c, T x) { return sum(product(a, b), from, c, x != 0); });
        form(first + "madc" + half + "." + type + " $d, $a, $b, $c",
             [=](T a, T b, T c, T x) { return sum(product(a, b), from, c, x != 0).first; });
    }
}

// What compilers write: 128-bit sums, a 64 by 64-bit product by 32-bit steps.
void chains() {
    form("add.cc.u32 $d, $a, $c; addc.cc.u32 $e, $b, $x; addc.u32 $f, $y, 0;", [](u32 a, u32 b, u32 c, u32 x, u32 y) {
        u64 low = u64{a} + c, high = u64{b} + x + (low >> 32);
        return std::tuple(static_cast<u32>(low), static_cast<u32>(high), static_cast<u32>(y + (high >> 32)));
    });
    form("mul.lo.u32 $d, $a, $c; mul.hi.u32 $e, $a, $c; mad.lo.cc.u32 $e, $b, $c, $e; madc.hi.u32 $f, $b, $c, 0;", [](u32 a, u32 b, u32 c) {
        u128 whole = (u128{b} << 32 | a) * c;
        return std::tuple(static_cast<u32>(whole), static_cast<u32>(whole >> 32), static_cast<u32>(whole >> 64));
    });
}

}  // namespace

int main() {
    products<u16>();
    products<i16>();
    products<u32>();
    products<i32>();
    products<u64>();
    products<i64>();
    wideProducts<u16, u32>();
    wideProducts<i16, i32>();
    wideProducts<u32, u64>();
    wideProducts<i32, i64>();
    form("mad.hi.sat.s32", [](i32 a, i32 b, i32 c) -> i32 { return limited((i64{a} * b >> 32) + c); });
    products24<u32>();
    products24<i32>();
    form("mad24.hi.sat.s32", [](i32 a, i32 b, i32 c) -> i32 { return limited((low24(a) * low24(b) >> 16) + c); });
    dotProducts<u8, u8, u16>(".u32.u32");
    dotProducts<u8, i8, u16>(".u32.s32");
    dotProducts<i8, u8, i16>(".s32.u32");
    dotProducts<i8, i8, i16>(".s32.s32");
    carries<u32>("u32");
    carries<u32>("s32");
    carries<u64>("u64");
    carries<u64>("s64");
    carriedProducts<u32>("u32");
    carriedProducts<i32>("s32");
    carriedProducts<u64>("u64");
    carriedProducts<i64>("s64");
    chains();
    return runForms("conformance_multiply");
}
