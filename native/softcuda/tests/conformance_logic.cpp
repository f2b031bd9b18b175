// Conformance of bits: and, or, xor, not, cnot, lop3, shifts, funnel shifts, fields, masks, counts and searches.
#include "conformance.h"

using namespace conformance;

namespace {

template <class T>
constexpr u32 kBits = 8 * sizeof(T);

template <class T>
std::string named(const std::string& opcode, const char* letter) {
    return opcode + "." + letter + std::to_string(kBits<T>);
}

template <class T>
void logic() {
    form(named<T>("and", "b"), [](T a, T b) -> T { return a & b; });
    form(named<T>("or", "b"), [](T a, T b) -> T { return a | b; });
    form(named<T>("xor", "b"), [](T a, T b) -> T { return a ^ b; });
    form(named<T>("not", "b"), [](T a) -> T { return static_cast<T>(~a); });
    form(named<T>("cnot", "b"), [](T a) -> T { return a ? 0 : 1; });
}

// Bit `k` of a value of unlimited width that is extended by its sign (or zero).
template <class T>
bool bitAt(T x, i64 k) {
    if (k < 0) return false;
    if (k >= kBits<T>) return x < 0;
    return static_cast<u64>(x) >> k & 1;
}
template <class T, class F>
T fromBits(F bit) {
    u64 result = 0;
    for (i64 k = 0; k < kBits<T>; k++) result |= static_cast<u64>(bit(k)) << k;
    return static_cast<T>(result);
}

constexpr std::initializer_list<u32> kShifts = {0, 1, 3, 7, 8, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 255, 256, 0x80000000, 0xffffffff};

template <class T>
void shifts() {
    using S = std::make_signed_t<T>;
    form(named<T>("shl", "b"), [](T a, u32 n) -> T { return fromBits<T>([=](i64 k) { return bitAt(a, k - n); }); }).in(1, kShifts);
    form(named<T>("shr", "b"), [](T a, u32 n) -> T { return fromBits<T>([=](i64 k) { return bitAt(a, k + n); }); }).in(1, kShifts);
    form(named<T>("shr", "u"), [](T a, u32 n) -> T { return fromBits<T>([=](i64 k) { return bitAt(a, k + n); }); }).in(1, kShifts);
    form(named<T>("shr", "s"), [](S a, u32 n) -> S { return fromBits<S>([=](i64 k) { return bitAt(a, k + n); }); }).in(1, kShifts);
}

void funnels() {
    for (bool clamp : {false, true}) {
        auto count = [clamp](u32 c) { return clamp ? std::min(c, 32u) : c % 32; };
        std::string mode = clamp ? ".clamp.b32" : ".wrap.b32";
        form("shf.l" + mode, [=](u32 a, u32 b, u32 c) -> u32 {
            u64 both = u64{b} << 32 | a;
            return static_cast<u32>((both << count(c)) >> 32);
        }).in(2, kShifts);
        form("shf.r" + mode, [=](u32 a, u32 b, u32 c) -> u32 {
            u64 both = u64{b} << 32 | a;
            return static_cast<u32>(both >> count(c));
        }).in(2, kShifts);
    }
}

u32 lookup(u32 a, u32 b, u32 c, u32 table) {
    return fromBits<u32>([=](i64 k) { return table >> ((a >> k & 1) * 4 + (b >> k & 1) * 2 + (c >> k & 1)) & 1; });
}

void tables() {
    for (u32 table : {0x00, 0x01, 0x1b, 0x40, 0x80, 0x96, 0xac, 0xe8, 0xfe, 0xff})
        form("lop3.b32 $d, $a, $b, $c, " + std::to_string(table), [table](u32 a, u32 b, u32 c) -> u32 { return lookup(a, b, c, table); });
    form("lop3.or.b32 $d|$e, $a, $b, $c, 0x78, $x", [](u32 a, u32 b, u32 c, bool x) {
        u32 result = lookup(a, b, c, 0x78);
        return std::pair(result, result != 0 || x);
    });
    form("lop3.and.b32 $d|$e, $a, $b, $c, 0x80, !$x", [](u32 a, u32 b, u32 c, bool x) {
        u32 result = lookup(a, b, c, 0x80);
        return std::pair(result, result != 0 && !x);
    });
}

template <class T>
void counts() {
    form(named<T>("popc", "b"), [](T a) -> u32 {
        u32 n = 0;
        for (u32 k = 0; k < kBits<T>; k++) n += bitAt(a, k);
        return n;
    });
    form(named<T>("clz", "b"), [](T a) -> u32 {
        u32 n = 0;
        while (n < kBits<T> && !bitAt(a, kBits<T> - 1 - n)) n++;
        return n;
    });
    form(named<T>("brev", "b"), [](T a) -> T { return fromBits<T>([=](i64 k) { return bitAt(a, kBits<T> - 1 - k); }); });
}

// The highest bit that differs from the sign, or all ones.
template <class T>
u32 highest(T a) {
    T differing = static_cast<T>(a < 0 ? ~a : a);
    for (u32 k = kBits<T>; k-- > 0;)
        if (bitAt(differing, k)) return k;
    return ~0u;
}

template <class T>
void searches(const char* letter) {
    form(named<T>("bfind", letter), [](T a) -> u32 { return highest(a); });
    form(named<T>("bfind.shiftamt", letter), [](T a) -> u32 {
        u32 position = highest(a);
        return position == ~0u ? position : kBits<T> - 1 - position;
    });
}

template <class T>
void extraction(const char* letter) {
    form(named<T>("bfe", letter),
         [](T a, u32 b, u32 c) -> T {
             u32 position = b % 256, length = c % 256, last = kBits<T> - 1;
             bool fill = std::is_signed_v<T> && length != 0 && bitAt(a, std::min(position + length - 1, last));
             return fromBits<T>([=](i64 k) { return k < length && position + k <= last ? bitAt(a, position + k) : fill; });
         })
        .in(1, kShifts)
        .in(2, kShifts);
}

template <class T>
void insertion() {
    form(named<T>("bfi", "b"),
         [](T a, T b, u32 c, u32 x) -> T {
             u32 position = c % 256, length = x % 256;
             return fromBits<T>([=](i64 k) { return k >= position && k < position + length ? bitAt(a, k - position) : bitAt(b, k); });
         })
        .in(2, kShifts)
        .in(3, kShifts);
}

void masksAndExtensions() {
    for (bool clamp : {false, true}) {
        std::string mode = clamp ? ".clamp" : ".wrap";
        form("bmsk" + mode + ".b32",
             [=](u32 a, u32 b) -> u32 {
                 i64 from = clamp ? a : a % 32, length = clamp ? b : b % 32;
                 return fromBits<u32>([=](i64 k) { return k >= from && k < from + length; });
             })
            .in(0, kShifts)
            .in(1, kShifts);
        form("szext" + mode + ".u32", [=](u32 a, u32 b) -> u32 {
            u32 width = clamp ? b : b % 32;
            return fromBits<u32>([=](i64 k) { return k < width && bitAt(a, k); });
        }).in(1, kShifts);
        form("szext" + mode + ".s32", [=](i32 a, u32 b) -> i32 {
            u32 width = clamp ? std::min(b, 32u) : b % 32;
            return fromBits<i32>([=](i64 k) { return width != 0 && bitAt(a, std::min<i64>(k, width - 1)); });
        }).in(1, kShifts);
    }
}

// The n-th set bit from `base`, upwards or downwards.
u32 nthSet(u32 mask, u32 base, i32 n) {
    if (n == 0) return bitAt(mask, base) ? base : ~0u;
    i64 left = n < 0 ? -i64{n} : i64{n};
    for (i64 k = base; k >= 0 && k < 32; k += n < 0 ? -1 : 1)
        if (bitAt(mask, k) && --left == 0) return static_cast<u32>(k);
    return ~0u;
}

}  // namespace

int main() {
    logic<u16>();
    logic<u32>();
    logic<u64>();
    shifts<u16>();
    shifts<u32>();
    shifts<u64>();
    funnels();
    tables();
    counts<u32>();
    counts<u64>();
    searches<u32>("u");
    searches<i32>("s");
    searches<u64>("u");
    searches<i64>("s");
    extraction<u32>("u");
    extraction<i32>("s");
    extraction<u64>("u");
    extraction<i64>("s");
    insertion<u32>();
    insertion<u64>();
    masksAndExtensions();
    form("fns.b32", nthSet).in<u32>(1, {0, 1, 5, 15, 30, 31}).in<i32>(2, {0, 1, 2, 3, 8, 32, 33, -1, -2, -3, -8, -32, -33, INT32_MIN});
    return runForms("conformance_logic");
}
