// Variables with initial values, constants, and kernel parameters of every kind.
#include "conformance_kernel.h"

using namespace conformance;

namespace {

u32 bitsOf(float x) {
    u32 bits;
    std::memcpy(&bits, &x, 4);
    return bits;
}

u32 wordOf(const void* bytes, u32 k) {
    u32 word;
    std::memcpy(&word, static_cast<const u8*>(bytes) + 4 * k, 4);
    return word;
}

// Copies `words` words at `symbol` to the output, by ld of the space.
std::string copyOut(const char* space, const char* symbol, u32 words, u32 to) {
    std::string text = std::string("mov.u64 %d1, ") + symbol + ";\n";
    for (u32 k = 0; k < words; k++)
        text += std::string("ld.") + space + ".b32 %r1, [%d1+" + std::to_string(4 * k) + "];\nst.global.b32 [%out+" +
                std::to_string(to + 4 * k) + "], %r1;\n";
    return text;
}

void initialValues(const char* space) {
    struct alignas(16) {
        i8 bytes[8] = {1, -2, 3, 0x7f, 0, 0, 0, 0};
        u16 halves[6] = {1, 0xffff, 300, 0xfed4, 0, 0};
        i32 words[3] = {-7, 0x12345678, 07};
        float reals[4] = {1.5f, -2.25f, 0.1f, 1e10f};
        u32 rest = 0;
        u64 wide[2] = {~0ull, 0x123456789abcdef0ull};
        double doubles[2] = {-0.125, 1e-300};
        u32 matrix[4] = {1, 2, 3, 0};
        float scalar = 2.5f, vector[4] = {1, 2, 3, 4};
        u32 end = 0;
    } want;
    std::string in = std::string(".") + space;
    std::string module = in + " .align 8 .b8 bytes[8] = {1, -2, 3, 127};\n" + in + " .align 4 .u16 halves[6] = {1, 65535, 300, -300};\n" +
                         in + " .s32 words[3] = {-7, 0x12345678, 07};\n" + in + " .f32 reals[4] = {1.5, -2.25, 0f3DCCCCCD, 1e10};\n" + in +
                         " .align 8 .u64 wide[2] = {-1, 0x123456789abcdef0};\n" + in + " .f64 doubles[2] = {-0.125, 1e-300};\n" + in +
                         " .b32 matrix[2][2] = {{1, 2}, {3}};\n" + in + " .f32 scalar = 2.5;\n" + in +
                         " .v4 .f32 vector = {1.0, 2.0, 3.0, 4.0};\n";
    std::string body;
    const struct {
        const char* name;
        u32 words;
    } variables[] = {{"bytes", 2}, {"halves", 3}, {"words", 3}, {"reals", 4}};
    u32 at = 0;
    for (const auto& v : variables) {
        body += copyOut(space, v.name, v.words, at);
        at += 4 * v.words;
    }
    at += 8;
    for (const char* name : {"wide", "doubles", "matrix"}) {
        body += copyOut(space, name, 4, at);
        at += 16;
    }
    body += copyOut(space, "scalar", 1, at) + copyOut(space, "vector", 4, at + 4);
    u32 words = sizeof want / 4;
    std::string name = std::string("initial values in ") + space;
    expect({.name = name.c_str(), .body = body, .outWords = words, .block = {32}, .grid = {1}, .module = module},
           [&](u32, u32 k) { return k == 12 || k == 13 || k == words - 1 ? kUntouched : wordOf(&want, k); });
}

void uninitialized() {
    expect({.name = "variables without initial values are zero",
            .body = R"(
        ld.global.u32 %r1, [plain+12];
        ld.const.u32 %r2, [fixed+4];
        or.b32 %r1, %r1, %r2;
        st.global.u32 [%out], %r1;)",
            .module = ".global .align 4 .b8 plain[16];\n.const .b32 fixed[4];"},
           [](u32, u32) { return 0; });
}

