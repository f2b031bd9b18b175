// atom and red: every operation and type, each lane at a place of its own, then all threads at a few places.
#include <algorithm>

#include "conformance_kernel.h"

using namespace conformance;

namespace {

using Function = std::function<u64(u64 old, u64 b, u64 c)>;

struct Operation {
    const char* name;
    const char* type;
    Function after;
    bool returnsOnly = false;  // atom, not red
};

template <class T>
Function of(T (*f)(T, T)) {
    return [f](u64 old, u64 b, u64) {
        using Unsigned = std::make_unsigned_t<T>;
        return static_cast<u64>(static_cast<Unsigned>(f(static_cast<T>(old), static_cast<T>(b))));
    };
}

template <class T>
T lesser(T a, T b) {
    return a < b ? a : b;
}
template <class T>
T greater(T a, T b) {
    return a > b ? a : b;
}

u64 floatSum(u64 old, u64 b, u64) {
    float x, y;
    std::memcpy(&x, &old, 4);
    std::memcpy(&y, &b, 4);
    x += y;
    u32 bits;
    std::memcpy(&bits, &x, 4);
    return bits;
}

u64 doubleSum(u64 old, u64 b, u64) {
    double x, y;
    std::memcpy(&x, &old, 8);
    std::memcpy(&y, &b, 8);
    x += y;
    std::memcpy(&old, &x, 8);
    return old;
}

const std::vector<Operation>& operations() {
    static const auto swap = [](u64 old, u64 b, u64 c) { return old == b ? c : old; };
    static const auto set = [](u64, u64 b, u64) { return b; };
    static const std::vector<Operation> all = {
        {"add", "u32", [](u64 a, u64 b, u64) -> u64 { return static_cast<u32>(a + b); }},
        {"add", "s32", [](u64 a, u64 b, u64) -> u64 { return static_cast<u32>(a + b); }},
        {"add", "u64", [](u64 a, u64 b, u64) { return a + b; }},
        {"inc", "u32", [](u64 a, u64 b, u64) -> u64 { return a >= b ? 0 : a + 1; }},
        {"dec", "u32", [](u64 a, u64 b, u64) -> u64 { return a == 0 || a > b ? b : a - 1; }},
        {"min", "u32", of<u32>(lesser)},
        {"max", "u32", of<u32>(greater)},
        {"min", "s32", of<i32>(lesser)},
        {"max", "s32", of<i32>(greater)},
        {"min", "u64", of<u64>(lesser)},
        {"max", "u64", of<u64>(greater)},
        {"min", "s64", of<i64>(lesser)},
        {"max", "s64", of<i64>(greater)},
        {"and", "b32", [](u64 a, u64 b, u64) { return a & b; }},
        {"or", "b32", [](u64 a, u64 b, u64) { return a | b; }},
        {"xor", "b32", [](u64 a, u64 b, u64) { return a ^ b; }},
        {"and", "b64", [](u64 a, u64 b, u64) { return a & b; }},
        {"or", "b64", [](u64 a, u64 b, u64) { return a | b; }},
        {"xor", "b64", [](u64 a, u64 b, u64) { return a ^ b; }},
        {"add", "f32", floatSum},
        {"add", "f64", doubleSum},
        {"exch", "b32", set, true},
        {"exch", "b64", set, true},
        {"cas", "b32", swap, true},
        {"cas", "b64", swap, true},
        {"cas", "b16", swap, true},
    };
    return all;
}

u32 bytesOf(const Operation& o) { return static_cast<u32>(std::atoi(o.type + 1)) / 8; }

// Old value, operand and, for cas, the new value: four words of input each but the last. Every third cas finds what it looks for.
std::vector<u64> operands(const Operation& o, u32 threads) {
    std::vector<u64> words(threads * 3);
    Random random(bytesOf(o));
    for (u32 k = 0; k < words.size(); k++) {
        u64 x = random.next();
        if (o.type[0] == 'f') {
            double real = static_cast<double>(static_cast<i64>(x)) * 0x1p-40;
            float narrow = static_cast<float>(real);
            x = 0;
            std::memcpy(&x, bytesOf(o) == 8 ? static_cast<void*>(&real) : &narrow, bytesOf(o));
        }
        if (std::string(o.name) == "inc" || std::string(o.name) == "dec") x = random.below(4);
        if (k % 9 == 4 && std::string(o.name) == "cas") x = words[k - 1];
        words[k] = bytesOf(o) == 8 ? x : x & ((1ull << 8 * bytesOf(o)) - 1);
    }
    return words;
}

struct Place {
    const char* modifiers;  // of order, scope and space
    bool shared, generic;
};
const Place kPlaces[] = {{".global", false, false},
                         {".shared", true, false},
                         {"", false, true},
                         {"", true, true},
                         {".relaxed.gpu.global", false, false},
                         {".acq_rel.sys.global", false, false},
                         {".acquire.cta.shared", true, false},
                         {".release.cluster.shared::cta", true, false}};

// The old value lies in this thread's eight bytes of output or of shared memory; %d20 is their address.
std::string setup(const Place& place, u32 bytes) {
    std::string text = "ld.global.v2.u64 {%d1, %d2}, [%in];\nld.global.u64 %d3, [%in+16];\n";
    if (place.shared) {
        text += ".shared .align 8 .b64 cells[64];\nmov.u64 %d20, cells;\nmad.wide.u32 %d20, %own, 8, %d20;\nst.shared.u64 [%d20], %d1;\n";
        if (place.generic) text += "cvta.shared.u64 %d20, %d20;\n";
    } else {
        text += "mov.u64 %d20, %out;\nst.global.u64 [%out], %d1;\n";
    }
    text += "mov.u64 %d4, 0;\nmov.u32 %r4, 0;\nmov.u16 %h4, 0;\n";
    if (bytes == 4) text += "cvt.u32.u64 %r2, %d2;\ncvt.u32.u64 %r3, %d3;\n";
    if (bytes == 2) text += "cvt.u16.u64 %h2, %d2;\ncvt.u16.u64 %h3, %d3;\n";
    return text;
}

void ownPlaces(const Operation& o, const Place& place, bool returns) {
    u32 bytes = bytesOf(o);
    const char* base = bytes == 8 ? "%d" : bytes == 4 ? "%r" : "%h";
    std::string b = base, name = std::string(returns ? "atom" : "red") + place.modifiers + "." + o.name + "." + o.type;
    std::string body = setup(place, bytes), operandsText = "[%d20], " + b + "2" + (std::string(o.name) == "cas" ? ", " + b + "3" : "");
    if (o.type[0] == 'f') {
        std::string f = bytes == 8 ? "%x" : "%f", move = bytes == 8 ? "mov.b64 " : "mov.b32 ";
        body += move + f + "2, " + b + "2;\n@%p1 " + name + (returns ? " " + f + "4, [%d20], " : " [%d20], ") + f + "2;\n";
        if (returns) body += "@%p1 " + move + b + "4, " + f + "4;\n";
    } else {
        body += "@%p1 " + name + (returns ? " " + b + "4, " : " ") + operandsText + ";\n";
    }
    body = "setp.ne.u32 %p1, %lane, 7;\n" + body;
    if (bytes == 4) body += "cvt.u64.u32 %d4, %r4;\n";
    if (bytes == 2) body += "cvt.u64.u16 %d4, %h4;\n";
    body += "st.global.u64 [%out+8], %d4;\n";
    if (place.shared) body += std::string(place.generic ? "ld" : "ld.shared") + ".u64 %d5, [%d20];\nst.global.u64 [%out], %d5;\n";
    std::vector<u64> values = operands(o, 128);
    std::vector<u32> in(128 * 8);
    for (u32 t = 0; t < 128; t++) std::memcpy(&in[8 * t], &values[3 * t], 24);
    expect({.name = name.c_str(), .body = body, .in = in, .inWords = 8, .outWords = 4}, [&](u32 t, u32 k) {
        bool active = t % 32 != 7;
        u64 before = values[3 * t], after = active ? o.after(before, values[3 * t + 1], values[3 * t + 2]) : before;
        u64 word = k < 2 ? after : active && returns ? before : 0;
        return static_cast<u32>(k % 2 ? word >> 32 : word);
    });
}

// All threads count at four places of the first threads' output; the old values are the numbers from zero on.
void contended() {
    Kernel kernel{.name = "atom.add of all threads",
                  .body = R"(
        ld.param.u64 %d1, [output];
        and.b32 %r1, %t, 3;
        mad.wide.u32 %d2, %r1, 4, %d1;
        atom.global.add.u32 %r2, [%d2], 1;
        mad.wide.u32 %d3, %t, 4, %d1;
        st.global.u32 [%d3+16], %r2;)",
                  .outWords = 2,
                  .block = {96},
                  .grid = {7}};
    std::vector<u32> out = run(kernel);
    if (out.empty()) return;
    constexpr u32 kThreads = 96 * 7;
    std::vector<u32> old[4];
    for (u32 t = 0; t < kThreads; t++) old[t % 4].push_back(out[4 + t] - kUntouched);
    for (u32 place = 0; place < 4; place++) {
        std::sort(old[place].begin(), old[place].end());
        CHECK(out[place] - kUntouched == kThreads / 4, "place %u counts %u", place, out[place] - kUntouched);
        for (u32 k = 0; k < kThreads / 4; k++) CHECK(old[place][k] == k, "place %u: old value %u is %u", place, k, old[place][k]);
    }
}

