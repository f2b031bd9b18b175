// Conformance of cvt between integers, from floating point to integers and back, with registers wider than the types; cvt.pack.
#include "conformance_formats.h"

using namespace conformance;

namespace {

template <class... T, class F>
void each(F f) {
    (f(T{}), ...);
}
template <class F>
void eachInteger(F f) {
    each<u8, i8, u16, i16, u32, i32, u64, i64>(f);
}
template <class F>
void eachFloat(F f) {
    each<F16, Bf16, float, double>(f);
}

// --- Integers ----------------------------------------------------------------------------------------------------------------------------

template <class D, class S>
D clamped(S x) {
    using Limits = std::numeric_limits<D>;
    __int128 wide = x;
    return static_cast<D>(std::min<__int128>(std::max<__int128>(wide, Limits::min()), Limits::max()));
}

template <class D, class S>
constexpr bool kHoldsAll = std::is_signed_v<D> == std::is_signed_v<S> ? sizeof(D) >= sizeof(S)
                                                                      : std::is_signed_v<D> && sizeof(D) > sizeof(S);

void integers() {
    eachInteger([](auto d) {
        eachInteger([](auto s) {
            using D = decltype(d);
            using S = decltype(s);
            form(cvt<D, S>(""), [](S x) -> D { return static_cast<D>(x); });
            if constexpr (!kHoldsAll<D, S>) form(cvt<D, S>(".sat"), [](S x) -> D { return clamped<D>(x); });
        });
    });
}

// Registers of another width than the type: the source's low bits count, the result is extended to the register.
void wideRegisters() {
    form("cvt.s32.s8", [](u32 x) -> u32 { return static_cast<u32>(static_cast<i8>(x)); });
    form("cvt.u32.u8", [](u32 x) -> u32 { return static_cast<u8>(x); });
    form("cvt.s8.s32", [](u32 x) -> u32 { return static_cast<u32>(static_cast<i8>(x)); });
    form("cvt.u8.u32", [](u32 x) -> u64 { return static_cast<u8>(x); });
    form("cvt.s64.s16", [](u64 x) -> u64 { return static_cast<u64>(static_cast<i16>(x)); });
    form("cvt.u16.s8", [](u64 x) -> u32 { return static_cast<u16>(static_cast<i8>(x)); });
    form("cvt.u32.s16", [](u32 x) -> u64 { return static_cast<u32>(static_cast<i16>(x)); });
    form("cvt.s16.u8", [](u16 x) -> u16 { return static_cast<u8>(x); });
    form("cvt.s8.s8", [](u16 x) -> u16 { return static_cast<u16>(static_cast<i8>(x)); });
    form("cvt.sat.s8.s32", [](i32 x) -> u64 { return static_cast<u64>(static_cast<i64>(clamped<i8>(x))); });
    form("cvt.sat.u8.s16", [](u32 x) -> u32 { return clamped<u8>(static_cast<i16>(x)); });
    form("cvt.rzi.s8.f32", [](float x) -> u32 {
        return static_cast<u32>(std::isnan(x) ? 0 : static_cast<i32>(std::trunc(std::min(std::max(x, -128.0f), 127.0f))));
    });
    form("cvt.rn.f32.s8", [](u32 x) -> float { return static_cast<i8>(x); });
    form("cvt.rn.f32.u16", [](u64 x) -> float { return static_cast<u16>(x); });
    form("cvt.rn.f16.f32", [](float x) -> u32 { return static_cast<u32>(convertedTo(kF16, exact(x), Rounding::even)); });
    form("cvt.f32.f16", [](u32 x) -> float { return std::bit_cast<float>(static_cast<u32>(encoded(kF32, decoded(kF16, x & 0xffff)))); });
    form("cvt.u32.u16 $d, 70000", []() -> u32 { return 70000 & 0xffff; });
}

template <int kBits, bool kSigned>
u32 field(i32 x) {
    i32 least = kSigned ? -(1 << (kBits - 1)) : 0, most = kSigned ? (1 << (kBits - 1)) - 1 : (1 << kBits) - 1;
    return static_cast<u32>(std::min(std::max(x, least), most)) & ((1u << kBits) - 1);
}

template <int kBits, bool kSigned>
void pack() {
    std::string text = std::string("cvt.pack.sat.") + (kSigned ? "s" : "u") + std::to_string(kBits) + ".s32";
    auto low = [](i32 a, i32 b) { return field<kBits, kSigned>(a) << kBits | field<kBits, kSigned>(b); };
    auto values = {-40000, -32768, -300, -129, -128, -9, -8,  -7,  -3,  -2,  -1,    0,     1,    2,
                   3,      4,      7,    8,    15,   16, 127, 128, 255, 256, 32767, 32768, 65536};
    Form& added =
        kBits == 16 ? form(text, low) : form(text + ".b32", [low](i32 a, i32 b, u32 c) { return c << 2 * kBits % 32 | low(a, b); });
    added.in<i32>(0, values).in<i32>(1, values);
}

// --- Floating point and integers -----------------------------------------------------------------------------------------------------

// bf16 and integers of 8 bits do not meet: ptxas has no register for them.
template <class F, class I>
constexpr bool kMeet = !std::is_same_v<F, Bf16> || sizeof(I) > 1;

template <class D, class S>
D integerOf(S x, Rounding rounding, bool ftz) {
    using Limits = std::numeric_limits<D>;
    long double value = exact(x, ftz);
    if (std::isnan(value)) return std::is_same_v<S, double> || sizeof(D) == 8 ? static_cast<D>(1ull << (8 * sizeof(D) - 1)) : D(0);
    long double whole = std::isinf(value) ? value : toIntegral(value, rounding);
    if (whole >= static_cast<long double>(Limits::max())) return Limits::max();
    return whole <= static_cast<long double>(Limits::min()) ? Limits::min() : static_cast<D>(whole);
}

void floatsToIntegers() {
    eachFloat([](auto s) {
        eachInteger([](auto d) {
            using D = decltype(d);
            using S = decltype(s);
            for (const auto& [name, rounding] : kIntegerRoundings)
                for (bool ftz : {false, true}) {
                    if ((ftz && !std::is_same_v<S, float>) || !kMeet<S, D>) continue;
                    add(form(cvt<D, S>(std::string(name) + (ftz ? ".ftz" : "")),
                             [rounding = rounding, ftz](S x) -> D { return integerOf<D>(x, rounding, ftz); }),
                        nearIntegers<S>());
                }
        });
    });
    // Float to integer clamps anyway.
    form("cvt.rni.sat.s32.f32", [](float x) -> i32 { return integerOf<i32>(x, Rounding::even, false); });
    form("cvt.rzi.sat.u8.f32", [](float x) -> u8 { return integerOf<u8>(x, Rounding::zero, false); });
}

// Integers around those where formats round, tie and overflow.
template <class T>
std::vector<T> integersToRound() {
    std::vector<T> values;
    Random random(7);
    for (int bits = 1; bits <= static_cast<int>(8 * sizeof(T)); bits++)
        for (int precision : {8, 11, 24, 53}) {
            if (bits <= precision) continue;
            u64 top = 1ull << (bits - 1), last = 1ull << (bits - precision), half = last >> 1;
            u64 some = top | (random.next() & (top - 1) & ~(last - 1));
            for (u64 v : {top + half, top + last + half, some + half, some + half + 1, some + half - 1, top + (top - 1), some ^ last})
                for (u64 signedOne : {v, 0 - v}) values.push_back(static_cast<T>(signedOne));
        }
    for (u64 v : {65503ull, 65504ull, 65505ull, 65519ull, 65520ull, 65521ull}) values.push_back(static_cast<T>(v));
    return values;
}

void integersToFloats() {
    eachFloat([](auto d) {
        eachInteger([](auto s) {
            using D = decltype(d);
            using S = decltype(s);
            for (const auto& [name, rounding] : kFloatRoundings) {
                if (!kMeet<D, S>) continue;
                add(form(cvt<D, S>(name), [rounding = rounding](S x) -> D { return floatOf<D>(exact(x), rounding, {}); }),
                    integersToRound<S>());
            }
        });
    });
    form("cvt.rn.sat.f32.s32", [](i32 x) -> float { return x <= 0 ? 0.0f : 1.0f; });
    form("cvt.rz.sat.f16.u16", [](u16 x) -> F16 { return {static_cast<u16>(x == 0 ? 0 : 0x3c00)}; });
}

}  // namespace

int main() {
    integers();
    wideRegisters();
    pack<16, false>(), pack<16, true>(), pack<8, false>(), pack<8, true>();
    pack<4, false>(), pack<4, true>(), pack<2, false>(), pack<2, true>();
    floatsToIntegers();
    integersToFloats();
    return runForms("conformance_convert");
}
