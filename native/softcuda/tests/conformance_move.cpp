// Conformance of mov, with packing and unpacking, of prmt in all modes, and of cvta and isspacep.
#include "conformance.h"

using namespace conformance;

namespace {

// Part k of a register, k counted in parts of P's width.
template <class P>
P part(u64 whole, u32 k) {
    return static_cast<P>(whole >> 8 * sizeof(P) * k);
}

void moves() {
    for (const char* type : {"b16", "u16", "s16"}) form(std::string("mov.") + type, [](u16 a) -> u16 { return a; });
    for (const char* type : {"b32", "u32", "s32"}) form(std::string("mov.") + type, [](u32 a) -> u32 { return a; });
    for (const char* type : {"b64", "u64", "s64"}) form(std::string("mov.") + type, [](u64 a) -> u64 { return a; });
    form("mov.f32", [](float a) -> float { return a; });
    form("mov.f64", [](double a) -> double { return a; });
    form("mov.u32 $d, -7", []() -> u32 { return static_cast<u32>(-7); });
    form("mov.b64 $d, 0x8000000000000001", []() -> u64 { return 0x8000000000000001; });
    form("mov.b16 $d, 0x1ff", []() -> u16 { return 0x1ff; });
    form("mov.f32 $d, 0fC0490FDB", []() -> float { return -3.14159274f; });
    form("mov.f64 $d, 0d400921FB54442D18", []() -> double { return 3.14159265358979311600; });
}

void vectors() {
    form("mov.b32 $d, {$a, $b}", [](u16 a, u16 b) -> u32 { return b * 65536u + a; });
    form("mov.b64 $d, {$a, $b}", [](u32 a, u32 b) -> u64 { return b * 4294967296u + a; });
    form("mov.b64 $d, {$a, $b, $c, $x}",
         [](u16 a, u16 b, u16 c, u16 x) -> u64 { return a + b * 65536ull + c * 4294967296ull + x * 281474976710656ull; });
    form("mov.b32 {$d, $e}, $a", [](u32 a) { return std::pair(part<u16>(a, 0), part<u16>(a, 1)); });
    form("mov.b64 {$d, $e}, $a", [](u64 a) { return std::pair(part<u32>(a, 0), part<u32>(a, 1)); });
    form("mov.b64 {$d, $e, $f, $g}, $a",
         [](u64 a) { return std::tuple(part<u16>(a, 0), part<u16>(a, 1), part<u16>(a, 2), part<u16>(a, 3)); });
    form("mov.b32 {_, $d}, $a", [](u32 a) -> u16 { return part<u16>(a, 1); });
    form("mov.b64 {$d, _}, $a", [](double a) -> float { return std::bit_cast<float>(part<u32>(toRaw(a), 0)); });
    form("mov.b64 $d, {$a, $b}", [](float a, float b) -> double { return fromRaw<double>(toRaw(b) << 32 | toRaw(a)); });
    // Registers of a scope hide others of their name.
    form("{ .reg .b16 lo; .reg .b16 hi; mov.b32 {lo, hi}, $a; { .reg .b32 lo; mov.b32 lo, 5; } mov.b32 $d, {hi, lo}; }",
         [](u32 a) -> u32 { return a << 16 | a >> 16; });
}

u32 byteAt(u32 a, u32 b, u32 index) { return (index < 4 ? a >> 8 * index : b >> 8 * (index - 4)) & 0xff; }

// Byte k of the result is byte `index(k, c % 4)` of the eight.
template <class F>
void permutation(const char* mode, F index) {
    form(std::string("prmt.b32.") + mode, [index](u32 a, u32 b, u32 c) -> u32 {
        u32 result = 0;
        for (int k = 0; k < 4; k++) result |= byteAt(a, b, static_cast<u32>(index(k, static_cast<int>(c & 3)))) << 8 * k;
        return result;
    });
}

void permutations() {
    form("prmt.b32", [](u32 a, u32 b, u32 c) -> u32 {
        u32 result = 0;
        for (u32 k = 0; k < 4; k++) {
            u32 selector = c >> 4 * k & 15, byte = byteAt(a, b, selector & 7);
            if (selector & 8) byte = byte & 0x80 ? 0xff : 0;
            result |= byte << 8 * k;
        }
        return result;
    });
    form("prmt.b32 $d, $a, $b, 0x5410", [](u32 a, u32 b) -> u32 { return (a & 0xffff) | b << 16; });
    form("prmt.b32 $d, $a, $b, 0x7632U", [](u32 a, u32 b) -> u32 { return a >> 16 | (b & 0xffff0000); });
    permutation("f4e", [](int k, int c) { return c + k; });
    permutation("b4e", [](int k, int c) { return (c - k + 8) % 8; });
    permutation("rc8", [](int, int c) { return c; });
    permutation("ecl", [](int k, int c) { return std::max(k, c); });
    permutation("ecr", [](int k, int c) { return std::min(k, c); });
    permutation("rc16", [](int k, int c) { return (c & 1) * 2 + k % 2; });
}

// A generic address lies in the space it was made of and in no other, comes back from it, and differs by what the address differs by.
void addresses() {
    for (const char* space : {"shared", "shared::cta", "local"}) {
        std::string there = std::string("cvta.") + space + ".u64 ", back = std::string("cvta.to.") + space + ".u64 ";
        form(there + "$d, $a; " + back + "$d, $d", [](u64 a) -> u64 { return a; });
        bool shared = space[0] == 's';
        form("{ .reg .b64 t; " + there + "t, $a; isspacep.shared $d, t; isspacep.local $e, t; isspacep.global $f, t; }", [shared](u64) {
            return std::tuple(shared, !shared, false);
        }).in<u64>(0, {0, 1, 16, 4096, 65535});
        form("{ .reg .b64 t; .reg .b64 u; " + there + "t, $a; " + there + "u, 0; sub.u64 $d, t, u; }", [](u64 a) -> u64 {
            return a;
        }).in<u64>(0, {0, 1, 16, 4096, 65535});
    }
    // Global addresses are generic ones.
    form("cvta.global.u64", [](u64 a) -> u64 { return a; });
    form("cvta.to.global.u64", [](u64 a) -> u64 { return a; });
    form("cvta.const.u64", [](u64 a) -> u64 { return a; });
    form("cvta.to.const.u64", [](u64 a) -> u64 { return a; });
}

}  // namespace

int main() {
    moves();
    vectors();
    permutations();
    addresses();
    return runForms("conformance_move");
}
