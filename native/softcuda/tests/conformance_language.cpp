// kernels/conformance_language.cu from both front ends of nvcc, against the same written in C++ for the host. Argument: build folder.
#include <cmath>
#include <limits>

#include "conformance_kernel.h"

using namespace conformance;

namespace {

std::string folder;

// Values of all magnitudes and both signs; some beyond where sine and cosine reduce their argument the fast way.
template <class T>
std::vector<T> spread(u32 count, int least, int most) {
    Random random(5);
    std::vector<T> values(count);
    for (T& x : values) {
        double fraction = 1 + static_cast<double>(random.below(1 << 24)) / (1 << 24);
        int exponent = least + static_cast<int>(random.below(static_cast<u32>(most - least + 1)));
        x = static_cast<T>(std::ldexp(random.below(2) ? fraction : -fraction, exponent));
    }
    return values;
}

void compare(const char* kernel, u32 t, u32 k, double got, double want, double relative) {
    bool same = std::isnan(want) ? std::isnan(got) : got == want || std::fabs(got - want) <= relative * std::fabs(want) + 1e-37;
    CHECK(same, "%s: value %u of thread %u is %.17g, expected %.17g", kernel, k, t, got, want);
}

// The errors that the CUDA C++ Programming Guide allows, in units of the last place (the greatest of them: 4; pow 9).
void mathematics(Module& module) {
    int n = 1000;
    std::vector<float> in = spread<float>(1000, -20, 100);
    for (u32 k = 0; k < 400; k++) in[k] = std::ldexp(in[k], -std::ilogb(in[k]) + static_cast<int>(k % 12) - 6);
    CUdeviceptr input = upload(in), output = upload(std::vector<float>(12000));
    module.launch("mathematics", {8}, {128}, 0, {&input, &output, &n});
    std::vector<float> out = download<float>(output, 12000);
    for (u32 t = 0; t < 1000; t++) {
        double x = in[t], a = std::fabs(x), inverse = 1.0f / in[t];
        const double want[] = {std::sin(x),        std::cos(x),       std::tan(x),      std::exp(a < 80 ? x : inverse),
                               std::log(a),        std::pow(a, 0.3f), std::tanh(x),     std::erf(x),
                               std::fmod(x, 3.7f), std::cbrt(x),      1 / std::sqrt(a), std::atan2(x, 2.5)};
        for (u32 k = 0; k < 12; k++) compare("mathematics", t, k, out[12 * t + k], want[k], (k == 5 ? 9 : k == 8 ? 0 : 4) * 0x1p-23);
    }
    MUST(cuMemFree(input));
    MUST(cuMemFree(output));
}

void doubles(Module& module) {
    int n = 500;
    std::vector<double> in = spread<double>(500, -20, 45);
    CUdeviceptr input = upload(in), output = upload(std::vector<double>(4000));
    module.launch("doubles", {4}, {128}, 0, {&input, &output, &n});
    std::vector<double> out = download<double>(output, 4000);
    for (u32 t = 0; t < 500; t++) {
        double x = in[t], a = std::fabs(x);
        i64 whole = static_cast<i64>(x);
        // cvt saturates.
        i64 narrow = std::min<i64>(std::max<i64>(whole, INT32_MIN), INT32_MAX);
        const double want[] = {std::sin(x),          std::exp(-a * 1e-3),
                               std::log(a),          std::sqrt(a) / 3.0,
                               std::pow(a, 1.0 / 7), std::floor(x) + std::ceil(x) + std::rint(x) + std::trunc(x),
                               std::fma(x, x, -1.0), static_cast<double>(whole) + static_cast<double>(static_cast<u32>(narrow))};
        const double bounds[] = {4, 4, 4, 0, 4, 0, 0, 0};
        for (u32 k = 0; k < 8; k++) compare("doubles", t, k, out[8 * t + k], want[k], bounds[k] * 0x1p-52);
    }
    MUST(cuMemFree(input));
    MUST(cuMemFree(output));
}

void division(Module& module) {
    int n = 700;
    Random random(6);
    std::vector<i64> in(1400);
    for (i64& x : in) x = static_cast<i64>(random.next()) >> random.below(62);
    for (i64& x : in) x = x == 0 ? 3 : x;
    CUdeviceptr input = upload(in), output = upload(std::vector<i64>(4200));
    module.launch("division", {6}, {128}, 0, {&input, &output, &n});
    std::vector<i64> out = download<i64>(output, 4200);
    for (u32 t = 0; t < 700; t++) {
        i64 a = in[2 * t], b = in[2 * t + 1];
        u64 ua = static_cast<u64>(a), ub = static_cast<u64>(b);
        i32 na = static_cast<i32>(a), nb = static_cast<i32>(b) | 1;
        const i64 want[] = {a / b,
                            a % b,
                            static_cast<i64>(ua / ub),
                            static_cast<i64>(ua % ub),
                            na / nb + static_cast<i64>(static_cast<__int128>(a) * b >> 64),
                            na % nb + static_cast<i64>(static_cast<unsigned __int128>(ua) * ub >> 64)};
        for (u32 k = 0; k < 6; k++)
            CHECK(out[6 * t + k] == want[k], "division of %lld by %lld: value %u is %lld, expected %lld", static_cast<long long>(a),
                  static_cast<long long>(b), k, static_cast<long long>(out[6 * t + k]), static_cast<long long>(want[k]));
    }
    MUST(cuMemFree(input));
    MUST(cuMemFree(output));
}

u32 bitsOf(float x) {
    u32 bits;
    std::memcpy(&bits, &x, 4);
    return bits;
}

u32 bfloatOf(float x) {
    u32 bits = bitsOf(x);
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

float floatOf(u32 bfloat) {
    bfloat <<= 16;
    float x;
    std::memcpy(&x, &bfloat, 4);
    return x;
}

u32 halfOf(float x) {
    _Float16 half = static_cast<_Float16>(x);
    u16 bits;
    std::memcpy(&bits, &half, 2);
    return bits;
}

void halves(Module& module) {
    int n = 333;
    std::vector<float> in = spread<float>(333, -26, 17);
    CUdeviceptr input = upload(in), output = upload(std::vector<u32>(2000));
    module.launch("halves", {3}, {128}, 0, {&input, &output, &n});
    std::vector<u32> out = download<u32>(output, 2000);
    for (u32 t = 0; t < 333; t++) {
        float a = in[t], b = in[(t + 1) % 333];
        u32 na = bfloatOf(a), nb = bfloatOf(b);
        u32 most = floatOf(na) > 1 ? na : bfloatOf(1), less = floatOf(nb) > -1 ? nb : bfloatOf(-1);
        bool greater = static_cast<_Float16>(a) > static_cast<_Float16>(b);
        const u32 want[] = {na | nb << 16,     bitsOf(a) >> 16 | nb << 16, nb << 16, halfOf(a) | halfOf(b) << 16,
                            most | less << 16, greater ? 1u : 0u};
        for (u32 k = 0; k < 6; k++)
            CHECK(out[6 * t + k] == want[k], "halves of %g and %g: value %u is 0x%x, expected 0x%x", a, b, k, out[6 * t + k], want[k]);
    }
    MUST(cuMemFree(input));
    MUST(cuMemFree(output));
}

const u32 kTable[16] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3};

// The machine of the kernel `control`: its state is x and a stack.
u32 interpret(i32 x, u32 t) {
    std::vector<u32> stack;
    for (u32 i = 0; i < 16; i++) {
        u32 operation = static_cast<u32>(x >> i) & 7;
        if (operation == 1) {
            if (stack.size() > 1) {
                u32 last = stack.back();
                stack.pop_back();
                stack.back() += last;
            }
            continue;
        }
        if (operation == 5 && stack.size() > 3) break;
        if (operation == 0 && stack.size() < 16) stack.push_back(kTable[i]);
        if (operation == 2 || operation == 3) x ^= 0x5a5a;
        if (operation >= 2 && operation <= 4 && stack.size() < 16) stack.push_back(i);
        if (operation == 5) x += 77;
        if (operation == 6) x = static_cast<i32>(static_cast<u32>(x) * 3 + 1);
        if (operation == 7 && !stack.empty() && static_cast<i32>(stack.back()) > 5) stack.pop_back();
        x ^= static_cast<i32>(stack.size());
    }
    u32 sum = static_cast<u32>(x);
    for (u32 value : stack) sum = sum * 31 + value;
    const char* const names[] = {"zero", "one", "three"};
    for (const char* c = names[t % 3]; *c != 0; c++) sum += static_cast<u32>(*c);
    return sum + (t == 0 ? 40 : 0);
}

void control(Module& module) {
    int n = 777;
    std::vector<u32> in = randomWords(777, 7);
    for (u32& x : in) x &= 0x3fffffff;
    CUdeviceptr input = upload(in), output = upload(std::vector<u32>(777));
    module.launch("control", {7}, {128}, 0, {&input, &output, &n});
    std::vector<u32> out = download<u32>(output, 777);
    for (u32 t = 0; t < 777; t++) {
        u32 want = interpret(static_cast<i32>(in[t]), t);
        CHECK(out[t] == want, "control of 0x%x in thread %u is 0x%x, expected 0x%x", in[t], t, out[t], want);
    }
    MUST(cuMemFree(input));
    MUST(cuMemFree(output));
}

// What `sharing` scans over the eight threads of a tile.
u32 scanned(u32 t) {
    u32 first = t / 8 * 8, sums[8] = {};
    for (u32 step = 1; step < 8; step *= 2) {
        u32 before[8];
        std::copy(sums, sums + 8, before);
        for (u32 r = step; r < 8; r++) sums[r] += (first + before[r - step]) % 5;
    }
    return sums[t % 8];
}

void sharing(Module& module) {
    constexpr u32 kBlock = 128, kBlocks = 3, kThreads = kBlock * kBlocks;
    std::vector<float> in = spread<float>(4 * kThreads, -5, 5);
    CUdeviceptr input = upload(in), output = upload(std::vector<float>(4 * kThreads)), sums = upload(std::vector<u32>(4 * kThreads));
    module.launch("sharing", {kBlocks}, {kBlock}, kBlock * 16, {&input, &output, &sums});
    std::vector<float> out = download<float>(output, 4 * kThreads);
    std::vector<u32> got = download<u32>(sums, 4 * kThreads);
    for (u32 at = 0; at < kThreads; at++) {
        u32 t = at % kBlock, from = at - t + kBlock - 1 - t, same = 0;
        for (u32 l = 0; l < 32; l++) same += (t / 32 * 32 + l) % 3 == t % 3;
        const u32 want[] = {kBlock * (kBlock - 1) / 2 + 32, 6410, t % 4 == 1 ? 0x55 + 8000u : 0, scanned(t) + same};
        for (u32 k = 0; k < 4; k++) {
            CHECK(out[4 * at + k] == in[4 * from + 3 - k], "sharing: value %u of thread %u is %g", k, at, out[4 * at + k]);
            CHECK(got[4 * at + k] == want[k], "sharing: word %u of thread %u is %u, expected %u", k, at, got[4 * at + k], want[k]);
        }
    }
    for (CUdeviceptr p : {input, output, sums}) MUST(cuMemFree(p));
}

void all() {
    Module module(readFile(folder + "/tests/kernels/conformance_language" + (isSm100() ? ".sm100.ptx" : ".ptx")), "conformance_language");
    if (!module.loaded()) return;
    mathematics(module);
    doubles(module);
    division(module);
    halves(module);
    control(module);
    sharing(module);
}

}  // namespace

int main(int, char** argv) {
    folder = argv[1];
    if (std::getenv("CONFORMANCE_PTX") != nullptr) return 0;
    return inEveryMode("CUDA C++", all);
}
