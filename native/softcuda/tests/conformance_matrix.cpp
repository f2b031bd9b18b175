// mma.sync of every shape and type against products of whole matrices in double, with the fragments' layouts as the manual gives them.
//
// Small integers must come out exactly. For other values the manual leaves order and precision of the sum open: a result may be off by
// (k + 2) roundings to f32 of the sum of magnitudes, and an f16 result by half a unit in its last place more.
#include <cmath>

#include "conformance_kernel.h"

using namespace conformance;

namespace {

// --- Numbers ----------------------------------------------------------------------------------------------------------------------

double fromHalf(u32 bits) {
    u32 exponent = bits >> 10 & 31, fraction = bits & 1023;
    double magnitude = exponent == 31  ? (fraction ? std::nan("") : HUGE_VAL)
                       : exponent == 0 ? std::ldexp(fraction, -24)
                                       : std::ldexp(1024 + fraction, static_cast<int>(exponent) - 25);
    return bits & 0x8000 ? -magnitude : magnitude;
}

double fromFloat(u32 bits) {
    float x;
    std::memcpy(&x, &bits, 4);
    return x;
}

enum class Element : u8 { f16, bf16, tf32, s8, u8 };

struct Format {
    const char* name;
    Element element;
    u32 bits;
};
const Format kHalf = {"f16", Element::f16, 16}, kBfloat = {"bf16", Element::bf16, 16}, kTf32 = {"tf32", Element::tf32, 32},
             kS8 = {"s8", Element::s8, 8}, kU8 = {"u8", Element::u8, 8};

double valueOf(Element element, u32 bits) {
    switch (element) {
        case Element::f16:
            return fromHalf(bits);
        case Element::bf16:
            return fromFloat(bits << 16);
        case Element::tf32:
            return fromFloat(bits & 0xffffe000);
        case Element::s8:
            return static_cast<i8>(bits);
        default:
            return static_cast<double>(bits);
    }
}

u32 bitsOf(Element element, int value) {
    float x = static_cast<float>(value);
    u32 bits;
    std::memcpy(&bits, &x, 4);
    if (element == Element::bf16) return bits >> 16;
    if (element == Element::tf32) return bits | 0x1234;  // the low bits do not count
    if (element != Element::f16) return static_cast<u32>(value) & 0xff;
    if (value == 0) return 0;
    int exponent = std::ilogb(x);
    u32 fraction = static_cast<u32>(std::ldexp(std::fabs(x), 10 - exponent)) - 1024;
    return (value < 0 ? 0x8000 : 0) | static_cast<u32>(exponent + 15) << 10 | fraction;
}

// --- Fragments: where element i of a lane lies ------------------------------------------------------------------------------------

struct Position {
    u32 row, column;
};

struct Form {
    u32 k;
    Format a, b;
    const char* accumulator;  // f32, f16, s32
    bool saturates = false;