void contendedShared() {
    expect({.name = "sums of all threads of a block in shared memory",
            .body = R"(
        .shared .align 8 .b32 cells[8];
        mov.u32 %r1, cells;
        setp.lt.u32 %p1, %own, 8;
        mad.lo.u32 %r2, %own, 4, %r1;
        @%p1 st.shared.u32 [%r2], 0;
        bar.sync 0;
        red.shared.add.u32 [%r1], %own;
        red.shared.or.b32 [%r1+4], %own;
        atom.shared.xor.b32 %r3, [%r1+8], %own;
        cvt.rn.f32.u32 %f1, %own;
        red.shared.add.f32 [%r1+12], %f1;
        atom.shared.inc.u32 %r3, [%r1+16], 9;
        bar.sync 0;
        ld.shared.v4.u32 {%r4, %r5, %r6, %r7}, [%r1];
        ld.shared.u32 %r8, [%r1+16];
        st.global.v4.u32 [%out], {%r4, %r5, %r6, %r7};
        st.global.u32 [%out+16], %r8;)",
            .outWords = 8,
            .block = {99}},
           [](u32, u32 k) {
               float sum = 98 * 99 / 2;
               u32 bits, all = 0;
               std::memcpy(&bits, &sum, 4);
               for (u32 t = 0; t < 99; t++) all ^= t;
               const u32 want[] = {98 * 99 / 2, 127, all, bits, 99 % 10, kUntouched, kUntouched, kUntouched};
               return want[k];
           });
}