void addresses() {
    expect({.name = "initial values that are addresses",
            .body = R"(
        mov.u64 %d1, table;
        ld.global.u64 %d2, [%d1];
        ld.global.u64 %d3, [%d1+8];
        ld.global.u64 %d4, [%d1+16];
        ld.const.u64 %d5, [fixedTable+8];
        ld.u32 %r1, [%d2];
        ld.u32 %r2, [%d3+4];
        ld.u32 %r3, [%d4];
        ld.global.u32 %r4, [%d5];
        ld.global.u64 %d6, [single];
        ld.u32 %r5, [%d6+-4];
        st.global.v4.u32 [%out], {%r1, %r2, %r3, %r4};
        st.global.u32 [%out+16], %r5;)",
            .outWords = 8,
            .block = {32},
            .grid = {1},
            .module = R"(
        .global .align 16 .b32 values[4] = {10, 20, 30, 40};
        .const .align 4 .b32 fixed[2] = {50, 60};
        .global .align 8 .u64 table[4] = {generic(values), generic(values)+4, generic(fixed)+4, 0};
        .const .align 8 .u64 fixedTable[2] = {0, values+12};
        .global .u64 single = generic(values)+8;)"},
           [](u32, u32 k) {
               const u32 want[] = {10, 30, 60, 40, 20};
               return k < 5 ? want[k] : kUntouched;
           });
}

void constants() {
    std::vector<u32> in = randomWords(128, 3);
    expect({.name = "constant arrays by name, by register, by a lane's index and by generic address",
            .body = R"(
        ld.const.u32 %r1, [table+8];
        mov.u64 %d1, table;
        and.b32 %r2, %t, 3;
        mad.wide.u32 %d2, %r2, 4, %d1;
        ld.const.u32 %r3, [%d2];
        cvta.const.u64 %d3, %d2;
        ld.u32 %r4, [%d3];
        ld.const.v2.u32 {%r5, %r6}, [table+8];
        ld.const.s8 %r7, [text+1];
        ld.const.f64 %x1, [real];
        cvt.rzi.u32.f64 %r8, %x1;
        st.global.v4.u32 [%out], {%r1, %r3, %r4, %r5};
        st.global.v2.u32 [%out+16], {%r6, %r7};
        st.global.u32 [%out+24], %r8;)",
            .outWords = 8,
            .module = R"(
        .const .align 16 .b32 table[4] = {11, 22, 33, 44};
        .const .align 1 .b8 text[3] = {1, 200, 3};
        .const .f64 real = 1234.5;)"},
           [](u32 t, u32 k) {
               u32 own = (t % 4 + 1) * 11;
               const u32 want[] = {33, own, own, 33, 44, static_cast<u32>(200 - 256), 1234, kUntouched};
               return want[k];
           });
}

// A module's variables from the host: their size, what the host writes, what the kernel writes.
void hostAccess() {
    std::string ptx = header("90") + R"(
        .visible .global .align 4 .b32 counter[2] = {3, 4};
        .visible .const .align 4 .b32 factor = 5;
        .visible .entry test() {
        .reg .b32 %r<4>;
        ld.global.u32 %r1, [counter];
        ld.const.u32 %r2, [factor];
        mul.lo.u32 %r3, %r1, %r2;
        st.global.u32 [counter+4], %r3;
        ret; })";
    Module module(ptx, "variables from the host");
    if (!module.loaded()) return;
    CUdeviceptr counter, factor;
    std::size_t counterBytes = 0, factorBytes = 0;
    MUST(cuModuleGetGlobal(&counter, &counterBytes, module.get(), "counter"));
    MUST(cuModuleGetGlobal(&factor, &factorBytes, module.get(), "factor"));
    CHECK(counterBytes == 8 && factorBytes == 4, "%zu and %zu bytes", counterBytes, factorBytes);
    CHECK(download<u32>(counter, 2) == std::vector<u32>({3, 4}), "the initial values");
    u32 nine = 9, hundred = 100;
    MUST(cuMemcpyHtoD(counter, &nine, 4));
    MUST(cuMemcpyHtoD(factor, &hundred, 4));
    module.launch("test", {1}, {1}, 0, {});
    CHECK(download<u32>(counter, 2) == std::vector<u32>({9, 900}), "what the kernel made of new values");
}

// --- Parameters -------------------------------------------------------------------------------------------------------------------

struct Odd {
    u8 bytes[13];
};
struct Mixed {
    i16 half;
    float real;
    u64 wide;
    u8 last;
};

