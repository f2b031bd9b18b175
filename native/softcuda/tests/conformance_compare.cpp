// Conformance of setp, set, selp and slct for every comparison and type, and of logic on predicates.
#include "conformance_rounding.h"

using namespace conformance;

namespace {

// What a comparison says of two values.
struct Comparison {
    const char* name;
    bool less, equal, greater, unordered;
};
constexpr Comparison kOrdered[] = {{"eq", false, true, false, false}, {"ne", true, false, true, false},  {"lt", true, false, false, false},
                                   {"le", true, true, false, false},  {"gt", false, false, true, false}, {"ge", false, true, true, false}};
constexpr Comparison kUnsigned[] = {{"lo", true, false, false, false},
                                    {"ls", true, true, false, false},
                                    {"hi", false, false, true, false},
                                    {"hs", false, true, true, false}};
constexpr Comparison kUnordered[] = {{"equ", false, true, false, true}, {"neu", true, false, true, true},
                                     {"ltu", true, false, false, true}, {"leu", true, true, false, true},
                                     {"gtu", false, false, true, true}, {"geu", false, true, true, true},
                                     {"num", true, true, true, false},  {"nan", false, false, false, true}};

template <class T>
bool holds(const Comparison& c, T a, T b) {
    return a < b ? c.less : a > b ? c.greater : a == b ? c.equal : c.unordered;
}
bool holds(const Comparison& c, F16 a, F16 b) { return holds(c, valueOf(a), valueOf(b)); }
bool holds(const Comparison& c, Bf16 a, Bf16 b) { return holds(c, valueOf(a), valueOf(b)); }

template <class T>
void plain(const Comparison& c, const std::string& type) {
    form(std::string("setp.") + c.name + "." + type, [c](T a, T b) -> bool { return holds(c, a, b); });
}

template <class T>
void integers(const std::string& type) {
    for (const Comparison& c : kOrdered) plain<T>(c, type);
    if (std::is_unsigned_v<T>)
        for (const Comparison& c : kUnsigned) plain<T>(c, type);
}

template <class T>
void bits(const std::string& type) {
    for (const Comparison& c : {kOrdered[0], kOrdered[1]}) plain<T>(c, type);
}

template <class T>
void reals(const std::string& type) {
    for (const Comparison& c : kOrdered) plain<T>(c, type);
    for (const Comparison& c : kUnordered) plain<T>(c, type);
}

float flush(float x) { return flushed(x); }
F16 flush(F16 x) { return x.bits & 0x7c00 ? x : F16{static_cast<u16>(x.bits & 0x8000)}; }

template <class T>
void flushing(const std::string& type) {
    for (const Comparison& c : {kOrdered[0], kOrdered[2], kUnordered[5]})
        form(std::string("setp.") + c.name + ".ftz." + type, [c](T a, T b) -> bool { return holds(c, flush(a), flush(b)); });
}

struct Combination {
    const char* name;
    bool (*apply)(bool, bool);
};
constexpr Combination kCombinations[] = {{"and", [](bool a, bool b) { return a && b; }},
                                         {"or", [](bool a, bool b) { return a || b; }},
                                         {"xor", [](bool a, bool b) { return a != b; }}};

// With a third operand, plain and negated, and the second destination, which combines the opposite.
template <class T>
void combined(const Comparison& c, const std::string& type) {
    std::string compare = std::string("setp.") + c.name;
    for (const Combination& k : kCombinations) {
        std::string text = compare + "." + k.name + "." + type;
        form(text, [=](T a, T b, bool p) -> bool { return k.apply(holds(c, a, b), p); });
        if (std::is_same_v<T, F16>) continue;  // has no second destination
        form(text + " $d|$e, $a, $b, !$c",
             [=](T a, T b, bool p) { return std::pair(k.apply(holds(c, a, b), !p), k.apply(!holds(c, a, b), !p)); });
    }
    if (std::is_same_v<T, F16>) return;
    form(compare + "." + type + " $d|$e, $a, $b", [c](T a, T b) { return std::pair(holds(c, a, b), !holds(c, a, b)); });
}

// Of two halves in a register: a predicate for the low one and one for the high one.
template <class E, class T>
void packed(const std::string& type) {
    for (const Comparison& c : {kOrdered[0], kOrdered[3], kUnordered[1], kUnordered[4], kUnordered[7]}) {
        auto both = [c](T a, T b) {
            auto half = [](T x, u32 shift) { return E{static_cast<u16>(x.bits >> shift)}; };
            return std::pair(holds(c, half(a, 0), half(b, 0)), holds(c, half(a, 16), half(b, 16)));
        };
        form(std::string("setp.") + c.name + "." + type + " $d|$e, $a, $b", both);
        form(std::string("setp.") + c.name + ".or." + type + " $d|$e, $a, $b, $c", [both](T a, T b, bool p) {
            auto [low, high] = both(a, b);
            return std::pair(low || p, high || p);
        });
    }
}

// All ones, or 1.0, where it holds.
template <class T>
void sets(const Comparison& c, const std::string& type) {
    std::string text = std::string("set.") + c.name;
    form(text + ".u32." + type, [c](T a, T b) -> u32 { return holds(c, a, b) ? 0xffffffff : 0; });
    form(text + ".s32." + type, [c](T a, T b) -> i32 { return holds(c, a, b) ? -1 : 0; });
    form(text + ".f32." + type, [c](T a, T b) -> float { return holds(c, a, b) ? 1 : 0; });
    form(text + ".and.u32." + type + " $d, $a, $b, !$c", [c](T a, T b, bool p) -> u32 { return holds(c, a, b) && !p ? 0xffffffff : 0; });
    form(text + ".xor.f32." + type, [c](T a, T b, bool p) -> float { return holds(c, a, b) != p ? 1 : 0; });
}

// A half of value one where it holds, or ones; also of both halves of a register.
template <class E, class Pair>
void halfSets(const Comparison& c, const std::string& type, u16 one) {
    std::string text = std::string("set.") + c.name + ".";
    form(text + type + "." + type, [=](E a, E b) -> E { return {holds(c, a, b) ? one : u16{0}}; });
    form(text + type + ".s32", [=](i32 a, i32 b) -> E { return {holds(c, a, b) ? one : u16{0}}; });
    form(text + "u16." + type, [=](E a, E b) -> u16 { return holds(c, a, b) ? 0xffff : 0; });
    form(text + "and.s32." + type, [=](E a, E b, bool p) -> i32 { return holds(c, a, b) && p ? -1 : 0; });
    auto both = [c](Pair a, Pair b, u32 yes, bool p) {
        auto half = [](Pair x, u32 shift) { return E{static_cast<u16>(x.bits >> shift)}; };
        u32 low = holds(c, half(a, 0), half(b, 0)) || p, high = holds(c, half(a, 16), half(b, 16)) || p;
        return low * yes | high * yes << 16;
    };
    form(text + type + "x2." + type + "x2", [=](Pair a, Pair b) -> u32 { return both(a, b, one, false); });
    form(text + "u32." + type + "x2", [=](Pair a, Pair b) -> u32 { return both(a, b, 0xffff, false); });
    form(text + "or." + type + "x2." + type + "x2", [=](Pair a, Pair b, bool p) -> u32 { return both(a, b, one, p); });
}

F16x2 flush(F16x2 x) {
    u32 low = flush(F16{static_cast<u16>(x.bits)}).bits, high = flush(F16{static_cast<u16>(x.bits >> 16)}).bits;
    return {high << 16 | low};
}

void flushingHalves() {
    form("setp.le.ftz.f16x2 $d|$e, $a, $b", [](F16x2 a, F16x2 b) {
        F16x2 x = flush(a), y = flush(b);
        auto le = [&](u32 shift) {
            return valueOf(F16{static_cast<u16>(x.bits >> shift)}) <= valueOf(F16{static_cast<u16>(y.bits >> shift)});
        };
        return std::pair(le(0), le(16));
    });
    form("setp.gt.f16x2 $d, $a, $b",
         [](F16x2 a, F16x2 b) -> bool { return valueOf(F16{static_cast<u16>(a.bits)}) > valueOf(F16{static_cast<u16>(b.bits)}); });
    form("set.eq.ftz.f16.f16", [](F16 a, F16 b) -> u16 { return valueOf(flush(a)) == valueOf(flush(b)) ? 0x3c00 : 0; });
}

template <class T>
void selections(const std::string& letters) {
    for (char letter : letters) {
        std::string type = letter + std::to_string(8 * sizeof(T));
        form("selp." + type, [](T a, T b, bool p) -> T { return p ? a : b; });
        form("slct." + type + ".s32", [](T a, T b, i32 c) -> T { return c >= 0 ? a : b; });
        // -0 counts as zero, NaN takes the second.
        form("slct." + type + ".f32", [](T a, T b, float c) -> T { return c >= 0 ? a : b; });
        form("slct.ftz." + type + ".f32", [](T a, T b, float c) -> T { return flushed(c) >= 0 ? a : b; });
    }
    form("selp.b" + std::to_string(8 * sizeof(T)) + " $d, $a, 7, !$b", [](T a, bool p) -> T { return p ? T(7) : a; });
}

void predicates() {
    for (const Combination& k : kCombinations) {
        form(std::string(k.name) + ".pred", [=](bool a, bool b) -> bool { return k.apply(a, b); });
        form(std::string(k.name) + ".pred $d, !$a, $b", [=](bool a, bool b) -> bool { return k.apply(!a, b); });
    }
    form("not.pred", [](bool a) { return !a; });
    form("mov.pred", [](bool a) { return a; });
    form("mov.pred $d, !$a", [](bool a) { return !a; });
}

}  // namespace