// --- Halves and vectors -----------------------------------------------------------------------------------------------------------

struct VectorForm {
    const char* text;
    const char* reg;  // registers of elements: %h (16 bits), %r (two halves), %f
    bool bfloat;
    u32 elements;
    char operation;  // + < >

    bool returns() const { return text[0] == 'a'; }
    u32 halves() const { return reg[1] == 'h' ? elements : 2 * elements; }
};

// Small integers, exact in every format: value k of a thread, of the old (0) and of the other operand (1).
int number(u32 t, u32 k, u32 which) { return static_cast<int>((t * (3 + which * 4) + k * 5) % 13) - 6; }

u32 halfBits(bool bfloat, int x) {
    float real = static_cast<float>(x);
    _Float16 half = static_cast<_Float16>(x);
    u32 bits;
    u16 narrow;
    std::memcpy(&bits, &real, 4);
    std::memcpy(&narrow, &half, 2);
    return bfloat ? bits >> 16 : narrow;
}

u32 wordOf(const VectorForm& form, u32 k, const std::function<int(u32 k)>& value) {
    float real = static_cast<float>(value(k));
    u32 bits;
    std::memcpy(&bits, &real, 4);
    if (form.reg[1] == 'f') return bits;
    return halfBits(form.bfloat, value(2 * k)) | halfBits(form.bfloat, value(2 * k + 1)) << 16;
}