    u32 registersOfB() const { return k * a.bits / 128; }
    u32 registersOfA() const { return 2 * registersOfB(); }
    u32 registersOfC() const { return half() ? 2 : 4; }
    u32 perRegister() const { return 32 / a.bits; }
    bool half() const { return std::string(accumulator) == "f16"; }
    std::string name() const {
        return std::string("mma.sync.aligned.m16n8k") + std::to_string(k) + ".row.col" + (saturates ? ".satfinite" : "") + "." +
               accumulator + "." + a.name + "." + b.name + "." + accumulator;
    }
};

Position positionInA(const Form& form, u32 lane, u32 i) {
    u32 group = lane / 4, thread = lane % 4;
    switch (form.a.bits) {
        case 32:  // m16n8k4, m16n8k8
            return {i == 0 || i == 2 ? group : group + 8, i < 2 ? thread : thread + 4};
        case 16:
            if (form.k == 8) return {i < 2 ? group : group + 8, thread * 2 + (i & 1)};
            return {i < 2 || (i >= 4 && i < 6) ? group : group + 8, i < 4 ? thread * 2 + (i & 1) : thread * 2 + (i & 1) + 8};
        default:
            if (form.k == 16) return {i < 4 ? group : group + 8, thread * 4 + (i & 3)};
            return {i < 4 || (i >= 8 && i < 12) ? group : group + 8, i < 8 ? thread * 4 + (i & 3) : thread * 4 + (i & 3) + 16};
    }
}

Position positionInB(const Form& form, u32 lane, u32 i) {
    u32 group = lane / 4, thread = lane % 4;
    switch (form.a.bits) {
        case 32:
            return {i == 0 ? thread : thread + 4, group};
        case 16:
            return {i < 2 ? thread * 2 + (i & 1) : thread * 2 + (i & 1) + 8, group};
        default:
            return {i < 4 ? thread * 4 + (i & 3) : thread * 4 + (i & 3) + 16, group};
    }
}

Position positionInC(u32 lane, u32 i) { return {i < 2 ? lane / 4 : lane / 4 + 8, lane % 4 * 2 + (i & 1)}; }

// --- Running ----------------------------------------------------------------------------------------------------------------------

enum class Target : u8 { fresh, accumulator, operand };  // where D goes: its own registers, those of C, those of A

std::string list(u32 first, u32 count) {
    std::string text = "{";
    for (u32 k = 0; k < count; k++) text += (k ? ", %r" : "%r") + std::to_string(first + k);
    return text + "}";
}

std::string bodyOf(const Form& form, Target target) {
    std::string body;
    u32 na = form.registersOfA(), nb = form.registersOfB(), nc = form.registersOfC();
    for (u32 k = 0; k < na + nb + nc; k++) {
        u32 reg = k < na ? 10 + k : k < na + nb ? 20 + k - na : 30 + k - na - nb;
        body += "ld.global.b32 %r" + std::to_string(reg) + ", [%in+" + std::to_string(4 * k) + "];\n";
    }
    u32 d = target == Target::fresh ? 40 : target == Target::accumulator ? 30 : 10;
    if (std::string(form.accumulator) == "f32") {
        for (u32 k = 0; k < nc; k++) body += "mov.b32 %f" + std::to_string(k) + ", %r" + std::to_string(30 + k) + ";\n";
        bool own = target == Target::fresh;
        body += form.name() + (own ? " {%f4, %f5, %f6, %f7}, " : " {%f0, %f1, %f2, %f3}, ") + list(10, na) + ", " + list(20, nb) +
                ", {%f0, %f1, %f2, %f3};\n";
        for (u32 k = 0; k < nc; k++)
            body += "st.global.f32 [%out+" + std::to_string(4 * k) + "], %f" + std::to_string(own ? k + 4 : k) + ";\n";
        return body;
    }
    body += form.name() + " " + list(d, nc) + ", " + list(10, na) + ", " + list(20, nb) + ", " + list(30, nc) + ";\n";
    for (u32 k = 0; k < nc; k++) body += "st.global.b32 [%out+" + std::to_string(4 * k) + "], %r" + std::to_string(d + k) + ";\n";
    return body;
}

struct Problem {
    double a[16][32] = {}, b[32][8] = {}, c[16][8] = {};
    std::vector<u32> in;  // words of each lane: A, B, C
};

// Makes a warp's fragments; element(which, bits of one) gives the bits of elements of A (0), B (1) and C (2).
Problem makeProblem(const Form& form, const std::function<u32(u32 which)>& element) {
    Problem problem;
    u32 na = form.registersOfA(), nb = form.registersOfB(), nc = form.registersOfC(), words = na + nb + nc;
    problem.in.resize(32 * words);
    for (u32 lane = 0; lane < 32; lane++) {
        u32* in = problem.in.data() + lane * words;
        u32 per = form.perRegister();
        for (u32 i = 0; i < na * per; i++) {
            u32 bits = element(0);
            in[i / per] |= bits << (i % per * form.a.bits);
            Position at = positionInA(form, lane, i);
            problem.a[at.row][at.column] = valueOf(form.a.element, bits);
        }
        for (u32 i = 0; i < nb * per; i++) {
            u32 bits = element(1);
            in[na + i / per] |= bits << (i % per * form.b.bits);
            Position at = positionInB(form, lane, i);
            problem.b[at.row][at.column] = valueOf(form.b.element, bits);
        }
        for (u32 i = 0; i < 4; i++) {
            u32 bits = element(2);
            in[na + nb + (form.half() ? i / 2 : i)] |= form.half() ? bits << (i % 2 * 16) : bits;
            Position at = positionInC(lane, i);
            problem.c[at.row][at.column] = form.half()                              ? fromHalf(bits)
                                           : std::string(form.accumulator) == "f32" ? fromFloat(bits)
                                                                                    : static_cast<i32>(bits);
        }
    }
    return problem;
}

double resultBits(const Form& form, const std::vector<u32>& out, u32 lane, u32 i) {
    if (form.half()) return fromHalf(out[lane * 2 + i / 2] >> (i % 2 * 16) & 0xffff);
    u32 bits = out[lane * 4 + i];
    return std::string(form.accumulator) == "f32" ? fromFloat(bits) : static_cast<i32>(bits);
}

double integerResult(const Form& form, double sum) {
    if (form.saturates) return std::min(std::max(sum, -2147483648.0), 2147483647.0);
    return static_cast<i32>(static_cast<u32>(static_cast<i64>(sum)));
}

void compare(const Form& form, const Problem& problem, const std::vector<u32>& out, bool exact) {
    u32 wrong = 0;
    for (u32 lane = 0; lane < 32 && !out.empty(); lane++)
        for (u32 i = 0; i < 4; i++) {
            Position at = positionInC(lane, i);
            double sum = problem.c[at.row][at.column], magnitude = std::fabs(sum);
            for (u32 k = 0; k < form.k; k++) {
                double product = problem.a[at.row][k] * problem.b[k][at.column];
                sum += product;
                magnitude += std::fabs(product);
            }
            bool integers = std::string(form.accumulator) == "s32";
            if (integers) sum = integerResult(form, sum);
            double got = resultBits(form, out, lane, i), bound = exact || integers ? 0 : (form.k + 2) * 0x1p-24 * magnitude;
            if (!exact && form.half()) bound += std::fabs(sum) * 0x1p-11 + 0x1p-25;
            bool same = std::isnan(sum) ? std::isnan(got) : std::isinf(sum) ? got == sum : std::fabs(got - sum) <= bound;
            checks++;
            if (same) continue;
            failures++;
            if (wrong++ < 4)
                std::fprintf(stderr, "%s: row %u, column %u is %.9g, expected %.9g within %.3g\n", form.name().c_str(), at.row, at.column,
                             got, sum, bound);
        }
}

void check(const Form& form, Target target, bool exact, const std::function<u32(u32 which)>& element) {
    Problem problem = makeProblem(form, element);
    u32 words = static_cast<u32>(problem.in.size()) / 32;
    std::string name = form.name();
    std::vector<u32> out = run({.name = name.c_str(),
                                .body = bodyOf(form, target),
                                .in = problem.in,
                                .inWords = words,
                                .outWords = form.registersOfC(),
                                .block = {32},
                                .grid = {1}});
    compare(form, problem, out, exact);
}

// --- What is multiplied -----------------------------------------------------------------------------------------------------------

u32 floatBits(double x) {
    float narrow = static_cast<float>(x);
    u32 bits;
    std::memcpy(&bits, &narrow, 4);
    return bits;
}

void floats(const Form& form) {
    Random random(form.k * 7 + form.a.bits);
    auto bitsOfC = [&](double x) { return form.half() ? bitsOf(Element::f16, static_cast<int>(x)) : floatBits(x); };
    auto integers = [&](u32 which) {
        int value = static_cast<int>(random.below(15)) - 7;
        return which == 2 ? bitsOfC(value * 3) : bitsOf(which == 0 ? form.a.element : form.b.element, value);
    };
    for (Target target : {Target::fresh, Target::accumulator, Target::operand}) check(form, target, true, integers);
    // Magnitudes from 2^-5 to 2^3, all bits of the fraction.
    auto numbers = [&](u32 which) -> u32 {
        u32 sign = random.below(2), exponent = random.below(8), fraction = static_cast<u32>(random.next());
        Element element = which == 2 ? (form.half() ? Element::f16 : Element::tf32) : form.a.element;
        if (element == Element::f16) return sign << 15 | (exponent + 10) << 10 | (fraction & 1023);
        u32 bits = sign << 31 | (exponent + 122) << 23 | (fraction & 0x7fffff);
        return element == Element::bf16 ? bits >> 16 : bits;
    };
    for (u32 round = 0; round < 4; round++) check(form, Target::accumulator, false, numbers);
}

// Infinities and NaN, in one element of A that meets zeros and others in B.
void specials(const Form& form) {
    const u32 half[] = {0x7c00, 0xfc00, 0x7e00}, bfloat[] = {0x7f80, 0xff80, 0x7fc0}, full[] = {0x7f800000, 0xff800000, 0x7fc00000};
    for (u32 special = 0; special < 3; special++) {
        u32 countA = 0, countB = 0;
        check(form, Target::fresh, true, [&](u32 which) {
            if (which == 2) return form.half() ? bitsOf(Element::f16, 1) : floatBits(1);
            if (which == 1) return bitsOf(form.b.element, static_cast<int>(countB++ % 3) - 1);
            if (countA++ % 37 != 5) return bitsOf(form.a.element, 2);
            return form.a.element == Element::f16 ? half[special] : form.a.element == Element::bf16 ? bfloat[special] : full[special];
        });
    }
}

// Results beyond the largest f16 become infinite.
void halfOverflow(const Form& form) {
    Problem problem = makeProblem(form, [&](u32 which) { return which == 2 ? 0u : bitsOf(Element::f16, 200); });
    std::string name = form.name() + " overflow";
    expect({.name = name.c_str(),
            .body = bodyOf(form, Target::fresh),
            .in = problem.in,
            .inWords = static_cast<u32>(problem.in.size()) / 32,
            .outWords = 2,
            .block = {32},
            .grid = {1}},
           [](u32, u32) { return 0x7c007c00; });
}

void integers(const Form& form) {
    Random random(form.k + (form.saturates ? 100 : 0));
    auto anything = [&](u32 which) { return which == 2 ? static_cast<u32>(random.next()) >> 8 : static_cast<u32>(random.next()) & 0xff; };
    for (Target target : {Target::fresh, Target::accumulator, Target::operand}) check(form, target, true, anything);
    // Sums at both ends of the range: they wrap around, or stay there.
    for (u32 limit : {0x7fffffffu, 0x80000000u})
        for (u32 least : {0x70u, 0x80u})
            check(form, Target::fresh, true, [&](u32 which) {
                return which == 2 ? limit ^ random.below(2000) : which == 1 ? 0x60 + random.below(31) : least + random.below(15);
            });
}

void all() {
    const Form floating[] = {{8, kHalf, kHalf, "f32"},  {16, kHalf, kHalf, "f32"},    {8, kHalf, kHalf, "f16"},
                             {16, kHalf, kHalf, "f16"}, {8, kBfloat, kBfloat, "f32"}, {16, kBfloat, kBfloat, "f32"},
                             {4, kTf32, kTf32, "f32"},  {8, kTf32, kTf32, "f32"}};
    for (const Form& form : floating) {
        floats(form);
        specials(form);
        if (form.half()) halfOverflow(form);
    }
    for (u32 k : {16u, 32u})
        for (const Format& a : {kS8, kU8})
            for (const Format& b : {kS8, kU8})
                for (bool saturates : {false, true}) integers({k, a, b, "s32", saturates});
}

}  // namespace

int main() { return inEveryMode("matrix products", all); }