int main() {
    integers<u16>("u16");
    integers<i16>("s16");
    integers<u32>("u32");
    integers<i32>("s32");
    integers<u64>("u64");
    integers<i64>("s64");
    bits<u16>("b16");
    bits<u32>("b32");
    bits<u64>("b64");
    reals<float>("f32");
    reals<double>("f64");
    reals<F16>("f16");
    reals<Bf16>("bf16");
    flushing<float>("f32");
    flushing<F16>("f16");
    combined<i32>(kOrdered[2], "s32");
    combined<u64>(kOrdered[1], "u64");
    combined<float>(kOrdered[5], "f32");
    combined<double>(kUnordered[2], "f64");
    combined<F16>(kUnordered[3], "f16");
    packed<F16, F16x2>("f16x2");
    packed<Bf16, Bf16x2>("bf16x2");
    sets<i32>(kOrdered[4], "s32");
    sets<u16>(kOrdered[3], "u16");
    sets<u64>(kUnsigned[0], "u64");
    sets<float>(kUnordered[5], "f32");
    sets<double>(kOrdered[1], "f64");
    for (const Comparison& c : {kOrdered[0], kOrdered[3], kOrdered[4]}) {
        halfSets<F16, F16x2>(c, "f16", 0x3c00);
        halfSets<Bf16, Bf16x2>(c, "bf16", 0x3f80);
    }
    flushingHalves();
    selections<u16>("bus");
    selections<u32>("bus");
    selections<u64>("bus");
    form("selp.f32", [](float a, float b, bool p) -> float { return p ? a : b; });
    form("selp.f64", [](double a, double b, bool p) -> double { return p ? a : b; });
    form("slct.f32.s32", [](float a, float b, i32 c) -> float { return c >= 0 ? a : b; });
    predicates();
    return runForms("conformance_compare");
}