const char* const kParameterKernel = R"(
    .visible .entry test(.param .u64 output, .param .align 1 .b8 odd[13], .param .s8 byte, .param .align 8 .b8 mixed[24], .param .u16 half,
                         .param .f64 real, .param .align 16 .b8 vector[16], .param .b32 array[3], .param .u64 .ptr .global .align 4 in)
    {
    .reg .b64 %out, %d<8>;
    .reg .b32 %r<24>;
    .reg .b16 %h<4>;
    .reg .f32 %f<2>;
    .reg .f64 %x<2>;
    ld.param.u64 %out, [output];
    ld.param.u8 %r1, [odd+12];
    ld.param.s8 %r2, [odd+11];
    ld.param.s8 %r3, [byte];
    ld.param.s16 %r4, [mixed];
    ld.param.f32 %f1, [mixed+4];
    ld.param.u64 %d1, [mixed+8];
    ld.param.u8 %h1, [mixed+16];
    ld.param.u16 %h2, [half];
    ld.param.f64 %x1, [real];
    ld.param.v4.u32 {%r5, %r6, %r7, %r8}, [vector];
    ld.param.v2.b32 {%r9, %r10}, [vector+8];
    ld.param.b32 %r11, [array+8];
    ld.param.u64 %d2, [in];
    ld.global.u32 %r12, [%d2];
    mov.b64 %d3, vector;
    mov.u32 %r13, %tid.x;
    and.b32 %r13, %r13, 3;
    mad.wide.u32 %d4, %r13, 4, %d3;
    ld.param.u32 %r14, [%d4];
    cvta.param.u64 %d5, %d4;
    ld.u32 %r15, [%d5];
    mov.u32 %r13, %tid.x;
    mad.wide.u32 %out, %r13, 96, %out;
    cvt.u32.u16 %r16, %h1;
    cvt.u32.u16 %r17, %h2;
    st.global.v4.u32 [%out], {%r1, %r2, %r3, %r4};
    st.global.f32 [%out+16], %f1;
    st.global.u32 [%out+20], %r16;
    st.global.u64 [%out+24], %d1;
    st.global.f64 [%out+32], %x1;
    st.global.v2.u32 [%out+40], {%r17, %r12};
    st.global.v4.u32 [%out+48], {%r5, %r6, %r7, %r8};
    st.global.v4.u32 [%out+64], {%r9, %r10, %r11, %r14};
    st.global.u32 [%out+80], %r15;
    ret;
    })";

void parameters() {
    Module module(header("90") + kParameterKernel, "parameters");
    if (!module.loaded()) return;
    Odd odd;
    for (u32 k = 0; k < 13; k++) odd.bytes[k] = static_cast<u8>(k * 20);
    i8 byte = -5;
    Mixed mixed = {-300, 1.25f, 0x1122334455667788ull, 99};
    u16 half = 65000;
    double real = -3.5;
    u32 vector[4] = {1, 2, 3, 4}, array[3] = {7, 8, 9};
    CUdeviceptr in = upload(std::vector<u32>{4711}), out = upload(std::vector<u32>(32 * 24, kUntouched));
    module.launch("test", {1}, {32}, 0, {&out, &odd, &byte, &mixed, &half, &real, vector, array, &in});
    std::vector<u32> got = download<u32>(out, 32 * 24);
    for (u32 t = 0; t < 32; t++) {
        u32 own = vector[t & 3];
        const u32 want[] = {240,
                            static_cast<u32>(220 - 256),
                            static_cast<u32>(-5),
                            static_cast<u32>(-300),
                            bitsOf(1.25f),
                            99,
                            0x55667788,
                            0x11223344,
                            wordOf(&real, 0),
                            wordOf(&real, 1),
                            65000,
                            4711,
                            1,
                            2,
                            3,
                            4,
                            3,
                            4,
                            9,
                            own,
                            own};
        for (u32 k = 0; k < 21; k++)
            CHECK(got[24 * t + k] == want[k], "parameter word %u of thread %u is 0x%x, expected 0x%x", k, t, got[24 * t + k], want[k]);
    }
    MUST(cuMemFree(in));
    MUST(cuMemFree(out));
}

void all() {
    initialValues("global");
    initialValues("const");
    uninitialized();
    addresses();
    constants();
    if (std::getenv("CONFORMANCE_PTX") != nullptr) return;
    hostAccess();
    parameters();
}

}  // namespace

int main() { return inEveryMode("variables and parameters", all); }
