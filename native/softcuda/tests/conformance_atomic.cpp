// Conformance of atom and red: what each operation makes of memory and gives back, in global and shared memory and by generic addresses;
// vectors; and that nothing is lost where all threads of a grid meet at one place.
#include <algorithm>
#include <numeric>

#include "conformance_formats.h"

using namespace conformance;

namespace {

// --- One lane, one place ---------------------------------------------------------------------------------------------------------------

enum class Space { global, shared, genericGlobal, genericShared };
constexpr Space kSpaces[] = {Space::global, Space::shared, Space::genericGlobal, Space::genericShared};

bool isShared(Space space) { return space == Space::shared || space == Space::genericShared; }
std::string nameOf(Space space) { return space == Space::global ? ".global" : space == Space::shared ? ".shared" : ""; }

// The statements around an access to [%p]: the lane's own 8 bytes are set to $a before, and read back into $e after. Those of global memory
// are borrowed from the results.
std::string around(Space space, const std::string& bits, const std::string& access) {
    std::string text = "{ .reg .b64 %p, %saved; .reg .b32 %t; ";
    if (isShared(space)) {
        text += ".shared .align 8 .b64 cells[256]; mov.u32 %t, %tid.x; mov.u64 %p, cells; mad.wide.u32 %p, %t, 8, %p; ";
        text += "st.shared." + bits + " [%p], $a; ";
        if (space == Space::genericShared) text += "cvta.shared.u64 %p, %p; ";
        return text + access + "; ld" + nameOf(space) + "." + bits + " $e, [%p]; }";
    }
    text += "mov.u64 %p, %out; ld.global.b64 %saved, [%p]; st.global." + bits + " [%p], $a; ";
    return text + access + "; ld.global." + bits + " $e, [%p]; st.global.b64 [%p], %saved; }";
}

template <class T>
std::string bitsOf() {
    return sizeof(T) == 8 ? "b64" : sizeof(T) == 4 ? "b32" : "b16";
}

// atom and red in every space. f(old, b, flushes) is what is left in memory.
template <class T, class F>
void operation(const std::string& name, F f, bool reduces = true) {
    for (Space space : kSpaces) {
        bool flushes = !isShared(space);
        std::string middle = nameOf(space) + "." + name;
        form(around(space, bitsOf<T>(), "atom" + middle + " $d, [%p], $b"),
             [f, flushes](T a, T b) { return std::tuple<T, T>(a, f(a, b, flushes)); });
        if (!reduces) continue;
        std::string text = around(space, bitsOf<T>(), "red" + middle + " [%p], $b");
        std::size_t at = text.find("$e");
        text[at + 1] = 'd';
        form(text, [f, flushes](T a, T b) -> T { return f(a, b, flushes); });
    }
}

template <class T>
void bitOperations() {
    std::string type = "." + bitsOf<T>();
    operation<T>("and" + type, [](T a, T b, bool) -> T { return a & b; });
    operation<T>("or" + type, [](T a, T b, bool) -> T { return a | b; });
    operation<T>("xor" + type, [](T a, T b, bool) -> T { return a ^ b; });
    operation<T>(
        "exch" + type, [](T, T b, bool) -> T { return b; }, false);
}

template <class T>
void swaps() {
    for (Space space : kSpaces) {
        std::string access = "atom" + nameOf(space) + ".cas." + bitsOf<T>() + " $d, [%p], $b, $c";
        // Random operands would never be equal.
        Form& added = form(around(space, bitsOf<T>(), access), [](T a, T b, T c) { return std::tuple<T, T>(a, a == b ? c : a); });
        added.template in<T>(0, {0, 1, 2, 0xff, static_cast<T>(-1)}).template in<T>(1, {0, 1, 2, 0xff, static_cast<T>(-1)});
    }
}

template <class T>
void extremes(const std::string& type) {
    operation<T>("min." + type, [](T a, T b, bool) -> T { return std::min(a, b); });
    operation<T>("max." + type, [](T a, T b, bool) -> T { return std::max(a, b); });
}

float flushed(float x) { return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(0.0f, x) : x; }
float addSingle(float a, float b, bool flushes) {
    float sum = flushes ? flushed(flushed(a) + flushed(b)) : a + b;
    return std::isnan(sum) ? std::bit_cast<float>(0x7fffffffu) : sum;
}

// A half's sum: exact in long double, rounded once. A zero that two values of different signs leave is positive.
u64 addHalf(const Format& format, u64 a, u64 b) { return convertedTo(format, decoded(format, a) + decoded(format, b), Rounding::even); }

template <class T>
void halves(const Format& format, const std::string& type) {
    operation<T>("add.noftz." + type, [&format](T a, T b, bool) -> T { return {static_cast<u16>(addHalf(format, a.bits, b.bits))}; });
}
template <class T>
void packedHalves(const Format& format, const std::string& type) {
    operation<T>("add.noftz." + type, [&format](T a, T b, bool) -> T {
        u64 low = addHalf(format, a.bits & 0xffff, b.bits & 0xffff), high = addHalf(format, a.bits >> 16, b.bits >> 16);
        return {static_cast<u32>(high << 16 | low)};
    });
}

void singles() {
    bitOperations<u32>(), bitOperations<u64>();
    swaps<u16>(), swaps<u32>(), swaps<u64>();
    for (const char* type : {"u32", "s32"}) operation<u32>(std::string("add.") + type, [](u32 a, u32 b, bool) -> u32 { return a + b; });
    operation<u64>("add.u64", [](u64 a, u64 b, bool) -> u64 { return a + b; });
    operation<u32>("inc.u32", [](u32 a, u32 b, bool) -> u32 { return a >= b ? 0 : a + 1; });
    operation<u32>("dec.u32", [](u32 a, u32 b, bool) -> u32 { return a == 0 || a > b ? b : a - 1; });
    extremes<u32>("u32"), extremes<i32>("s32"), extremes<u64>("u64"), extremes<i64>("s64");
    operation<float>("add.f32", addSingle);
    operation<double>("add.f64", [](double a, double b, bool) -> double { return a + b; });
    for (std::size_t k = forms.size() - 8; k < forms.size(); k++) forms[k].anyNaN<double>();
    halves<F16>(kF16, "f16"), halves<Bf16>(kBf16, "bf16");
    packedHalves<F16x2>(kF16, "f16x2"), packedHalves<Bf16x2>(kBf16, "bf16x2");
}

void modifiers() {
    for (const char* order : {".relaxed", ".acquire", ".release", ".acq_rel"})
        for (const char* scope : {".cta", ".cluster", ".gpu", ".sys"})
            form(around(Space::global, "b32", "atom" + std::string(order) + scope + ".global.add.u32 $d, [%p], $b"),
                 [](u32 a, u32 b) { return std::tuple<u32, u32>(a, a + b); });
    form(around(Space::shared, "b32", "atom.acq_rel.cta.shared::cta.cas.b32 $d, [%p], $b, 7"),
         [](u32 a, u32 b) { return std::tuple<u32, u32>(a, a == b ? 7 : a); });
    form(around(Space::global, "b32", "atom.global.add.u32 $d, [%p+0], 5"), [](u32 a) { return std::tuple<u32, u32>(a, a + 5); });
    form(around(Space::global, "b32", "add.s64 %p, %p, -16; atom.global.max.s32 $d, [%p+16], -5; add.s64 %p, %p, 16"),
         [](i32 a) { return std::tuple<i32, i32>(a, std::max(a, -5)); });
    form("{ .reg .b64 %policy; createpolicy.fractional.L2::evict_last.b64 %policy, 1.0; " +
             around(Space::global, "b32", "atom.global.add.L2::cache_hint.u32 $d, [%p], $b, %policy") + " }",
         [](u32 a, u32 b) { return std::tuple<u32, u32>(a, a + b); });
}

// --- Kernels of their own -----------------------------------------------------------------------------------------------------------

constexpr u32 kManyBlocks = 24, kManyThreads = 96;  // the last warp of a block is whole, the lanes that act are odd ones
constexpr u32 kAll = kManyBlocks * kManyThreads;

// Runs `body` in all threads of a grid. It may use %me (thread of the grid), %thread (of the block), %cells and %out (64-bit addresses:
// `cells` is memory that holds `memory`, `out` has 64 bytes a thread), %old and %one, and predicate %p.
struct Outcome {
    std::vector<u32> cells, out;
};
Outcome runKernel(const std::string& body, const std::vector<u32>& memory, u32 blocks = kManyBlocks, u32 threads = kManyThreads) {
    std::string ptx = header(90) +
                      ".visible .entry many(.param .u64 pc, .param .u64 po)\n{\n.reg .b32 %me, %thread, %old, %one, %x<10>;\n" +
                      ".reg .f32 %f<10>;\n.reg .b16 %h<20>;\n.reg .b64 %cells, %out, %wide;\n.reg .pred %p, %q;\n" +
                      "ld.param.u64 %cells, [pc];\nld.param.u64 %out, [po];\nmov.u32 %thread, %tid.x;\nmov.u32 %me, %ctaid.x;\n" +
                      "mov.u32 %old, %ntid.x;\nmad.lo.u32 %me, %me, %old, %thread;\nmad.wide.u32 %out, %me, 64, %out;\nmov.u32 %one, 1;\n" +
                      body + "\nret;\n}\n";
    CUmodule module;
    CUfunction function;
    MUST(cuModuleLoadData(&module, ptx.c_str()));
    MUST(cuModuleGetFunction(&function, module, "many"));
    CUdeviceptr cells = upload(memory), out = upload(std::vector<u32>(16 * blocks * threads, 0xabababab));
    void* arguments[] = {&cells, &out};
    MUST(cuLaunchKernel(function, blocks, 1, 1, threads, 1, 1, 0, nullptr, arguments, nullptr));
    MUST(cuCtxSynchronize());
    Outcome outcome{download<u32>(cells, memory.size()), download<u32>(out, 16 * blocks * threads)};
    for (CUdeviceptr p : {cells, out}) MUST(cuMemFree(p));
    MUST(cuModuleUnload(module));
    return outcome;
}

// The first word of what each thread stored, sorted.
std::vector<u32> sortedFirst(const Outcome& outcome) {
    std::vector<u32> first;
    for (std::size_t k = 0; k < outcome.out.size(); k += 16) first.push_back(outcome.out[k]);
    std::sort(first.begin(), first.end());
    return first;
}

std::vector<u32> counting(u32 count) {
    std::vector<u32> all(count);
    std::iota(all.begin(), all.end(), 0);
    return all;
}

// Where every thread of a grid adds 1 to one word, each sees another value.
void contention() {
    for (const char* space : {".global", ""}) {
        Outcome o = runKernel(std::string("atom") + space + ".add.u32 %old, [%cells], 1;\nst.global.u32 [%out], %old;", {0});
        CHECK(o.cells[0] == kAll, "%u", o.cells[0]);
        CHECK(sortedFirst(o) == counting(kAll), "atom%s.add: the old values are not 0, 1, 2, ...", space);
    }
    Outcome red =
        runKernel("red.global.add.u32 [%cells], %me;\nred.global.max.u32 [%cells+4], %me;\nred.global.inc.u32 [%cells+8], 6;", {0, 0, 0});
    CHECK(red.cells[0] == kAll * (kAll - 1) / 2, "%u", red.cells[0]);
    CHECK(red.cells[1] == kAll - 1, "%u", red.cells[1]);
    CHECK(red.cells[2] == kAll % 7, "%u", red.cells[2]);
    // Each thread puts its number there and takes another one out; all come out but the last one.
    Outcome exchange = runKernel("atom.global.exch.b32 %old, [%cells], %me;\nst.global.u32 [%out], %old;", {kAll});
    std::vector<u32> seen = sortedFirst(exchange);
    seen.insert(std::lower_bound(seen.begin(), seen.end(), exchange.cells[0]), exchange.cells[0]);
    CHECK(seen == counting(kAll + 1), "atom.exch loses a value");
    // Only every third thread acts.
    Outcome odd = runKernel(
        "rem.u32 %x0, %me, 3;\nsetp.eq.u32 %p, %x0, 1;\n@%p atom.global.add.u32 %old, [%cells], 1;\n"
        "@!%p mov.u32 %old, 77777;\nst.global.u32 [%out], %old;",
        {0});
    std::vector<u32> wanted = counting(kAll / 3);
    wanted.resize(kAll, 77777);
    CHECK(odd.cells[0] == kAll / 3 && sortedFirst(odd) == wanted, "guarded atom.add: %u", odd.cells[0]);
}

// A loop around compare-and-swap, whose lanes succeed one after the other.
void swapLoop() {
    Outcome o = runKernel(
        "again:\nld.relaxed.gpu.global.u32 %old, [%cells];\nadd.u32 %x0, %old, 3;\natom.global.cas.b32 %x1, [%cells], %old, %x0;\n"
        "setp.ne.u32 %p, %x1, %old;\n@%p bra again;\nst.global.u32 [%out], %old;",
        {5});
    CHECK(o.cells[0] == 5 + 3 * kAll, "%u", o.cells[0]);
    std::vector<u32> first = sortedFirst(o);
    for (u32 k = 0; k < kAll; k++) CHECK(first[k] == 5 + 3 * k, "%u: %u", k, first[k]);
}

// In shared memory: each block counts for itself.
void sharedContention() {
    for (const char* space : {".shared", ".shared::cta", ""}) {
        std::string generic = *space == 0 ? "cvta.shared.u64 %wide, %wide;\n" : "";
        Outcome o = runKernel(
            ".shared .align 8 .u32 counter[2];\nsetp.eq.u32 %p, %thread, 0;\nmov.u64 %wide, counter;\n@%p st.shared.u32 [%wide], 0;\n"
            "bar.sync 0;\n" +
                generic + "atom" + space + ".add.u32 %old, [%wide], 1;\nst.global.u32 [%out], %old;",
            {0});
        std::vector<u32> first = sortedFirst(o);
        for (u32 k = 0; k < kAll; k++) CHECK(first[k] == k / kManyBlocks, "atom%s.add: %u: %u", space, k, first[k]);
    }
}

u32 raw(float x) { return std::bit_cast<u32>(x); }

// Vectors of f32: the sum of what all threads add is exact.
void vectors() {
    for (u32 count : {2u, 4u}) {
        std::string list = count == 2 ? "{%f0, %f1}" : "{%f0, %f1, %f2, %f3}", results = count == 2 ? "{%f4, %f5}" : "{%f4, %f5, %f6, %f7}";
        std::string set = "cvt.rn.f32.u32 %f0, %me;\nadd.f32 %f1, %f0, %f0;\nmov.f32 %f2, 0f3F800000;\nmov.f32 %f3, 0fBF800000;\n";
        std::string v = ".v" + std::to_string(count);
        Outcome red = runKernel(set + "red.global.add" + v + ".f32 [%cells], " + list + ";", {raw(0), raw(1), raw(2), raw(3)});
        float all = kAll, sum = all * (all - 1) / 2;
        float wanted[] = {sum, 1 + 2 * sum, 2 + all, 3 - all};
        for (u32 k = 0; k < 4; k++)
            CHECK(red.cells[k] == raw(k < count ? wanted[k] : static_cast<float>(k)), "red%s.f32, element %u", v.c_str(), k);
        // One thread: the old values, and a subnormal that is flushed.
        Outcome atom =
            runKernel(set + "atom.global.add" + v + ".f32 " + results + ", [%cells], " + list + ";\nst.global.v2.f32 [%out], {%f4, %f5};",
                      {0x00400000, raw(1), raw(2), raw(3)}, 1, 1);
        CHECK(atom.cells[0] == raw(0) && atom.cells[1] == raw(1), "%x %x", atom.cells[0], atom.cells[1]);
        CHECK(atom.out[0] == 0x00400000 && atom.out[1] == raw(1), "%x %x", atom.out[0], atom.out[1]);
    }
}

// Vectors of halves: one thread, so that the order does not matter. Element k of the operand is operand[k], of memory memory[k].
void halfVectors() {
    const std::vector<u16> operand = {0x3c00, 0x0001, 0x7bff, 0xbc00, 0x7e00, 0x8000, 0x0400, 0x4248};
    const std::vector<u16> memory = {0x4000, 0x0001, 0x7bff, 0x3c00, 0x3c00, 0x0000, 0x8401, 0x7f80};
    for (u32 count : {2u, 4u, 8u})
        for (bool half : {true, false})
            for (const char* op : {"add", "min", "max"}) {
                const Format& format = half ? kF16 : kBf16;
                std::string body, list = "{", text;
                for (u32 k = 0; k < count; k++) {
                    body += "mov.b16 %h" + std::to_string(k) + ", " + std::to_string(operand[k]) + ";\n";
                    list += (k ? ", %h" : "%h") + std::to_string(k);
                }
                text =
                    "red.global." + std::string(op) + ".noftz.v" + std::to_string(count) + "." + format.name + " [%cells], " + list + "};";
                std::vector<u32> words;
                for (u32 k = 0; k < 8; k += 2) words.push_back(memory[k] | static_cast<u32>(memory[k + 1]) << 16);
                Outcome o = runKernel(body + text, words, 1, 1);
                for (u32 k = 0; k < 8; k++) {
                    long double a = decoded(format, memory[k]), b = decoded(format, operand[k]), result = a + b;
                    if (op[1] != 'd') result = std::isnan(a) ? b : std::isnan(b) ? a : (op[1] == 'i') == (a < b) ? a : b;
                    if (op[1] != 'd' && a == 0 && b == 0) result = op[1] == 'i' ? -0.0L : 0.0L;
                    u64 wanted = k < count ? encoded(format, roundedTo(format, result, Rounding::even, false)) : memory[k];
                    u64 got = o.cells[k / 2] >> 16 * (k % 2) & 0xffff;
                    CHECK(got == wanted, "%s: element %u is %x, expected %x", text.c_str(), k, static_cast<u32>(got),
                          static_cast<u32>(wanted));
                }
            }
    Outcome packed = runKernel(
        "mov.b32 %x0, 0x3c004000;\nmov.b32 %x1, 0x00010400;\nmov.b32 %x2, 1;\nmov.b32 %x3, 2;\n"
        "atom.global.add.noftz.v2.f16x2 {%x2, %x3}, [%cells], {%x0, %x1};\nst.global.v2.u32 [%out], {%x2, %x3};",
        {0x3c003c00, 0x00010001}, 1, 1);
    CHECK(packed.cells[0] == 0x40004200 && packed.cells[1] == 0x00020401, "%x %x", packed.cells[0], packed.cells[1]);
    CHECK(packed.out[0] == 0x3c003c00 && packed.out[1] == 0x00010001, "%x %x", packed.out[0], packed.out[1]);
}

// What does not exist is refused when the module is loaded.
void refused() {
    for (const char* text :
         {"atom.global.min.f32 %f0, [%cells], %f1;", "atom.shared.add.v2.f32 {%f0, %f1}, [%cells], {%f2, %f3};",
          "atom.global.add.f16 %h0, [%cells], %h1;", "red.global.cas.b32 [%cells], %x0, %x1;", "atom.global.sub.u32 %x0, [%cells], 1;",
          "atom.const.add.u32 %x0, [%cells], 1;", "red.async.global.add.u32 [%cells], 1;"}) {
        std::string ptx = header(90) +
                          ".visible .entry bad()\n{\n.reg .b64 %cells;\n.reg .f32 %f<4>;\n.reg .b16 %h<4>;\n.reg .b32 %x<4>;\n" + text +
                          "\nret;\n}\n";
        CUmodule module;
        CHECK(cuModuleLoadData(&module, ptx.c_str()) != CUDA_SUCCESS, "%s is taken", text);
    }
}

}  // namespace

int main() {
    singles();
    modifiers();
    if (std::getenv("CONFORMANCE_PTX") == nullptr) {
        openContext();
        contention();
        swapLoop();
        sharedContention();
        vectors();
        halfVectors();
        refused();
    }
    return runForms("conformance_atomic");
}