std::string list(const VectorForm& form, u32 first) {
    std::string text;
    for (u32 k = 0; k < form.elements; k++) text += (k ? ", " : "") + std::string(form.reg) + std::to_string(first + k);
    return form.elements == 1 ? text : "{" + text + "}";
}

// The old values lie in the first four words of output; what atom returns goes to the other four.
void vectorForm(const VectorForm& form) {
    std::string body, bits = form.reg[1] == 'h' ? "b16 " : form.reg[1] == 'r' ? "b32 " : "f32 ";
    u32 bytes = form.reg[1] == 'h' ? 2 : 4;
    for (u32 k = 0; k < 4; k++) {
        std::string at = std::to_string(4 * k);
        body += "ld.global.b32 %r50, [%in+" + at + "];\nst.global.b32 [%out+" + at + "], %r50;\n";
    }
    for (u32 k = 0; k < form.elements; k++)
        body += "ld.global." + bits + form.reg + std::to_string(k) + ", [%in+" + std::to_string(16 + bytes * k) + "];\n";
    body += std::string(form.text) + (form.returns() ? " " + list(form, 10) + ", [%out], " : " [%out], ") + list(form, 0) + ";\n";
    for (u32 k = 0; k < form.elements && form.returns(); k++)
        body += "st.global." + bits + "[%out+" + std::to_string(16 + bytes * k) + "], " + form.reg + std::to_string(10 + k) + ";\n";
    std::vector<u32> in(128 * 8);
    for (u32 at = 0; at < in.size(); at++) in[at] = wordOf(form, at % 4, [&](u32 k) { return number(at / 8, k, at / 4 % 2); });
    u32 values = form.reg[1] == 'f' ? form.elements : form.halves();
    expect({.name = form.text, .body = body, .in = in, .inWords = 8, .outWords = 8}, [&](u32 t, u32 k) {
        auto after = [&](u32 v) {
            int a = number(t, v, 0), b = number(t, v, 1);
            if (v >= values) return a;
            return form.operation == '+' ? a + b : form.operation == '<' ? std::min(a, b) : std::max(a, b);
        };
        if (k < 4) return wordOf(form, k, after);
        if (!form.returns() || (k - 4) * 4 >= form.elements * bytes) return kUntouched;
        u32 old = in[8 * t + k - 4];
        return form.elements * bytes == 2 ? (kUntouched & 0xffff0000) | (old & 0xffff) : old;
    });
}

void vectors() {
    const VectorForm forms[] = {{"atom.global.add.noftz.f16", "%h", false, 1, '+'},
                                {"red.global.add.noftz.f16", "%h", false, 1, '+'},
                                {"atom.global.add.noftz.bf16", "%h", true, 1, '+'},
                                {"atom.global.add.noftz.f16x2", "%r", false, 1, '+'},
                                {"red.global.add.noftz.f16x2", "%r", false, 1, '+'},
                                {"atom.add.noftz.bf16x2", "%r", true, 1, '+'},
                                {"red.global.add.noftz.bf16x2", "%r", true, 1, '+'},
                                {"atom.global.v2.f32.add", "%f", false, 2, '+'},
                                {"atom.global.add.v4.f32", "%f", false, 4, '+'},
                                {"red.global.v2.f32.add", "%f", false, 2, '+'},
                                {"red.relaxed.gpu.global.add.v4.f32", "%f", false, 4, '+'},
                                {"red.global.add.noftz.v2.f16x2", "%r", false, 2, '+'},
                                {"red.global.max.noftz.v4.bf16x2", "%r", true, 4, '>'},
                                {"atom.global.min.noftz.v4.f16", "%h", false, 4, '<'},
                                {"atom.global.add.noftz.v8.bf16", "%h", true, 8, '+'},
                                {"atom.global.add.noftz.v2.bf16x2", "%r", true, 2, '+'}};
    for (const VectorForm& form : forms) vectorForm(form);
}

void all() {
    for (const Operation& o : operations())
        for (const Place& place : kPlaces) {
            ownPlaces(o, place, true);
            if (!o.returnsOnly && std::string(place.modifiers).find("acq") == std::string::npos) ownPlaces(o, place, false);
        }
    contended();
    contendedShared();
    vectors();
}

}  // namespace

int main() { return inEveryMode("atomic operations", all); }
